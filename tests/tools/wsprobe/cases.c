/* The cases, with results as TAP. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "frame_cases.h"
#include "http_cases.h"

static unsigned count, failures;

/* Return whether a list of groups contains this one. */
static bool
listed(const char *list, const char *group)
{
	struct span all = span_of(list), item;

	while (http_list_next(&all, &item))
		if (span_equal(item, span_of(group)))
			return true;
	return false;
}

/* Return whether the case is selected, by its group and its name. */
static bool
chosen(const char *group, const char *name)
{
	bool extra = listed("hosts, slow, text-only, deflate, takeover, no-takeover, offers, deflate-answers", group);

	if (settings.groups == NULL ? extra : !listed(settings.groups, group))
		return false;
	return settings.names == NULL || fnmatch(settings.names, name, 0) == 0;
}

static void
run(const char *group, const char *name, bool (*play)(struct link *l, const void *what), const void *what)
{
	struct link l = {.fd = -1};
	bool good;

	if (!chosen(group, name))
		return;
	if (settings.prog != NULL) {
		good = play_with_program(play, what);
	} else {
		good = link_open(&l) && play(&l, what);
		link_close(&l);
	}
	failures += !good;
	printf("%s %u - %s: %s\n", good ? "ok" : "not ok", ++count, group, name);
	if (!good)
		printf("# %s\n", why);
	fflush(stdout);
}

static void
run_http(const struct http_case *cases, size_t n, bool (*play)(struct link *l, const void *what))
{
	const char *group = NULL;

	for (const struct http_case *c = cases; c < cases + n; c++) {
		if (c->send == NULL)
			group = c->name;
		else
			run(group, c->name, play, c);
	}
}

static void
run_frames(void)
{
	const char *group = NULL;

	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		if (frames[i].script == NULL)
			group = frames[i].name;
		else
			run(group, frames[i].name, play_frames, frames[i].script);
	}
}

/* Write a text with the value for each #, the value up to its ^ for <, and the kind for @. */
static const char *
fill(struct bytes *out, const char *text, const char *value, const char *kind)
{
	for (out->size = 0; *text != '\0'; text++) {
		const char *from = *text == '@' ? kind : value;

		if (strchr("#<@", *text) == NULL) {
			bytes_byte(out, (unsigned char)*text);
			continue;
		}
		for (; *from != '\0' && !(*text == '<' && *from == '^'); from++)
			if (*from != '^')
				bytes_byte(out, (unsigned char)*from);
	}
	bytes_byte(out, '\0');
	return (const char *)out->at;
}

static void
run_template(const char *group, const struct template *t, const char *value)
{
	static const char *const kinds[] = {"text", "binary"};
	const char *colon = strstr(value, ": "), *text = colon == NULL ? value : colon + 2;
	struct bytes name = {0}, script = {0}, label = {0};

	bytes_put(&label, value, colon == NULL ? strlen(value) : (size_t)(colon - value));
	bytes_byte(&label, '\0');
	for (size_t k = 0; k < (strchr(t->script, '@') == NULL ? 1 : 2); k++)
		if (strchr(t->script, '<') == NULL || strchr(text, '^') != NULL)
			run(group, fill(&name, t->name, (const char *)label.at, kinds[k]), play_frames,
			    fill(&script, t->script, text, kinds[k]));
	bytes_free(&label);
	bytes_free(&name);
	bytes_free(&script);
}

static void
run_templates(void)
{
	const char *group = NULL;

	for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
		if (templates[i].values == NULL)
			group = templates[i].name;
		else
			for (const char *const *value = templates[i].values; *value != NULL; value++)
				run_template(group, &templates[i], *value);
	}
}

int
run_cases(void)
{
	if (settings.listener >= 0)
		run_http(answers, sizeof answers / sizeof answers[0], play_answer);
	else
		run_http(requests, sizeof requests / sizeof requests[0], play_request);
	run_frames();
	run_templates();
	printf("1..%u\n", count);
	return failures == 0 && count != 0 ? STATUS_OK : STATUS_FAILED;
}

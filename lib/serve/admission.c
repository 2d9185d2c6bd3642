#include "serve/admission.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/child.h"
#include "sys/exec.h"

static void
admission_rule(struct admission *admission, enum policy_kind kind)
{
	const char *why = policy_add(&admission->policy, kind, optarg);

	if (why == NULL)
		return;
	/* The value of a field may be a password, so only the name is printed. */
	if (kind == POLICY_FIELD)
		optarg[strcspn(optarg, ":")] = '\0';
	option_refuse(why);
}

static void
admission_realm(struct admission *admission)
{
	const char *why = policy_set_realm(&admission->policy, optarg);

	if (why != NULL)
		option_refuse(why);
}

void
admission_option(struct admission *admission, int key)
{
	switch (key) {
	case 'o': admission_rule(admission, POLICY_ORIGIN); break;
	case ADMISSION_HOST: admission_rule(admission, POLICY_HOST); break;
	case 's': admission_rule(admission, POLICY_PROTOCOL); break;
	case 'P': admission_rule(admission, POLICY_PATH); break;
	case 'a': admission->authorize = optarg; break;
	case ADMISSION_REALM: admission_realm(admission); break;
	case 'H': admission_rule(admission, POLICY_FIELD); break;
	case 't': admission->limit_ms = option_duration(1, OPTION_DAY_MS); break;
	case ADMISSION_CONSOLE: admission->console = true; break;
	case ADMISSION_PAGE: admission->page = optarg; break;
	case 'z': admission->policy.deflate = true; break;
	case ADMISSION_WINDOW: admission->window_bits = (unsigned char)option_number(9, EXTENSION_BITS_MAX); break;
	case ADMISSION_NO_TAKEOVER: admission->no_takeover = true; break;
	}
}

/* A client without --window leaves the window size to the server. */
static struct extension
admission_extension(const struct admission *admission, bool client)
{
	unsigned char bits = admission->window_bits;

	if (bits == 0 && !client)
		bits = EXTENSION_BITS_MAX;
	return (struct extension){
		.server_no_takeover = admission->no_takeover, .client_no_takeover = admission->no_takeover,
		.server_bits = bits, .client_bits = bits, .client_bits_any = bits == 0,
	};
}

void
admission_options_end(struct admission *admission, bool client)
{
	struct span culprit;
	const char *why = policy_fault(&admission->policy, client, &culprit);

	if (why != NULL)
		usage_refuse("%s: %s", quoted_bytes(culprit.at, culprit.size), why);
	if (admission->console && admission->page != NULL)
		usage_refuse("--console and --page exclude each other");
	if (admission->policy.realm != NULL && admission->authorize == NULL)
		usage_refuse("--realm requires --authorize");
	if (!admission->policy.deflate && (admission->window_bits != 0 || admission->no_takeover))
		usage_refuse("--window and --no-takeover require --deflate");
	admission->policy.extension = admission_extension(admission, client);
	admission->policy.page = admission->console ? POLICY_CONSOLE : admission->page != NULL ? POLICY_FILE : POLICY_NO_PAGE;
	if (client && (admission->authorize != NULL || admission->policy.page != POLICY_NO_PAGE))
		usage_refuse("--authorize, --console and --page exclude --client");
}

char **
admission_environment_in(void *space, size_t *size, const struct http_request *request,
    const struct handshake *decision, const struct cgi_connection *ends)
{
	extern char **environ;
	size_t slots = 1 + CGI_OWN_MAX + request->fields.count, kept = 0, added;
	char **all = space, *entry;
	struct strbuf text = {0};

	for (size_t i = 0; environ[i] != NULL; i++)
		slots++;
	if (*size < slots * sizeof *all)
		return NULL;
	text.at = entry = (char *)(all + slots);
	text.capacity = *size - slots * sizeof *all;
	added = cgi_environment(request, decision, ends, &text);
	if (text.cut)
		return NULL;
	*size = slots * sizeof *all + text.size;
	for (size_t i = 0; environ[i] != NULL; i++)
		if (!cgi_owns(environ[i]))
			all[kept++] = environ[i];
	for (size_t i = 0; i < added; i++, entry += strlen(entry) + 1)
		all[kept + i] = entry;
	all[kept + added] = NULL;
	return all;
}

char **
admission_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *ends)
{
	extern char **environ;
	size_t inherited = 0, size;
	char **all;
	void *space;

	while (environ[inherited] != NULL)
		inherited++;
	size = (inherited + 1 + CGI_OWN_MAX + HTTP_FIELDS_MAX) * sizeof *all + CGI_SIZE;
	space = malloc(size);
	if (space == NULL)
		return NULL;
	all = admission_environment_in(space, &size, request, decision, ends);
	if (all == NULL)
		free(space);
	return all;
}

pid_t
admission_authorize(const struct admission *admission, char *const *environment, int null)
{
	char path[PATH_MAX], *const argv[] = {(char *)(uintptr_t)admission->authorize, NULL};
	int error = exec_find(admission->authorize, path, sizeof path);
	struct child_start start = {
		.path = path, .argv = argv, .envp = environment, .in = null, .out = STDERR_FILENO,
		.own_group = true, .death_signal = SIGKILL,
	};
	bool exec_failed;
	pid_t pid = -1;

	if (error == 0)
		pid = child_begin(&start, &exec_failed);
	if (pid < 0)
		warn("%s: %s", quoted(admission->authorize),
		    error == 0 ? strerror(errno) : exec_find_error(admission->authorize, error));
	return pid;
}

size_t
admission_request(const struct admission *admission, struct http_scan *scan, const char *bytes, size_t n,
    struct http_request *request, struct handshake *decision)
{
	int size = http_scan(scan, bytes, n);
	const char *why;

	*decision = (struct handshake){0};
	if (size == 0)
		return 0;
	if (size < 0) {
		*request = (struct http_request){0};
		handshake_refuse(decision, (enum http_status)-size, scan->why);
		return n;
	}
	why = http_request_parse(bytes, (size_t)size, request);
	if (why != NULL) {
		*request = (struct http_request){0};
		handshake_refuse(decision, HTTP_BAD_REQUEST, why);
		return n;
	}
	handshake_check(&admission->policy, request, decision);
	return (size_t)size;
}

enum http_status
admission_denial(const struct admission *admission)
{
	return admission->policy.realm != NULL ? HTTP_UNAUTHORIZED : HTTP_FORBIDDEN;
}

/* Return the requested subprotocols if the request was accepted without one, or an empty span. */
static struct span
protocols_missed(const struct handshake *d, const struct http_request *request)
{
	struct span requested = {"", 0};

	if (d->status == HTTP_SWITCHING_PROTOCOLS && d->protocol.size == 0)
		(void)http_field_find(&request->fields, "Sec-WebSocket-Protocol", &requested);
	return requested;
}

void
admission_log(const char *who, const struct handshake *d, const struct http_request *request, bool verbose)
{
	struct span protocol = d->protocol, missed;
	char extensions[EXTENSION_SIZE + 3] = "";
	struct strbuf out = {.at = extensions, .capacity = sizeof extensions - 1};

	if (d->status >= HTTP_BAD_REQUEST) {
		warn("%s: %u %s%s%s%s%s%s", who, d->status, d->why, d->culprit.size == 0 ? "" : ": ",
		    quoted_bytes(d->culprit.at, d->culprit.size), d->against.size == 0 ? "" : " (Host: ",
		    quoted_bytes(d->against.at, d->against.size), d->against.size == 0 ? "" : ")");
		return;
	}
	if (!verbose)
		return;
	missed = protocols_missed(d, request);
	if (d->deflate) {
		strbuf_put_string(&out, ", ");
		extension_put(&out, &d->extension);
	}
	warn("%s: %u %s%s%s%s", who, d->status, quoted_bytes(request->target.at, request->target.size),
	    protocol.size != 0 ? ", protocol " : missed.size != 0 ? ", subprotocols not offered: " : "",
	    protocol.size != 0 ? quoted_bytes(protocol.at, protocol.size) : quoted_bytes(missed.at, missed.size),
	    extensions);
}

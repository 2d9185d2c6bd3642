/*
 * Offers and responses of permessage-deflate. A list is invalid if a regular expression does not
 * match it. Otherwise its blanks, quotes and escapes are removed, and the rest is split at commas
 * and semicolons and looked up (RFC 7692, section 7.1).
 */
#include "ws/extension.h"
#include "fuzz.h"

#define TOKEN "[-!#$%&'*+.^_`|~0-9A-Za-z]"
#define B "[ \t]*"
#define ITEM TOKEN "+(" B ";" B TOKEN "+(" B "=" B "(" TOKEN "+|\"(\\\\?" TOKEN ")+\"))?)*"

enum { TEXT_MAX = 1000, ITEMS_MAX = TEXT_MAX };

/* Parameters by number: 0 server_no, 1 client_no, 2 server_bits, 3 client_bits; -1 absent, 0 without a value. */
struct naive {
	bool deflate, valid;
	int params[4];
};

static struct naive
naive_item(char *item)
{
	static const char *const names[] = {"server_no_context_takeover", "client_no_context_takeover",
		"server_max_window_bits", "client_max_window_bits"};
	static const char *const values[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
	struct naive v = {.valid = true, .params = {-1, -1, -1, -1}};
	char *rest = item, *param = strsep(&rest, ";");

	v.deflate = strcmp(param, "permessage-deflate") == 0;
	while ((param = strsep(&rest, ";")) != NULL) {
		const char *name = strsep(&param, "=");
		int bits = param == NULL ? 0 : -1;
		size_t n = 0;

		while (n < 4 && strcmp(names[n], name) != 0)
			n++;
		for (int i = 0; i < 8; i++)
			if (param != NULL && strcmp(values[i], param) == 0)
				bits = 8 + i;
		if (n == 4 || bits < 0 || v.params[n] != -1 || (n < 2 && bits != 0) || (n == 2 && bits == 0))
			v.valid = false;
		else
			v.params[n] = bits;
	}
	return v;
}

/* Return the number of extensions in the text, or -1 if it is invalid. */
static int
naive_list(const char *text, struct naive *items)
{
	static const char pattern[] = "^(" B ",)*" B "(" ITEM B "(," B "(" ITEM B ")?)*)?$";
	static char plain[TEXT_MAX + 1];
	char *rest = plain, *item;
	size_t n = 0;
	int count = 0;

	if (!fuzz_matches(pattern, text, NULL, 0))
		return -1;
	for (; *text != '\0'; text++)
		if (strchr(" \t\"\\", *text) == NULL)
			plain[n++] = *text;
	plain[n] = '\0';
	while ((item = strsep(&rest, ",")) != NULL)
		if (*item != '\0')
			items[count++] = naive_item(item);
	return count;
}

static int
least(int a, int b)
{
	return a < b ? a : b;
}

/* Return whether the server accepts this offer, and its response. */
static bool
naive_accept(const struct naive *offer, const struct extension *want, int answer[4])
{
	const int *p = offer->params;

	answer[0] = p[0] == 0 || want->server_no_takeover ? 0 : -1;
	answer[1] = p[1] == 0 || want->client_no_takeover ? 0 : -1;
	answer[2] = p[2] > 0 ? least(p[2], want->server_bits) : want->server_bits < 15 ? want->server_bits : -1;
	answer[3] = p[3] > 0 ? least(p[3], want->client_bits) : p[3] == 0 && want->client_bits < 15 ? want->client_bits : -1;
	return offer->deflate && offer->valid && (p[3] >= 0 || want->client_bits == 15);
}

static bool
equal(const struct extension *e, const int p[4])
{
	return e->server_no_takeover == (p[0] == 0) && e->client_no_takeover == (p[1] == 0)
	    && e->server_bits == (p[2] > 0 ? p[2] : 0) && e->client_bits == (p[3] > 0 ? p[3] : 0);
}

static void
check_server(const struct http_fields *fields, const struct extension *want, const struct naive *items, int count)
{
	struct extension agreed, parsed;
	char text[EXTENSION_SIZE];
	struct strbuf out = {.at = text, .capacity = sizeof text};
	const char *why = NULL;
	enum extension_result result = extension_accept(fields, want, &agreed, &why);
	int answer[4] = {0}, i = 0;

	FUZZ_CHECK((result == EXTENSION_BAD) == (count < 0) && (why != NULL) == (count < 0));
	while (i < count && !naive_accept(&items[i], want, answer))
		i++;
	FUZZ_CHECK(count < 0 || (result == EXTENSION_AGREED) == (i < count));
	if (result != EXTENSION_AGREED)
		return;
	FUZZ_CHECK(equal(&agreed, answer));
	extension_put(&out, &agreed);
	FUZZ_CHECK(!out.cut && extension_parse((struct span){text, out.size}, &parsed));
	FUZZ_CHECK(parsed.server_bits <= want->server_bits && parsed.client_bits <= want->client_bits);
}

static void
check_client(const struct http_fields *fields, const struct extension *offer, const struct naive *items, int count)
{
	struct extension agreed;
	const char *why = NULL;
	enum extension_result result = extension_check(fields, offer, &agreed, &why);
	const int *p = items[0].params;
	int server, client;

	if (count == 0 && fields->count < 2) {
		FUZZ_CHECK(result == EXTENSION_NONE);
		return;
	}
	server = p[2] > 0 ? p[2] : 15;
	client = least(p[3] > 0 ? p[3] : 15, offer->client_bits > 0 ? offer->client_bits : 15);
	if (count != 1 || fields->count != 1 || !items[0].deflate || !items[0].valid || p[3] == 0
	    || (p[3] > 0 && offer->client_bits == 0 && !offer->client_bits_any)
	    || (offer->server_bits != 0 && server > offer->server_bits) || (offer->server_no_takeover && p[0] < 0)) {
		FUZZ_CHECK(result == EXTENSION_BAD && why != NULL);
		return;
	}
	FUZZ_CHECK(result == EXTENSION_AGREED);
	FUZZ_CHECK(equal(&agreed, (int[4]){p[0], p[1] == 0 || offer->client_no_takeover ? 0 : -1, server, client}));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct http_fields fields;
	static struct naive items[ITEMS_MAX];
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f), bits = fuzz_byte(&f);
	struct extension want = {choice & 1, (choice & 2) != 0, (unsigned char)(8 + bits % 8), (unsigned char)(8 + bits / 8 % 8), false};
	struct extension offer = want;
	char text[TEXT_MAX + 1];
	int count = 0;

	offer.server_bits = choice & 4 ? offer.server_bits : 0;
	offer.client_bits = choice & 8 ? offer.client_bits : 0;
	offer.client_bits_any = offer.client_bits == 0 && (choice & 16) != 0;
	f.size = f.size < TEXT_MAX ? f.size : TEXT_MAX;
	memcpy(text, f.at, f.size);
	text[f.size] = '\0';
	fields.count = 0;
	for (char *rest = text, *value; count >= 0 && fields.count < 4 && (value = strsep(&rest, "\n")) != NULL; fields.count++) {
		int n = naive_list(value, items + count);
		size_t length = strlen(value);

		/* The first two are edge cases. */
		fields.all[fields.count] = (struct http_field){span_of("Sec-WebSocket-Extensions"),
			{value, length}};
		if (fields.count < 2)
			fields.all[fields.count].value.at = (const char *)fuzz_edge((unsigned)fields.count, value, length);
		count = n < 0 ? -1 : count + n;
	}
	check_server(&fields, &want, items, count);
	check_client(&fields, &offer, items, count);
	return 0;
}

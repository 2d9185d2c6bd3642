/* The frame reader with permessage-deflate, and without space. All else is shown by the seeds of the fuzz target `frame'. */
#include "ws/reader.h"

#include "unit.h"

/* The events of a reader in one line: T( text, B( binary, ) end of a message, [p] Ping, !code a failure. */
struct account {
	char text[4096];
	size_t size;
};

static struct reader_inflate inflate;
static struct inflate_tables tables;
static unsigned char window[1 << 15], inflated[64];

static void
tell(struct account *a, const void *bytes, size_t n)
{
	if (n > sizeof a->text - 1 - a->size)
		n = sizeof a->text - 1 - a->size;
	memcpy(a->text + a->size, bytes, n);
	a->size += n;
	a->text[a->size] = '\0';
}

static void
tell_event(struct account *a, const struct reader_event *e)
{
	char line[16];

	switch (e->kind) {
	case READER_DATA:
		tell(a, e->chunk.binary ? "B(" : "T(", e->chunk.first ? 2 : 0);
		tell(a, e->chunk.at, e->chunk.size);
		tell(a, ")", e->chunk.last);
		break;
	case READER_PING:
		tell(a, "[", 1);
		tell(a, e->chunk.at, e->chunk.size);
		tell(a, "]", 1);
		break;
	case READER_FAIL:
		tell(a, line, (size_t)snprintf(line, sizeof line, "!%u", e->code));
		break;
	default:
		break;
	}
}

/* Run steps until nothing can be done; unused bytes stay at the beginning. */
static size_t
drive(struct reader *r, unsigned char *bytes, size_t n, size_t room, struct account *a)
{
	for (;;) {
		unsigned char *edge = unit_at_edge(bytes, n);
		struct reader_event e;
		size_t used;

		inflate.out = inflated;
		inflate.capacity = room < sizeof inflated ? room : sizeof inflated;
		used = reader_step_inflate(r, &inflate, edge, n, room, &e);
		tell_event(a, &e);
		memmove(bytes, bytes + used, n - used);
		unit_drop(edge, n);
		n -= used;
		if (e.kind == READER_MORE || e.kind == READER_FULL)
			return n;
	}
}

static const struct reader from_server = {.peer = READER_OF_SERVER, .limit = 1000};

/* Feed the input in two parts, divided at `cut`, or byte by byte. */
static void
account_of(struct reader r, const char *in, size_t n, size_t cut, size_t chunk, size_t room, struct account *a)
{
	unsigned char held[4096];
	size_t kept = 0, at = 0;

	*a = (struct account){0};
	inflate_begin(&inflate.z, 15, window, &tables);
	while (at < n) {
		size_t part = chunk != 0 ? chunk : at < cut ? cut - at : n - at;

		part = part > n - at ? n - at : part;
		memcpy(held + kept, in + at, part);
		kept = drive(&r, held, kept + part, room, a);
		at += part;
	}
}

static bool
reads_as(struct reader r, const char *in, size_t n, const char *want)
{
	struct account a;
	bool good = true;

	for (size_t cut = 0; cut <= n && good; cut++) {
		account_of(r, in, n, cut, 0, SIZE_MAX, &a);
		good = strcmp(a.text, want) == 0;
	}
	for (size_t chunk = 1; chunk <= 3 && good; chunk++) {
		account_of(r, in, n, 0, chunk, SIZE_MAX, &a);
		good = strcmp(a.text, want) == 0;
	}
	for (size_t room = 1; room <= 3 && good; room++) {
		account_of(r, in, n, 0, 0, room, &a);
		good = strcmp(a.text, want) == 0;
	}
	if (!good)
		printf("# got  %s\n# want %s\n", a.text, want);
	return good;
}

#define READS(reader, bytes, want) CHECK(reads_as(reader, "" bytes, sizeof(bytes) - 1, want))

/* RFC 7692, section 7.2.3, and violations of its rules. */
TEST(compressed_messages)
{
	const struct reader r = {.peer = READER_OF_SERVER, .limit = 1000, .deflate = true};
	struct reader limited = r, client = r, text_only = r;

	for (int takeover = 0; takeover < 2; takeover++) {
		inflate.takeover = takeover;
		READS(r, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "T(Hello)");
		READS(r, "\x41\x03\xf2\x48\xcd\x89\x01p\x80\x04\xc9\xc9\x07\x00\x81\x01x", "T(He[p]llo)T(x)");
		READS(r, "\xc2\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "B(Hello)");
		READS(r, "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "T(Hello)T(Hello)");
		READS(r, "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "T(Hello)");
		READS(r, "\xc1\x01\x00\xc2\x00\x41\x00\x80\x00", "T()B()T()");
		READS(r, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
		    takeover ? "T(Hello)T(Hello)" : "T(Hello)T(H!1007");
	}
	client.peer = READER_OF_CLIENT;
	READS(client, "\xc1\x87\x37\xfa\x21\x3d\xc5\xb2\xec\xf4\xfe\xfd\x21", "T(Hello)");
	/* RSV1 only on the first frame of a message; each message is independent. */
	READS(r, "\x01\x01x\xc0\x01y", "T(x!1002");
	READS(r, "\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00", "T(He!1002");
	READS(r, "\xc9\x00", "!1002");
	READS(r, "\xc8\x00", "!1002");
	READS(r, "\xa1\x00", "!1002");
	READS(r, "\x41\x03\xf2\x48\xcd\xc1\x00", "T(He!1002");
	/* Invalid DEFLATE; the end inside a block. */
	READS(r, "\xc1\x01\x06", "!1007");
	READS(r, "\xc1\x04\xf2\x48\xcd\xc9", "T(Hel!1007");
	/* Text is validated incrementally: in an incomplete stored block, and at the end. */
	READS(r, "\x41\x07\x00\x09\x00\xf6\xff" "a\xff", "T(a!1007");
	READS(r, "\xc1\x07\x00\x01\x00\xfe\xff\xc3\x00", "T(\xc3!1007");
	text_only.text_only = true;
	READS(text_only, "\xc2\x07\x00\x01\x00\xfe\xff\xff\x00", "!1003");
	/* The limit applies to the decompressed size. */
	limited.limit = 5;
	READS(limited, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "T(Hello)");
	limited.limit = 4;
	READS(limited, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "T(Hell!1009");
	READS(limited, "\xc1\x7e\x04\x04", "");
	READS(limited, "\xc1\x7e\x04\x05", "!1009");
	READS(limited, "\x41\x04\x00\x00\x00\xff\x00\x7e\x04\x01", "T(!1009");
}

TEST(without_output_space_control_frames_are_delivered_and_payload_waits)
{
	struct reader r = from_server;
	unsigned char in[] = "\x89\x01p\x81\x00\x89\x01q";
	struct reader_event e;
	size_t used = reader_step(&r, in, 8, 0, &e);

	CHECK(used == 3 && e.kind == READER_PING && e.chunk.size == 1 && *e.chunk.at == 'p');
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 5 && e.kind == READER_FULL);
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 5 && e.kind == READER_FULL);
	used += reader_step(&r, in + used, 8 - used, 1, &e);
	CHECK(used == 5 && e.kind == READER_DATA && e.chunk.size == 0 && e.chunk.first && e.chunk.last);
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 8 && e.kind == READER_PING);
}

TEST(a_message_of_one_frame_has_its_size)
{
	struct reader r = from_server;
	unsigned char one[] = "\x81\x05Hello", two[] = "\x01\x05Hello\x80\x00";
	struct reader_event e;

	CHECK(reader_step(&r, one, 4, SIZE_MAX, &e) == 4 && e.sized && e.size == 5 && e.chunk.size == 2);
	r = from_server;
	CHECK(reader_step(&r, two, 7, SIZE_MAX, &e) == 7 && !e.sized && e.chunk.first && !e.chunk.last);
	CHECK(reader_step(&r, two + 7, 2, SIZE_MAX, &e) == 2 && !e.sized && e.chunk.last);
}

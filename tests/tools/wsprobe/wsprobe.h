/* Declarations shared by the files of wsprobe. */
#ifndef FITTINGS_WSPROBE_H
#define FITTINGS_WSPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/address.h"
#include "ws/handshake.h"

enum { CHUNKS_MAX = 1 << 14, READ_SIZE = 1 << 18, DEAF_MS = 100, DRIBBLE_MS = 50, ANY_CODE = -1, NO_CODE = 0,
	WHY_SIZE = 1024, INFLATED_MAX = (1 << 24) + 1 };
enum blocks { COMPRESSED, PLAIN, STORED };
enum opcode_sent { OP_CONT, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG, OP_OF_WORD = 16 };

/*
 * In data to send, {HOST} is the server's host and port, {ACCEPT} the correct response to the
 * client's key, {NUL} a zero byte, {TEXT*N} N times TEXT, and {PAD=N} the number of letters that
 * makes the data N bytes long.
 */
#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: {HOST}\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define EXTENSIONS "Sec-WebSocket-Extensions: "
#define END "\r\n"
#define FIELDS HOST UPGRADE CONNECTION KEY VERSION
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: {ACCEPT}\r\n"
#define SWITCHED SWITCHING UPGRADE CONNECTION ACCEPT

/* In each table, a row without the other members begins a group of cases. */
struct http_case {
	const char *name;
	/*
	 * Of a request: the correct statuses, and a field that the response must have: `426|400 Name: value`. The status -
	 * is EOF without a response, * is any status or EOF. After `slow ' the request is sent byte by byte.
	 * Of a response: whether it is `taken' or `fails'.
	 */
	const char *want;
	const char *send;
};

struct frame_case {
	const char *name;
	const char *script;
};

struct template {
	const char *name;
	const char *script;
	const char *const *values;
};

struct bytes {
	unsigned char *at;
	size_t size, room;
};

struct link {
	int fd;
	bool client; /* the role of wsprobe */
	bool deaf;
	bool ended; /* EOF from the peer was received */
	bool reset;
	bool orderly; /* a Close was sent, and the peer reported no error */
	size_t chunk; /* limit of each send, 0: none */
	struct bytes out, in;
	size_t taken; /* of in */
	struct bytes inflated; /* contents of compressed messages, to which the peer may refer */
	char accept[HANDSHAKE_ACCEPT_SIZE + 1]; /* for the client's key */
};

extern struct settings {
	struct address address;
	const char *host; /* and its port */
	const char *groups;
	const char *names;
	size_t chunk;
	int timeout_ms;
	bool mute;  /* the peer receives messages and sends none */
	bool early; /* the peer's Close need not wait for echoes */
	const char *offer;  /* of permessage-deflate, or NULL */
	const char *agreed; /* the response to it; then all messages are compressed */
	char **prog; /* run by the fake server for each case */
	int listener;
} settings;

/* The next frame, as the words before it say. */
struct next_frame {
	uint64_t rsv, op;
	uint64_t length_bits; /* 0: shortest form */
	uint64_t declared;
	uint64_t unmasked, zero_key;
	uint64_t blocks;
	uint64_t cut, times, turns, chunk, deaf;
	bool compressed; /* RSV1 in the first frame */
};

#define NOT_DECLARED (UINT64_MAX - 1) /* no script declares this length */

struct event {
	unsigned op;
	struct bytes payload; /* of a Close including the code */
};

struct frame_reader {
	struct link *link;
	unsigned op; /* of the current message, or 0 */
	bool compressed;
	struct bytes message;
};

extern char why[WHY_SIZE];

/* link.c */
unsigned char *bytes_more(struct bytes *b, size_t n);
void bytes_put(struct bytes *b, const void *from, size_t n);
void bytes_say(struct bytes *b, const char *text);
void bytes_byte(struct bytes *b, unsigned byte);
void bytes_free(struct bytes *b);
__attribute__((format(printf, 1, 2))) bool wrong(const char *format, ...);
bool link_open(struct link *l);
bool link_flush(struct link *l);
bool link_wait(struct link *l, const char *what);
bool link_end(struct link *l);
void link_close(struct link *l);

/* frames.c */
void put_payload(struct bytes *out, const char *word);
void put_close(struct bytes *out, const char *word);
void put_message(struct link *l, const struct next_frame *f, unsigned op, bool fin, const struct bytes *payload);
void pack_message(const struct link *l, enum blocks blocks, bool last, struct bytes *payload);
const char *op_name(unsigned op);
bool next_event(struct frame_reader *r, const char *what, struct event *event);

/* script.c */
bool play_script(struct link *l, const char *script);

/* http.c */
bool play_request(struct link *l, const void *http_case);
bool play_answer(struct link *l, const void *http_case);
bool play_frames(struct link *l, const void *script);

/* program.c */
bool play_with_program(bool (*play)(struct link *l, const void *what), const void *what);

/* cases.c */
int run_cases(void);

#endif

/* Declarations shared by the files of wsprobe. */
#ifndef FITTINGS_WSPROBE_H
#define FITTINGS_WSPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { CHUNKS_MAX = 1 << 14, READ_SIZE = 1 << 18, DEAF_MS = 100, ANY_CODE = -1, NO_CODE = 0, WHY_SIZE = 1024,
	INFLATED_MAX = (1 << 24) + 1 };
enum blocks { BLOCKS_DEFAULT, PLAIN, STORED, FIXED, FINAL }; /* compression of a message; FINAL: with BFINAL */
enum opcode { OP_CONT, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

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
#define END "\r\n"
#define FIELDS HOST UPGRADE CONNECTION KEY VERSION
#define HOSTED(host) GET "Host: " host "\r\n" UPGRADE CONNECTION KEY VERSION END
#define KEYED(key) GET HOST UPGRADE CONNECTION "Sec-WebSocket-Key:" key "\r\n" VERSION END
#define VERSIONED(version) GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: " version "\r\n" END
#define ORIGIN(origin) GET FIELDS "Origin: " origin "\r\n" END

struct request_case {
	const char *group;
	const char *name;
	const char *send;
	const char *status; /* the correct statuses; - is EOF without a response, * is any status or EOF */
	const char *field;  /* a field required in the response, or NULL */
};

struct answer_case {
	const char *name;
	const char *send;
	bool good;
};

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: {ACCEPT}\r\n"

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
	size_t chunk; /* limit of each send, 0: none */
	struct bytes out, in;
	size_t taken; /* of in */
	struct bytes inflated; /* contents of compressed messages, to which the peer may refer */
};

extern struct settings {
	const char *where;
	struct sockaddr_storage address;
	socklen_t address_size;
	char host[300];
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

struct next_frame {
	unsigned rsv, op;
	int length_bits; /* 0: shortest form */
	uint64_t declared;
	bool has_op, has_declared, unmasked, zero_key;
	enum blocks blocks;
	bool compressed; /* RSV1 in the first frame */
	size_t cut, times;
};

struct event {
	unsigned op;
	struct bytes payload; /* of a Close including the code */
};

struct reader {
	struct link *link;
	unsigned op; /* of the current message, or 0 */
	bool compressed;
	struct bytes message;
};

struct names {
	const char *host;
	char accept[29];
};

extern char why[WHY_SIZE];

extern unsigned case_count, case_failures;

/* link.c */
unsigned char *bytes_more(struct bytes *b, size_t n);
void bytes_put(struct bytes *b, const void *from, size_t n);
void bytes_say(struct bytes *b, const char *text);
void bytes_byte(struct bytes *b, unsigned byte);
void bytes_free(struct bytes *b);
__attribute__((format(printf, 1, 2))) bool wrong(const char *format, ...);
bool link_flush(struct link *l);
bool link_wait(struct link *l, const char *what);
bool link_end(struct link *l);
void link_close(struct link *l);

/* deflate.c */
void deflate(struct bytes *out, const struct bytes *plain, enum blocks blocks, bool last);

/* frames.c */
void put_payload(struct bytes *out, const char *word);
void put_close(struct bytes *out, const char *word);
void put_message(struct link *l, const struct next_frame *f, unsigned op, bool fin, const struct bytes *payload);
const char *op_name(unsigned op);
bool next_event(struct reader *r, const char *what, struct event *event);

/* script.c */
bool play_script(struct link *l, const char *script, bool *orderly);

/* http.c */
void expand(struct bytes *out, const char *text, const struct names *names);
size_t head_size(const struct bytes *in);
unsigned head_field(const struct bytes *in, const char *name, char *value, size_t size);
bool has_token(const char *list, const char *token);
bool field_is(const struct bytes *in, const char *name, const char *wanted);
bool field_has(const struct bytes *in, const char *name, const char *token);
bool check_refusal(struct link *l, unsigned status, bool head_only);
bool take_head(struct link *l, unsigned *status);
bool link_open(struct link *l);
bool play_request(struct link *l, const struct request_case *c);
bool shake_hands(struct link *l);

/* client.c */
bool play_as_server(const struct answer_case *answer, const char *script);

/* cases.c */
void run_frames(void);
void run_requests(void);
void run_slow(void);
void run_answers(void);
void run_offers(void);

#endif

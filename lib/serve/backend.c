#include "serve/backend.h"

#include <errno.h>
#include <string.h>

#include "base/copy.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/child.h"
#include "sys/program.h"
#include "ws/command.h"

enum {
	PIPE_SIZE = 256 << 10,
	SLICE = 64 << 10, /* largest part of a record that is queued before the next write */
};

int
backend_begin(struct backend *b, struct loop *loop, char **argv)
{
	struct program_ends ends;
	int status = program_spawn(argv, &ends);

	if (status != 0)
		return status;
	b->loop = loop;
	b->pid = ends.pid;
	if (pipes_begin(loop, &b->pipes, ends.to, ends.from, PIPE_SIZE) == 0)
		return 0;
	warn("pipe: %s", strerror(errno));
	return STATUS_FAILED;
}

void
backend_close_in(struct backend *b)
{
	pipes_close_in(b->loop, &b->pipes);
}

/* EPIPE is not an error: the program may ignore its input. */
void
backend_write(struct backend *b)
{
	if (!b->pipes.in_open || pipes_write(&b->pipes) == 0)
		return;
	if (errno != EPIPE)
		warn("the program's stdin: %s", strerror(errno));
	backend_close_in(b);
}

/* Write a number before end. Return its first digit. */
static char *
number_put(char *end, uint64_t number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return end;
}

/* Queue the head of a record, some of its payload, and its end. Return false without memory. */
static bool
put(struct backend *b, struct span head, const char *bytes, size_t n, const char *end)
{
	const bool exact = b->records.mode == RECORD_NETSTRING;
	unsigned char *space;

	if (!b->pipes.in_open)
		return true;
	space = pipes_reserve(&b->pipes, head.size + (exact ? n : 2 * n) + 1);
	if (space == NULL)
		return false;
	copy_bytes(space, (const unsigned char *)head.at, head.size);
	if (exact)
		copy_bytes(space + head.size, (const unsigned char *)bytes, n);
	else
		n = command_escape((char *)space + head.size, bytes, n);
	n += head.size;
	if (*end != '\0')
		space[n++] = (unsigned char)*end;
	pipes_queue(&b->pipes, n);
	return true;
}

bool
backend_put(struct backend *b, uint64_t id, const char *word, const void *rest, size_t n)
{
	const bool exact = b->records.mode == RECORD_NETSTRING;
	char text[80], *begin = text + 48, *end = begin; /* the head grows in both directions */
	const char *payload = rest;
	struct span head;

	*end++ = ' ';
	while (*word != '\0')
		*end++ = *word++;
	*end++ = ' ';
	begin = number_put(begin, id);
	if (exact) {
		size_t size = (size_t)(end - begin) + n;

		*--begin = ':';
		begin = number_put(begin, size);
	}
	head = (struct span){begin, (size_t)(end - begin)};
	for (; n > SLICE; payload += SLICE, n -= SLICE) {
		if (!put(b, head, payload, SLICE, ""))
			return false;
		head.size = 0;
		backend_write(b);
	}
	return put(b, head, payload, n, exact ? "," : "\n");
}

void
backend_take(struct backend *b, const struct backend_record *record)
{
	const struct record_decoder_find *find = &record->find;

	record_decoder_take(&b->records, find);
	buffer_take(&b->pipes.from, find->before + find->chunk.size + find->after);
}

/* Return the kind of the data found. */
static enum backend_record_kind
kind_of(const struct backend *b, const struct record_decoder_find *find)
{
	switch (find->kind) {
	case RECORD_BAD:
		return BACKEND_BAD;
	case RECORD_CHUNK:
		return find->chunk.size > b->record_max ? BACKEND_TOO_LONG : BACKEND_RECORD;
	default:
		return buffer_held(&b->pipes.from) > b->record_max || find->left > b->record_max
		    ? BACKEND_TOO_LONG : BACKEND_MORE;
	}
}

enum backend_record_kind
backend_next(struct backend *b, enum record_decoder_want want, struct backend_record *record)
{
	struct buffer *from = &b->pipes.from;
	struct record_decoder_find *find = &record->find;

	for (;;) {
		record_decoder_peek(&b->records, buffer_head(from), buffer_held(from),
		    b->skips && want == RECORD_WHOLE ? RECORD_ALL : want, find);
		if (!b->skips || find->kind != RECORD_CHUNK)
			break;
		b->skips = !find->chunk.last;
		backend_take(b, record);
	}
	record->kind = b->skips && find->kind == RECORD_MORE ? BACKEND_MORE : kind_of(b, find);
	if (record->kind == BACKEND_TOO_LONG)
		b->skips = true;
	return record->kind;
}

int
backend_status(const struct backend *b)
{
	return b->pid == 0 ? child_status(b->wait_status) : STATUS_OK;
}

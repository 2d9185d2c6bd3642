/* Execution of the program's commands. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/status.h"
#include "base/utf8.h"
#include "hub.h"
#include "sys/clock.h"
#include "ws/command.h"

static const char too_long[] = "longer than --queue allows";

struct delivery {
	struct outgoing message;
	bool close; /* the message is a Close */
};

static void
deliver(struct hub *hub, struct delivery *delivery, struct client *c)
{
	if (delivery->close)
		client_close(hub, c, delivery->message.plain);
	else
		client_send(hub, c, outgoing_for(hub, &delivery->message, c));
}

static void
answer_count(struct client *c)
{
	if (c->unanswered != 0)
		c->unanswered--;
}

static void
deliver_to(struct hub *hub, struct delivery *delivery, uint64_t id)
{
	struct client *c = client_by_id(hub, id);

	if (c == NULL)
		return;
	answer_count(c);
	deliver(hub, delivery, c);
}

static void
command_deliver(struct hub *hub, const struct command *command, struct delivery *delivery)
{
	struct span ids = command->ids;
	struct member *next;
	uint64_t id;

	if (command->to == COMMAND_ID)
		deliver_to(hub, delivery, command->id);
	if (command->to == COMMAND_ROOM) {
		for (struct member *in = rooms_members(&hub->rooms, command->room); in != NULL; in = next) {
			struct client *c = in->owner;

			next = in->next;
			if (c->id != command->except)
				deliver(hub, delivery, c);
		}
		return;
	}
	for (size_t i = 0; command->to == COMMAND_ALL && i < hub->base.count; i++)
		if (hub->clients[i]->id != command->except)
			deliver(hub, delivery, hub->clients[i]);
	while (command->to == COMMAND_IDS && command_id_next(&ids, &id))
		deliver_to(hub, delivery, id);
}

/* Deliver and release the message. Return NULL or the error. */
static const char *
command_send(struct hub *hub, const struct command *command, struct message *message, bool close)
{
	struct delivery delivery = {{.plain = message}, close};

	if (message == NULL)
		return "no memory";
	delivery.message.longest = message->size;
	command_deliver(hub, command, &delivery);
	outgoing_release(&delivery.message);
	return NULL;
}

static const char *
command_close(struct hub *hub, const struct command *command)
{
	char reason[UTF8_REPLACED_MAX * FRAME_CONTROL_MAX + 1];
	size_t n = command->payload.size < FRAME_CONTROL_MAX ? command->payload.size : FRAME_CONTROL_MAX;

	if (command->not_text)
		n = utf8_replace(command->payload.at, n, (unsigned char *)reason);
	else
		memcpy(reason, command->payload.at, n);
	reason[n] = '\0';
	return command_send(hub, command, message_close(command->code, reason), true);
}

static const char *
command_message(struct hub *hub, const struct command *command)
{
	enum opcode opcode = command->verb == COMMAND_TEXT ? OPCODE_TEXT : OPCODE_BINARY;

	struct client *c = command->to == COMMAND_ID && !command->not_text ? client_by_id(hub, command->id) : NULL;
	size_t n = command->not_text ? utf8_replace(command->payload.at, command->payload.size, NULL) : command->payload.size;
	unsigned char *payload;
	struct message *message;

	if (n > hub->options.queue)
		return too_long;
	if (c != NULL && !deflate_wanted(c, n) && client_send_text(hub, c, command->payload.at, n)) {
		answer_count(c);
		return NULL;
	}
	message = message_begin(opcode, n, &payload);
	if (message != NULL && command->not_text)
		(void)utf8_replace(command->payload.at, command->payload.size, payload);
	else if (message != NULL && n != 0)
		memcpy(payload, command->payload.at, n);
	return command_send(hub, command, message, false);
}

static const char *
command_room(struct hub *hub, const struct command *command)
{
	struct span ids = command->ids;
	uint64_t id;

	while (command_id_next(&ids, &id)) {
		struct client *c = client_by_id(hub, id);

		if (c != NULL && command->verb == COMMAND_PART)
			rooms_part(&hub->rooms, command->room, c);
		else if (c != NULL && !rooms_join(&hub->rooms, command->room, c, &c->rooms))
			return "no memory";
	}
	return NULL;
}

/* Return NULL or the error. */
static const char *
command_do(struct hub *hub, char *record, size_t n)
{
	struct command command;
	const char *why = command_read(record, n, hub->options.exact, &command);

	if (why != NULL && command.not_text) {
		if (hub->options.replace)
			why = NULL;
		else
			(void)command_send(hub, &command, message_close(CLOSE_INTERNAL_ERROR, ""), true);
	}
	if (why != NULL)
		return why;
	switch (command.verb) {
	case COMMAND_CLOSE: return command_close(hub, &command);
	case COMMAND_JOIN:
	case COMMAND_PART: return command_room(hub, &command);
	default: return command_message(hub, &command);
	}
}

/* Execute the complete records that the program has written, until that time (one record may go to
 * all clients). At EOF the last line counts as complete. */
static void
commands_take(struct hub *hub, enum record_decoder_want want, int64_t until)
{
	struct backend *b = &hub->backend;
	struct backend_record record;
	const char *why;

	for (b->records_left = false; backend_next(b, want, &record) != BACKEND_MORE; b->records_left = true) {
		const uint64_t number = b->records.number + 1;

		why = record.kind == BACKEND_BAD ? record.find.why : too_long;
		if (record.kind == BACKEND_RECORD) {
			if (b->records_left && clock_ms() >= until)
				return;
			why = command_do(hub, (char *)record.find.chunk.at, record.find.chunk.size);
			backend_take(b, &record);
		}
		if (why != NULL)
			warn("record %llu of %s: %s", (unsigned long long)number, quoted(hub->options.next[0]), why);
		if (record.kind == BACKEND_BAD) {
			b->malformed = true;
			pipes_close_out(&hub->base.loop, &b->pipes); /* the rest is invalid too, and may be endless */
			break;
		}
	}
	b->records_left = false;
}

void
program_out_close(struct hub *hub)
{
	if (hub->backend.pipes.out_open)
		commands_take(hub, RECORD_END, CLOCK_NEVER);
	pipes_close_out(&hub->base.loop, &hub->backend.pipes);
}

/* Read once. Return false if no data arrived. */
bool
program_read(struct hub *hub, int64_t until)
{
	ssize_t n;

	if (!hub->backend.pipes.out_open)
		return false;
	n = pipes_read(&hub->backend.pipes, PROGRAM_SIZE);
	if (n > 0) {
		commands_take(hub, RECORD_WHOLE, until);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0 && errno == ENOMEM)
		die(STATUS_FAILED, "no memory for the program's output");
	if (n < 0)
		warn("the program's stdout: %s", strerror(errno));
	program_out_close(hub);
	return false;
}

/* Execute all commands that the program has written so far, as far as possible until that time. */
void
program_read_all(struct hub *hub, int64_t until)
{
	uint64_t now = pipes_produced(&hub->backend.pipes);

	if (hub->backend.records_left)
		commands_take(hub, RECORD_WHOLE, until);
	while (!hub->backend.records_left && hub->backend.pipes.bytes_read < now && program_read(hub, until))
		;
}

/* Execute the records that the last turn had no time for. */
void
commands_continue(struct hub *hub)
{
	if (hub->backend.records_left)
		commands_take(hub, RECORD_WHOLE, clock_ms() + LOOP_TURN_MS);
	hub->base.loop.no_wait = hub->backend.records_left;
}

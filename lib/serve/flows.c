#include "serve/flows.h"

#include <errno.h>
#include <sys/random.h>

#include "sys/mmap_buffer.h"

void
flows_begin(struct flows *f, struct flows_storage *storage, enum record_mode mode, enum reader_peer peer,
    bool masked, uint64_t max)
{
	f->storage = storage;
	flows_lend(f);
	f->in.reader.peer = (unsigned char)peer;
	f->in.reader.limit = max;
	f->in.reader.text_only = mode != RECORD_BYTES && mode != RECORD_TYPED;
	f->in.records.mode = mode;
	f->in.queue_max = FLOWS_SIZE;
	f->out.records.mode = mode;
	f->out.masked = masked;
}

void
flows_compress(struct flows *f, struct compression *c)
{
	f->compression = c;
	f->in.inflate = &c->in;
	f->in.reader.deflate = true;
	f->out.deflate = &c->out;
}

const unsigned char *
flows_key(struct flows *f, int *fault)
{
	if (!f->out.masked)
		return NULL;
	if (f->keys_left == 0) {
		if (getrandom(f->keys, sizeof f->keys, 0) != sizeof f->keys)
			*fault = errno;
		f->keys_left = FLOWS_KEYS;
	}
	return f->keys[f->keys_left - 1];
}

void
flows_key_used(struct flows *f)
{
	f->keys_left -= f->keys_left > 0;
}

static enum flows_growth
grow(struct buffer *b, const unsigned char *first)
{
	if (b->size >= FLOWS_SIZE)
		return FLOWS_ENOUGH;
	return mmap_buffer_resize(b, first, FLOWS_SIZE) ? FLOWS_GROWN : FLOWS_NO_MEMORY;
}

enum flows_growth
flows_tx_grow(struct flows *f)
{
	return grow(&f->tx, f->storage->tx);
}

enum flows_growth
flows_to_child_grow(struct flows *f)
{
	enum flows_growth growth = grow(&f->to_child, f->storage->to_child);

	if (growth != FLOWS_ENOUGH || !frames_to_records_needs_more(&f->in, &f->to_child))
		return growth;
	return mmap_buffer_resize(&f->to_child, f->storage->to_child, 2 * f->to_child.size) ? FLOWS_GROWN : FLOWS_NO_MEMORY;
}

void
flows_settle(struct flows *f)
{
	struct buffer *b = &f->to_child;

	if (b->size <= FLOWS_KEPT || buffer_held(b) > FLOWS_SIZE || f->in.records.held > 0)
		return;
	buffer_pack(b);
	(void)mmap_buffer_resize(b, f->storage->to_child, FLOWS_SIZE);
}

bool
flows_sources_grow(struct flows *f)
{
	if (buffer_space(&f->rx) == 0 && grow(&f->rx, f->storage->rx) == FLOWS_NO_MEMORY)
		return false;
	return buffer_space(&f->from_child) != 0
	    || grow(&f->from_child, f->storage->from_child) != FLOWS_NO_MEMORY;
}

struct lent_buffer {
	struct buffer *buffer;
	unsigned char *first;
};

static void
flows_list(struct flows *f, struct lent_buffer each[FLOWS_BUFFERS])
{
	const struct flows_storage *s = f->storage;

	each[0] = (struct lent_buffer){&f->rx, s->rx};
	each[1] = (struct lent_buffer){&f->tx, s->tx};
	each[2] = (struct lent_buffer){&f->to_child, s->to_child};
	each[3] = (struct lent_buffer){&f->from_child, s->from_child};
}

void
flows_shrink(struct flows *f)
{
	struct lent_buffer each[FLOWS_BUFFERS];

	flows_list(f, each);
	for (int i = 0; i < FLOWS_BUFFERS; i++)
		mmap_buffer_shrink(each[i].buffer, each[i].first, f->storage->size);
	if (f->compression != NULL)
		compression_shrink(f->compression, f->in.reader.in_frame || f->in.reader.in_message, f->out.records.inside);
}

void
flows_lend(struct flows *f)
{
	struct lent_buffer each[FLOWS_BUFFERS];

	flows_list(f, each);
	for (int i = 0; i < FLOWS_BUFFERS; i++)
		if (each[i].buffer->bytes == NULL)
			*each[i].buffer = buffer_over(each[i].first, f->storage->size);
}

bool
flows_return(struct flows *f)
{
	struct lent_buffer each[FLOWS_BUFFERS];

	flows_list(f, each);
	for (int i = 0; i < FLOWS_BUFFERS; i++) {
		struct buffer *b = each[i].buffer;

		if (buffer_held(b) == 0) {
			mmap_buffer_shrink(b, each[i].first, f->storage->size);
			*b = (struct buffer){0};
		} else if (b->bytes == each[i].first) {
			buffer_pack(b);
			if (!mmap_buffer_resize(b, each[i].first, FLOWS_SIZE))
				return false;
		}
	}
	return true;
}

void
flows_end(struct flows *f)
{
	struct lent_buffer each[FLOWS_BUFFERS];

	flows_list(f, each);
	for (int i = 0; i < FLOWS_BUFFERS; i++) {
		buffer_take(each[i].buffer, buffer_held(each[i].buffer));
		if (each[i].buffer->bytes != NULL)
			mmap_buffer_shrink(each[i].buffer, each[i].first, f->storage->size);
	}
	if (f->compression != NULL)
		compression_end(f->compression);
}

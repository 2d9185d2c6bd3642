#include "serve/flows.h"

#include <errno.h>
#include <sys/random.h>

#include "sys/mmap_buffer.h"

void
flows_begin(struct flows *f, struct flows_storage *storage, enum record_mode mode, enum reader_peer peer,
    bool masked, uint64_t max)
{
	f->storage = storage;
	f->rx = buffer_over(storage->rx, FLOWS_FIRST_SIZE);
	f->tx = buffer_over(storage->tx, FLOWS_FIRST_SIZE);
	f->to_child = buffer_over(storage->to_child, FLOWS_FIRST_SIZE);
	f->from_child = buffer_over(storage->from_child, FLOWS_FIRST_SIZE);
	f->in.reader.peer = (unsigned char)peer;
	f->in.reader.limit = max;
	f->in.reader.text_only = mode != RECORD_BYTES && mode != RECORD_TYPED;
	f->in.records.mode = mode;
	f->out.records.mode = mode;
	f->out.masked = masked;
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
	return mmap_buffer_grow(b, first, FLOWS_SIZE) ? FLOWS_GROWN : FLOWS_NO_MEMORY;
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
	return mmap_buffer_grow(&f->to_child, f->storage->to_child, 2 * f->to_child.size) ? FLOWS_GROWN : FLOWS_NO_MEMORY;
}

bool
flows_sources_grow(struct flows *f)
{
	if (buffer_room(&f->rx) == 0 && grow(&f->rx, f->storage->rx) == FLOWS_NO_MEMORY)
		return false;
	return buffer_room(&f->from_child) != 0
	    || grow(&f->from_child, f->storage->from_child) != FLOWS_NO_MEMORY;
}

const char *
flows_hint(unsigned code)
{
	return code == CLOSE_UNSUPPORTED ? " (use -b or -n -T)" : "";
}

void
flows_shrink(struct flows *f)
{
	mmap_buffer_shrink(&f->rx, f->storage->rx, FLOWS_FIRST_SIZE);
	mmap_buffer_shrink(&f->tx, f->storage->tx, FLOWS_FIRST_SIZE);
	mmap_buffer_shrink(&f->to_child, f->storage->to_child, FLOWS_FIRST_SIZE);
	mmap_buffer_shrink(&f->from_child, f->storage->from_child, FLOWS_FIRST_SIZE);
}

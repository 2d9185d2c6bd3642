#include "serve/compression.h"

#include <sys/mman.h>

/* The largest page of any architecture. The rest of an area is never touched. */
enum { PAGE = 64 << 10 };

static size_t
pages(size_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

static unsigned
window_bits(unsigned char bits)
{
	return bits != 0 ? bits : EXTENSION_BITS_MAX;
}

struct compression *
compression_begin(const struct extension *agreed, bool client, struct compression_scratch *scratch)
{
	unsigned in_bits = window_bits(client ? agreed->server_bits : agreed->client_bits);
	unsigned out_bits = window_bits(client ? agreed->client_bits : agreed->server_bits);
	size_t scratch_size = scratch == NULL ? pages(sizeof *scratch) : 0;
	size_t in_size = pages((size_t)1 << in_bits), out_size = pages(deflate_memory(out_bits));
	unsigned char *at = mmap(NULL, PAGE + scratch_size + in_size + out_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct compression *c = (struct compression *)(void *)at;

	if (at == MAP_FAILED)
		return NULL;
	at += PAGE;
	if (scratch == NULL)
		scratch = (struct compression_scratch *)(void *)at;
	c->scratch_size = scratch_size;
	c->in_size = in_size;
	c->out_size = out_size;
	c->in.takeover = !(client ? agreed->server_no_takeover : agreed->client_no_takeover);
	c->out.takeover = !(client ? agreed->client_no_takeover : agreed->server_no_takeover);
	inflate_begin(&c->in.z, in_bits, at + scratch_size, &scratch->tables);
	deflate_begin(&c->out.z, out_bits, at + scratch_size + in_size, &scratch->deflate);
	return c;
}

void
compression_shrink(struct compression *c, bool in_message, bool out_message)
{
	unsigned char *at = (unsigned char *)c + PAGE;

	(void)madvise(at, c->scratch_size, MADV_DONTNEED);
	at += c->scratch_size;
	if (!c->in.takeover && !in_message)
		(void)madvise(at, c->in_size, MADV_DONTNEED);
	at += c->in_size;
	if (!c->out.takeover && !out_message)
		(void)madvise(at, c->out_size, MADV_DONTNEED);
}

void
compression_end(struct compression *c)
{
	(void)munmap(c, PAGE + c->scratch_size + c->in_size + c->out_size);
}

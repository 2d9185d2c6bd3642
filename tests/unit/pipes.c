#include "sys/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "unit.h"

enum { PIPE_SIZE = 4096 };

static struct loop loop;
static struct pipes pipes;
static int child_in, child_out;
static char taken[8 * PIPE_SIZE];

BEFORE_EACH
{
	int down[2], up[2];

	CHECK(pipe(down) == 0 && pipe(up) == 0);
	pipes = (struct pipes){0};
	CHECK(pipes_begin(&loop, &pipes, down[1], up[0], PIPE_SIZE) == 0);
	child_in = down[0];
	child_out = up[1];
}

AFTER_EACH
{
	pipes_close_in(&loop, &pipes);
	pipes_close_out(&loop, &pipes);
	(void)close(child_in);
	(void)close(child_out);
}

static void
tell(size_t n)
{
	unsigned char *room = pipes_reserve(&pipes, n);

	CHECK(room != NULL);
	memset(room, 'x', n);
	pipes_queue(&pipes, n);
}

BEFORE_ALL
{
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(loop_open(&loop) == 0);
}

TEST(the_read_position_accounts_for_the_queue_and_the_pipe)
{
	CHECK(pipes_consumed(&pipes) == 0);
	tell(3 * PIPE_SIZE);
	CHECK(pipes_consumed(&pipes) == 0);
	CHECK(pipes_write(&pipes) == 0);
	CHECK(buffer_held(&pipes.to) == 2 * PIPE_SIZE);
	CHECK(pipes_consumed(&pipes) == 0);
	CHECK(read(child_in, taken, 100) == 100);
	CHECK(pipes_consumed(&pipes) == 100);
	CHECK(read(child_in, taken, PIPE_SIZE) == PIPE_SIZE - 100);
	CHECK(pipes_write(&pipes) == 0);
	CHECK(pipes_consumed(&pipes) == PIPE_SIZE);
	tell(5);
	CHECK(read(child_in, taken, PIPE_SIZE) == PIPE_SIZE);
	CHECK(pipes_write(&pipes) == 0);
	CHECK(read(child_in, taken, PIPE_SIZE) == PIPE_SIZE);
	CHECK(pipes_write(&pipes) == 0);
	CHECK(pipes_consumed(&pipes) == 3 * PIPE_SIZE);
	CHECK(read(child_in, taken, PIPE_SIZE) == 5);
	CHECK(pipes_consumed(&pipes) == pipes.bytes_queued && pipes.bytes_queued == 3 * PIPE_SIZE + 5);
}

TEST(one_that_reads_no_more_has_read_all)
{
	tell(10);
	(void)close(child_in);
	CHECK(pipes_write(&pipes) == -1 && errno == EPIPE);
	CHECK(pipes_consumed(&pipes) == 0);
	pipes_close_in(&loop, &pipes);
	CHECK(!pipes.in_open && pipes.to.bytes == NULL);
	CHECK(pipes_consumed(&pipes) == UINT64_MAX);
	pipes_close_in(&loop, &pipes);
	child_in = open("/dev/null", O_RDONLY);
}

TEST(its_output_arrives_in_pieces_then_eof)
{
	CHECK(pipes_read(&pipes, PIPE_SIZE) == -1 && errno == EAGAIN);
	CHECK(write(child_out, "hello there", 11) == 11);
	CHECK(pipes_read(&pipes, 5) == 5);
	CHECK(pipes_read(&pipes, PIPE_SIZE) == 6);
	CHECK(buffer_held(&pipes.from) == 11 && memcmp(buffer_head(&pipes.from), "hello there", 11) == 0);
	(void)close(child_out);
	CHECK(pipes_read(&pipes, PIPE_SIZE) == 0);
	child_out = open("/dev/null", O_WRONLY);
}

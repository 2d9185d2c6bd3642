/* An echo server on libuv, as its users write one: argv[1] is the port. One
 * buffer for all reads; written at once where the socket takes it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct rest {
	uv_write_t write;
	char bytes[];
};

static char buffer[64 * 1024];
static void read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *got);

static void
room_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
	(void)handle;
	(void)suggested;
	*room = uv_buf_init(buffer, sizeof buffer);
}

static void
closed_cb(uv_handle_t *handle)
{
	free(handle);
}

static void
written_cb(uv_write_t *write, int status)
{
	uv_stream_t *stream = write->handle;

	free(write);
	if (status < 0)
		uv_close((uv_handle_t *)stream, closed_cb);
	else
		uv_read_start(stream, room_cb, read_cb);
}

static void
read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *got)
{
	uv_buf_t out;
	int sent;

	if (n < 0)
		uv_close((uv_handle_t *)stream, closed_cb);
	if (n <= 0)
		return;
	out = uv_buf_init(got->base, (unsigned)n);
	sent = uv_try_write(stream, &out, 1);
	if (sent == n)
		return;
	sent = sent < 0 ? 0 : sent;
	struct rest *rest = malloc(sizeof *rest + (size_t)(n - sent));
	memcpy(rest->bytes, got->base + sent, (size_t)(n - sent));
	out = uv_buf_init(rest->bytes, (unsigned)(n - sent));
	uv_read_stop(stream);
	if (uv_write(&rest->write, stream, &out, 1, written_cb) != 0)
		abort();
}

static void
connection_cb(uv_stream_t *listener, int status)
{
	uv_tcp_t *client = malloc(sizeof *client);

	if (status < 0 || uv_tcp_init(listener->loop, client) != 0)
		abort();
	if (uv_accept(listener, (uv_stream_t *)client) != 0)
		abort();
	uv_tcp_nodelay(client, 1);
	uv_read_start((uv_stream_t *)client, room_cb, read_cb);
}

int
main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in at;
	uv_tcp_t listener;

	signal(SIGPIPE, SIG_IGN);
	uv_tcp_init(loop, &listener);
	uv_ip4_addr("127.0.0.1", atoi(argc > 1 ? argv[1] : "0"), &at);
	if (uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) != 0
	    || uv_listen((uv_stream_t *)&listener, 4096, connection_cb) != 0)
		return 1;
	return uv_run(loop, UV_RUN_DEFAULT);
}

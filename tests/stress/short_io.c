/*
 * short_io.so: makes system calls of a dynamically linked program short. Calls that move data move
 * less, calls that may block are interrupted, and non-blocking calls fail with EAGAIN although they
 * could succeed. A kernel may do all of that at any time, so the program's output must not change.
 *
 *     SHORT_IO="SEED MOST INTERRUPTED UNREADY" LD_PRELOAD=short_io.so prog
 *
 * MOST is the limit of bytes per call; the other two are percentages of calls. Datagrams and reads
 * with MSG_WAITALL are not shortened.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VECTORS_MAX = 64 };

static uint32_t state = 1;
static unsigned most = 7, interrupted = 10, unready = 10;

/* The original function. */
#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("SHORT_IO");
	unsigned seed = 1;

	if (text != NULL)
		(void)sscanf(text, "%u %u %u %u", &seed, &most, &interrupted, &unready);
	/* Each process has its own sequence. */
	state = (seed * 2654435761U ^ (uint32_t)getppid() * 40503U) | 1;
	if (most == 0)
		most = 1;
}

static uint32_t
roll(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static bool
happens(unsigned percent, int error)
{
	if (roll() % 100 >= percent)
		return false;
	errno = error;
	return true;
}

static size_t
cut(size_t n)
{
	size_t most_now = 1 + roll() % most;

	return n < most_now ? n : most_now;
}

static bool
is_stream(int fd)
{
	int type = 0, saved = errno;
	socklen_t size = sizeof type;
	bool stream = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_STREAM;

	errno = saved;
	return stream;
}

/* A call that moves n bytes. Return false if it fails this time, else reduce n. */
static bool
shorten(int fd, size_t *n, bool may_wait)
{
	if (*n == 0 || !is_stream(fd))
		return true;
	if (happens(interrupted, EINTR) || (!may_wait && happens(unready, EAGAIN)))
		return false;
	*n = cut(*n);
	return true;
}

/* The first bytes of some buffers, as many as allowed. */
static bool
shorten_vectors(int fd, const struct iovec *from, size_t count, struct iovec *to, size_t *to_count, bool may_wait)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += from[i].iov_len;
	if (!shorten(fd, &n, may_wait))
		return false;
	*to_count = 0;
	for (size_t i = 0; i < count && i < VECTORS_MAX; i++) {
		to[i] = from[i];
		if (to[i].iov_len > n)
			to[i].iov_len = n;
		n -= to[i].iov_len;
		*to_count = i + 1;
	}
	return true;
}

ssize_t
read(int fd, void *bytes, size_t n)
{
	REAL(read);
	return shorten(fd, &n, true) ? real(fd, bytes, n) : -1;
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	REAL(write);
	/* Diagnostics are one write by design. */
	return fd == STDERR_FILENO || shorten(fd, &n, true) ? real(fd, bytes, n) : -1;
}

ssize_t
writev(int fd, const struct iovec *vectors, int count)
{
	struct iovec some[VECTORS_MAX];
	size_t n;

	REAL(writev);
	return shorten_vectors(fd, vectors, (size_t)count, some, &n, true) ? real(fd, some, (int)n) : -1;
}

ssize_t
recv(int fd, void *bytes, size_t n, int flags)
{
	REAL(recv);
	if ((flags & MSG_WAITALL) == 0 && !shorten(fd, &n, (flags & MSG_DONTWAIT) == 0))
		return -1;
	return real(fd, bytes, n, flags);
}

ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t size, int flags);

ssize_t
__recv_chk(int fd, void *bytes, size_t n, size_t size, int flags)
{
	(void)size;
	return recv(fd, bytes, n, flags);
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
	REAL(send);
	return shorten(fd, &n, (flags & MSG_DONTWAIT) == 0) ? real(fd, bytes, n, flags) : -1;
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	struct iovec some[VECTORS_MAX];
	struct msghdr less = *message;
	ssize_t n;

	REAL(recvmsg);
	less.msg_iov = some;
	if (!shorten_vectors(fd, message->msg_iov, message->msg_iovlen, some, &less.msg_iovlen, (flags & MSG_DONTWAIT) == 0))
		return -1;
	n = real(fd, &less, flags);
	less.msg_iov = message->msg_iov;
	less.msg_iovlen = message->msg_iovlen;
	*message = less;
	return n;
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec some[VECTORS_MAX];
	struct msghdr less = *message;

	REAL(sendmsg);
	less.msg_iov = some;
	if (!shorten_vectors(fd, message->msg_iov, message->msg_iovlen, some, &less.msg_iovlen, (flags & MSG_DONTWAIT) == 0))
		return -1;
	return real(fd, &less, flags);
}

/* preadv2 and pwritev2, which musl lacks, are called by number. */
long
syscall(long number, ...)
{
	struct iovec some[VECTORS_MAX];
	long args[6];
	size_t n;
	va_list list;

	REAL(syscall);
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_preadv2 || number == SYS_pwritev2) {
		if (!shorten_vectors((int)args[0], (const struct iovec *)(uintptr_t)args[1], (size_t)args[2], some, &n, false))
			return -1;
		args[1] = (long)(uintptr_t)some;
		args[2] = (long)n;
	}
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* A function that fails in some cases, else does the same. */
#define FAILING(type, name, parameters, arguments, fails) \
	type name parameters \
	{ \
		REAL(name); \
		return (fails) ? -1 : real arguments; \
	}

FAILING(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags),
    happens(interrupted, EINTR) || happens(unready, EAGAIN))
FAILING(int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout),
    timeout != 0 && happens(interrupted, EINTR))
FAILING(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
    (fds, n, timeout, mask), happens(interrupted, EINTR))
FAILING(int, epoll_wait, (int fd, struct epoll_event *events, int count, int timeout),
    (fd, events, (int)cut((size_t)count), timeout), timeout != 0 && happens(interrupted, EINTR))
FAILING(int, epoll_pwait, (int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask),
    (fd, events, (int)cut((size_t)count), timeout, mask), timeout != 0 && happens(interrupted, EINTR))
FAILING(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options),
    (options & WNOHANG) == 0 && happens(interrupted, EINTR))
FAILING(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options),
    (options & WNOHANG) == 0 && happens(interrupted, EINTR))

/* The same functions under the names used with _FORTIFY_SOURCE, with one more argument at the end. */
#define FORTIFIED(name) __asm__(".globl __" #name "_chk\n.set __" #name "_chk, " #name)

FORTIFIED(read);
FORTIFIED(poll);
FORTIFIED(ppoll);

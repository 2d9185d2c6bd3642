/*
 * Bad weather for a dynamically linked program: reads and writes move only a
 * few bytes, and one in ten is interrupted.
 *
 *     cc -shared -fPIC -o shortio.so shortio.c
 *     SHORTIO="SEED MOST" LD_PRELOAD=./shortio.so prog
 *
 * MOST is the largest count moved at once (7). EAGAIN is not made up: a program
 * may trust poll.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static uint32_t dice = 1;
static unsigned most = 7;

__attribute__((constructor)) static void
begin(void)
{
	const char *wish = getenv("SHORTIO");

	if (wish != NULL)
		(void)sscanf(wish, "%u %u", &dice, &most);
	dice = dice * 2654435761U | 1;
}

static uint32_t
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return dice;
}

static int
interrupted(size_t n)
{
	if (n == 0 || roll() % 10 != 0)
		return 0;
	errno = EINTR;
	return 1;
}

static size_t
few(size_t n)
{
	size_t k = 1 + roll() % most;

	return n < k ? n : k;
}

/* The program comes by syscall(2) too, for the calls that musl does not name. */
long
syscall(long number, ...)
{
	static long (*real)(long, ...);
	struct iovec piece;
	long a[6];
	va_list args;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number != SYS_preadv2 && number != SYS_pwritev2)
		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	piece = *(struct iovec *)a[1];
	if (interrupted(piece.iov_len))
		return -1;
	piece.iov_len = few(piece.iov_len);
	return real(number, a[0], &piece, 1L, a[3], a[4], a[5]);
}

ssize_t
read(int fd, void *bytes, size_t n)
{
	return interrupted(n) ? -1 : syscall(SYS_read, fd, bytes, few(n));
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	return interrupted(n) ? -1 : syscall(SYS_write, fd, bytes, few(n));
}

ssize_t
recv(int fd, void *bytes, size_t n, int flags)
{
	return interrupted(n) ? -1 : syscall(SYS_recvfrom, fd, bytes, few(n), flags, NULL, NULL);
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
	return interrupted(n) ? -1 : syscall(SYS_sendto, fd, bytes, few(n), flags, NULL, 0L);
}

/* What _FORTIFY_SOURCE makes of read and recv. */
ssize_t
__read_chk(int fd, void *bytes, size_t n, size_t room)
{
	return n > room ? (abort(), -1) : read(fd, bytes, n);
}

ssize_t
__recv_chk(int fd, void *bytes, size_t n, size_t room, int flags)
{
	return n > room ? (abort(), -1) : recv(fd, bytes, n, flags);
}

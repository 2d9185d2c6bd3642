/*
 * Runs a program in a network namespace with only a loopback interface:
 *
 *     netns FIRST-LAST HOSTS prog [arg...]
 *
 * FIRST-LAST is the range of ephemeral ports. HOSTS is a file that prog sees as /etc/hosts, `-`
 * keeps the present one. The exit status is 77 if this kernel or user may not do that, so that the
 * test can be skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CANNOT = 77 };

static void
cannot(const char *what)
{
	fprintf(stderr, "netns: %s: %s\n", what, strerror(errno));
	exit(CANNOT);
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		cannot(path);
	(void)close(fd);
}

/* A user other than root becomes root in a user namespace. */
static void
leave(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
		return;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
		cannot("unshare");
	put("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof map, "0 %u 1", uid);
	put("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof map, "0 %u 1", gid);
	put("/proc/self/gid_map", map);
}

static void
loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		cannot("lo");
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	char range[64], *dash;

	if (argc < 4) {
		fprintf(stderr, "usage: netns FIRST-LAST HOSTS prog [arg...]\n");
		return 2;
	}
	leave();
	loopback_up();
	(void)snprintf(range, sizeof range, "%s", argv[1]);
	dash = strchr(range, '-');
	if (dash != NULL)
		*dash = ' ';
	put("/proc/sys/net/ipv4/ip_local_port_range", range);
	if (strcmp(argv[2], "-") != 0
	    && (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
	        || mount(argv[2], "/etc/hosts", NULL, MS_BIND, NULL) != 0))
		cannot("/etc/hosts");
	(void)execvp(argv[3], argv + 3);
	fprintf(stderr, "netns: %s: %s\n", argv[3], strerror(errno));
	return 127;
}

#include "sys/ucspi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_PROTO = 7, SLOTS };

/* Set by us, or told of the connection that we were ourselves started for. */
static const char *const ours[] = {
	"PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST",
	"TCPREMOTEINFO", "TCPCONNNUM", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST", "WEBSOCKET_PROTOCOL",
	"WEBSOCKET_EXTENSIONS",
};

static bool
is_ours(const char *entry)
{
	size_t size = strcspn(entry, "=");

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strlen(ours[i]) == size && memcmp(ours[i], entry, size) == 0)
			return true;
	return false;
}

bool
ucspi_begin(struct ucspi *u, char **environ)
{
	char *const strings[] = {u->local_ip, u->local_port, u->remote_ip, u->remote_port, u->number, u->remote_addr,
		u->addr_port};
	size_t count = 0, used = SLOTS;

	_Static_assert(sizeof strings / sizeof *strings == SLOT_PROTO, "PROTO comes behind them");
	while (environ[count] != NULL)
		count++;
	u->slots = calloc(SLOTS + count + 1, sizeof *u->slots);
	if (u->slots == NULL)
		return false;
	memcpy(u->slots, strings, sizeof strings);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			u->slots[used++] = environ[i];
	return true;
}

static void
put_ip(char *out, size_t size, const char *name, const struct address *address)
{
	char ip[ADDRESS_IP_SIZE];

	address_ip(address, ip);
	(void)snprintf(out, size, "%s=%s", name, ip);
}

static void
put_number(char *out, size_t size, const char *name, unsigned number)
{
	(void)snprintf(out, size, "%s=%u", name, number);
}

char *const *
ucspi_tcp(struct ucspi *u, const struct address *local, const struct address *remote, unsigned number)
{
	static char proto[] = "PROTO=TCP";

	put_ip(u->local_ip, sizeof u->local_ip, "TCPLOCALIP", local);
	put_number(u->local_port, sizeof u->local_port, "TCPLOCALPORT", address_port(local));
	put_ip(u->remote_ip, sizeof u->remote_ip, "TCPREMOTEIP", remote);
	put_number(u->remote_port, sizeof u->remote_port, "TCPREMOTEPORT", address_port(remote));
	put_number(u->number, sizeof u->number, "TCPCONNNUM", number);
	put_ip(u->remote_addr, sizeof u->remote_addr, "REMOTE_ADDR", remote);
	put_number(u->addr_port, sizeof u->addr_port, "REMOTE_PORT", address_port(remote));
	u->slots[SLOT_PROTO] = proto;
	return u->slots;
}

char *const *
ucspi_local(struct ucspi *u)
{
	static char proto[] = "PROTO=IPC";

	u->slots[SLOT_PROTO] = proto;
	return u->slots + SLOT_PROTO;
}

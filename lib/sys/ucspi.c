#include "sys/ucspi.h"

#include <string.h>

#include "base/strbuf.h"

enum { SLOT_PROTO = 7, SLOTS };

/* Variables that this module sets, or that describe the connection for which this process was started. */
static const char *const owned[] = {
	"PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST",
	"TCPREMOTEINFO", "TCPCONNNUM", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST", "WEBSOCKET_PROTOCOL",
	"WEBSOCKET_EXTENSIONS", "SSL_TLS_SNI_SERVERNAME",
};

bool
ucspi_owns(const char *entry)
{
	size_t size = strcspn(entry, "=");

	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		if (*entry == *owned[i] && strncmp(entry, owned[i], size) == 0 && owned[i][size] == '\0')
			return true;
	return false;
}

size_t
ucspi_slots(char *const *environ)
{
	size_t count = SLOTS + 1;

	while (*environ++ != NULL)
		count++;
	return count;
}

void
ucspi_begin(struct ucspi *u, char **environ, char **slots)
{
	char *const strings[] = {u->number, u->local_ip, u->local_port, u->remote_ip, u->remote_port, u->remote_addr,
		u->addr_port};
	char **used = slots + SLOTS;

	_Static_assert(sizeof strings / sizeof *strings == SLOT_PROTO, "PROTO follows them");
	u->slots = slots;
	memcpy(u->slots, strings, sizeof strings);
	for (char **at = environ; *at != NULL; at++)
		if (!ucspi_owns(*at))
			*used++ = *at;
	*used = NULL;
}

static void
put_text(char *out, size_t size, const char *name, const char *value)
{
	struct strbuf t = {.at = out, .capacity = size};

	strbuf_put_entry(&t, name, value);
}

static void
put_ip(char *out, size_t size, const char *name, const struct address *address, int socket)
{
	char ip[ADDRESS_SCOPED_SIZE];

	address_scoped(address, socket, ip);
	put_text(out, size, name, ip);
}

static void
put_number(char *out, size_t size, const char *name, unsigned number)
{
	struct strbuf t = {.at = out, .capacity = size};

	strbuf_put_string(&t, name);
	strbuf_put_number(&t, number);
	strbuf_put_char(&t, '\0');
}

char *const *
ucspi_tcp(struct ucspi *u, int socket, const struct address *local, const struct address *remote, unsigned number)
{
	static char proto[] = "PROTO=TCP";
	char ip[ADDRESS_IP_SIZE];

	put_ip(u->local_ip, sizeof u->local_ip, "TCPLOCALIP=", local, socket);
	put_number(u->local_port, sizeof u->local_port, "TCPLOCALPORT=", address_port(local));
	put_ip(u->remote_ip, sizeof u->remote_ip, "TCPREMOTEIP=", remote, socket);
	put_number(u->remote_port, sizeof u->remote_port, "TCPREMOTEPORT=", address_port(remote));
	put_number(u->number, sizeof u->number, "TCPCONNNUM=", number);
	address_ip(remote, ip);
	put_text(u->remote_addr, sizeof u->remote_addr, "REMOTE_ADDR=", ip);
	put_number(u->addr_port, sizeof u->addr_port, "REMOTE_PORT=", address_port(remote));
	u->slots[SLOT_PROTO] = proto;
	return number == 0 ? u->slots + 1 : u->slots;
}

char *const *
ucspi_local(struct ucspi *u)
{
	static char proto[] = "PROTO=IPC";

	u->slots[SLOT_PROTO] = proto;
	return u->slots + SLOT_PROTO;
}

char *const *
ucspi_inherited(const struct ucspi *u)
{
	return u->slots + SLOTS;
}

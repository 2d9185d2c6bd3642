/* The environment of a program for the client's request and connection. */
#include <string.h>

#include "base/strbuf.h"
#include "server.h"
#include "ws/cgi.h"

/* Find both addresses of the connection, or those in the PROXY header. Return false without TCP addresses. */
static bool
ends_find(const struct client *c, const struct proxy *p, struct address *local, struct address *remote)
{
	if (p == NULL || p->family == PROXY_NONE)
		return address_remote(c->base.socket.fd, remote) == 0 && remote->any.sa_family != AF_UNIX
		    && address_local(c->base.socket.fd, local) == 0;
	if (p->family == PROXY_IPV4) {
		*local = address_v4(p->server.ip, p->server.port);
		*remote = address_v4(p->client.ip, p->client.port);
	} else if (p->family == PROXY_IPV6) {
		*local = address_v6(p->server.ip, p->server.port);
		*remote = address_v6(p->client.ip, p->client.port);
	}
	return p->family != PROXY_UNIX;
}

/* Write the UCSPI variables that are not CGI variables too. */
static void
put_ucspi(struct client *c, const struct proxy *proxy, const struct address *local, const struct address *remote,
    struct strbuf *t)
{
	struct ucspi *u = &c->server->ucspi;
	char *const *entry = local == NULL ? ucspi_local(u) : ucspi_tcp(u, c->base.socket.fd, local, remote, c->number);

	for (; entry < ucspi_inherited(u); entry++)
		if (!cgi_owns(*entry))
			strbuf_put_entry(t, "", *entry);
	if (proxy != NULL && proxy->authority[0] != '\0')
		strbuf_put_entry(t, "SSL_TLS_SNI_SERVERNAME=", proxy->authority);
}

/* After put_ucspi(). */
static void
put_cgi(const struct server *s, const struct handshake *d, bool tcp, struct strbuf *t)
{
	const struct ucspi *u = &s->ucspi;
	struct cgi_connection ends = {{"", 0}, {"", 0}, {"", 0}};

	if (tcp)
		ends = (struct cgi_connection){
			span_of(strchr(u->remote_addr, '=') + 1), span_of(strchr(u->remote_port, '=') + 1),
			span_of(strchr(u->local_port, '=') + 1),
		};
	(void)cgi_environment(&s->base.request, d, &ends, t);
}

/* With a realm the program gets the user's name. Only the program of -a gets the password. */
static void
identify(struct server *s, struct strbuf *t, size_t begin)
{
	static const char secret[] = "HTTP_AUTHORIZATION=";
	char user[CGI_USER_SIZE];

	for (size_t at = begin; at < t->size;) {
		size_t n = strlen(t->at + at) + 1;

		if (strncmp(t->at + at, secret, sizeof secret - 1) == 0) {
			memmove(t->at + at, t->at + at + n, t->size - at - n);
			t->size -= n;
		} else {
			at += n;
		}
	}
	if (!cgi_user(&s->base.request, user))
		return;
	strbuf_put_entry(t, "AUTH_TYPE=", "Basic");
	strbuf_put_entry(t, "REMOTE_USER=", user);
}

/* Write the variables to server->scratch, each with its NUL. Return their size, or 0 if they do not fit. */
size_t
environment_make(struct client *c, const struct proxy *proxy, const struct handshake *d, unsigned program)
{
	struct server *s = c->server;
	struct strbuf t = {.at = s->scratch, .capacity = sizeof s->scratch};
	struct address local, remote;
	bool tcp = ends_find(c, proxy, &local, &remote);

	put_ucspi(c, proxy, tcp ? &local : NULL, &remote, &t);
	put_cgi(s, d, tcp, &t);
	if (program == PROGRAM && s->base.options.admission.policy.realm != NULL)
		identify(s, &t, 0);
	return t.cut ? 0 : t.size;
}

/* Return whether a request may set this variable. The helper refuses all others. */
bool
environment_allowed(const char *entry)
{
	return cgi_owns(entry) || ucspi_owns(entry);
}

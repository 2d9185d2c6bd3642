/* The handshake cases of wsprobe, from RFC 6455 section 4 and RFC 9112. */
#ifndef FITTINGS_WSPROBE_HTTP_H
#define FITTINGS_WSPROBE_HTTP_H

/*
 * Within what is sent, {HOST} is the server's host and port, {ACCEPT} the right
 * answer to the client's key, {NUL} a zero byte, {TEXT*N} N times TEXT, and
 * {PAD=N} as many letters as make the whole N bytes long.
 */
#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: {HOST}\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define END "\r\n"
#define FIELDS HOST UPGRADE CONNECTION KEY VERSION
#define ORIGIN(origin) GET FIELDS "Origin: " origin "\r\n" END

struct request_case {
	const char *group;
	const char *name;
	const char *send;
	const char *status; /* those that are right; - is an end without an answer, * is either */
	const char *field;  /* one that must be in the answer, NULL for none */
};

static const struct request_case requests[] = {
	{"handshake", "The RFC's sample request is accepted",
		"GET /chat HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
		"Sec-WebSocket-Version: 13\r\n\r\n", "101", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
	{"handshake", "One empty line before the request is skipped", END GET FIELDS END, "101", NULL},
	{"handshake", "Field names in capitals are the same names",
		GET "HOST: {HOST}\r\nUPGRADE: websocket\r\nCONNECTION: Upgrade\r\n"
		"SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-WEBSOCKET-VERSION: 13\r\n" END, "101", NULL},
	{"handshake", "Field names in small letters are the same names",
		GET "host: {HOST}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
		"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n" END, "101", NULL},
	{"handshake", "Upgrade is compared in any case",
		GET HOST "Upgrade: WebSocket\r\n" "Connection: uPGRADE\r\n" KEY VERSION END, "101", NULL},
	{"handshake", "Connection is a list, keep-alive may be in it",
		GET HOST UPGRADE "Connection: keep-alive, Upgrade\r\n" KEY VERSION END, "101", NULL},
	{"handshake", "A list may have empty items, tabs and no blanks",
		GET HOST "Upgrade:websocket\r\n" "Connection:\t,, ,keep-alive,\tUpgrade\t,\r\n" KEY VERSION END, "101", NULL},
	{"handshake", "Connection may be spread over several lines",
		GET HOST UPGRADE "Connection: keep-alive\r\nConnection: Upgrade\r\n" KEY VERSION END, "101", NULL},
	{"handshake", "Upgrade may be spread over several lines",
		GET HOST "Upgrade: h2c\r\nUpgrade: websocket\r\n" CONNECTION KEY VERSION END, "101", NULL},
	{"handshake", "Upgrade may list other protocols",
		GET HOST "Upgrade: h2c, websocket, IRC/6.9\r\n" CONNECTION KEY VERSION END, "101", NULL},
	{"handshake", "Blanks around a value do not count",
		GET HOST UPGRADE CONNECTION "Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== \t\r\n"
		"Sec-WebSocket-Version:13  \r\n" END, "101", NULL},
	{"handshake", "Values may have bytes above 127", GET FIELDS "X-Name: J\xc3\xb6rg \xff\r\n" END, "101", NULL},
	{"handshake", "An empty value of an unknown field is fine", GET FIELDS "X-Empty:\r\n" END, "101", NULL},
	{"handshake", "Content-Length: 0 is no body", GET FIELDS "Content-Length: 0\r\n" END, "101", NULL},
	{"handshake", "Extensions on offer are declined",
		GET FIELDS "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" END, "101", NULL},
	{"handshake", "Subprotocols on offer are declined where none is spoken",
		GET FIELDS "Sec-WebSocket-Protocol: chat, superchat\r\n" END, "101", NULL},
	{"handshake", "A head of 16384 bytes is read", GET FIELDS "X: {PAD=16384}\r\n" END, "101", NULL},
	{"handshake", "A head of 16385 bytes is too large", GET FIELDS "X: {PAD=16385}\r\n" END, "431", NULL},
	{"handshake", "A head of 100 fields is read", GET FIELDS "{X: y\r\n*95}" END, "101", NULL},
	{"handshake", "A head of 101 fields is too large", GET FIELDS "{X: y\r\n*96}" END, "431", NULL},
	{"handshake", "A head that never ends is refused when it is too large", GET FIELDS "X: {x*17000}", "431", NULL},
	{"handshake", "Fields that never end are refused when there are too many", GET FIELDS "{X: y\r\n*1000}", "431", NULL},
	{"handshake", "A hundred thousand fields are refused", GET FIELDS "{X: y\r\n*100000}" END, "431", NULL},
	{"handshake", "A request line that never ends is refused when it is too large", "GET /{x*17000}", "414|431", NULL},
	{"handshake", "A request target of 17000 bytes is too long", "GET /{x*17000} HTTP/1.1\r\n" FIELDS END, "414", NULL},

	{"handshake", "HTTP/1.0 cannot upgrade", "GET / HTTP/1.0\r\n" FIELDS END, "426|505", NULL},
	{"handshake", "HTTP/1.2 is read as HTTP/1.1", "GET / HTTP/1.2\r\n" FIELDS END, "101", NULL},
	{"handshake", "HTTP/2.0 is refused", "GET / HTTP/2.0\r\n" FIELDS END, "505", NULL},
	{"handshake", "HTTP/0.9 is refused", "GET /\r\n\r\n", "400|505", NULL},
	{"handshake", "http/1.1 in small letters is refused", "GET / http/1.1\r\n" FIELDS END, "400|505", NULL},
	{"handshake", "HTTP/1.10 is refused", "GET / HTTP/1.10\r\n" FIELDS END, "400|505", NULL},
	{"handshake", "HTTP/11 is refused", "GET / HTTP/11\r\n" FIELDS END, "400|505", NULL},
	{"handshake", "HTTP/1.1x is refused", "GET / HTTP/1.1x\r\n" FIELDS END, "400|505", NULL},
	{"handshake", "The HTTP/2 preface is refused", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400|405|505", NULL},
	{"handshake", "A TLS hello is refused",
		"\x16\x03\x01\x02{NUL}\x01{NUL}\x01\xfc\x03\x03 0123456789\r\n\r\n", "400", NULL},
	{"handshake", "Noise is refused", "\xff\xfe\x80\x01 \x7f\x1b\r\n\r\n", "400", NULL},
	{"handshake", "Two empty lines before the request are refused", END END GET FIELDS END, "400", NULL},
	{"handshake", "A blank before the request line is refused", " " GET FIELDS END, "400", NULL},
	{"handshake", "A request line without target is refused", "GET HTTP/1.1\r\n" FIELDS END, "400|505", NULL},
	{"handshake", "Two blanks in the request line are refused", "GET  / HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A tab in the request line is refused", "GET\t/ HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A fourth word in the request line is refused", "GET / x HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A blank behind the version is refused", "GET / HTTP/1.1 \r\n" FIELDS END, "400|505", NULL},
	{"handshake", "POST is not allowed", "POST / HTTP/1.1\r\n" FIELDS END, "405", "Allow: GET, OPTIONS"},
	{"handshake", "HEAD is not allowed", "HEAD / HTTP/1.1\r\n" FIELDS END, "405", "Allow: GET, OPTIONS"},
	{"handshake", "OPTIONS opens nothing", "OPTIONS / HTTP/1.1\r\n" FIELDS END, "204|405", "Allow: GET, OPTIONS"},
	{"handshake", "CONNECT is not allowed", "CONNECT {HOST} HTTP/1.1\r\n" FIELDS END, "400|405", NULL},
	{"handshake", "get in small letters is another method", "get / HTTP/1.1\r\n" FIELDS END, "405|501", NULL},
	{"handshake", "GETX is another method", "GETX / HTTP/1.1\r\n" FIELDS END, "405|501", NULL},
	{"handshake", "A method that is no token is refused", "G@T / HTTP/1.1\r\n" FIELDS END, "400", NULL},

	{"handshake", "Lines that end in a bare LF are refused or accepted, not waited for",
		"GET / HTTP/1.1\nHost: {HOST}\nUpgrade: websocket\nConnection: Upgrade\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n", "400|101", NULL},
	{"handshake", "A NUL in a value is refused", GET FIELDS "X: a{NUL}b\r\n" END, "400", NULL},
	{"handshake", "A NUL in a name is refused", GET FIELDS "X{NUL}Y: b\r\n" END, "400", NULL},
	{"handshake", "A bare CR in a value is refused", GET FIELDS "X: a\rb\r\n" END, "400", NULL},
	{"handshake", "An escape in a value is refused", GET FIELDS "X: a\x1b[m\r\n" END, "400", NULL},
	{"handshake", "A DEL in a value is refused", GET FIELDS "X: a\x7f\r\n" END, "400", NULL},
	{"handshake", "A folded line is refused", GET FIELDS "X: a\r\n b\r\n" END, "400", NULL},
	{"handshake", "A folded first field is refused", GET " X: a\r\n" FIELDS END, "400", NULL},
	{"handshake", "A blank before the colon is refused", GET FIELDS "X : a\r\n" END, "400", NULL},
	{"handshake", "A field without name is refused", GET FIELDS ": a\r\n" END, "400", NULL},
	{"handshake", "A line without colon is refused", GET FIELDS "X\r\n" END, "400", NULL},
	{"handshake", "A name with a slash is refused", GET FIELDS "X/Y: a\r\n" END, "400", NULL},
	{"handshake", "A name with bytes above 127 is refused", GET FIELDS "X\xc3\xb6: a\r\n" END, "400", NULL},

	{"handshake", "A request without Host is refused", GET UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "Two Hosts are refused", GET FIELDS "Host: {HOST}\r\n" END, "400", NULL},
	{"handshake", "A Host with userinfo is refused",
		GET "Host: me@{HOST}\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "A Host with a blank is refused",
		GET "Host: local host\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "A Host with a slash is refused",
		GET "Host: localhost/x\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "A Host with a port of letters is refused",
		GET "Host: localhost:http\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "A Host that lists two names is refused",
		GET "Host: a.example, b.example\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "An IPv6 address is a Host",
		GET "Host: [::1]:9000\r\n" UPGRADE CONNECTION KEY VERSION END, "101", NULL},
	{"handshake", "An IPv6 address without its bracket is refused",
		GET "Host: [::1\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "An IPv6 address without its bracket before a port is refused",
		GET "Host: [::1:9000\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},
	{"handshake", "A Host with a sign that no name has is refused",
		GET "Host: a^b\r\n" UPGRADE CONNECTION KEY VERSION END, "400", NULL},

	{"handshake", "A plain GET is told to upgrade", GET HOST END, "426", "Upgrade: websocket"},
	{"handshake", "A GET without Upgrade is told to upgrade",
		GET HOST CONNECTION KEY VERSION END, "426|400", NULL},
	{"handshake", "A GET without Connection is refused", GET HOST UPGRADE KEY VERSION END, "426|400", NULL},
	{"handshake", "A Connection without the token is refused",
		GET HOST UPGRADE "Connection: keep-alive\r\n" KEY VERSION END, "426|400", NULL},
	{"handshake", "upgrade-insecure is not the token upgrade",
		GET HOST UPGRADE "Connection: upgrade-insecure\r\n" KEY VERSION END, "426|400", NULL},
	{"handshake", "not-upgrade is not the token upgrade",
		GET HOST UPGRADE "Connection: not-upgrade\r\n" KEY VERSION END, "426|400", NULL},
	{"handshake", "websockets is not the token websocket",
		GET HOST "Upgrade: websockets\r\n" CONNECTION KEY VERSION END, "426|400", NULL},
	{"handshake", "websocket/13 is not the token websocket",
		GET HOST "Upgrade: websocket/13\r\n" CONNECTION KEY VERSION END, "101|426|400", NULL},
	{"handshake", "A request without key is refused", GET HOST UPGRADE CONNECTION VERSION END, "400", NULL},
	{"handshake", "An empty key is refused",
		GET HOST UPGRADE CONNECTION "Sec-WebSocket-Key:\r\n" VERSION END, "400", NULL},
	{"handshake", "Two keys are refused", GET FIELDS KEY END, "400", NULL},
	{"handshake", "Two keys on one line are refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==\r\n" VERSION END, "400", NULL},
	{"handshake", "A key of 15 bytes is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" VERSION END, "400", NULL},
	{"handshake", "A key of 17 bytes is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=\r\n" VERSION END, "400", NULL},
	{"handshake", "A key without padding is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n" VERSION END, "400", NULL},
	{"handshake", "A key with one = is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" VERSION END, "400", NULL},
	{"handshake", "A key with a blank is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZ==\r\n" VERSION END, "400", NULL},
	{"handshake", "A key in the alphabet for URLs is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhl-HNhbXBsZSBub_5jZQ==\r\n" VERSION END, "400", NULL},
	{"handshake", "A key with = in the middle is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: dGhlIHNh==BsZSBub25jZQ==\r\n" VERSION END, "400", NULL},
	{"handshake", "A key of 1000 characters is refused", GET HOST UPGRADE CONNECTION
		"Sec-WebSocket-Key: {A*1000}\r\n" VERSION END, "400", NULL},
	{"handshake", "A missing version is told which one is spoken",
		GET HOST UPGRADE CONNECTION KEY END, "426|400", "Sec-WebSocket-Version: 13"},
	{"handshake", "Version 8 is told which one is spoken", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 8\r\n" END, "426", "Sec-WebSocket-Version: 13"},
	{"handshake", "Version 14 is told which one is spoken", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 14\r\n" END, "426", "Sec-WebSocket-Version: 13"},
	{"handshake", "Version 0 is told which one is spoken", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 0\r\n" END, "426", "Sec-WebSocket-Version: 13"},
	{"handshake", "Version 13x is refused", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 13x\r\n" END, "426|400", NULL},
	{"handshake", "Version 4294967309 is not 13", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 4294967309\r\n" END, "426|400", NULL},
	{"handshake", "Version 013 is refused", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 013\r\n" END, "426|400", NULL},
	{"handshake", "Version +13 is refused", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: +13\r\n" END, "426|400", NULL},
	{"handshake", "Two versions are refused", GET FIELDS VERSION END, "426|400", NULL},
	{"handshake", "Versions 8, 13 on one line are refused", GET HOST UPGRADE CONNECTION KEY
		"Sec-WebSocket-Version: 8, 13\r\n" END, "426|400", NULL},

	{"handshake", "Content-Length: 5 is refused", GET FIELDS "Content-Length: 5\r\n" END "hello", "400", NULL},
	{"handshake", "Content-Length: 5, 6 is refused", GET FIELDS "Content-Length: 5, 6\r\n" END, "400", NULL},
	{"handshake", "Content-Length: +5 is refused", GET FIELDS "Content-Length: +5\r\n" END, "400", NULL},
	{"handshake", "Content-Length: -1 is refused", GET FIELDS "Content-Length: -1\r\n" END, "400", NULL},
	{"handshake", "Content-Length: 0x0 is refused", GET FIELDS "Content-Length: 0x0\r\n" END, "400", NULL},
	{"handshake", "Content-Length of twenty digits is refused",
		GET FIELDS "Content-Length: 18446744073709551616\r\n" END, "400", NULL},
	{"handshake", "Two Content-Lengths that differ are refused",
		GET FIELDS "Content-Length: 0\r\nContent-Length: 5\r\n" END, "400", NULL},
	{"handshake", "Transfer-Encoding is refused",
		GET FIELDS "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n", "400|501", NULL},
	{"handshake", "Content-Length beside Transfer-Encoding is refused",
		GET FIELDS "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n", "400|501", NULL},
	{"handshake", "A second request behind a refused one is not answered",
		GET HOST UPGRADE CONNECTION VERSION END GET FIELDS END, "400", NULL},

	{"handshake", "An empty path is refused", "GET  HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A target without slash is refused", "GET chat HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "The target * is refused", "GET * HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "An absolute target is accepted", "GET http://{HOST}/chat?x=1 HTTP/1.1\r\n" FIELDS END, "101", NULL},
	{"handshake", "An absolute target without path is accepted", "GET http://{HOST} HTTP/1.1\r\n" FIELDS END, "101", NULL},
	{"handshake", "An escape in the path is decoded", "GET /a%2fb%C3%B6 HTTP/1.1\r\n" FIELDS END, "101", NULL},
	{"handshake", "A path with .. is no file name and passes", "GET /../..//etc/./passwd HTTP/1.1\r\n" FIELDS END, "101", NULL},
	{"handshake", "A query passes undecoded", "GET /chat?a=%zz&b=? HTTP/1.1\r\n" FIELDS END, "101|400", NULL},
	{"handshake", "An escape of letters that are no digits is refused", "GET /%zz HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "An escape cut off is refused", "GET /a%2 HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "An escaped NUL is refused", "GET /a%00b HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A NUL in the target is refused", "GET /a{NUL}b HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A fragment in the target is refused", "GET /chat#x HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "A control byte in the target is refused", "GET /a\x01 HTTP/1.1\r\n" FIELDS END, "400", NULL},
	{"handshake", "Bytes above 127 in the target are refused", "GET /\xc3\xb6 HTTP/1.1\r\n" FIELDS END, "400", NULL},

	{"handshake", "Nothing sent is not answered", "", "-", NULL},
	{"handshake", "Half a request line and no more is no handshake", "GET / HT", "*", NULL},
	{"handshake", "A head cut before its last line is no handshake", GET FIELDS, "*", NULL},
	{"handshake", "A head cut inside its last line is no handshake", GET FIELDS "\r", "*", NULL},

	{"origin", "The server's own origin is let in", ORIGIN("http://{HOST}"), "101", NULL},
	{"origin", "The scheme of an origin is not compared", ORIGIN("https://{HOST}"), "101", NULL},
	{"origin", "An origin's scheme and host are compared in any case",
		GET "Host: LocalHost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: HTTP://LOCALhost:9000\r\n" END, "101", NULL},
	{"origin", "Port 80 is what http means",
		GET "Host: good.example\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://good.example:80\r\n" END, "101", NULL},
	{"origin", "Port 80 of Host is what http means",
		GET "Host: good.example:80\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://good.example\r\n" END, "101", NULL},
	{"origin", "An IPv6 address is let in as its own origin",
		GET "Host: [::1]:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://[::1]:9000\r\n" END, "101", NULL},
	{"origin", "A foreign origin is refused", ORIGIN("http://evil.example"), "403", NULL},
	{"origin", "An origin that begins with the host is refused", ORIGIN("http://{HOST}.evil.example"), "403", NULL},
	{"origin", "An origin that ends in the host is refused", ORIGIN("http://evil{HOST}"), "403", NULL},
	{"origin", "The host as userinfo of another is refused", ORIGIN("http://{HOST}@evil.example"), "403", NULL},
	{"origin", "The host as a path of another is refused", ORIGIN("http://evil.example/{HOST}"), "403", NULL},
	{"origin", "The host as a query of another is refused", ORIGIN("http://evil.example?{HOST}"), "403", NULL},
	{"origin", "The host as a fragment of another is refused", ORIGIN("http://evil.example#{HOST}"), "403", NULL},
	{"origin", "The host's subdomain is refused", ORIGIN("http://www.{HOST}"), "403", NULL},
	{"origin", "Another port is another origin",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://localhost:9001\r\n" END, "403", NULL},
	{"origin", "No port is not the server's port",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://localhost\r\n" END, "403", NULL},
	{"origin", "A port that begins with the server's is refused",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://localhost:90001\r\n" END, "403", NULL},
	{"origin", "127.0.0.1 is not localhost",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://127.0.0.1:9000\r\n" END, "403", NULL},
	{"origin", "A dot behind the host is another host",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://localhost.:9000\r\n" END, "403", NULL},
	{"origin", "An origin with a path is refused", ORIGIN("http://{HOST}/x"), "403", NULL},
	{"origin", "An origin with a slash behind it is refused", ORIGIN("http://{HOST}/"), "403", NULL},
	{"origin", "An origin with userinfo is refused", ORIGIN("http://me@{HOST}"), "403", NULL},
	{"origin", "An origin without scheme is refused", ORIGIN("{HOST}"), "403", NULL},
	{"origin", "An origin of a bare scheme is refused", ORIGIN("http://"), "403", NULL},
	{"origin", "The origin null is refused", ORIGIN("null"), "403", NULL},
	{"origin", "The origin * is refused", ORIGIN("*"), "403", NULL},
	{"origin", "An empty origin is refused", ORIGIN(""), "403", NULL},
	{"origin", "The origin file:// is refused", ORIGIN("file://"), "403", NULL},
	{"origin", "Two origins on one line are refused", ORIGIN("http://{HOST} http://evil.example"), "403|400", NULL},
	{"origin", "Two Origin lines are refused",
		GET FIELDS "Origin: http://{HOST}\r\nOrigin: http://evil.example\r\n" END, "403|400", NULL},
	{"origin", "Two equal Origin lines are refused",
		GET FIELDS "Origin: http://{HOST}\r\nOrigin: http://{HOST}\r\n" END, "403|400", NULL},

	/* For a server that serves `localhost` alone (--host localhost). */
	{"hosts", "A Host on the list is served",
		GET "Host: localhost:9000\r\n" UPGRADE CONNECTION KEY VERSION END, "101", NULL},
	{"hosts", "A Host on the list is served in any case",
		GET "Host: LOCALHOST\r\n" UPGRADE CONNECTION KEY VERSION END, "101", NULL},
	{"hosts", "A rebound name is refused though its origin matches",
		GET "Host: evil.example\r\n" UPGRADE CONNECTION KEY VERSION "Origin: http://evil.example\r\n" END, "403", NULL},
	{"hosts", "The address is refused where only the name is listed",
		GET "Host: 127.0.0.1\r\n" UPGRADE CONNECTION KEY VERSION END, "403", NULL},
	{"hosts", "A Host that begins with a listed one is refused",
		GET "Host: localhost.evil.example\r\n" UPGRADE CONNECTION KEY VERSION END, "403", NULL},
	{"hosts", "An absolute target names the host, whatever Host says",
		"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n" UPGRADE CONNECTION KEY VERSION END, "403|400", NULL},
};

struct answer_case {
	const char *name;
	const char *send;
	bool good;
};

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: {ACCEPT}\r\n"

static const struct answer_case answers[] = {
	{"A right answer is taken", SWITCHING UPGRADE CONNECTION ACCEPT END, true},
	{"An answer without reason phrase is taken", "HTTP/1.1 101 \r\n" UPGRADE CONNECTION ACCEPT END, true},
	{"An answer with another reason phrase is taken", "HTTP/1.1 101 Web Socket J\xc3\xb6rg\r\n" UPGRADE CONNECTION ACCEPT END, true},
	{"Names and tokens of the answer are compared in any case",
		SWITCHING "UPGRADE: WebSocket\r\nconnection: UPGRADE\r\nsec-websocket-ACCEPT: {ACCEPT}\r\n" END, true},
	{"Connection of the answer is a list", SWITCHING UPGRADE "Connection: keep-alive,\tupgrade\r\n" ACCEPT END, true},
	{"Connection of the answer may be spread over lines",
		SWITCHING UPGRADE "Connection: keep-alive\r\nConnection: upgrade\r\n" ACCEPT END, true},
	{"Blanks around Accept do not count",
		SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept:\t {ACCEPT} \t\r\n" END, true},
	{"Unknown fields of the answer are passed over",
		SWITCHING "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: x/1\r\n" UPGRADE CONNECTION ACCEPT "X: \xff\r\n" END, true},
	{"An answer without the blank behind its status fails", "HTTP/1.1 101\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"A 100 Continue before the answer fails or is passed over", "HTTP/1.1 100 Continue\r\n\r\n", false},
	{"Status 200 fails", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n", false},
	{"Status 200 with all the right fields fails", "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"Status 301 fails", "HTTP/1.1 301 Moved Permanently\r\nLocation: ws://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", false},
	{"Status 401 fails", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", false},
	{"Status 403 fails", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false},
	{"Status 426 fails", "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n", false},
	{"Status 503 fails", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", false},
	{"Status 1010 fails", "HTTP/1.1 1010 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"Status 10 fails", "HTTP/1.1 10 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"HTTP/1.0 fails", "HTTP/1.0 101 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"A status line without version fails", "101 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT END, false},
	{"An answer without Upgrade fails", SWITCHING CONNECTION ACCEPT END, false},
	{"An answer that upgrades to something else fails", SWITCHING "Upgrade: h2c\r\n" CONNECTION ACCEPT END, false},
	{"An answer that upgrades to websockets fails", SWITCHING "Upgrade: websockets\r\n" CONNECTION ACCEPT END, false},
	{"An answer without Connection fails", SWITCHING UPGRADE ACCEPT END, false},
	{"An answer with Connection: close fails", SWITCHING UPGRADE "Connection: close\r\n" ACCEPT END, false},
	{"An answer with Connection: upgraded fails", SWITCHING UPGRADE "Connection: upgraded\r\n" ACCEPT END, false},
	{"An answer without Accept fails", SWITCHING UPGRADE CONNECTION END, false},
	{"An answer with the RFC's sample Accept fails",
		SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END, false},
	{"An empty Accept fails", SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n" END, false},
	{"An Accept in the wrong case fails", SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: {TPECCA}\r\n" END, false},
	{"An Accept with one more character fails", SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: {ACCEPT}=\r\n" END, false},
	{"Two Accepts fail", SWITCHING UPGRADE CONNECTION ACCEPT ACCEPT END, false},
	{"An extension that was not asked for fails",
		SWITCHING UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, false},
	{"A subprotocol that was not asked for fails",
		SWITCHING UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: chat\r\n" END, false},
	{"A head that never ends fails when it is too large", SWITCHING UPGRADE CONNECTION ACCEPT "X: {x*17000}", false},
	{"A hundred thousand fields fail", SWITCHING UPGRADE CONNECTION ACCEPT "{X: y\r\n*100000}" END, false},
	{"An answer of bare LFs fails or is taken, not waited for",
		"HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n", false},
	{"A NUL in the answer fails", SWITCHING UPGRADE CONNECTION ACCEPT "X: a{NUL}b\r\n" END, false},
	{"A bare CR in the answer fails", SWITCHING UPGRADE CONNECTION ACCEPT "X: a\rb\r\n" END, false},
	{"A folded line of the answer fails", SWITCHING UPGRADE CONNECTION ACCEPT "X: a\r\n b\r\n" END, false},
	{"A blank before a colon of the answer fails", SWITCHING UPGRADE CONNECTION "X : a\r\n" ACCEPT END, false},
	{"Noise fails", "\xff\xfe\x80 \x7f\x1b\r\n\r\n", false},
	{"An SMTP greeting fails", "220 mail.example ESMTP\r\n\r\n", false},
	{"An answer cut inside its head fails", SWITCHING UPGRADE CONNECTION ACCEPT, false},
	{"No answer at all fails", "", false},
};

#endif

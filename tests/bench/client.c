/* SPDX-License-Identifier: ISC */
/* The client's side of a connection: connect, the SOCKS5 conversation, whole messages.
 * Knows the protocol; does not know what is measured. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"

static const unsigned char greeting[] = {5, 1, 0}; /* RFC 1928 s3: one method, none */
static const unsigned char method_none[] = {5, 0};
#define REQUEST_LEN 10 /* s4, with an IPv4 DST.ADDR */
#define REPLY_LEN   10 /* s6, with an IPv4 BND.ADDR, as all contestants answer here */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int client_listen(uint16_t *port)
{
	struct sockaddr_in addr = loopback(*port);
	socklen_t addr_len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, addr_len) < 0 || listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

/* The one for sending bounds connect() too. */
static void set_timeouts(int fd)
{
	static const struct timeval timeout = {
		WAIT_TIMEOUT_MS / 1000, WAIT_TIMEOUT_MS % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

int client_connect(uint16_t port)
{
	static const int on = 1;
	struct sockaddr_in addr = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_timeouts(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int client_send(int fd, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len > 0) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

int client_receive(int fd, void *bytes, size_t len)
{
	char *to = bytes;

	while (len > 0) {
		ssize_t n = recv(fd, to, len, 0);

		if (n <= 0) {
			errno = n == 0 ? 0 : errno;
			return -1;
		}
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The request waits for the answer to the greeting, as real clients do; some of the contestants
 * can't do otherwise. */
static const char *converse(
	int fd, const unsigned char request[REQUEST_LEN], unsigned char answer[REPLY_LEN])
{
	if (client_send(fd, greeting, sizeof greeting) < 0)
		return "greeting";
	if (client_receive(fd, answer, sizeof method_none) < 0)
		return "method";
	if (memcmp(answer, method_none, sizeof method_none) != 0)
		return "method: not 05 00";
	if (client_send(fd, request, REQUEST_LEN) < 0)
		return "request";
	if (client_receive(fd, answer, REPLY_LEN) < 0)
		return "reply";
	if (answer[1] != 0)
		return "reply: refused";
	return NULL;
}

/* Connects to port, and asks what is there for something, if it is a proxy. */
static int ask(const struct contestant *c, uint16_t port, const unsigned char request[REQUEST_LEN],
	unsigned char answer[REPLY_LEN])
{
	const char *trouble;
	int fd = client_connect(port);

	if (fd < 0) {
		warn("%s: connect", c->label);
		return -1;
	}
	if (c->port == 0)
		return fd;
	errno = 0;
	trouble = converse(fd, request, answer);
	if (trouble) {
		warnx("%s: %s: %s", c->label, trouble,
			errno ? strerror(errno) : "unexpected answer or end");
		close(fd);
		return -1;
	}
	return fd;
}

int client_open(const struct contestant *c, uint16_t upstream_port)
{
	const unsigned char request[REQUEST_LEN] = {
		5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(upstream_port >> 8), (uint8_t)upstream_port};
	unsigned char answer[REPLY_LEN];

	return ask(c, c->port ? c->port : upstream_port, request, answer);
}

int client_associate(const struct contestant *c, uint16_t *ret_port)
{
	static const unsigned char request[REQUEST_LEN] = {5, 3, 0, 1}; /* from wherever we send */
	unsigned char answer[REPLY_LEN];
	int fd = ask(c, c->port, request, answer);

	if (fd >= 0)
		*ret_port = (uint16_t)(answer[8] << 8 | answer[9]);
	return fd;
}

int client_datagrams(uint16_t *port)
{
	static const int room = 4 << 20;
	struct sockaddr_in addr = loopback(*port);
	socklen_t addr_len = sizeof addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_timeouts(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room); /* as much as is allowed */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	if (*port ? connect(fd, (struct sockaddr *)&addr, addr_len) < 0
		  : bind(fd, (struct sockaddr *)&addr, addr_len) < 0 ||
				getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

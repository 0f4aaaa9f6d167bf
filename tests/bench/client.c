/* SPDX-License-Identifier: ISC */
/* The client: connects, performs the SOCKS5 handshake, and transfers data. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"

static const unsigned char greeting[] = {5, 1, 0}; /* RFC 1928 s3: one method, none */
static const unsigned char method_none[] = {5, 0};
#define REQUEST_MAX (6 + 1 + 255) /* s4, with a name as DST.ADDR */
#define REPLY_LEN   10            /* s6, with an IPv4 BND.ADDR, which all measured servers send */

struct request {
	unsigned char bytes[REQUEST_MAX];
	size_t len;
};

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* For datagrams, the kernel reduces the buffers to its limits. */
static int new_socket(int type)
{
	static const int buffer_len = 4 << 20;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	if (type == SOCK_DGRAM) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_len, sizeof buffer_len);
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_len, sizeof buffer_len);
	}
	return fd;
}

int client_listen(int type, uint16_t *ret_port)
{
	struct sockaddr_in addr = loopback(0);
	socklen_t addr_len = sizeof addr;
	int fd = new_socket(type);

	if (bind(fd, (struct sockaddr *)&addr, addr_len) < 0 ||
		(type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0) ||
		getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0)
		err(1, "listen");
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

int client_connect(const char *label, int type, uint16_t port)
{
	static const struct timeval timeout = {
		WAIT_TIMEOUT_MS / 1000, WAIT_TIMEOUT_MS % 1000 * 1000};
	static const int on = 1;
	struct sockaddr_in addr = loopback(port);
	int fd = new_socket(type);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout); /* also of connect() */
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		warn("%s: connect", label);
		close(fd);
		return -1;
	}
	return fd;
}

int client_send(int fd, const void *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

int client_receive(int fd, void *bytes, size_t len)
{
	ssize_t n = recv(fd, bytes, len, MSG_WAITALL);

	if (n >= 0 && n < (ssize_t)len)
		errno = 0;
	return n == (ssize_t)len ? 0 : -1;
}

void client_pump(int fd, bool sends, atomic_ullong *received_bytes)
{
	char *bytes = calloc(1, BULK_CAP);
	ssize_t n;

	if (!bytes)
		err(1, "calloc");
	do {
		if (sends) {
			n = send(fd, bytes, BULK_CAP, MSG_NOSIGNAL);
		} else {
			n = recv(fd, bytes, BULK_CAP, 0);
			atomic_fetch_add(received_bytes, n > 0 ? (unsigned long long)n : 0);
		}
	} while (n > 0);
	free(bytes);
}

/* Sends the request after the reply to the greeting, because some of the measured servers cannot
 * handle pipelining. Returns NULL, or the failed step, with errno, which is 0 for a wrong reply. */
static const char *handshake(int fd, const struct request *request, unsigned char answer[REPLY_LEN])
{
	if (client_send(fd, greeting, sizeof greeting) < 0)
		return "greeting";
	if (client_receive(fd, answer, sizeof method_none) < 0)
		return "method";
	if (memcmp(answer, method_none, sizeof method_none) != 0)
		return "method: not 05 00";
	if (client_send(fd, request->bytes, request->len) < 0)
		return "request";
	if (client_receive(fd, answer, REPLY_LEN) < 0)
		return "reply";
	if (answer[1] != 0)
		return "reply: refused";
	return NULL;
}

/* Connects to the proxy and sends a request. Returns the socket, or -1 after a message. */
static int proxy_request(
	const struct plan *plan, const struct request *request, unsigned char answer[REPLY_LEN])
{
	const char *failed_step;
	int fd = client_connect(plan->label, SOCK_STREAM, plan->port);

	if (fd < 0)
		return -1;
	errno = 0;
	failed_step = handshake(fd, request, answer);
	if (failed_step) {
		warnx("%s: %s: %s", plan->label, failed_step,
			errno ? strerror(errno) : "unexpected reply or end");
		close(fd);
		return -1;
	}
	return fd;
}

static struct request connect_request(const struct plan *plan, uint16_t port)
{
	static const unsigned char loopback_ipv4[] = {5, 1, 0, 1, 127, 0, 0, 1};
	struct request request = {.len = sizeof loopback_ipv4};

	memcpy(request.bytes, loopback_ipv4, sizeof loopback_ipv4);
	if (plan->host) {
		const size_t len = strnlen(plan->host, 255);
		request.bytes[3] = 3;
		request.bytes[4] = (unsigned char)len;
		memcpy(request.bytes + 5, plan->host, len);
		request.len = 5 + len;
	}
	request.bytes[request.len++] = (unsigned char)(port >> 8);
	request.bytes[request.len++] = (unsigned char)port;
	return request;
}

/* Resolves the host as the proxies do. */
static int resolve(const struct plan *plan)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int error = getaddrinfo(plan->host, NULL, &hints, &found);

	if (error != 0) {
		warnx("%s: %s: %s", plan->label, plan->host, gai_strerror(error));
		return -1;
	}
	freeaddrinfo(found);
	return 0;
}

int client_open(const struct plan *plan, uint16_t upstream_port)
{
	const struct request request = connect_request(plan, upstream_port);
	unsigned char answer[REPLY_LEN];

	if (plan->port)
		return proxy_request(plan, &request, answer);
	if (plan->host && resolve(plan) < 0)
		return -1;
	return client_connect(plan->label, SOCK_STREAM, upstream_port);
}

int client_associate(const struct plan *plan, uint16_t *ret_port)
{
	/* From 0.0.0.0:0. */
	static const struct request request = {.bytes = {5, 3, 0, 1}, .len = 10};
	unsigned char answer[REPLY_LEN];
	int fd = proxy_request(plan, &request, answer);

	if (fd >= 0)
		*ret_port = (uint16_t)(answer[8] << 8 | answer[9]);
	return fd;
}

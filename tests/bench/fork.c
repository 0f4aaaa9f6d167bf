/* SPDX-License-Identifier: ISC */
/* A SOCKS server that forks a process for each connection, without sandbox, configuration and log.
 * Its standard input is the listening socket. Prefork mode is compared with it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GREETING_LEN = 3, REQUEST_LEN = 10 }; /* of client.c: one method, IPv4 */

static int set_nodelay(int fd)
{
	static const int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Reads a message of the client, and returns whether it is complete. */
static int read_message(int client, unsigned char *bytes, size_t len)
{
	return recv(client, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

/* Connects to DST.ADDR and DST.PORT of a request. Returns the socket, or -1. */
static int connect_upstream(const unsigned char request[REQUEST_LEN])
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	memcpy(&addr.sin_addr, request + 4, sizeof addr.sin_addr);
	memcpy(&addr.sin_port, request + 8, sizeof addr.sin_port);
	if (fd < 0 || set_nodelay(fd) < 0 ||
		connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
		return -1;
	return fd;
}

/* Relays until both directions have ended, or one has failed. */
static void relay(int client, int upstream)
{
	static char bytes[65536];
	struct pollfd from[] = {{client, POLLIN, 0}, {upstream, POLLIN, 0}};
	const int to[] = {upstream, client};

	while (from[0].fd >= 0 || from[1].fd >= 0) {
		if (poll(from, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++) {
			if (from[i].fd < 0 || !from[i].revents)
				continue;
			const ssize_t n = read(from[i].fd, bytes, sizeof bytes);
			if (n < 0 || write(to[i], bytes, (size_t)n) < n)
				return;
			if (n == 0) {
				shutdown(to[i], SHUT_WR);
				from[i].fd = -1;
			}
		}
	}
}

static void serve(int client)
{
	static const unsigned char method[] = {5, 0};
	static const unsigned char reply[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	unsigned char bytes[REQUEST_LEN];
	int upstream;

	if (!read_message(client, bytes, GREETING_LEN) ||
		write(client, method, sizeof method) < 0 ||
		!read_message(client, bytes, REQUEST_LEN) ||
		(upstream = connect_upstream(bytes)) < 0 || write(client, reply, sizeof reply) < 0)
		return;
	relay(client, upstream);
}

int main(void)
{
	signal(SIGCHLD, SIG_IGN);  /* the kernel removes ended processes */
	set_nodelay(STDIN_FILENO); /* accepted sockets inherit it */
	for (;;) {
		const int client = accept(STDIN_FILENO, NULL, NULL);

		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			return 1;
		if (client >= 0 && fork() == 0) {
			close(STDIN_FILENO);
			serve(client);
			_exit(0);
		}
		if (client >= 0)
			close(client);
	}
}

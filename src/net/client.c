/* SPDX-License-Identifier: ISC */
/* The client's connection: on standard input and output, where a super-server puts it, or on a
 * socket that was accepted. */
#include "net/client.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"

/* Returns the value of a socket option, or -errno: -ENOTSOCK and -EBADF identify the descriptor. */
static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

/* Returns the kind of a descriptor. remote_family is AF_UNSPEC if it has no peer. */
static enum client_kind kind_of(int fd, sa_family_t remote_family)
{
	int type = option(fd, SO_TYPE);
	if (type == -EBADF)
		return CLIENT_CLOSED;
	if (type == -ENOTSOCK)
		return isatty(fd) ? CLIENT_TERMINAL : CLIENT_STDIO;
	if (type >= 0 && type != SOCK_STREAM)
		return CLIENT_DATAGRAM;
	switch (remote_family) {
	case AF_INET:
	case AF_INET6:
		return CLIENT_INET;
	case AF_UNIX:
		return CLIENT_UNIX;
	case AF_UNSPEC:
		return option(fd, SO_ACCEPTCONN) == 1 ? CLIENT_LISTENING : CLIENT_GONE;
	default:
		return CLIENT_OTHER;
	}
}

static int64_t uid_of_peer(int fd)
{
	union sockaddr_any local = {.sa.sa_family = AF_UNSPEC};
	socklen_t local_len = sizeof local;
	struct ucred credentials;
	socklen_t len = sizeof credentials;

	if (getsockname(fd, &local.sa, &local_len) < 0 ||
		local_len <= offsetof(struct sockaddr, sa_data) ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return -1;
	return credentials.uid;
}

struct client client_on(int in, int out)
{
	struct client client = {.uid = -1, .endpoint = {.in = in, .out = out}};
	union sockaddr_any remote = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof remote;

	bool has_peer = getpeername(in, &remote.sa, &len) == 0;
	client.kind = kind_of(in, remote.sa.sa_family);
	if (has_peer) {
		client.remote = sockaddr_read(&remote);
		/* An IPv6 socket also accepts IPv4 connections, with IPv4-mapped addresses. */
		client.remote = addr_unmapped(&client.remote);
		if (client.kind == CLIENT_INET)
			client.local_port = sockaddr_local(in).port;
		if (client.kind == CLIENT_UNIX)
			client.uid = uid_of_peer(in);
		client.endpoint.in_socket = true;
		endpoint_set_oob_inline(in);
	}
	int type = option(out, SO_TYPE);
	client.endpoint.out_socket = type != -ENOTSOCK;
	if (type == -EBADF)
		client.kind = CLIENT_CLOSED;
	return client;
}

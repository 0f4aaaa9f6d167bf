/* SPDX-License-Identifier: ISC */
/* A listening socket for the command BIND, which accepts connections from given hosts only. */
#include "net/listen.h"

#include <errno.h>
#include <unistd.h>

#include "net/sockaddr.h"

int listen_for(const struct resolve_list *remotes, const struct dial_source *source,
	struct addr *ret_local)
{
	struct addr local;
	int error = dial_local_address(remotes, source, &local);
	if (error < 0)
		return error;

	/* Device and mark are set, too: connections arrive, and replies leave, on that path. */
	struct dial_source at = *source;
	at.ipv4 = at.ipv6 = &local;
	int fd = socket(local.kind == ADDR_IPV4 ? AF_INET : AF_INET6,
		SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	if (!dial_from(fd, local.kind, &at) || listen(fd, LISTEN_BACKLOG) < 0) {
		close(fd);
		return -EADDRNOTAVAIL;
	}
	*ret_local = sockaddr_local(fd);
	return fd;
}

static bool is_among(const struct addr *a, const struct resolve_list *remotes)
{
	for (size_t i = 0; i < remotes->count; i++)
		if (addr_is_same_host(&remotes->addrs[i], a))
			return true;
	return false;
}

/* Closes the socket with RST. This process is the only one that has it open. */
static void close_with_reset(int fd)
{
	const struct linger immediately = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
	close(fd);
}

int listen_accept(int fd, const struct resolve_list *remotes, struct addr *ret_remote)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	int inbound = accept4(fd, &any.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (inbound < 0) /* ECONNABORTED: it ended in the queue */
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	struct addr remote = sockaddr_read(&any);
	if (!is_among(&remote, remotes)) {
		close_with_reset(inbound);
		return -ECONNREFUSED;
	}
	*ret_remote = remote;
	return inbound;
}

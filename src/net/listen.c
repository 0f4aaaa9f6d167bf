/* SPDX-License-Identifier: ISC */
/* One call from outside, of a peer that was named before.
 * Knows: listening sockets, and who may call. Does not know: who asked for it, and how long it is
 * waited for. */
#include "net/listen.h"

#include <errno.h>
#include <unistd.h>

#include "net/sockaddr.h"

int listen_for(
	const struct resolve_list *peers, const struct dial_source *source, struct addr *ret_here)
{
	struct addr here;
	int error = dial_local_address(peers, source, &here);
	if (error < 0)
		return error;

	/* Device and mark, too: by another way nobody can call, and no answer goes. */
	struct dial_source at = *source;
	at.ipv4 = at.ipv6 = &here;
	int fd = socket(here.kind == ADDR_IPV4 ? AF_INET : AF_INET6,
		SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	if (!dial_from(fd, here.kind, &at) || listen(fd, LISTEN_BACKLOG) < 0) {
		close(fd);
		return -EADDRNOTAVAIL;
	}
	*ret_here = sockaddr_local(fd);
	return fd;
}

static bool is_among(const struct addr *a, const struct resolve_list *peers)
{
	for (size_t i = 0; i < peers->count; i++)
		if (addr_is_same_host(&peers->addrs[i], a))
			return true;
	return false;
}

/* Ends it with RST: nobody else has this socket. */
static void turn_away(int fd)
{
	const struct linger at_once = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

int listen_accept(int fd, const struct resolve_list *peers, struct addr *ret_caller)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	int call = accept4(fd, &any.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (call < 0) /* ended before it was looked at, it is none */
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	struct addr caller = sockaddr_read(&any);
	if (!is_among(&caller, peers)) {
		turn_away(call);
		return -ECONNREFUSED;
	}
	*ret_caller = caller;
	return call;
}

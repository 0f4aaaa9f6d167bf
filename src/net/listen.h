/* SPDX-License-Identifier: ISC */
/* One call from outside, of a peer that was named before.
 * Knows: listening sockets, and who may call. Does not know: who asked for it, and how long it is
 * waited for. */
#pragma once

#include "net/dial.h"

/* Calls that the kernel keeps until they are looked at: strangers among them, whom it cannot tell
 * from the peer. */
#define LISTEN_BACKLOG 16

/* Listens on the address of this host that faces the first of the peers to which there is a way
 * (dial_local_address()), at a port that the kernel chooses. The descriptor, non-blocking and the
 * caller's; *ret_here is where it listens. Or -errno: -EADDRNOTAVAIL when *source cannot be had, or
 * has no port left. */
int listen_for(
	const struct resolve_list *peers, const struct dial_source *source, struct addr *ret_here);

/* One call that has come, if it is from the address of a peer, whatever its port. The descriptor,
 * non-blocking and the caller's; *ret_caller is where it comes from. Or -errno: -EAGAIN when there
 * is none any more, -ECONNREFUSED when it was a stranger's, which was reset. */
int listen_accept(int fd, const struct resolve_list *peers, struct addr *ret_caller);

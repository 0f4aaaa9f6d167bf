/* SPDX-License-Identifier: ISC */
/* A listening socket for the command BIND, which accepts connections from given hosts only. */
#pragma once

#include "net/dial.h"

/* The backlog of listen(2): connections that wait to be accepted, including those from other hosts.
 */
#define LISTEN_BACKLOG 16

/* Opens a listening socket for connections from the hosts in *remotes. dial_local_address()
 * determines its address, and the kernel chooses its port; both are returned in *ret_local. Returns
 * a non-blocking descriptor that the caller owns; -EADDRNOTAVAIL if *source cannot be used or no
 * port is free; or another -errno. */
int listen_for(const struct resolve_list *remotes, const struct dial_source *source,
	struct addr *ret_local);

/* Accepts one connection on the listening socket fd. It must come from an address in *remotes, with
 * any port; otherwise it is reset. Returns a non-blocking descriptor that the caller owns, and sets
 * *ret_remote to the remote address. Returns -EAGAIN if no connection is queued, -ECONNREFUSED if
 * the connection was reset, or another -errno. */
int listen_accept(int fd, const struct resolve_list *remotes, struct addr *ret_remote);

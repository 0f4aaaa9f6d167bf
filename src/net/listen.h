/* SPDX-License-Identifier: ISC */
/* BIND: a listening socket that accepts a connection from given remote hosts only. */
#pragma once

#include "net/dial.h"

/* Connections that the kernel queues, those from other hosts included. */
#define LISTEN_BACKLOG 16

/* Listens for connections from the remote hosts, on the local address that dial_local_address()
 * chooses for them and on a port that the kernel chooses. Returns a non-blocking descriptor that
 * the caller owns, and sets *ret_local. Returns -errno on failure: -EADDRNOTAVAIL if *source cannot
 * be used or has no free port. */
int listen_for(const struct resolve_list *remotes, const struct dial_source *source,
	struct addr *ret_local);

/* Accepts one queued connection if it comes from the address of one of the remote hosts, from any
 * port. Returns a non-blocking descriptor that the caller owns, and sets *ret_remote. Returns
 * -EAGAIN if none is queued, -ECONNREFUSED if it came from another host and was reset, or another
 * -errno. */
int listen_accept(int fd, const struct resolve_list *remotes, struct addr *ret_remote);

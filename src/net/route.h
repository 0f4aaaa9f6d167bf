/* SPDX-License-Identifier: ISC */
/* Asks the kernel for the route to an address (rtnetlink(7)). */
#pragma once

#include "net/dial.h"

/* Returns the type of the route to an IPv4 or IPv6 address, as in linux/rtnetlink.h:
 * - RTN_LOCAL if a connection to the address would not leave this host;
 * - RTN_BROADCAST for a broadcast address of a network to which this host is connected;
 * - RTN_UNSPEC if there is no route;
 * - another type, such as RTN_UNICAST.
 * An address is RTN_LOCAL or RTN_BROADCAST also if only connections with the device or the mark of
 * *source are routed in this way. The port is ignored. If the kernel cannot be asked, returns
 * -errno. Does not block.
 *
 * Opens a socket at the first call, and keeps it open. After fork(2), a process must not use the
 * socket of its parent, because it could receive the answers to the other's questions. */
int route_type(const struct addr *to, const struct dial_source *source);

/* Closes the socket, if it is open. */
void route_close(void);

/* SPDX-License-Identifier: ISC */
/* A socket to somebody on this host who keeps what is said of a connection.
 * Knows: AF_UNIX. Does not know: who that is, what is said. */
#pragma once

#include <stdbool.h>

/* A datagram socket, above standard error: a lower one would be taken for the client. The caller's;
 * or -1. */
int log_socket_open(void);

/* Connects it to a path, or to "@NAME", a socket without one: now, for later the lock forbids it.
 * False, and it is as it was, when nobody can be reached there. */
bool log_socket_connect(int fd, const char *where);

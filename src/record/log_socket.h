/* SPDX-License-Identifier: ISC */
/* A datagram socket that sends to the journal, to syslog or to systemd (sd_notify(3)). */
#pragma once

#include <stdbool.h>

/* Opens an AF_UNIX datagram socket. Returns its descriptor, which the caller owns, or -1. The
 * descriptor is above 2, because 0 to 2 are the client's connection and standard error. */
int log_socket_open(void);

/* Connects the socket to a path, or to an abstract name (unix(7)), which is written as "@NAME".
 * Returns false if that fails; then the socket is unchanged. Call it before the sandbox is entered,
 * which forbids it. */
bool log_socket_connect(int fd, const char *where);

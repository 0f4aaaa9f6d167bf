/* SPDX-License-Identifier: ISC */
/* A datagram socket to the journal, to syslog or to systemd's notify socket. */
#pragma once

#include <stdbool.h>

/* Returns an AF_UNIX datagram socket that the caller owns, or -1. Its descriptor is above 2: lower
 * ones are taken for the client's. */
int log_socket_open(void);

/* Connects the socket to a path, or to an abstract name written "@NAME". Returns false, with the
 * socket unchanged, if that fails. Call it before the sandbox, which forbids it. */
bool log_socket_connect(int fd, const char *where);

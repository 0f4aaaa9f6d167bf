/* SPDX-License-Identifier: ISC */
/* Reads the two texts that describe an open connection: the name of its unit, which systemd has
 * assigned, and the title of its process, which the process has written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/writer.h"

#define INSTANCE_CLIENT_MAX 45 /* bytes of an address: INET6_ADDRSTRLEN without the NUL */

/* The client of a connection. */
struct instance_client {
	char text[INSTANCE_CLIENT_MAX + 1]; /* an address, "unix" or "other"; "": not known */
	uint16_t port;                      /* if text is an address: its port; otherwise 0 */
	bool has_uid;                       /* text is "unix", and uid and pid are known */
	uint32_t uid, pid;
};

/* Reads the client from the name of an instance of stdsocks@.service. Only the end of the name is
 * read, because the rest depends on the version of systemd. The name has one of these forms:
 *
 *	PREFIX@...-LOCAL:PORT-ADDRESS:PORT.service
 *	PREFIX@...-PID-UID.service
 *	PREFIX@...-unknown.service
 *
 * Returns false if the name has another form; then *ret_client is unchanged. */
bool instance_client(const char *unit, struct instance_client *ret_client);

#define INSTANCE_NAME_MAX 1020 /* characters of a name (RFC 1928 s5, RFC 1929 s2), escaped */

#define INSTANCE_UNKNOWN UINT64_MAX /* a number that is not known */

/* A title. A text that is not known is "". Names are escaped as writer_escaped() does. Numbers of
 * bytes are rounded down as amount_put_bytes() does: 1234 is 1200. */
struct instance_title {
	char client[INSTANCE_CLIENT_MAX + 1]; /* an address without port, or a kind: "unix" */
	char user[INSTANCE_NAME_MAX + 1];
	char dst[INSTANCE_NAME_MAX + 1]; /* a name or an address, without port */
	uint16_t dst_port;
	uint8_t command; /* RFC 1928 s4; 0: not known */
	uint64_t bytes_up, bytes_down;
	uint64_t rate; /* bytes per second */
};

/* Reads the title of a process that serves a connection (stdsocks(8), PROCESS TITLE):
 *
 *	stdsocks: CLIENT handshake
 *	stdsocks: CLIENT ended
 *	stdsocks: CLIENT[ USER] -> [COMMAND ]HOST:PORT connecting
 *	stdsocks: CLIENT[ USER] -> [COMMAND ]HOST:PORT[ N up][ N down][ N/s]
 *
 * If the title ends in "...", its last word and all values after that are not known. If it has
 * another form, or contains a byte that is not printable ASCII, no value is known. */
struct instance_title instance_title(const char *title);

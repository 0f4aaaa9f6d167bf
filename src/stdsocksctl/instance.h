/* SPDX-License-Identifier: ISC */
/* Reads the two texts that describe an open connection: the name of its unit, which systemd has
 * assigned, and its status, which the handler has sent to systemd. */
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

/* Writes the text of a status, which the handler has encoded. A byte that is encoded as, for
 * example, "%20" is written as writer_escaped() writes it. Twice the length of the text is always
 * enough room. Returns false if an encoded byte is invalid or there is not enough room. */
bool instance_put_status(struct writer *w, const char *text);

/* A status. The texts are escaped as writer_escaped() does. bytes_up, bytes_down and rate are
 * rounded down as amount_put_bytes() does: 1234 is 1200. */
struct instance_status {
	const char *client;
	const char *user; /* NULL: none */
	const char *dst;  /* a name or an address; NULL: not known */
	uint16_t dst_port;
	uint8_t command; /* RFC 1928 s4; 0: not known */
	uint64_t bytes_up, bytes_down;
	uint64_t rate; /* bytes per second */
};

/* Reads a status that instance_put_status() has written:
 *
 *	CLIENT[ USER] -> [COMMAND ]HOST:PORT, N up, N down[, N/s], AGE
 *
 * Writes NULs into the text to cut it into pieces; *ret_status points to them. The text " -> " may
 * occur in USER, but not in HOST. Returns false if the text has another form, or contains a byte
 * that is not printable ASCII; then *ret_status is unchanged. */
bool instance_status(char *text, struct instance_status *ret_status);

/* SPDX-License-Identifier: ISC */
/* Reads the two texts that describe an open connection: the name of its unit, which systemd
 * assigns, and the status that its handler sends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/writer.h"

#define INSTANCE_CLIENT_MAX 45 /* characters: INET6_ADDRSTRLEN less the NUL */

struct instance_client {
	char text[INSTANCE_CLIENT_MAX + 1]; /* an address, "unix", "other"; "": not known */
	uint16_t port;                      /* of an address */
	bool has_uid;                       /* uid and pid are set; only of "unix" */
	uint32_t uid, pid;
};

/* Reads the end of an instance's name. The start depends on the version of systemd:
 * PREFIX@...-LOCAL:PORT-ADDRESS:PORT.service, PREFIX@...-PID-UID.service,
 * PREFIX@...-unknown.service. Returns false if the name has none of these forms. */
bool instance_client(const char *unit, struct instance_client *ret_client);

/* Writes a status that systemd returned. systemd encodes bytes as "%20"; they are written as
 * writer_escaped() writes them, so twice the length of the text is enough room. Returns false if
 * an encoded byte is invalid or there is no room. */
bool instance_put_status(struct writer *w, const char *text);

/* The texts are escaped as by writer_escaped(). bytes_up, bytes_down and rate are rounded down as
 * by amount_put_bytes(): 1234 is 1200. */
struct instance_status {
	const char *client;
	const char *user; /* NULL: none */
	const char *dst;  /* a name or an address; NULL: not known */
	uint16_t dst_port;
	uint8_t command; /* RFC 1928 s4; 0: not known */
	uint64_t bytes_up, bytes_down;
	uint64_t rate; /* bytes per second */
};

/* Reads "CLIENT[ USER] -> [COMMAND ]HOST:PORT, N up, N down[, N/s], AGE". Cuts the text into pieces
 * to which *ret_status points. A user's name may contain " -> ", a host's may not. Returns false
 * if the text has another form or contains a byte that is not printable ASCII; then *ret_status is
 * unchanged. */
bool instance_status(char *text, struct instance_status *ret_status);

/* SPDX-License-Identifier: ISC */
/* What two texts say about a live connection: the name of its unit, which systemd made, and the status
 * that its handler sends. Knows: both formats. Does not know: the bus. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/writer.h"

#define INSTANCE_CLIENT_MAX 45 /* characters: INET6_ADDRSTRLEN less the NUL */

/* Who called. */
struct instance_client {
	char text[INSTANCE_CLIENT_MAX + 1]; /* an address, "unix", "other"; "": not known */
	uint16_t port;                      /* of an address */
	bool has_uid;                       /* of "unix", where the kernel told systemd */
	uint32_t uid, pid;
};

/* Reads the end of an instance's name, for what comes before that depends on systemd's version:
 * PREFIX@...-LOCAL:PORT-ADDRESS:PORT.service, PREFIX@...-PID-UID.service, PREFIX@...-unknown.service.
 * False when it is none of them. */
bool instance_client(const char *unit, struct instance_client *ret_client);

/* A status as systemd has it, with "%20" and the like as wire/writer's writer_escaped() writes that byte. Room
 * for twice the text is enough. False when it is nothing that a handler sends. */
bool instance_put_status(struct writer *w, const char *text);

/* What the handler says: texts as harmless as wire/writer's writer_escaped() makes them, and amounts
 * that were cut off after three digits. */
struct instance_status {
	const char *client;
	const char *user; /* NULL: nobody */
	const char *
		dst; /* a name or an address; NULL in a struct that is all zero: nothing was said */
	uint16_t dst_port;
	uint8_t command; /* of RFC 1928 s4; 0: nothing was said */
	uint64_t bytes_up, bytes_down;
	uint64_t rate; /* bytes a second */
};

/* Reads "CLIENT[ USER] -> [COMMAND ]HOST:PORT, N up, N down[, N/s], AGE". The text is cut into pieces, to which
 * the status points. A user may be called anything, "a -> b" included; a host may not. False when it is
 * anything else, or has a byte that is not printable ASCII. */
bool instance_status(char *text, struct instance_status *ret_status);

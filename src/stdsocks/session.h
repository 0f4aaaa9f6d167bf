/* SPDX-License-Identifier: ISC */
/* The conversation with one client, from its greeting to the record.
 * Knows: the protocol and the sockets; no other file knows both. */
#pragma once

#include "net/client.h"
#include "record/status.h"
#include "stdsocks/login.h"

struct session_input {
	const struct settings *settings;
	const char *why_not; /* NULL, or why nobody is served: a text that stays */
	int error;           /* the errno behind that, or 0 */
	struct login *login;
	const struct client *client;
	int64_t start_us; /* of the process: the handshake's deadline counts from here */
	bool trace;       /* show each message on standard error */
	struct status *status;
	bool *two_replies; /* NULL, or what becomes true before the first of two replies is sent */
};

/* The stages of sandbox/syscalls.h that one of the configured commands may begin with. */
unsigned session_stages(const struct config *config);

/* Serves the client on descriptors 0 and 1 until the connection is over and fills *ret_record,
 * whose texts stay. Blocks for as long as it takes; may be called once in a process's life. */
void session_run(const struct session_input *input, struct record *ret_record);

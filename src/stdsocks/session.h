/* SPDX-License-Identifier: ISC */
/* A session: one client, from its greeting to the record of the connection. */
#pragma once

#include "net/client.h"
#include "net/relay.h"
#include "net/resolve.h"
#include "policy/rules.h"
#include "record/status.h"
#include "stdsocks/confine.h"
#include "stdsocks/login.h"
#include "wire/socks5.h"

struct session_input {
	const struct settings *settings;
	struct refusal refusal;
	struct login *login;
	const struct client *client;
	/* The start of the process, from which the handshake's timeout counts. */
	int64_t start_us;
	bool trace; /* write each message to standard error */
	struct status *status;
	/* NULL, or with --hex a flag in shared memory, to set before the first of BIND's two
	 * replies is sent. */
	bool *two_replies;
};

struct session {
	const struct session_input *input;
	const struct config *config;
	/* Of the handshake; with BIND, after the first reply, of the inbound connection. */
	int64_t deadline_us;
	struct endpoint client, upstream;
	struct buffer *up, *down; /* bytes that were read and not yet delivered */
	bool is_version_4;

	bool is_authenticated; /* record.user may be used for rules */
	bool userid_is_wrong;  /* of version 4: the kernel knows another user */

	/* As the client sent it, but with 0.0.0.0 in place of an empty name of UDP ASSOCIATE. */
	struct socks5_request request;
	/* DST, with an address in place of a name that spells one; port 0 if the command has no use
	 * for a port. */
	struct addr requested;
	/* The lookup of the name in it, or of the name of the address; NULL if there is none. */
	struct resolve *lookup;
	int64_t lookup_us; /* its start */

	/* The denial of the request, or of the first datagram that was denied; verdict.rule is NULL
	 * if there was none. */
	struct session_decision {
		struct rule_context context;
		struct rules_verdict verdict;
	} denial;

	struct relay relay; /* of an association, too: bytes delivered, and timers */
	/* Filled during the session. outcome_record() adds the client, dst, the bytes, the total
	 * time and the denial. */
	struct record record;
};

/* Returns the stages of sandbox/syscalls.h, as bits, in which the configured commands begin. */
unsigned session_stages(const struct config *config);

/* Serves the client on descriptors 0 and 1 until the connection is over, and fills *ret_record,
 * whose texts are static. Blocks. May be called once in a process. */
void session_run(const struct session_input *input, struct record *ret_record);

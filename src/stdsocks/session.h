/* SPDX-License-Identifier: ISC */
/* A session: serves one client, from its first message to the record of the connection. */
#pragma once

#include "net/client.h"
#include "net/relay.h"
#include "net/resolve.h"
#include "policy/rules.h"
#include "record/record.h"
#include "stdsocks/confine.h"
#include "stdsocks/login.h"
#include "wire/socks5.h"

/* The values that a session needs from the start of the process. */
struct session_input {
	const struct settings *settings;
	/* If its reason is not NULL, the client is refused, whatever it requests. */
	struct refusal refusal;
	struct login *login;
	const struct client *client;
	int64_t start_us; /* the start of the process; "timeout handshake" counts from it */
	bool trace;       /* --trace: write each message to standard error */
	/* The exit status of the process if the client sends no valid greeting. */
	int stranger_status;
	/* Set by serve_bind() if it sends two replies, for --hex; NULL without --hex. */
	bool *two_replies;
};

/* The state of a session. */
struct session {
	const struct session_input *input;
	const struct config *config;
	/* The deadline of the handshake. With BIND, after the first reply, that of the inbound
	 * connection. */
	int64_t deadline_us;
	struct endpoint client, upstream;
	/* The bytes from the client and from the upstream that were not delivered yet. */
	struct buffer *up, *down;
	bool is_version_4; /* the client uses SOCKS 4 */

	int64_t refusal_us;    /* when the login is answered if it is refused; 0: at once */
	bool is_authenticated; /* record.user is authenticated, and is used in access rules */
	bool userid_is_wrong;  /* USERID of SOCKS 4 is not the user that SO_PEERCRED reports */

	/* The request as the client sent it. If DST of UDP ASSOCIATE is an empty name or "0",
	 * 0.0.0.0 replaces it. */
	struct socks5_request request;
	/* The destination for the access rules: DST of the request. A name that spells an address
	 * is replaced by the address. The port is 0 with RESOLVE and RESOLVE_PTR. */
	struct addr requested;
	/* The lookup of `requested`; NULL if nothing is looked up. */
	struct resolve *lookup;
	int64_t lookup_us; /* the start of the lookup */

	/* A decision of the access rules, and the request for which it was made. `denial` is the
	 * denial of the session's request or, with UDP ASSOCIATE, the first denial of a datagram.
	 * Its verdict.rule is NULL if there was none. */
	struct session_decision {
		struct rule_context context;
		struct rules_verdict verdict;
		/* Not 0: the request is denied because the kernel cannot be asked for a route that
		 * the decision depends on; this is the errno. verdict.rule is then NULL. */
		int error;
	} denial;

	/* The limit that this connection exceeds, such as "limit from 500"; or, if connections
	 * cannot be counted, a text about limit_error, which is an errno. NULL: none so far. */
	const char *limit;
	int limit_error;

	/* Counts delivered bytes and has the timers, also for UDP ASSOCIATE. */
	struct relay relay;
	/* Filled during the session. outcome_record() completes it. */
	struct record record;
};

/* Returns the stages of the sandbox (bits of enum syscalls_stage) that the configured commands need
 * until their reply. */
unsigned session_stages(const struct config *config);

/* Serves the client on descriptors 0 and 1. Blocks until the connection has ended, and sets
 * *ret_record to its record. The texts to which the record points are static. May be called once in
 * a process. */
void session_run(const struct session_input *input, struct record *ret_record);

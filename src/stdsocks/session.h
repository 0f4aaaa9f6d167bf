/* SPDX-License-Identifier: ISC */
/* A session: one client, from its greeting to the record of the connection. */
#pragma once

#include "net/client.h"
#include "net/relay.h"
#include "policy/rules.h"
#include "record/status.h"
#include "stdsocks/login.h"
#include "wire/socks5.h"

struct session_input {
	const struct settings *settings;
	const char *why_not; /* NULL, or why nobody is served: a text that stays */
	int error;           /* the errno behind that, or 0 */
	struct login *login;
	const struct client *client;
	/* The start of the process, from which the handshake's timeout counts. */
	int64_t start_us;
	bool trace; /* write each message to standard error */
	struct status *status;
	/* NULL, or a flag to set before the first of two replies is sent. */
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

	/* The user name that the kernel or the client gave, NULL if there is none. The rules use it
	 * only if is_authenticated. */
	const char *user;
	size_t user_len;
	bool is_authenticated;
	/* USERID of a version 4 request. It is wrong if the kernel knows another user name. */
	const char *userid;
	size_t userid_len;
	bool userid_is_wrong;

	bool has_request;
	struct socks5_request request; /* as the client sent it */
	/* DST, with an address in place of a name that spells one; port 0 if the command has no use
	 * for a port. */
	struct addr requested;

	/* The denial of the request, or of the first datagram that was denied; verdict.rule is NULL
	 * if there was none. */
	struct session_decision {
		struct rules_verdict verdict;
		struct addr requested, resolved;
	} denial;

	struct addr connected;          /* the address connected to; the first one with UDP */
	struct addr bound;              /* BIND and UDP ASSOCIATE: the address that is offered */
	int reply;                      /* RFC 1928 s6, or RECORD_NONE */
	int64_t resolve_us, connect_us; /* spans, or RECORD_NONE */
	struct relay relay;             /* of an association, too: bytes delivered, timers */
	const struct record_datagrams *datagrams; /* NULL without an association */

	enum record_end end;
	enum record_who closed_by;
	int error;       /* the errno behind the end, or 0 */
	const char *why; /* the reason in words, static; or NULL */
};

/* Returns the stages of sandbox/syscalls.h, as bits, in which the configured commands begin. */
unsigned session_stages(const struct config *config);

/* Serves the client on descriptors 0 and 1 until the connection is over, and fills *ret_record,
 * whose texts are static. Blocks. May be called once in a process. */
void session_run(const struct session_input *input, struct record *ret_record);

/* Fills *ret_record with what is known of the session now, total_us included. */
void session_put_record(const struct session *s, struct record *ret_record);

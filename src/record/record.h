/* SPDX-License-Identifier: ISC */
/* The record of one connection, as values and as text (stdsocks(8), RECORD). */
#pragma once

#include "wire/socks5.h"

/* MESSAGE_ID: one for each kind of record; units/stdsocks.catalog explains them. */
#define RECORD_ID_SERVED     "676b8ea6ab824ca18b7b99a8399ac688"
#define RECORD_ID_NOT_SERVED "dabd9aa38022419e8b57bfe5028c7661"
#define RECORD_ID_FAILED     "a66266082a8545b7938a1f45230389d4"

/* The reasons for which a connection ended: the values of STDSOCKS_END, and the message's words.
 * "not-socks5" includes version 4 if that is not configured. */
#define RECORD_ENDS(X)                                                                             \
	X(CLOSED, "closed", "closed")                                                              \
	X(RESET, "reset", "reset")                                                                 \
	X(VANISHED, "vanished", "stopped responding")                                              \
	X(IDLE_TIMEOUT, "idle-timeout", "idle timeout")                                            \
	X(HALF_CLOSED_TIMEOUT, "half-closed-timeout", "half-closed timeout")                       \
	X(LIFETIME, "lifetime", "lifetime exceeded")                                               \
	X(TERMINATED, "terminated", "terminated by signal")                                        \
	X(REFUSED, "refused", "refused")                                                           \
	X(NOT_SOCKS5, "not-socks5", "unsupported protocol version")                                \
	X(LOGIN_FAILED, "login-failed", "authentication failed")                                   \
	X(NO_METHOD, "no-method", "no acceptable authentication method")                           \
	X(CLIENT_GONE, "client-gone", "client disconnected during the handshake")                  \
	X(HANDSHAKE_TIMEOUT, "handshake-timeout", "handshake timeout")                             \
	X(FAILED, "failed", "system failure")

enum record_end {
	RECORD_ONGOING, /* 0, so that `if (end)` tests for an end; no record has it */
#define X(name, value, phrase) RECORD_##name,
	RECORD_ENDS(X)
#undef X
};

/* The side that ended it: the values of STDSOCKS_CLOSED_BY. */
enum record_who { RECORD_CLIENT, RECORD_UPSTREAM, RECORD_STDSOCKS };

/* The reasons for which a datagram of UDP ASSOCIATE was dropped: the words of STDSOCKS_DROPPED_FOR.
 */
#define RECORD_DROPS(X)                                                                            \
	X(STRANGER, "stranger")     /* not from the client's address */                            \
	X(MALFORMED, "malformed")   /* no header of RFC 1928 s7, or port 0 */                      \
	X(FRAGMENT, "fragment")     /* a fragment, which RFC 1928 s7 lets a server drop */         \
	X(DENIED, "denied")         /* by a rule */                                                \
	X(UNRESOLVED, "unresolved") /* a name without an address, or too many waiting for one */   \
	X(UNASKED, "unasked")       /* from an address that no datagram was sent to */             \
	X(OVERSIZED, "oversized")   /* with its header longer than a datagram can be */            \
	X(UNSENT, "unsent")         /* the kernel did not send it */                               \
	X(OVERFLOW, "overflow")     /* the kernel's receive buffer was full */

enum record_drop {
#define X(name, word) RECORD_DROP_##name,
	RECORD_DROPS(X)
#undef X
		RECORD_DROP_COUNT
};

struct record_datagrams {
	uint64_t up, down;     /* relayed */
	uint64_t destinations; /* that datagrams were sent to */
	uint64_t dropped[RECORD_DROP_COUNT];
};

/* The value of a span or a reply that does not exist; its field is omitted. */
#define RECORD_NONE (-1)

struct record {
	const char *client_kind; /* "unix", "stdio", ...: used if client is ADDR_NONE */
	struct addr client;
	/* The user that has authenticated or tried to, or that the kernel knows; NULL: none. */
	const char *user;
	size_t user_len;
	/* USERID of a version 4 request, which does not authenticate; NULL: none. */
	const char *userid;
	size_t userid_len;
	int command;     /* RFC 1928 s4, or RECORD_NONE */
	struct addr dst; /* as the client sent it */
	/* STDSOCKS_REACHED: the address connected to; the first one with UDP ASSOCIATE. */
	struct addr connected;
	/* The name server with the first address or, if there is none, the last answer; or a file
	 * as a name; or ADDR_NONE. */
	struct addr resolver;
	struct addr bound; /* the address that BIND and UDP ASSOCIATE offer */
	int reply;         /* RFC 1928 s6, or RECORD_NONE */
	uint64_t up, down; /* bytes delivered to upstream, and to the client */
	const struct record_datagrams *datagrams; /* of UDP ASSOCIATE; else NULL */
	int64_t resolve_us, connect_us, total_us; /* or RECORD_NONE */
	enum record_who closed_by;
	enum record_end end;
	int error;       /* the errno behind the end, or 0 */
	const char *why; /* the reason in words, static; or NULL */

	const char *rule; /* the location of the rule that denied it, or NULL */
	size_t rule_line; /* the line there; 0: it has none */
	/* STDSOCKS_REMEDY: a rule that would allow it, or empty; printable. */
	struct writer suggested_rule;
};

/* Bytes of a suggested rule: a name of 255 bytes, all escaped (1020), and addresses. */
#define RECORD_SUGGESTED_RULE_MAX 1280

/* Bytes of a record: two names and a path of PATH_MAX (4096), all escaped, and a suggested rule. */
#define RECORD_MESSAGE_MAX 24576
#define RECORD_FIELDS_MAX  24576

/* Writes the record as one line for people, without newline. */
void record_put_message(struct writer *w, const struct record *record);

/* Writes its fields, each as "NAME=value" and a newline: those of the journal except MESSAGE. */
void record_put_fields(struct writer *w, const struct record *record);

/* SPDX-License-Identifier: ISC */
/* What happened to one connection, as values and as text.
 * Knows: the record's fields and words (stdsocks(8), RECORD). Does not know: where it is sent. */
#pragma once

#include "wire/socks5.h"

/* MESSAGE_ID: one for each kind of record; units/stdsocks.catalog explains them. */
#define RECORD_ID_SERVED     "676b8ea6ab824ca18b7b99a8399ac688"
#define RECORD_ID_NOT_SERVED "dabd9aa38022419e8b57bfe5028c7661"
#define RECORD_ID_FAILED     "a66266082a8545b7938a1f45230389d4"

/* How a connection ended: the values of STDSOCKS_END, and what the message says. */
#define RECORD_ENDS(X)                                                                             \
	X(CLOSED, "closed", "closed")                                                              \
	X(RESET, "reset", "reset")                                                                 \
	X(VANISHED, "vanished", "given up, for nothing was heard any more")                        \
	X(IDLE_TIMEOUT, "idle-timeout", "idle for too long, ended")                                \
	X(HALF_CLOSED_TIMEOUT, "half-closed-timeout", "half-closed and idle for too long, ended")  \
	X(LIFETIME, "lifetime", "older than its lifetime, ended")                                  \
	X(TERMINATED, "terminated", "told to stop, ended")                                         \
	X(REFUSED, "refused", "refused")                                                           \
	X(NOT_SOCKS5, "not-socks5", "no version of SOCKS that is spoken here")                     \
	X(LOGIN_FAILED, "login-failed", "login failed")                                            \
	X(NO_METHOD, "no-method", "no acceptable method was offered")                              \
	X(CLIENT_GONE, "client-gone", "gone before it was served")                                 \
	X(HANDSHAKE_TIMEOUT, "handshake-timeout", "the handshake took too long")                   \
	X(FAILED, "failed", "the system failed us")

enum record_end {
#define X(name, value, phrase) RECORD_##name,
	RECORD_ENDS(X)
#undef X
};

/* Who ended it: the values of STDSOCKS_CLOSED_BY. */
enum record_who { RECORD_CLIENT, RECORD_UPSTREAM, RECORD_STDSOCKS };

/* Why a datagram of UDP ASSOCIATE was not passed on: the words of STDSOCKS_DROPPED_FOR. */
#define RECORD_DROPS(X)                                                                            \
	X(STRANGER, "stranger")     /* from another than the client */                             \
	X(MALFORMED, "malformed")   /* no header of RFC 1928 s7, or port 0 */                      \
	X(FRAGMENT, "fragment")     /* of one that would have to be put together */                \
	X(DENIED, "denied")         /* by the rules */                                             \
	X(UNRESOLVED, "unresolved") /* to a name without an address, or too many at once */        \
	X(UNASKED, "unasked")       /* from where nothing was sent to */                           \
	X(OVERSIZED, "oversized")   /* longer, with its header, than a datagram can be */          \
	X(UNSENT, "unsent")         /* the kernel did not send it */                               \
	X(OVERFLOW, "overflow")     /* the kernel had no room for it, as they came too fast */

enum record_drop {
#define X(name, word) RECORD_DROP_##name,
	RECORD_DROPS(X)
#undef X
		RECORD_DROP_COUNT
};

struct record_datagrams {
	uint64_t up, down;     /* passed on */
	uint64_t destinations; /* that they went to */
	uint64_t dropped[RECORD_DROP_COUNT];
};

/* A time or a reply that there was none of: the field is left out. */
#define RECORD_NONE (-1)

struct record {
	const char *client_kind; /* "unix", "stdio", ...: said where client is ADDR_NONE */
	struct addr client;
	const char *user; /* who logged in, tried to, or is known to the kernel; NULL: nobody */
	size_t user_len;
	const char
		*userid; /* what a client of version 4 calls itself, whoever it is; NULL: nothing */
	size_t userid_len;
	int command;           /* of RFC 1928 s4, or RECORD_NONE */
	struct addr dst;       /* as the client asked for it */
	struct addr connected; /* the address connected to; of datagrams, the first one */
	struct addr bound;     /* where others may come to, with BIND and UDP ASSOCIATE */
	int reply;             /* of RFC 1928 s6, or RECORD_NONE */
	uint64_t up, down;     /* bytes delivered to upstream; to the client */
	const struct record_datagrams *datagrams; /* with UDP ASSOCIATE; else NULL */
	int64_t resolve_us, connect_us, total_us; /* or RECORD_NONE */
	enum record_who closed_by;
	enum record_end end;
	int error;       /* errno behind it, or 0 */
	const char *why; /* a few words more, or NULL; a text that stays */

	const char *rule;             /* where the rule stands that denied it; NULL: none did */
	size_t rule_line;             /* its line there; 0: it has none */
	struct writer suggested_rule; /* the line that would allow it, or empty; harmless text */
};

/* A remedy: a name of 255 bytes, all escaped (1020), and addresses. */
#define RECORD_SUGGESTED_RULE_MAX 1280

/* What a record needs at most: two names, all escaped, a remedy, and a path of PATH_MAX (4096), all
 * escaped. */
#define RECORD_MESSAGE_MAX 24576
#define RECORD_FIELDS_MAX  24576

/* The record as one line for people, without a newline. */
void record_put_message(struct writer *w, const struct record *record);

/* Its fields, one "NAME=value" a line: what the journal gets besides MESSAGE. */
void record_put_fields(struct writer *w, const struct record *record);

/* SPDX-License-Identifier: ISC */
/* The record of one connection, as values and as text. The fields STDSOCKS_... are explained in
 * stdsocks(8), RECORD. */
#pragma once

#include "wire/socks5.h"

/* The values of the journal's field MESSAGE_ID, one for each kind of record: the request was
 * served; it was not served; this host failed. units/stdsocks.catalog explains them to
 * administrators. */
#define RECORD_ID_SERVED     "676b8ea6ab824ca18b7b99a8399ac688"
#define RECORD_ID_NOT_SERVED "dabd9aa38022419e8b57bfe5028c7661"
#define RECORD_ID_FAILED     "a66266082a8545b7938a1f45230389d4"

/* The reasons of a connection's end. X(name, value, phrase) has the name for enum record_end, the
 * value of STDSOCKS_END, and the words for a message. "not-socks5" also stands for SOCKS 4 if that
 * is not configured. */
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
	/* The session has not ended. The value is 0, so that `if (end)` tests for an end. */
	RECORD_ONGOING,
#define X(name, value, phrase) RECORD_##name,
	RECORD_ENDS(X)
#undef X
};

/* The side that has ended the connection: the values of STDSOCKS_CLOSED_BY. */
enum record_who { RECORD_CLIENT, RECORD_UPSTREAM, RECORD_STDSOCKS };

/* The reasons for which a datagram of UDP ASSOCIATE was dropped. X(name, word) has the name for
 * enum record_drop and the word in STDSOCKS_DROPPED_FOR. */
#define RECORD_DROPS(X)                                                                            \
	X(STRANGER, "stranger")     /* not from the client's address */                            \
	X(MALFORMED, "malformed")   /* without a header of RFC 1928 s7, or with port 0 */          \
	X(FRAGMENT, "fragment")     /* a fragment, which RFC 1928 s7 lets a server drop */         \
	X(DENIED, "denied")         /* denied by a rule */                                         \
	X(UNRESOLVED, "unresolved") /* no address, or too many wait for the lookup */              \
	X(UNASKED, "unasked")       /* from an address to which no datagram was sent */            \
	X(OVERSIZED, "oversized")   /* longer than a datagram can be, with its SOCKS header */     \
	X(UNSENT, "unsent")         /* the kernel did not send it */                               \
	X(OVERFLOW, "overflow")     /* the kernel's receive buffer was full */

enum record_drop {
#define X(name, word) RECORD_DROP_##name,
	RECORD_DROPS(X)
#undef X
		RECORD_DROP_COUNT
};

/* Numbers of datagrams of UDP ASSOCIATE. */
struct record_datagrams {
	uint64_t up, down;     /* datagrams relayed to destinations, and to the client */
	uint64_t destinations; /* addresses to which datagrams were sent */
	uint64_t dropped[RECORD_DROP_COUNT]; /* datagrams dropped, by reason */
};

/* The value of a command, a reply or a span that does not exist. Its field is omitted. */
#define RECORD_NONE (-1)

struct record {
	const char *client_kind; /* if client is ADDR_NONE: "unix", "stdio", ... */
	struct addr client;      /* ADDR_NONE if the client has no IP address */
	/* The user name with which the client has authenticated or has tried to, or the name of the
	 * user who connected to an AF_UNIX socket. NULL: none. */
	const char *user;
	size_t user_len;
	/* USERID of a SOCKS 4 request, which does not authenticate the client. NULL: none. */
	const char *userid;
	size_t userid_len;
	int command;     /* the CMD octet, RFC 1928 s4; or RECORD_NONE */
	struct addr dst; /* DST of the request, as the client sent it */
	/* STDSOCKS_REACHED: of CONNECT and BIND, the remote address of the connection; of RESOLVE,
	 * the address in the reply; of UDP ASSOCIATE, the first address to which a datagram was
	 * sent. ADDR_NONE: none. */
	struct addr connected;
	/* The origin of the addresses of a name: the address of a name server, or the path of
	 * hosts(5) as a name. If no address was found, the name server that was the last to answer.
	 * ADDR_NONE: none. */
	struct addr resolver;
	struct addr bound; /* the local address in the first reply to BIND or UDP ASSOCIATE */
	int reply;         /* the reply that was sent last, RFC 1928 s6; or RECORD_NONE */
	uint64_t up, down; /* bytes delivered to the upstream, and to the client */
	const struct record_datagrams *datagrams; /* of UDP ASSOCIATE; otherwise NULL */
	int64_t resolve_us, connect_us;           /* spans; or RECORD_NONE */
	int64_t total_us;                         /* since the start of the process */
	enum record_who closed_by;
	enum record_end end;
	int error;       /* the errno that belongs to the end, or 0 */
	const char *why; /* the reason of the end in words: a static text, or NULL */
	/* The client has sent a valid greeting (RFC 1928 s3) or request of SOCKS 4. */
	bool has_greeting;

	/* STDSOCKS_SANDBOX: the part of the sandbox that the process lacks: a static text, or NULL.
	 */
	const char *sandbox;

	/* The location of the rule that has denied the request; of UDP ASSOCIATE, of the first rule
	 * that has denied a datagram. NULL: none. */
	const char *rule;
	size_t rule_line; /* its line number in a file, or 0 */
	/* A rule that would allow this request or datagram, in printable ASCII. Empty if `rule` is
	 * NULL. */
	struct writer suggested_rule;
};

/* Upper limit of the bytes of a suggested rule: a name of 255 bytes, each escaped with four
 * characters, and addresses. */
#define RECORD_SUGGESTED_RULE_MAX 1280

/* Upper limits of the bytes of a record: each can have two names and a path of PATH_MAX (4096), all
 * escaped, and a suggested rule. */
#define RECORD_MESSAGE_MAX 24576
#define RECORD_FIELDS_MAX  24576

/* The text between a message and the suggested rule. */
#define RECORD_TO_ALLOW_IT "; to allow it: "

/* Writes the record as one line for people to read, without a newline. */
void record_put_message(struct writer *w, const struct record *record);

/* Writes all fields of the record for the journal except MESSAGE, each as "NAME=value" and a
 * newline. The suggested rule is only in MESSAGE. */
void record_put_fields(struct writer *w, const struct record *record);

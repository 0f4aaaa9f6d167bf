/* SPDX-License-Identifier: ISC */
/* The datagrams of UDP ASSOCIATE (RFC 1928 s7), in both directions. */
#pragma once

#include "net/resolve.h"
#include "net/udp.h"
#include "stdsocks/destination.h"
#include "stdsocks/dst_table.h"

/* Names that are looked up at the same time, and datagrams that wait for each. */
#define ASSOCIATION_LOOKUPS_MAX 64
#define ASSOCIATION_WAITING_MAX 8

/* Bytes of datagrams that wait for a name: one of any length, or several smaller ones. */
#define ASSOCIATION_WAITING_BYTES 65536

/* The timeout of a lookup. */
#define ASSOCIATION_LOOKUP_US INT64_C(10000000)

/* Lookups a second, and how many may be started at once after a pause: a client must not be able to
 * flood the name servers. */
#define ASSOCIATION_LOOKUP_RATE  50
#define ASSOCIATION_LOOKUP_BURST 200

/* How long an answer is used, whatever its TTL says: at least, and at most. The minimum is for
 * names without an address, too. */
#define ASSOCIATION_TTL_MIN_US INT64_C(5000000)
#define ASSOCIATION_TTL_MAX_US INT64_C(300000000)

/* How much longer an old address is used while it is looked up again, or if no name server answers.
 */
#define ASSOCIATION_STALE_US INT64_C(300000000)

/* A lookup of a name, and the datagrams that wait for its address. */
struct association_lookup {
	bool is_used;
	struct resolve resolve;
	struct addr permitted[2]; /* the first address of each family that the rules allow */
	unsigned permitted_count;
	struct session_decision denial; /* of an address; verdict.rule is NULL if there was none */
	size_t used, lens[ASSOCIATION_WAITING_MAX];
	unsigned waiting;
	uint8_t bytes[ASSOCIATION_WAITING_BYTES];
};

/* One object, in LARGE, for the process's life. */
struct association {
	struct session *session; /* bytes and timers are in session->relay */
	int client_fd;           /* the socket that the client sends to */
	/* The sockets for destinations; -1 if a family is not reached. */
	int upstream_ipv4, upstream_ipv6;
	/* The address whose datagrams are accepted, with port 0 until the first one has come; and
	 * that address as the first datagram's source. */
	struct addr client;
	union sockaddr_any client_at;
	struct record_datagrams counts;

	struct association_lookup lookups[ASSOCIATION_LOOKUPS_MAX];
	unsigned lookups_count; /* used ones */
	bool has_ended;         /* no lookup starts any more */
	/* The time by which the last lookup would have started at ASSOCIATION_LOOKUP_RATE. */
	int64_t last_lookup_us;
	struct resolve_list *found; /* the results of one step of a lookup */
	struct dst_table destinations;
	struct udp_batch received;
	struct udp_queue to_ipv4, to_ipv6, to_client;
};

/* Relays datagrams until a tick or the end. Returns RELAY_CLOSED if the client has closed its
 * connection, RELAY_BROKEN if that has failed; RELAY_FAILED, and sets the error in the record, if
 * poll(2) fails; or as relay_run(). At the end, datagrams that have arrived are still relayed. */
enum relay_end association_run(struct association *a);

/* The functions below are for association_names.c. */

/* Counts a datagram that is dropped. */
void association_drop(struct association *a, enum record_drop reason);

/* Sets the state of a destination that a rule denied. The first denial is for the record. */
void association_deny(
	struct association *a, struct dst *dst, const struct session_decision *decision);

/* Queues a datagram to an address. The bytes must stay until association_send_up(). */
void association_queue(
	struct association *a, const struct addr *to, const uint8_t *bytes, size_t len);

/* Sends the queued datagrams to their destinations. */
void association_send_up(struct association *a);

/* SPDX-License-Identifier: ISC */
/* An association: relays the datagrams of the command UDP ASSOCIATE (RFC 1928 s7) in both
 * directions. */
#pragma once

#include "net/resolve.h"
#include "net/udp.h"
#include "stdsocks/destination.h"
#include "stdsocks/dst_table.h"

/* Upper limits: names that are looked up at the same time, and datagrams that wait for one of these
 * lookups. */
#define ASSOCIATION_LOOKUPS_MAX 64
#define ASSOCIATION_WAITING_MAX 8

/* Upper limit of the bytes of all datagrams that wait for one lookup. It is enough for one datagram
 * of any length. */
#define ASSOCIATION_WAITING_BYTES 65536

/* The timeout of a lookup. */
#define ASSOCIATION_LOOKUP_US INT64_C(10000000)

/* A token bucket limits lookups, so that a client cannot flood the name servers: the rate in
 * lookups per second, and the greatest number at once after a pause. */
#define ASSOCIATION_LOOKUP_RATE  50
#define ASSOCIATION_LOOKUP_BURST 200

/* The range of the time for which the result of a lookup is used. Inside it, the TTL of the answer
 * decides. If the lookup has failed, the minimum is used. */
#define ASSOCIATION_TTL_MIN_US INT64_C(5000000)
#define ASSOCIATION_TTL_MAX_US INT64_C(300000000)

/* How much longer an old address is used while its name is looked up again, or if no name server
 * answers. */
#define ASSOCIATION_STALE_US INT64_C(300000000)

/* How long a decision of the access rules about an address is used. Afterwards the address may have
 * become one of this host. */
#define ASSOCIATION_DECISION_US INT64_C(1000000)

/* A lookup of a name, and the datagrams that wait for its address. */
struct association_lookup {
	bool is_used; /* the lookup is in progress, and the other members are valid */
	struct resolve resolve;
	struct addr permitted[2]; /* the first address of each family that the rules allow */
	unsigned permitted_count;
	/* The last denial of an address of the name. There was none if verdict.rule is NULL and
	 * error is 0. */
	struct session_decision denial;
	/* The waiting datagrams: the sum of their lengths, each length, their number, and their
	 * data, one after the other. */
	size_t used, lens[ASSOCIATION_WAITING_MAX];
	unsigned waiting;
	uint8_t bytes[ASSOCIATION_WAITING_BYTES];
};

/* An association. Only one exists in a process, as a static variable, because it is large. */
struct association {
	struct session *session; /* its member `relay` has the timers and counts bytes */
	int client_fd;           /* the socket to which the client sends datagrams */
	/* The sockets for destinations of each family; -1: destinations of it cannot be reached. */
	int upstream_ipv4, upstream_ipv6;
	/* The address from which datagrams are accepted as the client's. If the port in DST of the
	 * request is 0, any port is accepted until the first valid datagram. */
	struct addr client;
	/* The source of the first valid datagram; AF_UNSPEC before. Datagrams to the client are
	 * sent there. */
	union sockaddr_any client_at;
	struct record_datagrams counts;

	struct association_lookup lookups[ASSOCIATION_LOOKUPS_MAX];
	unsigned lookups_count; /* those with is_used */
	bool has_ended;         /* no new lookup is started */
	/* The token bucket: a lookup adds 1 s / ASSOCIATION_LOOKUP_RATE to this time, and may start
	 * only if the sum is not in the future. The time is at most ASSOCIATION_LOOKUP_BURST such
	 * steps in the past. */
	int64_t last_lookup_us;
	struct resolve_list *found; /* scratch: the addresses that a step of a lookup has found */
	struct dst_table destinations;
	int64_t received_us;                          /* when the last datagrams were received */
	struct udp_batch received;                    /* the datagrams that are being relayed */
	struct udp_queue to_ipv4, to_ipv6, to_client; /* datagrams to be sent */
};

/* Relays datagrams until the association ends, or until relay.tick_us has passed (RELAY_TICK). An
 * association ends with the client's connection: returns RELAY_CLOSED if that was closed,
 * RELAY_BROKEN if it has failed. It also ends with RELAY_IDLE, RELAY_LIFETIME, RELAY_STOPPED if a
 * signal that ends the process has arrived, or RELAY_FAILED if poll(2) fails; the errno is then in
 * session->record.error. At the end, datagrams that have arrived are still relayed. */
enum relay_end association_run(struct association *a);

/* The functions below are for association_names.c only. */

/* Counts a datagram that is dropped, by reason. */
void association_drop(struct association *a, enum record_drop reason);

/* Sets the state of a destination to DST_DENIED. The first denial of an association is kept in
 * session->denial. */
void association_deny(
	struct association *a, struct dst *dst, const struct session_decision *decision);

/* Evaluates the access rules for an address of a destination if they were not evaluated in the last
 * ASSOCIATION_DECISION_US, and sets its state to the result. */
void association_evaluate(
	struct association *a, struct dst *dst, const struct addr *address, int64_t now_us);

/* Queues a datagram of len bytes to an IPv4 or IPv6 address. The bytes must not change before
 * association_send_up(). */
void association_queue(
	struct association *a, const struct addr *to, const uint8_t *bytes, size_t len);

/* Sends the queued datagrams to their destinations, and counts them. The queues are then empty. */
void association_send_up(struct association *a);

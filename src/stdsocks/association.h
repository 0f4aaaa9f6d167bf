/* SPDX-License-Identifier: ISC */
/* The datagrams of UDP ASSOCIATE (RFC 1928 s7), in both directions. */
#pragma once

#include "net/lookups.h"
#include "net/udp.h"
#include "stdsocks/destination.h"
#include "stdsocks/dst_table.h"

/* Names that are looked up at the same time, and datagrams that wait for each. */
#define ASSOCIATION_LOOKUPS_MAX 8
#define ASSOCIATION_WAITING_MAX 8

/* Bytes of datagrams that wait for a name: one of any length, or several smaller ones. */
#define ASSOCIATION_WAITING_BYTES 65536

/* How long the address of a name is used, and how long a name without an address is remembered. */
#define ASSOCIATION_FOUND_US     INT64_C(60000000)
#define ASSOCIATION_NOT_FOUND_US INT64_C(5000000)

/* A lookup of a name, and the datagrams that wait for its address. */
struct association_lookup {
	int64_t deadline_us;
	size_t used, lens[ASSOCIATION_WAITING_MAX];
	uint32_t id; /* 0: no lookup */
	unsigned count;
	struct addr name;
	uint8_t bytes[ASSOCIATION_WAITING_BYTES];
};

/* One object, in LARGE, for the process's life. */
struct association {
	struct session *session; /* bytes and timers are in session->relay */
	int client_fd;           /* the socket that the client sends to */
	/* The sockets for destinations; -1 if a family is not reached. */
	int upstream_ipv4, upstream_ipv6;
	int lookups_fd; /* net/lookups.h */
	/* The address whose datagrams are accepted, with port 0 until the first one has come; and
	 * that address as the first datagram's source. */
	struct addr client;
	union sockaddr_any client_at;
	struct record_datagrams counts;

	uint32_t last_lookup_id;
	struct association_lookup lookups[ASSOCIATION_LOOKUPS_MAX];
	struct lookups_answer answer;
	struct dst_table destinations;
	struct udp_batch received;
	struct udp_queue to_ipv4, to_ipv6, to_client;
};

/* Relays datagrams until a tick or the end. Returns RELAY_CLOSED if the client has closed its
 * connection, RELAY_BROKEN if that has failed; RELAY_FAILED, and sets error and why in the record,
 * if the process that looks up names has ended, or poll(2) fails; or as relay_run(). At the end,
 * datagrams that have arrived are still relayed. */
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

/* SPDX-License-Identifier: ISC */
/* The commands. Each function serves a request for a configured command to its end and returns the
 * reason of the end. list is space for addresses. */
#pragma once

#include "stdsocks/destination.h"

/* RFC 1928 s4, CONNECT. */
enum record_end serve_connect(struct session *s, struct resolve_list *list);

/* RFC 1928 s4, BIND: accepts one inbound connection, from the remote host in the request. */
enum record_end serve_bind(struct session *s, struct resolve_list *list);

/* Tor's RESOLVE and RESOLVE_PTR. */
enum record_end serve_resolve(struct session *s, struct resolve_list *list);

/* RFC 1928 s4 and s7, UDP ASSOCIATE: relays datagrams as long as the client's connection lasts. */
enum record_end serve_udp(struct session *s, struct resolve_list *list);

/* Relays bytes between s->client and s->upstream. Returns the reason of the end; both connections
 * have been shut down or reset. */
enum record_end serve_relay(struct session *s);

/* Calls run(&s->relay) until it returns another value than RELAY_TICK, and reports the status at
 * each tick. run moves data with the timers of s->relay, which this function sets. Returns the
 * reason of the end. */
enum record_end serve_until_end(struct session *s, enum relay_end (*run)(struct relay *relay));

/* SPDX-License-Identifier: ISC */
/* What is done for each command, once it is known to be configured.
 * False: the client is still there, and is to hear the end. */
#pragma once

#include "stdsocks/destination.h"

/* RFC 1928 s4, CONNECT: a connection, and what goes over it. */
bool serve_connect(struct session *s, struct resolve_list *list);

/* RFC 1928 s4, BIND: the one call of a peer that was named, and what goes over that. */
bool serve_bind(struct session *s, struct resolve_list *list);

/* Tor's RESOLVE and RESOLVE_PTR. Always false. */
bool serve_resolve(struct session *s, struct resolve_list *list);

/* RFC 1928 s4 and s7, UDP ASSOCIATE: datagrams, as long as the client's connection lasts. Always
 * false. */
bool serve_udp(struct session *s, struct resolve_list *list);

/* What goes over the connection between s->client and s->upstream, to its end. */
void serve_relay(struct session *s);

/* When its status is to be told first, now that bytes or datagrams begin to move: a point of
 * clock_now_us(), INT64_MAX for never. */
int64_t serve_first_tick(struct session *s, int64_t now_us);

/* Tells its status, by what the record has of bytes, and when to do so next. As status_say(): true
 * when that waits until something moves. */
bool serve_tell(struct session *s, int64_t now_us, int64_t *ret_tick_us);

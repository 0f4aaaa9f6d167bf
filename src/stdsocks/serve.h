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

/* RFC 1928 s4 and s7, UDP ASSOCIATE: datagrams, as long as the client's connection lasts. Always false. */
bool serve_udp(struct session *s, struct resolve_list *list);

/* What goes over the connection between s->client and s->upstream, to its end. */
void serve_relay(struct session *s);

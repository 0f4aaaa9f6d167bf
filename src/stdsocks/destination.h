/* SPDX-License-Identifier: ISC */
/* Where a request may go: its name, the addresses of that, and what the rules say of them.
 * Knows: that rules are asked before and after a lookup. Does not know: what is done there. */
#pragma once

#include "net/dial.h"
#include "stdsocks/talk.h"

/* The addresses of DST that the command can be about and the rules allow, one at the least, and at
 * the most DIAL_MAX for CONNECT and one for RESOLVE; or the client is refused. */
bool destination_locate(struct session *s, struct resolve_list *ret_list);

/* The addresses of a name in DST, or the name of an address there, whatever the rules say; or the
 * client is refused. */
bool destination_look_up(struct session *s, struct resolve_list *ret_list);

/* Evaluates the rules for the session's client, user and command, and for a destination: an address
 * or name with its port, and the address that it resolved to, ADDR_NONE if it was not looked up. */
struct session_decision destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved);

/* The rule that would allow what s->denial says. */
void destination_put_suggestion(struct writer *w, const struct session *s);

/* Where connections and datagrams come from. It points into the configuration. */
struct dial_source destination_source(const struct config *config);

/* There is no connection, or no socket for one, for this errno; why is a text that stays, or NULL.
 * The client is told, unless the process is to stop (ECANCELED). Always false. */
bool destination_failed(struct session *s, int error, const char *why);

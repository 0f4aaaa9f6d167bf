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

/* What a rule has denied, by s->context, for the record: which one, and the line that would have
 * allowed it. */
void destination_note_denial(struct session *s, const struct rules_verdict *verdict);

/* The refusal of a rule, which the record names, with the line that would have allowed it. Always
 * false. */
bool destination_refuse_by(struct session *s, const struct rules_verdict *verdict);

/* Where connections and datagrams come from. It points into the configuration. */
struct dial_source destination_source(const struct config *config);

/* There is no connection, or no socket for one, for this errno; why is a text that stays, or NULL.
 * The client is told, unless the process is to stop (ECANCELED). Always false. */
bool destination_failed(struct session *s, int error, const char *why);

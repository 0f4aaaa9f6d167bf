/* SPDX-License-Identifier: ISC */
/* Where a request may go: its name, the addresses of that, and what the rules say of them.
 * Knows: that rules are asked before and after a lookup. Does not know: what is done there. */
#pragma once

#include "net/dial.h"
#include "stdsocks/talk.h"

/* The addresses of DST that the rules allow, DIAL_MAX at the most and one at the least; or the client is
 * refused. */
bool destination_locate(struct session *s, struct resolve_list *ret_list);

/* The addresses of a name in DST, or the name of an address there, whatever the rules say; or the client is
 * refused. */
bool destination_look_up(struct session *s, struct resolve_list *ret_list);

/* The refusal of a rule, which the record names, with the line that would have allowed it. Always false. */
bool destination_refuse_by(struct session *s, const struct judge_verdict *verdict);

/* RFC 1928 s6: the reply that tells the truth about a connect that failed with this errno. */
enum socks5_reply destination_reply_for(int error);

/* Where connections come from. It points into the configuration. */
struct dial_source destination_source(const struct config *config);

/* There is no connection, for this errno; why is a text that stays, or NULL. The client is told, unless the
 * process is to stop (ECANCELED). Always false. */
bool destination_failed(struct session *s, int error, const char *why);

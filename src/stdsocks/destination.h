/* SPDX-License-Identifier: ISC */
/* The destination of a request: the decision of the rules, and its addresses. */
#pragma once

#include "net/dial.h"
#include "stdsocks/outcome.h"

/* Evaluates the rules for the session's client, user and command, and for a destination: an address
 * or name with its port, and the address that it resolved to, ADDR_NONE if it was not looked up. */
struct session_decision destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved);

/* Enforces the rules. Finds the addresses of the destination that the command can use and they
 * allow, at least one, in the order of RFC 6724. A lookup of the name may still be pending (RFC
 * 8305 s3): s->lookup. Returns RECORD_ONGOING; or refuses the client and returns the reason of the
 * end. */
enum record_end destination_locate(struct session *s, struct resolve_list *ret_list);

/* Removes from a list, from the given index on, the addresses that the command cannot use or that
 * the rules deny to the session: for struct dial_lookup. */
void destination_permit(void *session, struct resolve_list *list, size_t first);

/* Returns the function that traces the queries of lookups, or NULL if the session is not traced. */
void (*destination_observer(const struct session *s))(const struct query_event *event);

/* Looks up the name of the address in s->requested without evaluating rules. Returns as
 * destination_locate(). */
enum record_end destination_look_up_ptr(struct session *s, struct resolve_list *ret_list);

/* The source of connections and datagrams. Points into the configuration. */
struct dial_source destination_source(const struct config *config);

/* Ends a session in which connecting, or preparing a socket for it, failed with this errno. why is
 * a static text, or NULL. Tells the client, unless a signal ends the process (ECANCELED). Returns
 * the reason of the end. */
enum record_end destination_failed(struct session *s, int error, const char *why);

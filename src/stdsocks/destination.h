/* SPDX-License-Identifier: ISC */
/* The destination of a request: its addresses, and whether the access rules allow it. */
#pragma once

#include "net/dial.h"
#include "stdsocks/outcome.h"

/* Evaluates the access rules for decision->context, whose routes need not be set, and sets the
 * other members. If the decision depends on the route to an address, asks the kernel. The decision
 * is RULE_MAYBE only if the name was not looked up. */
void destination_decide(const struct settings *settings, struct session_decision *decision);

/* Calls destination_decide(). The client, the user and the command are those of the session.
 * *requested is the destination, an address or a name, and its port. *resolved is the same address,
 * or an address to which the name resolves, or ADDR_NONE if the name was not looked up. */
struct session_decision destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved);

/* Returns the reason of a denial in words, a static text; or NULL if the number of the address and
 * the rules are the reason. */
const char *destination_why(const struct session_decision *denial);

/* Returns the route (enum special_route) of the nth address that a connection to *resolved may
 * reach (special_embedded()), from the source that is configured. If *resolved itself is an address
 * of this host, so are all these addresses. If the kernel cannot be asked, returns -errno. */
int destination_route(const struct config *config, const struct addr *resolved, unsigned n);

/* Finds the addresses of s->requested and enforces the access rules. Sets *ret_list to the
 * addresses that the rules allow and that the command can use, at least one, in the order of RFC
 * 6724, and returns RECORD_ONGOING. The lookup s->lookup may still find more addresses (RFC 8305
 * s3). If there is no such address, refuses the client and returns the reason of the session's end.
 * If a signal ends the process, returns RECORD_TERMINATED; if the client has disconnected,
 * RECORD_CLIENT_GONE. */
enum record_end destination_locate(struct session *s, struct resolve_list *ret_list);

/* Removes from a list, from index `first` on, the addresses that the access rules deny to the
 * session, or that its command cannot use. For dial_lookup.permit. */
void destination_permit(void *session, struct resolve_list *list, size_t first);

/* Returns a function that traces DNS queries and answers, or NULL without --trace. For
 * resolve_start(). */
void (*destination_observer(const struct session *s))(const struct query_event *event);

/* Looks up the name of the address s->requested, without evaluating access rules. Sets *ret_list to
 * the name and returns RECORD_ONGOING. If there is no name, refuses the client and returns the
 * reason of the session's end. If a signal ends the process, returns RECORD_TERMINATED; if the
 * client has disconnected, RECORD_CLIENT_GONE. */
enum record_end destination_look_up_ptr(struct session *s, struct resolve_list *ret_list);

/* Returns the configured source of connections and datagrams. It points into *config. */
struct dial_source destination_source(const struct config *config);

/* Ends a session after a connection to or from the destination, or a socket for it, has failed with
 * an errno. Sends the reply that RFC 1928 s6 has for the errno; but if it is ECANCELED or ENOTCONN,
 * which mean that a signal ends the process, or that the client has disconnected, sends nothing.
 * why is a static text for the record, or NULL. Returns the reason of the session's end. */
enum record_end destination_failed(struct session *s, int error, const char *why);

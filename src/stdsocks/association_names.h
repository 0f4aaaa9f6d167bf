/* SPDX-License-Identifier: ISC */
/* Datagrams of an association to destinations that are names. The names are looked up while the
 * association goes on, and datagrams wait for the results. */
#pragma once

#include "stdsocks/association.h"

/* Upper limit of the entries for poll(2) of all lookups. */
#define ASSOCIATION_NAMES_FDS (ASSOCIATION_LOOKUPS_MAX * RESOLVE_FDS)

/* Processes a datagram of len bytes to *dst, which is a name, and starts a lookup of the name if
 * necessary. If the address is known, calls association_queue(). If a lookup is in progress, copies
 * the datagram and keeps it until that has ended. Otherwise drops it. */
void association_names_send(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len);

/* Sets the entries for poll(2) of all pending lookups, and returns their number. Sets *ret_until_us
 * to the time at which association_names_continue() has to be called at the latest, or to INT64_MAX
 * if there is no lookup. */
unsigned association_names_poll(const struct association *a,
	struct pollfd ret_fds[ASSOCIATION_NAMES_FDS], int64_t *ret_until_us);

/* Continues the pending lookups after poll(2). fds has the entries that association_names_poll()
 * has set; no lookup may have been started since. If a lookup has ended, sends the datagrams that
 * have waited for it, or drops them. */
void association_names_continue(struct association *a, const struct pollfd *fds);

/* Ends all lookups: uses the answers that have already arrived, sends the waiting datagrams whose
 * destinations are known and allowed, and drops the others. No lookup can start afterwards. */
void association_names_end(struct association *a);

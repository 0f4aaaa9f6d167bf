/* SPDX-License-Identifier: ISC */
/* Datagrams of an association to destinations that are names: lookups, and datagrams that wait. */
#pragma once

#include "stdsocks/association.h"

/* Entries for poll(2) of all lookups. */
#define ASSOCIATION_NAMES_FDS (ASSOCIATION_LOOKUPS_MAX * RESOLVE_FDS)

/* Queues a datagram to a name, or keeps it until the name was looked up, or drops it. */
void association_names_send(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len);

/* Sets the entries of the pending lookups, and *ret_until_us to the time at which
 * association_names_continue() has to be called, or INT64_MAX. Returns the number of entries. */
unsigned association_names_poll(const struct association *a,
	struct pollfd ret_fds[ASSOCIATION_NAMES_FDS], int64_t *ret_until_us);

/* Continues the lookups whose entries association_names_poll() has set, after poll(2). Sends the
 * datagrams that waited for those that have ended, or drops them. */
void association_names_continue(struct association *a, const struct pollfd *fds);

/* Takes the answers that have arrived, and ends all lookups. Sends the datagrams that waited for a
 * permitted address, and drops the others. Afterwards no lookup starts. */
void association_names_end(struct association *a);

/* SPDX-License-Identifier: ISC */
/* Datagrams of an association to destinations that are names: lookups, and datagrams that wait. */
#pragma once

#include "stdsocks/association.h"

/* Queues a datagram to a name, or keeps it until the name was looked up, or drops it. */
void association_names_send(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len);

/* Takes the answers that have arrived. Returns false if the process that looks up names has ended.
 */
bool association_names_take_answers(struct association *a);

/* Ends the lookups that were not answered in time. Returns the next deadline, or INT64_MAX. */
int64_t association_names_expire(struct association *a, int64_t now_us);

/* Takes the answers that have arrived, and ends the process that looks up names. */
void association_names_close(struct association *a);

/* SPDX-License-Identifier: ISC */
/* Datagrams of an association to destinations that are names. The names are looked up while the
 * association goes on, and datagrams wait for the results. */
#include "stdsocks/association_names.h"

#include <string.h>

#include "net/address_selection.h"
#include "net/clock.h"
#include "stdsocks/destination.h"

/* The source for the choice of an address: the device, which may have no route to one family. This
 * stage cannot bind a socket to an address or set a mark. */
static struct dial_source source_of(const struct association *a)
{
	const char *device = a->session->config->device;

	return (struct dial_source){.device = device[0] ? device : NULL};
}

/* -- The start of a lookup. */

static struct association_lookup *find_lookup(struct association *a, const struct addr *name)
{
	for (unsigned i = 0, left = a->lookups_count; left > 0; i++) {
		struct association_lookup *lookup = &a->lookups[i];
		if (!lookup->is_used)
			continue;
		left--;
		if (lookup->resolve.wanted.port == name->port &&
			addr_is_same_host(&lookup->resolve.wanted, name))
			return lookup;
	}
	return NULL;
}

static struct association_lookup *find_unused(struct association *a)
{
	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++)
		if (!a->lookups[i].is_used)
			return &a->lookups[i];
	return NULL;
}

/* Returns true, and counts a lookup, if the rate allows it (RFC 2475, token bucket). */
static bool is_within_rate(struct association *a, int64_t now_us)
{
	const int64_t interval_us = 1000000 / ASSOCIATION_LOOKUP_RATE;
	const int64_t earliest_us = now_us - ASSOCIATION_LOOKUP_BURST * interval_us;

	if (a->last_lookup_us < earliest_us)
		a->last_lookup_us = earliest_us;
	if (a->last_lookup_us + interval_us > now_us)
		return false;
	a->last_lookup_us += interval_us;
	return true;
}

/* Evaluates the rules for the addresses that were found, and keeps the first permitted one of each
 * family that is reached. */
static void take_found(struct association *a, struct association_lookup *lookup)
{
	for (size_t i = 0; i < a->found->count; i++) {
		const struct addr *found = &a->found->addrs[i];
		const bool is_reached =
			(found->kind == ADDR_IPV4 ? a->upstream_ipv4 : a->upstream_ipv6) >= 0;
		const bool is_second =
			lookup->permitted_count > 0 && lookup->permitted[0].kind == found->kind;
		if (!is_reached || is_second || lookup->permitted_count == 2)
			continue;
		const struct session_decision decision =
			destination_evaluate(a->session, &lookup->resolve.wanted, found);
		if (decision.verdict.allowed == RULE_YES)
			lookup->permitted[lookup->permitted_count++] = *found;
		else
			lookup->denial = decision;
	}
	a->found->count = 0;
}

/* Returns NULL if there are too many lookups, or the association has ended. */
static struct association_lookup *begin_lookup(
	struct association *a, const struct addr *name, int64_t now_us)
{
	struct association_lookup *lookup = find_unused(a);

	if (a->has_ended || !lookup || !is_within_rate(a, now_us))
		return NULL;
	lookup->is_used = true;
	lookup->permitted_count = 0;
	lookup->denial.verdict.rule = NULL;
	lookup->denial.error = 0;
	lookup->used = 0;
	lookup->waiting = 0;
	a->lookups_count++;
	a->found->count = 0;
	resolve_start(&lookup->resolve, name, clock_after(now_us, ASSOCIATION_LOOKUP_US), a->found,
		destination_observer(a->session));
	lookup->resolve.waits_for_both = true; /* only one address is used */
	take_found(a, lookup);
	return lookup;
}

/* -- The end of a lookup. */

static void drop_by_state(struct association *a, enum dst_state state)
{
	association_drop(a, state == DST_DENIED ? RECORD_DROP_DENIED : RECORD_DROP_UNRESOLVED);
}

/* Sets the state of a destination to the result of its lookup. */
static void set_result(struct association *a, struct dst *dst, struct association_lookup *lookup)
{
	const struct dial_source source = source_of(a);

	if (lookup->permitted_count > 0) {
		address_selection_sort(lookup->permitted, lookup->permitted_count, &source);
		dst->state = DST_ALLOWED;
		dst->resolved = lookup->permitted[0];
	} else if (lookup->denial.verdict.rule || lookup->denial.error) {
		association_deny(a, dst, &lookup->denial);
	} else if (dst->state != DST_ALLOWED || lookup->resolve.status == RESOLVE_NO_NAME) {
		dst->state = DST_UNRESOLVED;
	}
}

static int64_t ttl_us(const struct resolve *r)
{
	const int64_t given_us = r->ttl_s * INT64_C(1000000);

	if (given_us < ASSOCIATION_TTL_MIN_US || r->status == RESOLVE_NO_ANSWER ||
		r->status == RESOLVE_FAILED)
		return ASSOCIATION_TTL_MIN_US;
	return given_us < ASSOCIATION_TTL_MAX_US ? given_us : ASSOCIATION_TTL_MAX_US;
}

/* Sends the datagrams that have waited, or drops them. */
static void end_lookup(struct association *a, struct association_lookup *lookup)
{
	struct dst *dst = dst_table_get(&a->destinations, &lookup->resolve.wanted);
	size_t at = 0;

	association_send_up(a); /* the queue has space for one batch */
	resolve_stop(&lookup->resolve);
	set_result(a, dst, lookup);
	dst->until_us = clock_after(clock_now_us(), ttl_us(&lookup->resolve));
	if (lookup->permitted_count > 0)
		dst->stale_us = clock_after(dst->until_us, ASSOCIATION_STALE_US);
	for (unsigned i = 0; i < lookup->waiting; at += lookup->lens[i++]) {
		if (dst->state == DST_ALLOWED)
			association_queue(a, &dst->resolved, lookup->bytes + at, lookup->lens[i]);
		else
			drop_by_state(a, dst->state);
	}
	association_send_up(a);
	lookup->is_used = false;
	a->lookups_count--;
}

/* If no address is permitted and has a route, the other family may have one. */
static bool is_complete(const struct association *a, const struct association_lookup *lookup)
{
	const struct dial_source source = source_of(a);

	return lookup->resolve.status != RESOLVE_PENDING ||
		(resolve_is_ready(&lookup->resolve) &&
			address_selection_has_route(
				lookup->permitted, lookup->permitted_count, &source));
}

/* Entries without a descriptor are left out, because poll(2) accepts no more entries than the
 * descriptor limit. */
unsigned association_names_poll(const struct association *a,
	struct pollfd ret_fds[ASSOCIATION_NAMES_FDS], int64_t *ret_until_us)
{
	unsigned count = 0;

	*ret_until_us = INT64_MAX;
	for (unsigned i = 0, left = a->lookups_count; left > 0; i++) {
		const struct association_lookup *lookup = &a->lookups[i];
		struct pollfd fds[RESOLVE_FDS];
		if (!lookup->is_used)
			continue;
		left--;
		const int64_t until_us = resolve_until_us(&lookup->resolve);
		if (until_us < *ret_until_us)
			*ret_until_us = until_us;
		resolve_poll(&lookup->resolve, fds);
		for (unsigned j = 0; j < RESOLVE_FDS; j++)
			if (fds[j].fd >= 0)
				ret_fds[count++] = fds[j];
	}
	return count;
}

/* Continues a lookup with its entries, the first ones of fds. Returns the following entry. */
static const struct pollfd *continue_lookup(
	struct association *a, struct association_lookup *lookup, const struct pollfd *fds)
{
	struct pollfd own[RESOLVE_FDS];

	resolve_poll(&lookup->resolve, own);
	for (unsigned i = 0; i < RESOLVE_FDS; i++)
		if (own[i].fd >= 0)
			own[i] = *fds++;
	resolve_continue(&lookup->resolve, own, a->found);
	take_found(a, lookup);
	if (is_complete(a, lookup))
		end_lookup(a, lookup);
	return fds;
}

void association_names_continue(struct association *a, const struct pollfd *fds)
{
	for (unsigned i = 0, left = a->lookups_count; left > 0; i++) {
		if (!a->lookups[i].is_used)
			continue;
		left--;
		fds = continue_lookup(a, &a->lookups[i], fds);
	}
}

void association_names_end(struct association *a)
{
	struct pollfd fds[ASSOCIATION_NAMES_FDS];
	const struct timespec no_time = {0};
	int64_t until_us;
	const unsigned count = association_names_poll(a, fds, &until_us);

	if (count > 0 && ppoll(fds, count, &no_time, NULL) > 0)
		association_names_continue(a, fds);
	for (unsigned i = 0; a->lookups_count > 0; i++)
		if (a->lookups[i].is_used)
			end_lookup(a, &a->lookups[i]);
	a->has_ended = true;
}

/* -- Datagrams. */

static void keep_waiting(
	struct association *a, struct association_lookup *lookup, const uint8_t *bytes, size_t len)
{
	if (!lookup || lookup->waiting == ASSOCIATION_WAITING_MAX ||
		len > sizeof lookup->bytes - lookup->used) {
		association_drop(a, RECORD_DROP_UNRESOLVED);
		return;
	}
	memcpy(lookup->bytes + lookup->used, bytes, len);
	lookup->lens[lookup->waiting++] = len;
	lookup->used += len;
}

/* A name that is denied whatever its address is not looked up. */
static void evaluate_unresolved(struct association *a, struct dst *dst)
{
	const struct addr unknown = {.kind = ADDR_NONE};
	const struct session_decision decision =
		destination_evaluate(a->session, &dst->requested, &unknown);

	if (decision.verdict.allowed != RULE_NO)
		return;
	association_deny(a, dst, &decision);
	dst->until_us = INT64_MAX;
}

void association_names_send(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len)
{
	const int64_t now_us = clock_now_us();
	struct association_lookup *lookup = find_lookup(a, &dst->requested);
	bool has_begun = false;

	if (dst->state == DST_ALLOWED && now_us >= dst->stale_us)
		dst->state = DST_NEW;
	if (dst->state == DST_NEW && !lookup)
		evaluate_unresolved(a, dst);
	if (dst->state == DST_ALLOWED)
		association_evaluate(a, dst, &dst->resolved, now_us);
	if (!lookup && now_us >= dst->until_us) {
		lookup = begin_lookup(a, &dst->requested, now_us);
		has_begun = lookup != NULL;
	}
	if (dst->state == DST_ALLOWED) /* the old address serves until there is a new one */
		association_queue(a, &dst->resolved, bytes, len);
	else if (dst->state == DST_NEW || lookup)
		keep_waiting(a, lookup, bytes, len);
	else
		drop_by_state(a, dst->state);
	if (has_begun && is_complete(a, lookup)) /* the name is in /etc/hosts */
		end_lookup(a, lookup);
}

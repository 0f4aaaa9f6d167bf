/* SPDX-License-Identifier: ISC */
/* Datagrams of an association to destinations that are names: lookups, and datagrams that wait. */
#include "stdsocks/association_names.h"

#include <string.h>
#include <unistd.h>

#include "net/clock.h"

/* Added to the deadline of the process that looks up names, which answers by that. */
#define LOOKUP_GRACE_US INT64_C(1000000)

static struct association_lookup *find_lookup(struct association *a, const struct addr *name)
{
	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++)
		if (a->lookups[i].id && a->lookups[i].name.port == name->port &&
			addr_is_same_host(&a->lookups[i].name, name))
			return &a->lookups[i];
	return NULL;
}

static struct association_lookup *find_id(struct association *a, uint32_t id)
{
	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++)
		if (a->lookups[i].id == id)
			return &a->lookups[i];
	return NULL;
}

/* Returns NULL if there are too many lookups. */
static struct association_lookup *begin_lookup(struct association *a, const struct addr *name)
{
	struct association_lookup *lookup = find_id(a, 0);

	if (!lookup || !lookups_ask(a->lookups_fd, ++a->last_lookup_id, name))
		return NULL;
	lookup->id = a->last_lookup_id;
	lookup->name = *name;
	lookup->deadline_us = clock_after(clock_now_us(), LOOKUPS_TIMEOUT_US + LOOKUP_GRACE_US);
	lookup->count = 0;
	lookup->used = 0;
	return lookup;
}

static void keep_waiting(
	struct association *a, struct association_lookup *lookup, const uint8_t *bytes, size_t len)
{
	if (!lookup || lookup->count == ASSOCIATION_WAITING_MAX ||
		len > sizeof lookup->bytes - lookup->used) {
		association_drop(a, RECORD_DROP_UNRESOLVED);
		return;
	}
	memcpy(lookup->bytes + lookup->used, bytes, len);
	lookup->lens[lookup->count++] = len;
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

static void drop_by_state(struct association *a, enum dst_state state)
{
	association_drop(a, state == DST_DENIED ? RECORD_DROP_DENIED : RECORD_DROP_UNRESOLVED);
}

void association_names_send(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len)
{
	const int64_t now_us = clock_now_us();
	struct association_lookup *lookup = find_lookup(a, &dst->requested);

	if (dst->state == DST_NEW && !lookup)
		evaluate_unresolved(a, dst);
	if (!lookup && now_us >= dst->until_us)
		lookup = begin_lookup(a, &dst->requested);
	if (dst->state == DST_ALLOWED) /* the old address serves until there is a new one */
		association_queue(a, &dst->resolved, bytes, len);
	else if (dst->state == DST_NEW || lookup)
		keep_waiting(a, lookup, bytes, len);
	else
		drop_by_state(a, dst->state);
}

/* Takes the first address that the rules allow, of a family that is reached. */
static void evaluate_answer(
	struct association *a, struct dst *dst, const struct lookups_answer *answer)
{
	struct session_decision decision = {.verdict.rule = NULL};

	for (uint32_t i = 0; i < answer->count; i++) {
		const struct addr found = lookups_addr(answer, i, dst->requested.port);
		if (found.kind == ADDR_NONE ||
			(found.kind == ADDR_IPV4 ? a->upstream_ipv4 : a->upstream_ipv6) < 0)
			continue;
		decision = destination_evaluate(a->session, &dst->requested, &found);
		if (decision.verdict.allowed == RULE_YES) {
			dst->state = DST_ALLOWED;
			dst->resolved = found;
			return;
		}
	}
	dst->state = DST_UNRESOLVED;
	if (decision.verdict.rule)
		association_deny(a, dst, &decision);
}

/* Sends the datagrams that have waited, or drops them. */
static void end_lookup(
	struct association *a, struct association_lookup *lookup, const struct dst *dst)
{
	size_t at = 0;

	for (unsigned i = 0; i < lookup->count; at += lookup->lens[i++]) {
		if (dst->state == DST_ALLOWED)
			association_queue(a, &dst->resolved, lookup->bytes + at, lookup->lens[i]);
		else
			drop_by_state(a, dst->state);
	}
	association_send_up(a);
	lookup->id = 0;
}

static void take_answer(struct association *a, const struct lookups_answer *answer)
{
	struct association_lookup *lookup = find_id(a, answer->id);

	if (!lookup)
		return;
	struct dst *dst = dst_table_get(&a->destinations, &lookup->name);
	const bool is_found = answer->count > 0;
	if (is_found || dst->state != DST_ALLOWED) /* an old address is better than none */
		evaluate_answer(a, dst, answer);
	dst->until_us = clock_after(
		clock_now_us(), is_found ? ASSOCIATION_FOUND_US : ASSOCIATION_NOT_FOUND_US);
	end_lookup(a, lookup, dst);
}

bool association_names_take_answers(struct association *a)
{
	int n = 1;

	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX && n > 0; i++) {
		n = lookups_hear(a->lookups_fd, &a->answer);
		if (n > 0)
			take_answer(a, &a->answer);
	}
	return n != 0;
}

int64_t association_names_expire(struct association *a, int64_t now_us)
{
	const struct dst none = {.state = DST_UNRESOLVED};
	int64_t next_us = INT64_MAX;

	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++) {
		struct association_lookup *lookup = &a->lookups[i];
		if (lookup->id && now_us >= lookup->deadline_us)
			end_lookup(a, lookup, &none);
		else if (lookup->id && lookup->deadline_us < next_us)
			next_us = lookup->deadline_us;
	}
	return next_us;
}

void association_names_close(struct association *a)
{
	association_names_take_answers(a);
	close(a->lookups_fd);
	a->lookups_fd = -1;
}

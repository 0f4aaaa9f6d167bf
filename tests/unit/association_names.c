/* SPDX-License-Identifier: ISC */
/* stdsocks/association_names: the limits of lookups, with a clock and a resolver of this test. The
 * linker puts each function __wrap_NAME in place of NAME (--wrap in tests/Makefile). */
#include "stdsocks/association_names.h"

#include "check.h"

#define MS INT64_C(1000)
#define S  INT64_C(1000000)

static struct association association;
static struct resolve_list list;

/* The clock, and the result of the next lookups: RESOLVE_DONE with this host, or an error. */
static int64_t now_us;
static enum resolve_status status;
static struct addr host;
static uint32_t ttl_s;
/* RULE_NO denies each address. */
static enum rule_answer rules;

/* What the functions of association_names.c have done. */
static struct resolve *last_lookup;
static unsigned lookups, queued;
static size_t queued_bytes;
static struct addr queued_to;

int64_t __wrap_clock_now_us(void);
void __wrap_resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *found, void (*observe)(const struct query_event *event));
void __wrap_resolve_continue(
	struct resolve *r, const struct pollfd *fds, struct resolve_list *found);
struct session_decision __wrap_destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved);
void (*__wrap_destination_observer(const struct session *s))(const struct query_event *event);
void __wrap_association_queue(
	struct association *a, const struct addr *to, const uint8_t *bytes, size_t len);
void __wrap_association_send_up(struct association *a);

int64_t __wrap_clock_now_us(void)
{
	return now_us;
}

void __wrap_resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *found, void (*observe)(const struct query_event *event))
{
	(void)found;
	*r = (struct resolve){.wanted = *wanted, .deadline_us = deadline_us, .observe = observe};
	last_lookup = r;
	lookups++;
}

void __wrap_resolve_continue(
	struct resolve *r, const struct pollfd *fds, struct resolve_list *found)
{
	(void)fds;
	r->status = status;
	r->ttl_s = ttl_s;
	if (status == RESOLVE_DONE)
		found->addrs[found->count++] = host;
}

struct session_decision __wrap_destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved)
{
	static const struct rule denial;
	struct session_decision decision = {.verdict = {.allowed = RULE_MAYBE}};

	(void)s;
	(void)requested;
	if (resolved->kind == ADDR_NONE)
		return decision;
	decision.verdict.allowed = rules;
	decision.verdict.rule = rules == RULE_NO ? &denial : NULL;
	return decision;
}

void (*__wrap_destination_observer(const struct session *s))(const struct query_event *event)
{
	(void)s;
	return NULL;
}

void __wrap_association_queue(
	struct association *a, const struct addr *to, const uint8_t *bytes, size_t len)
{
	(void)a;
	(void)bytes;
	queued++;
	queued_bytes += len;
	queued_to = *to;
}

void __wrap_association_send_up(struct association *a)
{
	(void)a;
}

/* Prepares an association without destinations and lookups. */
static void begin(void)
{
	static const struct config config;
	static struct session session = {.config = &config};

	session.denial.verdict.rule = NULL;
	association = (struct association){
		.session = &session, .upstream_ipv4 = 4, .upstream_ipv6 = 6, .found = &list};
	now_us = 1000 * S;
	status = RESOLVE_DONE;
	host = addr_loopback;
	ttl_s = 60;
	rules = RULE_YES;
	lookups = queued = 0;
	queued_bytes = 0;
}

static struct dst *name(unsigned n)
{
	char text[16];
	const int len = snprintf(text, sizeof text, "x%u.test", n);
	const struct addr requested = addr_of(ADDR_NAME, text, (uint8_t)len, 53);

	return dst_table_get(&association.destinations, &requested);
}

/* Sends a datagram to the nth name. Returns true if that has started a lookup. */
static bool starts(unsigned n, size_t len)
{
	static const uint8_t bytes[ASSOCIATION_WAITING_BYTES + 1];
	const unsigned before = lookups;

	association_names_send(&association, name(n), bytes, len);
	return lookups > before;
}

/* Ends the pending lookups. */
static void answer(void)
{
	association_names_continue(&association, NULL);
	CHECK_NUMBER(association.lookups_count, 0);
}

static unsigned dropped(void)
{
	return (unsigned)association.counts.dropped[RECORD_DROP_UNRESOLVED];
}

static void uses_an_answer_for_5_to_300_s(void)
{
	static const struct {
		const char *name;
		enum resolve_status status;
		uint32_t ttl_s;
		unsigned kept_s;
	} rows[] = {
		{"TTL 0", RESOLVE_DONE, 0, 5},
		{"TTL 5", RESOLVE_DONE, 5, 5},
		{"TTL 6", RESOLVE_DONE, 6, 6},
		{"TTL 299", RESOLVE_DONE, 299, 299},
		{"TTL 300", RESOLVE_DONE, 300, 300},
		{"TTL 301", RESOLVE_DONE, 301, 300},
		{"largest TTL", RESOLVE_DONE, INT32_MAX, 300},
		{"no name", RESOLVE_NO_NAME, 0, 5},
		{"no name, TTL 60", RESOLVE_NO_NAME, 60, 60},
		{"no name, TTL 301", RESOLVE_NO_NAME, 301, 300},
		{"no answer", RESOLVE_NO_ANSWER, 60, 5},
		{"failure", RESOLVE_FAILED, 60, 5},
	};

	EACH_ROW(row, rows, name) {
		begin();
		status = row->status;
		ttl_s = row->ttl_s;
		CHECK(starts(1, 1));
		answer();
		now_us += row->kept_s * S - 1;
		CHECK(!starts(1, 1));
		CHECK_NUMBER(queued, status == RESOLVE_DONE ? 2 : 0);
		CHECK_NUMBER(dropped(), status == RESOLVE_DONE ? 0 : 2);
		now_us++;
		CHECK(starts(1, 1));
		answer();
	}
}

/* Until there is a new answer, for 300 s. */
static void uses_an_old_address_for_300_s(void)
{
	begin();
	starts(1, 1);
	answer();
	now_us += ttl_s * S;
	status = RESOLVE_NO_ANSWER;
	CHECK(starts(1, 1));
	CHECK_NUMBER(queued, 2); /* it does not wait for the lookup */
	answer();
	now_us += ASSOCIATION_STALE_US - 1;
	CHECK(starts(1, 1));
	CHECK_NUMBER(queued, 3);
	answer();
	now_us++;
	CHECK(!starts(1, 1)); /* the failed lookup was less than 5 s ago */
	CHECK_NUMBER(queued, 3);
	CHECK_NUMBER(dropped(), 1);
}

static void does_not_use_an_old_address_if_the_name_is_gone_or_denied(void)
{
	for (unsigned i = 0; i < 2; i++) {
		begin();
		starts(1, 1);
		answer();
		now_us += ttl_s * S;
		status = i == 0 ? RESOLVE_NO_NAME : RESOLVE_DONE;
		starts(1, 1);
		CHECK_NUMBER(queued, 2);
		rules = RULE_NO;
		answer();
		starts(1, 1);
		CHECK_NUMBER(queued, 2);
		CHECK_NUMBER(association.counts
				     .dropped[i == 0 ? RECORD_DROP_UNRESOLVED : RECORD_DROP_DENIED],
			1);
	}
}

/* An address can become one of this host while the answer is used. */
static void evaluates_the_rules_again_after_1_s(void)
{
	begin();
	starts(1, 1);
	answer();
	starts(1, 1);
	CHECK_NUMBER(queued, 2);
	rules = RULE_NO;
	now_us += ASSOCIATION_DECISION_US - 1;
	CHECK(!starts(1, 1));
	CHECK_NUMBER(queued, 3);
	now_us++;
	CHECK(!starts(1, 1));
	CHECK_NUMBER(queued, 3);
	CHECK_NUMBER(association.counts.dropped[RECORD_DROP_DENIED], 1);
}

static void a_lookup_ends_after_10_s(void)
{
	struct pollfd fds[ASSOCIATION_NAMES_FDS];
	int64_t until_us;

	begin();
	starts(1, 1);
	CHECK_NUMBER(last_lookup->deadline_us, now_us + 10 * S);
	CHECK_NUMBER(association_names_poll(&association, fds, &until_us), 0);
	CHECK_NUMBER(until_us, now_us + 10 * S);
	answer();
	association_names_poll(&association, fds, &until_us);
	CHECK_NUMBER(until_us, INT64_MAX);
}

/* Starts lookups of new names, and ends each at once. Returns how many started. */
static unsigned start_many(unsigned first, unsigned count)
{
	unsigned started = 0;

	for (unsigned n = first; n < first + count; n++)
		if (starts(n, 1)) {
			started++;
			answer();
		}
	return started;
}

static void starts_200_lookups_at_once_and_then_50_a_second(void)
{
	begin();
	CHECK_NUMBER(start_many(0, 300), 200);
	CHECK_NUMBER(dropped(), 100);
	now_us += 20 * MS - 1;
	CHECK_NUMBER(start_many(300, 1), 0);
	now_us++;
	CHECK_NUMBER(start_many(301, 2), 1);
	now_us += S;
	CHECK_NUMBER(start_many(303, 60), 50);
	now_us += 4 * S - 1;
	CHECK_NUMBER(start_many(363, 300), 199);
	now_us += 3600 * S; /* a long pause allows no more than a short one */
	CHECK_NUMBER(start_many(663, 300), 200);
}

static void looks_up_64_names_at_a_time(void)
{
	begin();
	for (unsigned n = 0; n < 64; n++)
		CHECK(starts(n, 1));
	CHECK(!starts(64, 1));
	CHECK_NUMBER(dropped(), 1);
	answer();
	CHECK_NUMBER(queued, 64);
	CHECK(starts(64, 1));
	answer();
}

static void keeps_8_datagrams_or_65536_bytes_for_a_lookup(void)
{
	begin();
	for (unsigned i = 0; i < 9; i++)
		starts(1, 100);
	CHECK_NUMBER(dropped(), 1);
	answer();
	CHECK_NUMBER(queued, 8);
	CHECK_NUMBER(queued_bytes, 800);
	CHECK_NUMBER(lookups, 1);

	begin();
	starts(1, ASSOCIATION_WAITING_BYTES + 1);
	starts(1, ASSOCIATION_WAITING_BYTES - 1);
	starts(1, 2);
	starts(1, 1);
	starts(1, 1);
	CHECK_NUMBER(dropped(), 3);
	answer();
	CHECK_NUMBER(queued, 2);
	CHECK_NUMBER(queued_bytes, ASSOCIATION_WAITING_BYTES);
}

static void starts_no_lookup_after_the_end(void)
{
	begin();
	starts(1, 1);
	association_names_end(&association);
	CHECK_NUMBER(dropped(), 1);
	CHECK(!starts(2, 1));
	CHECK_NUMBER(dropped(), 2);
}

/* If both families are reached, the address is the first one of RFC 6724. */
static void sends_to_the_permitted_address(void)
{
	begin();
	association.upstream_ipv4 = -1;
	starts(1, 1);
	answer();
	CHECK_NUMBER(dropped(), 1);
	host = addr_loopback_ipv6;
	starts(2, 1);
	answer();
	CHECK_NUMBER(queued, 1);
	CHECK(addr_is_same_host(&queued_to, &addr_loopback_ipv6));
}

int main(void)
{
	return CHECK_ALL(uses_an_answer_for_5_to_300_s, uses_an_old_address_for_300_s,
		does_not_use_an_old_address_if_the_name_is_gone_or_denied,
		evaluates_the_rules_again_after_1_s, a_lookup_ends_after_10_s,
		starts_200_lookups_at_once_and_then_50_a_second, looks_up_64_names_at_a_time,
		keeps_8_datagrams_or_65536_bytes_for_a_lookup, starts_no_lookup_after_the_end,
		sends_to_the_permitted_address);
}

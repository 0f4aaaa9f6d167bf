/* SPDX-License-Identifier: ISC */
/* stdsocks/prefork_pool: the number of ready children follows the arrival rate, within limits. */
#include "stdsocks/prefork_pool.h"

#include "check.h"

static pid_t next_pid;

static struct prefork_pool pool_of(unsigned ready, unsigned connections)
{
	const struct config config = {.prefork_ready = ready, .prefork_connections = connections};

	next_pid = 1;
	return prefork_pool_of(&config, 0);
}

static void fill(struct prefork_pool *p)
{
	while (prefork_pool_missing(p) > 0)
		prefork_pool_add(p, next_pid++);
}

/* All ready children accept a connection. */
static void burst(struct prefork_pool *p)
{
	while (p->ready > 0)
		CHECK(prefork_pool_accepted(p, p->pids[p->ready / 2]));
}

static void keeps_the_configured_number_ready(void)
{
	struct prefork_pool p = pool_of(8, 2000);

	CHECK_NUMBER(prefork_pool_missing(&p), 8);
	fill(&p);
	CHECK_NUMBER(p.ready, 8);
	CHECK(prefork_pool_accepted(&p, 3));
	CHECK_NUMBER(prefork_pool_missing(&p), 1);
	CHECK_NUMBER(p.serving, 1);
	CHECK(!prefork_pool_accepted(&p, 3)); /* it is not ready any more */
	CHECK(!prefork_pool_accepted(&p, 99));
	CHECK_NUMBER(p.serving, 1);
	CHECK(!prefork_pool_ended(&p, 3));
	CHECK_NUMBER(p.serving, 0);
	CHECK(prefork_pool_ended(&p, 4)); /* without a connection */
	CHECK_NUMBER(prefork_pool_missing(&p), 2);
	CHECK_NUMBER(prefork_pool_take_surplus(&p), 0);
}

static void doubles_if_none_is_ready_up_to_64(void)
{
	static const unsigned targets[] = {6, 12, 24, 48, 64, 64};
	struct prefork_pool p = pool_of(3, 2000);

	for (size_t i = 0; i < COUNT(targets); i++) {
		fill(&p);
		burst(&p);
		CHECK_NUMBER(p.target, targets[i]);
	}
	p = pool_of(64, 2000);
	fill(&p);
	burst(&p);
	CHECK_NUMBER(p.target, 64);
}

static void halves_after_a_second_in_which_half_was_enough(void)
{
	static const unsigned targets[] = {32, 16, 8, 5, 5};
	struct prefork_pool p = pool_of(5, 2000);

	while (p.target < 64) {
		fill(&p);
		burst(&p);
	}
	fill(&p);
	prefork_pool_tick(&p); /* the second of the burst */
	CHECK_NUMBER(p.target, 64);
	for (unsigned i = 0; i < 32; i++)
		prefork_pool_accepted(&p, p.pids[0]);
	fill(&p);
	prefork_pool_tick(&p); /* 32 were left, which is half */
	CHECK_NUMBER(p.target, 64);
	for (size_t i = 0; i < COUNT(targets); i++) {
		prefork_pool_tick(&p);
		CHECK_NUMBER(p.target, targets[i]);
		while (p.ready > p.target) {
			const pid_t oldest = p.pids[0];
			CHECK_NUMBER(prefork_pool_take_surplus(&p), oldest);
		}
		CHECK_NUMBER(prefork_pool_take_surplus(&p), 0);
	}
}

static void starts_no_more_than_the_limit_of_connections(void)
{
	struct prefork_pool p = pool_of(8, 20);

	fill(&p);
	burst(&p);
	CHECK_NUMBER(prefork_pool_missing(&p), 12);
	fill(&p);
	burst(&p);
	CHECK_NUMBER(p.serving, 20);
	CHECK_NUMBER(prefork_pool_missing(&p), 0);
	prefork_pool_ended(&p, 1);
	CHECK_NUMBER(prefork_pool_missing(&p), 1);
	p.orphans = 1;
	CHECK_NUMBER(prefork_pool_missing(&p), 0);
	p = pool_of(8, 20);
	fill(&p);
	p.orphans = 15; /* a new zygote does not know them at first */
	CHECK_NUMBER(prefork_pool_take_surplus(&p), 1);
	CHECK_NUMBER(prefork_pool_take_surplus(&p), 2);
	p.orphans = 30;
	CHECK_NUMBER(prefork_pool_missing(&p), 0);
	p = pool_of(8, 3);
	CHECK_NUMBER(prefork_pool_missing(&p), 3);
}

int main(void)
{
	return CHECK_ALL(keeps_the_configured_number_ready, doubles_if_none_is_ready_up_to_64,
		halves_after_a_second_in_which_half_was_enough,
		starts_no_more_than_the_limit_of_connections);
}

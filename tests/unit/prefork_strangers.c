/* SPDX-License-Identifier: ISC */
/* stdsocks/prefork_strangers: a report is due a minute after the first connection of it. */
#include "stdsocks/prefork_strangers.h"

#include "check.h"

static void is_never_due_without_a_connection(void)
{
	struct prefork_strangers s = {0};

	CHECK_NUMBER(prefork_strangers_due_us(&s), INT64_MAX);
	prefork_strangers_add(&s, 0, 5);
	CHECK_NUMBER(prefork_strangers_due_us(&s), INT64_MAX);
}

static void is_due_a_minute_after_the_first(void)
{
	struct prefork_strangers s = {0};

	prefork_strangers_add(&s, 0, 1);
	prefork_strangers_add(&s, 3, 7);
	prefork_strangers_add(&s, 2, 50000000);
	CHECK_NUMBER(s.count, 5);
	CHECK_NUMBER(prefork_strangers_due_us(&s), 60000007);
	s.count = 0; /* reported */
	CHECK_NUMBER(prefork_strangers_due_us(&s), INT64_MAX);
	prefork_strangers_add(&s, 1, 90000000);
	CHECK_NUMBER(prefork_strangers_due_us(&s), 150000000);
}

int main(void)
{
	return CHECK_ALL(is_never_due_without_a_connection, is_due_a_minute_after_the_first);
}

/* SPDX-License-Identifier: ISC */
/* stdsocks/dst_table: a new destination replaces the least recently used if the table is full. */
#include "stdsocks/dst_table.h"

#include <stdlib.h>

#include "check.h"

static struct dst_table table;

static struct addr number(unsigned n)
{
	const uint8_t bytes[16] = {0x20, 1, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n};

	if (n % 3 == 0)
		return addr_of(ADDR_IPV6, bytes, 16, 53);
	if (n % 3 == 1)
		return addr_of(ADDR_IPV4, bytes + 12, 4, (uint16_t)(n % 7));
	return addr_of(ADDR_NAME, bytes + 12, 4, 53);
}

static void replaces_the_least_recently_used(void)
{
	memset(&table, 0, sizeof table);
	for (unsigned n = 0; n < DST_TABLE_MAX; n++) {
		const struct addr a = number(n);
		CHECK(!dst_table_find(&table, &a));
		dst_table_get(&table, &a)->state = DST_ALLOWED;
	}
	const struct addr first = number(0), second = number(1), more = number(DST_TABLE_MAX);
	CHECK(dst_table_find(&table, &first) != NULL); /* now the most recently used */
	CHECK_NUMBER(dst_table_get(&table, &more)->state, DST_NEW);
	CHECK(!dst_table_find(&table, &second));
	CHECK(dst_table_find(&table, &first) && dst_table_find(&table, &more));
	for (unsigned n = 2; n < DST_TABLE_MAX; n++) {
		const struct addr a = number(n);
		CHECK(dst_table_find(&table, &a) != NULL);
	}
}

static void distinguishes_kind_and_port(void)
{
	const struct addr one = addr_of(ADDR_IPV4, "\177\0\0\1", 4, 53);
	struct addr port = one, name = one;

	memset(&table, 0, sizeof table);
	port.port = 54;
	name.kind = ADDR_NAME;
	dst_table_get(&table, &one)->was_sent_to = true;
	CHECK(!dst_table_find(&table, &port) && !dst_table_find(&table, &name));
	CHECK(!dst_table_get(&table, &port)->was_sent_to &&
		!dst_table_get(&table, &name)->was_sent_to);
	CHECK(dst_table_find(&table, &one)->was_sent_to);
}

/* Compares the table with a list of the time of each destination's last use. */
static void agrees_with_a_simple_list(void)
{
	static unsigned long used[3 * DST_TABLE_MAX];
	unsigned long now = 0;

	memset(&table, 0, sizeof table);
	srandom(1);
	for (unsigned turn = 0; turn < 50000; turn++) {
		unsigned n = (unsigned)random() % (3 * DST_TABLE_MAX), newer = 0;
		const struct addr a = number(n);
		for (unsigned i = 0; turn % 16 == 0 && i < 3 * DST_TABLE_MAX; i++)
			newer += used[i] > used[n];
		bool is_there = dst_table_find(&table, &a) != NULL;
		if (turn % 16 == 0)
			CHECK(is_there == (used[n] > 0 && newer < DST_TABLE_MAX));
		dst_table_get(&table, &a);
		used[n] = ++now;
	}
	CHECK_NUMBER(table.count, DST_TABLE_MAX);
}

int main(void)
{
	return CHECK_ALL(replaces_the_least_recently_used, distinguishes_kind_and_port,
		agrees_with_a_simple_list);
}

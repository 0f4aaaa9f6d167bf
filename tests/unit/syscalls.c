/* SPDX-License-Identifier: ISC */
/* guard/syscalls: the table against what was really called.
 * Standard input has a call a line: the stage, 1 or 16, the number and six arguments in hex. Prints the calls that no row allows, as they
 * came, and the rows that no call has used: number, stage, and which of the rows of that number it is. */
#define syscalls_limit in_another_object
#include "../../src/guard/syscalls.c"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define COUNT (sizeof table / sizeof table[0])

static unsigned used[COUNT];

static bool matches(const struct row *row, int number, const uint64_t args[6])
{
	if (row->number != number)
		return false;
	for (size_t i = 0; i < CHECKS_MAX; i++)
		if ((args[row->checks[i].arg] & row->checks[i].mask) != row->checks[i].value)
			return false;
	return true;
}

static bool use(unsigned stage, int number, const uint64_t args[6])
{
	bool found = false;
	for (size_t i = 0; i < COUNT; i++)
		if (table[i].stages & stage && matches(&table[i], number, args)) {
			used[i] |= stage | C; /* both filters are asked then */
			found = true;
		}
	return found;
}

static unsigned ordinal(size_t row)
{
	unsigned before = 0;
	for (size_t i = 0; i < row; i++)
		before += table[i].number == table[row].number;
	return before + 1;
}

int main(void)
{
	unsigned stage;
	int number;
	uint64_t a[6];

	while (scanf("%u %d %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		       &stage, &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) == 8)
		if (!use(stage, number, a))
			printf("call %d stage %u %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", number,
				stage, a[0], a[1], a[2]);
	for (size_t i = 0; i < COUNT; i++)
		for (stage = C; stage <= R; stage += R - C)
			if (table[i].stages & stage & ~used[i])
				printf("row %d stage %u way %u\n", table[i].number, stage,
					ordinal(i));
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* sandbox/syscalls: compares the table with the system calls that a process made.
 *
 * The argument is a set of stages (bits). Each line of standard input is a call that was checked by
 * a filter: the stages of the filter, the stages among these that only this process can be in, the
 * number of the call, and six arguments in hex. Prints each call that no row allows. Then, for each
 * stage of the argument, prints the rows that no call used: the number of the call, the stage, and
 * the ordinal of the row among the rows with that number. Without an argument, prints the stages
 * that a process can be in. */
#define syscalls_limit       in_another_object
#define syscalls_deny_zygote also_there
#include "../../src/sandbox/syscalls.c"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "stdsocks/session.h"

#define COUNT (sizeof table / sizeof table[0])

static unsigned used[COUNT];

static bool matches(const struct row *row, int number, const uint64_t args[6])
{
	if (row->number != number)
		return false;
	for (size_t i = 0; i < CHECKS_MAX; i++) {
		const struct check *c = &row->checks[i];
		const uint64_t value = args[c->arg] & c->mask;
		if (c->is_minimum ? value < c->value : value != c->value)
			return false;
	}
	return true;
}

static bool use(unsigned stages, unsigned own, int number, const uint64_t args[6])
{
	bool found = false;
	for (size_t i = 0; i < COUNT; i++)
		if (table[i].stages & stages && matches(&table[i], number, args)) {
			used[i] |= stages & own;
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

static void print_unused(unsigned wanted)
{
	for (size_t i = 0; i < COUNT; i++)
		for (unsigned stage = 1; stage <= wanted; stage *= 2)
			if (table[i].stages & wanted & stage & ~used[i])
				printf("row %d stages %u way %u\n", table[i].number, stage,
					ordinal(i));
}

/* Returns the stages of every command, the stages that follow them, and those of prefork mode. */
static unsigned stages_of_sessions(void)
{
	const struct config all = {.commands = ~0U};
	unsigned stages = session_stages(&all) | ACCEPT | ZYGOTE;

	if (stages & TCP)
		stages |= RELAYING;
	if (stages & ASSOCIATE)
		stages |= DATAGRAMS;
	return stages;
}

int main(int argc, char **argv)
{
	unsigned stages, own;
	int number;
	uint64_t a[6];

	if (argc < 2) {
		printf("%u\n", stages_of_sessions());
		return 0;
	}
	while (scanf("%u %u %d %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		     " %" SCNx64,
		       &stages, &own, &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) == 9)
		if (!use(stages, own, number, a))
			printf("call %d stages %u %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", number,
				stages, a[0], a[1], a[2]);
	print_unused((unsigned)atoi(argv[1]));
	return 0;
}

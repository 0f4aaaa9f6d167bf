/* SPDX-License-Identifier: ISC */
/* sandbox/syscalls: compares the table with the system calls that a process made.
 *
 * With the argument "programs", compares the programs of the filters with the table instead.
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

#include "bpf.h"
#include "stdsocks/session.h"

static unsigned used[COUNT(table)];

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

/* args is NULL for any arguments. */
static bool use(unsigned stages, unsigned own, int number, const uint64_t *args)
{
	bool found = false;
	for (size_t i = 0; i < COUNT(table); i++)
		if (table[i].stages & stages &&
			(args ? matches(&table[i], number, args) : table[i].number == number)) {
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
	for (size_t i = 0; i < COUNT(table); i++)
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

/* -- The programs of the filters: each allows exactly the calls that a row of the table allows. */

static void compare(unsigned stages, int number, const uint64_t args[6])
{
	static char about[128];
	struct seccomp_data data = {.nr = number, .arch = BPF_ARCH};
	bool is_allowed = false;

	for (size_t i = 0; i < COUNT(table); i++)
		is_allowed |= table[i].stages & stages && matches(&table[i], number, args);
	memcpy(data.args, args, sizeof data.args);
	check_about = NULL;
	if (bpf_verdict(&data) != (is_allowed ? SECCOMP_RET_ALLOW : BPF_DENIED)) {
		snprintf(about, sizeof about,
			"stages %#x: call %d %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64, stages,
			number, args[0], args[1], args[2], args[3]);
		check_about = about;
	}
	CHECK(!check_about);
}

/* Lets the arguments pass a check of a row. */
static void satisfy(uint64_t args[6], const struct check *c)
{
	args[c->arg] = (args[c->arg] & ~c->mask) | c->value;
}

/* Compares calls that the row allows; the same calls with another bit in an argument; and with an
 * argument that another row of the same call allows. */
static void compare_row(unsigned stages, const struct row *row)
{
	uint64_t args[6], other[6];

	memset(args, 0xA5, sizeof args);
	for (size_t i = 0; i < CHECKS_MAX; i++)
		satisfy(args, &row->checks[i]);
	compare(stages, row->number, args);
	for (unsigned i = 0; i < 64 * CHECKS_MAX; i++) {
		memcpy(other, args, sizeof args);
		other[row->checks[i / 64].arg] ^= UINT64_C(1) << i % 64;
		compare(stages, row->number, other);
	}
	for (size_t i = 0; i < COUNT(table) * CHECKS_MAX; i++) {
		if (table[i / CHECKS_MAX].number != row->number)
			continue;
		memcpy(other, args, sizeof args);
		satisfy(other, &table[i / CHECKS_MAX].checks[i % CHECKS_MAX]);
		compare(stages, row->number, other);
	}
}

static void compare_program(unsigned stages)
{
	const uint64_t zeros[6] = {0};

	bpf_count = 0;
	bpf_add(stages, 0);
	for (int number = 0; number < 1024; number++)
		compare(stages, number, zeros);
	for (size_t i = 0; i < COUNT(table); i++)
		compare_row(stages, &table[i]);
}

static void programs_allow_what_the_table_allows(void)
{
	compare_program(RELAYING);
	compare_program(DATAGRAMS);
	for (unsigned commands = 1; commands <= HANDSHAKES; commands++) {
		compare_program(commands);
		compare_program(commands | ACCEPT | ZYGOTE);
	}
}

/* -- The calls of a process. A line without arguments stands for a call with any arguments. */

static int compare_calls(void)
{
	char line[256];
	unsigned stages, own;
	int number, words;
	uint64_t a[6] = {0};

	while (fgets(line, sizeof line, stdin)) {
		words = sscanf(line,
			"%u %u %d %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
			" %" SCNx64,
			&stages, &own, &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]);
		if (words != 9 && words != 3)
			return 1;
		if (!use(stages, own, number, words == 9 ? a : NULL))
			printf("call %d stages %u %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", number,
				stages, a[0], a[1], a[2]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		printf("%u\n", stages_of_sessions());
		return 0;
	}
	if (strcmp(argv[1], "programs") == 0)
		return CHECK_ALL(programs_allow_what_the_table_allows);
	int status = compare_calls();
	print_unused((unsigned)atoi(argv[1]));
	return status;
}

/* SPDX-License-Identifier: ISC */
/* stdsocks/target: found again as long as there are not too many, and then the one unused for
 * longest goes. */
#include "stdsocks/target.h"

#include <stdlib.h>

#include "check.h"

static struct targets targets;

static struct addr number(unsigned n)
{
	const uint8_t bytes[16] = {0x20, 1, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n};

	if (n % 3 == 0)
		return addr_of(ADDR_IPV6, bytes, 16, 53);
	if (n % 3 == 1)
		return addr_of(ADDR_IPV4, bytes + 12, 4, (uint16_t)(n % 7));
	return addr_of(ADDR_NAME, bytes + 12, 4, 53);
}

static void forgets_the_oldest(void)
{
	memset(&targets, 0, sizeof targets);
	for (unsigned n = 0; n < TARGETS_MAX; n++) {
		const struct addr a = number(n);
		CHECK(!target_find(&targets, &a));
		target_take(&targets, &a)->state = TARGET_ALLOWED;
	}
	const struct addr first = number(0), second = number(1), more = number(TARGETS_MAX);
	CHECK(target_find(&targets, &first) != NULL); /* and is the newest now */
	CHECK_NUMBER(target_take(&targets, &more)->state, TARGET_NEW);
	CHECK(!target_find(&targets, &second));
	CHECK(target_find(&targets, &first) && target_find(&targets, &more));
	for (unsigned n = 2; n < TARGETS_MAX; n++) {
		const struct addr a = number(n);
		CHECK(target_find(&targets, &a) != NULL);
	}
}

static void tells_kind_and_port_apart(void)
{
	const struct addr one = addr_of(ADDR_IPV4, "\177\0\0\1", 4, 53);
	struct addr port = one, name = one;

	memset(&targets, 0, sizeof targets);
	port.port = 54;
	name.kind = ADDR_NAME;
	target_take(&targets, &one)->was_sent_to = true;
	CHECK(!target_find(&targets, &port) && !target_find(&targets, &name));
	CHECK(!target_take(&targets, &port)->was_sent_to &&
		!target_take(&targets, &name)->was_sent_to);
	CHECK(target_find(&targets, &one)->was_sent_to);
}

/* Against a list that is searched from its end: when each was used last. */
static void is_as_a_simple_list(void)
{
	static unsigned long used[3 * TARGETS_MAX];
	unsigned long now = 0;

	memset(&targets, 0, sizeof targets);
	srandom(1);
	for (unsigned turn = 0; turn < 50000; turn++) {
		unsigned n = (unsigned)random() % (3 * TARGETS_MAX), newer = 0;
		const struct addr a = number(n);
		for (unsigned i = 0; turn % 16 == 0 && i < 3 * TARGETS_MAX; i++)
			newer += used[i] > used[n];
		bool is_there = target_find(&targets, &a) != NULL;
		if (turn % 16 == 0)
			CHECK(is_there == (used[n] > 0 && newer < TARGETS_MAX));
		target_take(&targets, &a);
		used[n] = ++now;
	}
	CHECK_NUMBER(targets.count, TARGETS_MAX);
}

int main(void)
{
	return CHECK_ALL(forgets_the_oldest, tells_kind_and_port_apart, is_as_a_simple_list);
}

/* SPDX-License-Identifier: ISC */
/* Counts the connections that ended before a valid greeting. */
#include "stdsocks/prefork_strangers.h"

#include "net/clock.h"

void prefork_strangers_add(struct prefork_strangers *s, uint64_t more, int64_t now_us)
{
	if (s->count == 0)
		s->first_us = now_us;
	s->count += more;
}

int64_t prefork_strangers_due_us(const struct prefork_strangers *s)
{
	return s->count > 0 ? clock_after(s->first_us, PREFORK_STRANGERS_US) : INT64_MAX;
}

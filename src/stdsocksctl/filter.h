/* SPDX-License-Identifier: ISC */
/* Which connections are meant: the clauses of an access rule, held against one connection after the
 * other. Knows: how a connection's texts become what a rule asks. Does not know: the grammar. */
#pragma once

#include <stdbool.h>

#include "policy/rule.h"

/* One connection, in the texts of its record or its status, where they are escaped. NULL: not known. */
struct filter_parties {
	const char *client; /* an address without its port, "unix", "stdio", "other" or "unknown" */
	const char *user;
	const char *command; /* "CONNECT", "UDP ASSOCIATE", ... */
	const char *dst;     /* a name or an address, without its port */
	const char *reached; /* an address */
	unsigned port;       /* of dst; 0: not known */
	const uint32_t *uid; /* of "unix" */
};

/* All zero is the filter that all connections pass. It is not copied after filter_check(). */
struct filter {
	char text[WORDS_LINE_MAX + 1]; /* "" or a rule */
	size_t words;                  /* of its clauses, two each */
	const struct rule *rule;       /* parsed; NULL before filter_check() and for "" */
	_Alignas(struct rule) char memory[sizeof(struct rule) + RULE_GROWTH * WORDS_LINE_MAX];
};

/* Puts one more argument of a command line behind those that are there. In a clause's place it may be
 * several words; in its value's place it is the value, whatever blanks are in it. False when it says
 * nothing, or cannot be read: then why was put into problem. */
bool filter_add(struct filter *f, const char *argument, struct writer *problem);

/* Whether the next argument is a clause's value. */
bool filter_wants_value(const struct filter *f);

/* Whether there is no filter, or the words are one or more clauses of a rule; else what is wrong was put
 * into problem. */
bool filter_check(struct filter *f, struct writer *problem);

/* Whether the connection is meant. What is not known is not matched. */
bool filter_passes(const struct filter *f, const struct filter_parties *who);

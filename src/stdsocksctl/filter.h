/* SPDX-License-Identifier: ISC */
/* Selects connections by the clauses of an access rule. */
#pragma once

#include <stdbool.h>

#include "policy/rule.h"

/* A connection, in the texts of its record or its status, which are escaped. NULL: not known. */
struct filter_connection {
	const char *client; /* an address without port, "unix", "stdio", "other" or "unknown" */
	const char *user;
	const char *command; /* "CONNECT", "UDP ASSOCIATE", ... */
	const char *dst;     /* a name or an address, without port */
	const char *address; /* to which dst was connected */
	unsigned port;       /* of dst; 0: not known */
	const uint32_t *uid; /* of "unix" */
};

/* If it is all zero, it matches all connections. Do not copy it after filter_check(). */
struct filter {
	char text[WORDS_LINE_MAX + 1]; /* "" or a rule */
	size_t words;                  /* of its clauses: a keyword and a value each */
	const struct rule *rule;       /* parsed; NULL before filter_check() and for "" */
	_Alignas(struct rule) char memory[sizeof(struct rule) + RULE_GROWTH * WORDS_LINE_MAX];
};

/* Appends an argument of the command line. If a keyword is expected, the argument may be several
 * words; if a value is expected, the argument is the value, even if it contains blanks. On error
 * returns false and writes a message to problem. */
bool filter_add(struct filter *f, const char *argument, struct writer *problem);

/* Returns true if the next argument is the value of a clause. */
bool filter_wants_value(const struct filter *f);

/* Parses the filter. Returns true if there is none, or if it is one or more valid clauses.
 * Otherwise returns false and writes a message to problem. */
bool filter_check(struct filter *f, struct writer *problem);

/* Returns true if all clauses match. Only "any" matches a value that is not known. */
bool filter_matches(const struct filter *f, const struct filter_connection *c);

/* Writes a text as a column of "log" shows it: blanks are escaped. */
void filter_put_column(struct writer *w, const char *text);

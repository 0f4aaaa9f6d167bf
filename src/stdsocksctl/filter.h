/* SPDX-License-Identifier: ISC */
/* A filter on the command line selects connections. It has the syntax of the clauses of an access
 * rule (stdsocks.conf(5), ACCESS RULES), for example "user alice to example.com". */
#pragma once

#include <stdbool.h>

#include "policy/rule.h"

/* A connection. The texts are those of its record or its status, and are therefore escaped. NULL:
 * not known. */
struct filter_connection {
	const char *client; /* an address without a port, "unix", "stdio", "other" or "unknown" */
	const char *user;
	const char *command; /* "CONNECT", "UDP ASSOCIATE", ... */
	const char *dst;     /* the destination: a name or an address, without a port */
	const char *address; /* the address to which dst was connected */
	unsigned port;       /* the port of dst; 0: not known */
	const uint32_t *uid; /* if the client is "unix": its user ID */
};

/* All zero is a filter that matches all connections. After filter_check() a filter must not be
 * copied, because `rule` points into `memory`. */
struct filter {
	char text[WORDS_LINE_MAX + 1]; /* the filter as an access rule; "": no filter */
	size_t words;                  /* of the clauses in text: a keyword and a value each */
	const struct rule *rule;       /* the parsed text; NULL before filter_check(), and for "" */
	_Alignas(struct rule) char memory[sizeof(struct rule) + RULE_GROWTH * WORDS_LINE_MAX];
};

/* Appends an argument of the command line. If the next word of the filter is a keyword, the
 * argument may consist of several words, such as "user alice". If the next word is a value, the
 * argument is that value, even if it contains spaces. On error returns false and writes a message
 * to *problem. */
bool filter_add(struct filter *f, const char *argument, struct writer *problem);

/* Returns true if the next word of the filter is a value. */
bool filter_wants_value(const struct filter *f);

/* Parses the filter after its last argument. Returns true if it is valid or there is no filter.
 * Otherwise returns false and writes a message to *problem. */
bool filter_check(struct filter *f, struct writer *problem);

/* Returns true if the connection matches all clauses. A value that is not known matches only "any".
 */
bool filter_matches(const struct filter *f, const struct filter_connection *c);

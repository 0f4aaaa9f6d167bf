/* SPDX-License-Identifier: ISC */
/* The access rules, in order: the first rule that matches a request decides it. */
#pragma once

#include "policy/rule.h"

/* Upper limit of the rules in a list. */
#define RULES_MAX 4096

/* Bytes of memory that are enough for RULES_MAX rules whose lines have lines_len bytes in all. */
#define RULES_MEMORY(lines_len) (RULES_MAX * sizeof(struct rule) + RULE_GROWTH * (lines_len))

/* A list of rules. An empty list denies everything. */
struct rules {
	size_t count;
	struct writer pool; /* the rules, one after another */
	bool keep_text;     /* keep the text of each line, for rule_text() */
};

/* The decision of the rules. */
struct rules_verdict {
	/* RULE_YES: allowed. RULE_NO: denied. RULE_MAYBE: the name must be resolved first, or the
	 * route of an address must be known. */
	enum rule_answer allowed;
	/* If RULE_MAYBE, and the name was resolved: the index into rule_context.routes of that
	 * address. */
	unsigned unknown;
	/* The rule that decided. If no rule matches, it is a static rule that denies, with the
	 * location "end of the rules". */
	const struct rule *rule;
};

/* Returns an empty list. Its rules will be stored in the given memory of size bytes, which must be
 * aligned to 8 bytes and outlive the list. */
struct rules rules_on(void *memory, size_t size);

/* Parses a rule and appends it to the list. *words has the words of *line; their commas are
 * overwritten. line->location must outlive the list. On error returns false and writes a message to
 * *problem; then *rules is unchanged. */
bool rules_add(struct rules *rules, const struct words_line *line, struct words *words,
	struct writer *problem);

/* Appends the built-in rules, which apply if no rule is configured (stdsocks.conf(5), ACCESS
 * RULES). */
void rules_add_built_in(struct rules *rules);

/* Evaluates the rules for a request. context->embedded and context->route need not be set. If a
 * connection to context->resolved may reach several addresses (special_embedded()), the request is
 * allowed only if it is allowed for each of them. A route that is SPECIAL_ROUTE_UNKNOWN results in
 * RULE_MAYBE only if the decision depends on it, and only if a rule may allow the request. If `see`
 * is not NULL, it is called after the evaluation of each rule, with the rule and the result. */
struct rules_verdict rules_evaluate(const struct rules *rules, const struct rule_context *context,
	void (*see)(const struct rule *rule, const struct rule_match *match));

/* Writes a rule that would allow this request. It has the client, the destination and the port of
 * the request: "allow from 192.0.2.7 to example.com at 10.0.0.1 port 443". If the destination is an
 * address of this host that has another class by its number, the rule has "at loopback". */
void rules_put_suggestion(struct writer *w, const struct rule_context *context);

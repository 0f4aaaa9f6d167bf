/* SPDX-License-Identifier: ISC */
/* The access rules: the first one that matches decides. */
#pragma once

#include "policy/rule.h"

#define RULES_MAX 4096

/* Bytes of memory for RULES_MAX rules whose lines have this many bytes in all. */
#define RULES_MEMORY(lines_len) (RULES_MAX * sizeof(struct rule) + RULE_GROWTH * (lines_len))

/* The rules in their order. If there are none, everything is denied. */
struct rules {
	size_t count;
	struct writer pool; /* the rules, one after another */
	bool keep_text;     /* for rule_text() */
};

struct rules_verdict {
	/* RULE_MAYBE: the name must be resolved first. */
	enum rule_answer allowed;
	/* The rule that decided. "end of the rules", which denies, is one, too. */
	const struct rule *rule;
};

/* Returns an empty list of rules that is stored in memory, which is aligned to 8 bytes and must
 * outlive the list. */
struct rules rules_on(void *memory, size_t size);

/* Parses a line and appends it. Overwrites the commas in words. The line's location must outlive
 * the rules. On error returns false, writes a message to problem, and leaves *rules unchanged. */
bool rules_add(struct rules *rules, const struct words_line *line, struct words *words,
	struct writer *problem);

/* Appends the rules that apply if none are configured: stdsocks.conf(5), ACCESS RULES. */
void rules_add_built_in(struct rules *rules);

/* Evaluates the rules for a request. If the resolved address may reach several addresses, all of
 * them must be allowed. `see`, if not NULL, is called for each rule that is evaluated. */
struct rules_verdict rules_evaluate(const struct rules *rules, const struct rule_context *context,
	void (*see)(const struct rule *rule, const struct rule_match *match));

/* Writes the rule that would allow only this request:
 * "allow from 192.0.2.7 to example.com at 10.0.0.1 port 443". */
void rules_put_suggestion(struct writer *w, const struct rule_context *context);

/* SPDX-License-Identifier: ISC */
/* All access rules together: rules and context in, a verdict and the rule that gave it out.
 * Knows: that the first rule that matches decides, and the rules that hold where none is
 * configured. Does not know: where rules come from. */
#pragma once

#include "policy/rule.h"

#define RULES_MAX 4096

/* In their order. None at all means the built-in ones. */
struct rules {
	size_t count;
	struct words_line *rules; /* the caller's, RULES_MAX of them */
};

struct rules_verdict {
	enum rule_answer allowed;      /* MAYBE: the address has to be looked up first */
	const struct words_line *rule; /* what decided: one of them, a built-in one ("built-in 2"),
					* or their end ("end of the rules"), which denies */
};

/* Decides. Where an address may reach one of several, all of them have to be allowed. Each rule is
 * read again, for nothing but its text is kept; one that cannot be read as far as it is read
 * denies. see, if not NULL, is called for each rule that was looked at, in their order, with what
 * came of it. */
struct rules_verdict rules_evaluate(const struct rules *rules, const struct rule_context *context,
	void (*see)(const struct words_line *rule, const struct rule_match *match));

/* The line that would allow just this: "allow from 192.0.2.7 to example.com at 10.0.0.1 port 443".
 */
void rules_put_suggestion(struct writer *w, const struct rule_context *context);

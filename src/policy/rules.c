/* SPDX-License-Identifier: ISC */
/* All access rules together: rules and context in, a verdict and the rule that gave it out.
 * Knows: that the first rule that matches decides, and the rules that hold where none is
 * configured. Does not know: where rules come from. */
#include "policy/rules.h"

#include <string.h>

#include "policy/command.h"
#include "wire/socks5.h"

/* Versions of clang-format disagree on braces in a macro. */
/* clang-format off */
#define RULE(where, what) {.text = (what), .len = sizeof(what) - 1, .location = (where)}
/* clang-format on */

/* Neither an open proxy, nor a way into the network behind it, nor a mail relay. */
static const struct words_line built_in[] = {
	RULE("built-in 1", "deny port 25"),
	RULE("built-in 2", "allow from loopback,private,link-local,unix,stdio to public"),
	RULE("built-in 3", "allow user any to public"),
	RULE("built-in 4", "deny"),
};

static const struct words_line end_of_rules = RULE("end of the rules", "deny");

/* A rule held against the context; one that cannot be read, or has changed since, denies. */
static struct rule_match match(const struct words_line *rule, const struct rule_context *context)
{
	struct rule_match match;
	struct words words;

	/* Most rules do not match, and that by their first clause. */
	if (words_split_first(rule, 3, &words) && rule_is_one(&words) &&
		rule_match(&words, context, &match, NULL) && match.answer == RULE_NO &&
		!match.implied)
		return match;
	if (words_split(rule, &words, NULL) && rule_is_one(&words) &&
		rule_match(&words, context, &match, NULL))
		return match;
	return (struct rule_match){.allow = false, .answer = RULE_YES, .failed = RULE_CLAUSES};
}

/* With the address, if it is known, as one that it may reach. */
static struct rules_verdict judge_inside(const struct rules *rules,
	const struct rule_context *context,
	void (*see)(const struct words_line *rule, const struct rule_match *match))
{
	bool may_allow = false, may_deny = false;
	const struct words_line *rule = rules->count > 0 ? rules->rules : built_in;
	size_t count = rules->count > 0 ? rules->count : sizeof built_in / sizeof built_in[0];

	for (const struct words_line *end = rule + count; rule < end; rule++) {
		struct rule_match m = match(rule, context);
		if (see)
			see(rule, &m);
		may_allow |= m.answer != RULE_NO && m.allow;
		may_deny |= m.answer != RULE_NO && !m.allow;
		if (may_allow && may_deny)
			return (struct rules_verdict){.allowed = RULE_MAYBE, .rule = rule};
		if (m.answer == RULE_YES)
			return (struct rules_verdict){
				.allowed = m.allow ? RULE_YES : RULE_NO, .rule = rule};
	}
	return (struct rules_verdict){
		.allowed = may_allow ? RULE_MAYBE : RULE_NO, .rule = &end_of_rules};
}

struct rules_verdict rules_evaluate(const struct rules *rules, const struct rule_context *context,
	void (*see)(const struct words_line *rule, const struct rule_match *match))
{
	struct rule_context f = *context;
	struct rules_verdict verdict = {.allowed = RULE_NO};

	if (context->resolved.kind == ADDR_NONE)
		return judge_inside(rules, context, see);
	f.embedded = special_embedded(&f.resolved, 0);
	for (unsigned n = 1; f.embedded.kind != ADDR_NONE; n++) {
		verdict = judge_inside(rules, &f, see);
		if (verdict.allowed != RULE_YES)
			break;
		f.embedded = special_embedded(&f.resolved, n);
	}
	return verdict;
}

static void put_from(struct writer *w, const struct rule_context *context)
{
	switch (context->client_kind) {
	case RULE_CLIENT_IP:
		addr_put_host(w, &context->client);
		break;
	case RULE_CLIENT_UNIX:
		writer_str(w, "unix");
		if (context->uid >= 0) {
			writer_u8(w, ':');
			writer_decimal(w, (uint64_t)context->uid, 1);
		}
		break;
	case RULE_CLIENT_STDIO:
		writer_str(w, "stdio");
		break;
	case RULE_CLIENT_OTHER:
		writer_str(w, "any");
		break;
	}
}

/* All that it may reach, for all of it has to be allowed. */
static void put_insides(struct writer *w, const struct addr *reached)
{
	struct addr inside = special_embedded(reached, 0);
	for (unsigned n = 1; inside.kind != ADDR_NONE; n++) {
		if (n > 1)
			writer_u8(w, ',');
		addr_put_host(w, &inside);
		inside = special_embedded(reached, n);
	}
}

static bool is_public(const struct addr *reached)
{
	struct addr inside = special_embedded(reached, 0);
	bool all = true;
	for (unsigned n = 1; inside.kind != ADDR_NONE; n++) {
		all &= special_class_of(&inside) == SPECIAL_PUBLIC;
		inside = special_embedded(reached, n);
	}
	return all;
}

void rules_put_suggestion(struct writer *w, const struct rule_context *context)
{
	const bool by_name = context->requested.kind == ADDR_NAME;

	writer_str(w, "allow from ");
	put_from(w, context);
	if (context->command != SOCKS5_CONNECT) {
		writer_str(w, " command ");
		writer_str(w, command_word(context->command));
	}
	writer_str(w, " to ");
	if (by_name) {
		addr_put_host(w, &context->requested);
		/* A host may be called so. */
		if (rule_is_like_class((const char *)context->requested.bytes))
			writer_u8(w, '.');
	}
	if (by_name && context->resolved.kind != ADDR_NONE && !is_public(&context->resolved)) {
		writer_str(w, " at ");
		put_insides(w, &context->resolved);
	}
	if (!by_name && context->resolved.kind != ADDR_NONE)
		put_insides(w, &context->resolved);
	if (context->requested.port == 0)
		return; /* what needs none */
	writer_str(w, " port ");
	writer_decimal(w, context->requested.port, 1);
}

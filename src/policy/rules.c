/* SPDX-License-Identifier: ISC */
#include "policy/rules.h"

#include <string.h>

#include "policy/command.h"
#include "wire/socks5.h"

#define RULE(where, what) .text = (what), .len = sizeof(what) - 1, .location = (where)

/* They allow neither an open proxy, nor access to the network behind it, nor a mail relay. */
static const struct words_line built_in[] = {
	{RULE("built-in 1", "deny port 25")},
	{RULE("built-in 2", "allow from loopback,private,link-local,unix,stdio to public")},
	{RULE("built-in 3", "allow user any to public")},
	{RULE("built-in 4", "deny")},
};

static const struct rule end_of_rules = {.location = "end of the rules"};

struct rules rules_on(void *memory, size_t size)
{
	return (struct rules){.pool = writer_on(memory, size)};
}

bool rules_add(struct rules *rules, const struct words_line *line, struct words *words,
	struct writer *problem)
{
	if (rules->count == RULES_MAX)
		return words_error(problem, "too many access rules", NULL, "use at most 4096");
	if (!rule_parse(line, words, rules->keep_text, &rules->pool, problem))
		return false;
	rules->count++;
	return true;
}

void rules_add_built_in(struct rules *rules)
{
	struct writer problem = writer_on(NULL, 0);
	struct words words;

	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
		if (words_split(&built_in[i], &words, &problem))
			rules_add(rules, &built_in[i], &words, &problem);
}

/* Evaluates the rules for context->embedded. */
static struct rules_verdict evaluate_embedded(const struct rules *rules,
	const struct rule_context *context,
	void (*see)(const struct rule *rule, const struct rule_match *match))
{
	/* Before the lookup a rule may depend on the address, and afterwards on its route. Later
	 * rules then still count: if they could decide differently, that must be known first. */
	const struct rule *rule = (const struct rule *)rules->pool.bytes;
	bool may_allow = false, may_deny = false;

	for (size_t i = 0; i < rules->count; i++, rule = rule_next(rule)) {
		const struct rule_match match = rule_evaluate(rule, context);
		if (see)
			see(rule, &match);
		if (match.answer == RULE_NO)
			continue;
		*(match.allow ? &may_allow : &may_deny) = true;
		if (may_allow && may_deny)
			return (struct rules_verdict){RULE_MAYBE, 0, rule};
		if (match.answer == RULE_YES)
			return (struct rules_verdict){match.allow ? RULE_YES : RULE_NO, 0, rule};
	}
	return (struct rules_verdict){may_allow ? RULE_MAYBE : RULE_NO, 0, &end_of_rules};
}

struct rules_verdict rules_evaluate(const struct rules *rules, const struct rule_context *context,
	void (*see)(const struct rule *rule, const struct rule_match *match))
{
	struct rule_context each = *context;
	struct rules_verdict verdict = {.allowed = RULE_YES};

	if (context->resolved.kind == ADDR_NONE)
		return evaluate_embedded(rules, context, see);
	for (unsigned n = 0; verdict.allowed != RULE_NO; n++) {
		each.embedded = special_embedded(&each.resolved, n);
		if (each.embedded.kind == ADDR_NONE)
			break;
		each.route = (enum special_route)context->routes[n];
		struct rules_verdict next = evaluate_embedded(rules, &each, see);
		next.unknown = n;
		if (next.allowed <= verdict.allowed)
			verdict = next;
	}
	return verdict;
}

static void put_from(struct writer *w, const struct rule_context *context)
{
	static const char *const texts[] = {[RULE_CLIENT_OTHER] = "any",
		[RULE_CLIENT_UNIX] = "unix",
		[RULE_CLIENT_STDIO] = "stdio"};

	if (context->client_kind == RULE_CLIENT_IP)
		addr_put_host(w, &context->client);
	else
		writer_str(w, texts[context->client_kind]);
	if (context->client_kind == RULE_CLIENT_UNIX && context->uid >= 0) {
		writer_u8(w, ':');
		writer_decimal(w, (uint64_t)context->uid, 1);
	}
}

/* Writes all addresses that the resolved address may reach, because all must be allowed. */
static void put_embedded(struct writer *w, const struct addr *resolved)
{
	struct addr embedded;
	for (unsigned n = 0; (embedded = special_embedded(resolved, n)).kind != ADDR_NONE; n++) {
		if (n > 0)
			writer_u8(w, ',');
		addr_put_host(w, &embedded);
	}
}

static bool all_public(const struct rule_context *context)
{
	const struct addr *resolved = &context->resolved;
	struct addr embedded;

	for (unsigned n = 0; (embedded = special_embedded(resolved, n)).kind != ADDR_NONE; n++) {
		const enum special_route route = (enum special_route)context->routes[n];
		if (special_class_by(&embedded, route) != SPECIAL_PUBLIC)
			return false;
	}
	return true;
}

/* Returns true if the destination is an address of this host that has no number of one. */
static bool is_loopback_by_route(const struct rule_context *context)
{
	const struct addr first = special_embedded(&context->resolved, 0);

	return context->routes[0] == SPECIAL_ROUTE_LOCAL &&
		special_class_of(&first) != SPECIAL_LOOPBACK &&
		special_embedded(&context->resolved, 1).kind == ADDR_NONE;
}

/* Writes the destination without its port. */
static void put_to(struct writer *w, const struct rule_context *context)
{
	const bool by_name = context->requested.kind == ADDR_NAME;
	const bool is_local = is_loopback_by_route(context);

	writer_str(w, " to ");
	if (by_name)
		addr_put_host(w, &context->requested);
	/* A host can have the name of a class. */
	if (by_name && rule_is_like_class((const char *)context->requested.bytes))
		writer_u8(w, '.');
	if (context->resolved.kind == ADDR_NONE || (by_name && all_public(context)))
		return;
	if (by_name && !is_local)
		writer_str(w, " at ");
	if (!by_name || !is_local)
		put_embedded(w, &context->resolved);
	if (is_local)
		writer_str(w, " at loopback");
}

void rules_put_suggestion(struct writer *w, const struct rule_context *context)
{
	writer_str(w, "allow from ");
	put_from(w, context);
	if (context->command != SOCKS5_CONNECT) {
		writer_str(w, " command ");
		writer_str(w, command_word(context->command));
	}
	put_to(w, context);
	if (context->requested.port == 0)
		return; /* the command has no port */
	writer_str(w, " port ");
	writer_decimal(w, context->requested.port, 1);
}

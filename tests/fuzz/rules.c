/* SPDX-License-Identifier: ISC */
/* Fuzzes policy/rule, policy/rules and policy/special with rules and a request: checks the
 * properties that the session relies on. tests/unit/rules.c has a model of the clauses.
 *
 * Input: the request (see take_context()), then the lines of the rules. If none is valid,
 * the built-in rules are used. */
#include "policy/rules.h"

#include "fuzz.h"
#include "policy/config.h"
#include "wire/socks5.h"

enum { LINES_MAX = 8, PROBLEM_MAX = 4 * WORDS_QUOTED_MAX + 512, SUGGESTION_MAX = 1280 };

/* Addresses of each class, and of each kind that embeds another address. */
static const char *const samples[] = {"127.0.0.1", "10.0.0.1", "192.0.2.7", "8.8.8.8",
	"169.254.1.1", "0.0.0.0", "::", "::1", "2606:4700::1", "fe80::1", "fd00::1",
	"::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "64:ff9b:1:a00:1:0:808:808",
	"2606:4700::5efe:a00:1", "2001:0:1:2::f5ff:fffe", "ff02::1"};
enum { SAMPLES = sizeof samples / sizeof samples[0], RAW_IPV4 = 0xfe, RAW_IPV6 = 0xff };

static struct addr sample(unsigned n)
{
	return fuzz_address(samples[n % SAMPLES], 0);
}

/* Returns one of the samples, or any address. */
static struct addr take_address(struct reader *in, unsigned n)
{
	const uint8_t *ip = NULL;
	if (n == RAW_IPV4 && (ip = reader_bytes(in, 4)) != NULL)
		return addr_of(ADDR_IPV4, ip, 4, 0);
	if (n == RAW_IPV6 && (ip = reader_bytes(in, 16)) != NULL)
		return addr_of(ADDR_IPV6, ip, 16, 0);
	return sample(n);
}

/* Returns a host name that is not an address. */
static struct addr take_name(struct reader *in, unsigned n)
{
	static const char *const names[] = {"example.com", "www.Example.com.", "localhost", "any",
		"private", "unix", "a_b.example"};
	const char *name = names[n % (sizeof names / sizeof names[0])];
	struct addr a = addr_of(ADDR_NAME, name, (uint8_t)strlen(name), 0);
	uint8_t len;
	const uint8_t *bytes;

	if (n != UINT8_MAX || (len = reader_u8(in)) == 0 || !(bytes = reader_bytes(in, len)))
		return a;
	struct addr raw = addr_of(ADDR_NAME, bytes, len, 0);
	return addr_is_hostname(&raw) ? raw : a;
}

/* Input: a byte each for the kind of the client (in the two lowest bits) and the routes, its
 * address, its user, and the destination (below 128 an address, otherwise a name); two for the
 * port; for a name, one for the resolved address. An address or a name may take more. */
static struct rule_context take_context(struct reader *in)
{
	static const char *const users[] = {NULL, "alice", "any", "a b", "\xff\n"};
	const unsigned who = reader_u8(in);
	struct rule_context f = {.client_kind = who % (RULE_CLIENT_STDIO + 1), .uid = -1};
	const struct addr client = take_address(in, reader_u8(in));
	const unsigned user = reader_u8(in), dst = reader_u8(in);

	if (f.client_kind == RULE_CLIENT_IP)
		f.client = addr_unmapped(&client); /* as in net/sockaddr */
	if (f.client_kind == RULE_CLIENT_UNIX && user >= 128)
		f.uid = user - 128;
	f.user = users[user % (sizeof users / sizeof users[0])];
	f.command = SOCKS5_CONNECT;
	const uint16_t port = reader_u16(in);
	f.requested =
		dst < 128 ? take_address(in, dst | (dst >= 126 ? 0x80 : 0)) : take_name(in, dst);
	f.resolved = dst < 128 ? f.requested : take_address(in, reader_u8(in));
	f.requested.port = f.resolved.port = port > 0 ? port : 1;
	for (unsigned n = 0; n < SPECIAL_EMBEDDED_MAX; n++)
		f.routes[n] = (uint8_t)((who >> (2 + 2 * (n % 3)) & 3) % SPECIAL_ROUTE_UNKNOWN);
	return f;
}

/* Returns no rules, on memory of exactly the size that these lines may need. */
static struct rules make_rules(const struct words_line *lines, size_t count, bool keep_text)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += sizeof(struct rule) + RULE_GROWTH * lines[i].len;
	struct rules rules = rules_on(malloc(size > 0 ? size : 1), size);
	if (!rules.pool.bytes)
		abort();
	rules.keep_text = keep_text;
	return rules;
}

/* Adds a line if it is a rule and valid. */
static bool add(struct rules *rules, const struct words_line *line)
{
	static char problem_bytes[PROBLEM_MAX];
	struct writer problem = writer_on(problem_bytes, sizeof problem_bytes);
	const struct rules before = *rules;
	struct config config, same;

	memset(&config, 0x5a, sizeof config);
	same = config;
	if (!config_is_rule(line))
		return false;
	const bool added = config_line(&config, rules, line, &problem);
	INVARIANT(added == (problem.len == 0) && !problem.full);
	INVARIANT(added || memcmp(rules, &before, sizeof before) == 0);
	INVARIANT(memcmp(&config, &same, sizeof same) == 0);
	return added;
}

/* Adds the valid rules of the lines, or the built-in ones if there are none. */
static struct rules add_all(const struct words_line *lines, size_t count, bool keep_text)
{
	static _Alignas(struct rule) char built_in[RULES_MEMORY(256)];
	struct rules rules = make_rules(lines, count, keep_text);

	for (size_t i = 0; i < count; i++)
		add(&rules, &lines[i]);
	if (rules.count > 0)
		return rules;
	free(rules.pool.bytes);
	rules = rules_on(built_in, sizeof built_in);
	rules_add_built_in(&rules);
	return rules;
}

static void forget(struct rules *rules)
{
	if (strncmp(((struct rule *)rules->pool.bytes)->location, "built-in", 8) != 0)
		free(rules->pool.bytes);
}

/* Returns the number of a rule, from 0, or the count of the rules if it is none of them. */
static size_t number_of(const struct rules *rules, const struct rule *rule)
{
	const struct rule *at = (const struct rule *)rules->pool.bytes;
	size_t number = 0;

	for (; number < rules->count && at != rule; number++)
		at = rule_next(at);
	return number;
}

static unsigned rules_seen;

static void count_rule(const struct rule *rule, const struct rule_match *match)
{
	INVARIANT(rule && match->answer <= RULE_YES && match->failed <= RULE_CLAUSES);
	INVARIANT((match->answer == RULE_NO) == (match->failed < RULE_CLAUSES));
	INVARIANT(match->allow == rule->allow);
	rules_seen++;
}

/* Calls rules_evaluate() and checks the verdict. */
static struct rules_verdict ask(const struct rules *rules, const struct rule_context *context)
{
	const struct rules_verdict v = rules_evaluate(rules, context, NULL);

	INVARIANT(v.allowed != RULE_MAYBE || context->resolved.kind == ADDR_NONE);
	if (number_of(rules, v.rule) == rules->count)
		INVARIANT(strcmp(v.rule->location, "end of the rules") == 0);
	return v;
}

/* Neither the callback nor the texts of the rules change a verdict. */
static void check_seen(const struct rules *rules, const struct rules *with_text,
	const struct rule_context *context)
{
	const struct rules_verdict v = ask(rules, context);
	rules_seen = 0;
	const struct rules_verdict again = rules_evaluate(with_text, context, count_rule);
	INVARIANT(rules_seen > 0 && again.allowed == v.allowed);
	INVARIANT(number_of(with_text, again.rule) == number_of(rules, v.rule));
}

/* If texts are kept, each rule has the text of its line. */
static void check_texts(const struct rules *rules, const struct words_line *lines, size_t count)
{
	const struct rule *rule = (const struct rule *)rules->pool.bytes;
	for (size_t i = 0; i < rules->count; i++, rule = rule_next(rule)) {
		const char *text = rule_text(rule);
		if (!rules->keep_text) {
			INVARIANT(text[0] == '\0');
			continue;
		}
		INVARIANT(rule->number > 0 && rule->number <= count);
		const struct words_line *line = &lines[rule->number - 1];
		INVARIANT(fuzz_same(text, strlen(text), line->text, line->len));
	}
}

/* A verdict before the lookup is the verdict for all addresses. */
static void check_lookup(const struct rules *rules, const struct rule_context *context)
{
	struct rule_context f = *context;
	f.resolved = (struct addr){.kind = ADDR_NONE};
	const enum rule_answer before = ask(rules, &f).allowed;

	for (unsigned i = 0; i < 2; i++) {
		f.resolved = i == 0 ? context->resolved : sample(context->resolved.bytes[3] + 7);
		f.resolved.port = context->requested.port;
		const enum rule_answer after = ask(rules, &f).allowed;
		INVARIANT(before == RULE_MAYBE || after == before);
	}
}

/* A verdict without knowledge of the routes is the verdict for all routes. */
static void check_routes(const struct rules *rules, const struct rule_context *context)
{
	struct rule_context f = *context;

	memset(f.routes, SPECIAL_ROUTE_UNKNOWN, sizeof f.routes);
	const struct rules_verdict before = rules_evaluate(rules, &f, NULL);
	INVARIANT(before.unknown < SPECIAL_EMBEDDED_MAX);
	INVARIANT(before.allowed == RULE_MAYBE || before.allowed == ask(rules, context).allowed);
}

/* The suggested rule alone does not allow another port, client or destination. Tests one. */
static void check_neighbours(const struct rules *alone, const struct rule_context *context)
{
	struct rule_context f = *context;

	if (context->requested.port % 4 == 0) {
		f.requested.port ^= 1;
	} else if (context->requested.port % 4 == 1) {
		f.client.bytes[f.client.len > 0 ? f.client.len - 1 : 0] ^= 1;
		f.uid += f.uid >= 0;
		if (f.client_kind != RULE_CLIENT_IP && f.uid < 0)
			return; /* the rule is for all such clients */
	} else if (f.requested.kind == ADDR_NAME) {
		f.requested.bytes[0] = (f.requested.bytes[0] | 0x20) == 'q' ? 'z' : 'q';
	} else if (f.requested.kind == ADDR_IPV4) {
		f.resolved.bytes[3] ^= 1;
	} else {
		return; /* another address may embed the same one */
	}
	INVARIANT(ask(alone, &f).allowed == RULE_NO);
}

/* The suggested rule is valid, and in front of the others it allows the request. */
static void check_suggestion(
	const struct words_line *lines, size_t count, const struct rule_context *context)
{
	static char text[SUGGESTION_MAX];
	struct words_line more[LINES_MAX + 1];
	struct writer w = writer_on(text, sizeof text);

	rules_put_suggestion(&w, context);
	INVARIANT(!w.full && fuzz_is_harmless(text, w.len, false));
	more[0] = (struct words_line){.text = text, .len = w.len, .location = "suggestion"};
	memcpy(more + 1, lines, count * sizeof *lines);
	struct rules alone = make_rules(more, 1, false), rules = make_rules(more, count + 1, false);
	INVARIANT(add(&alone, &more[0]));
	for (size_t i = 0; i <= count; i++)
		add(&rules, &more[i]);
	const struct rules_verdict v = ask(&rules, context);
	INVARIANT(v.allowed == RULE_YES && number_of(&rules, v.rule) == 0);
	check_neighbours(&alone, context);
	free(alone.pool.bytes);
	free(rules.pool.bytes);
}

static void check_special(const struct addr *a)
{
	struct addr embedded = special_embedded(a, 0);
	const enum special_class class = special_class_of(a);

	INVARIANT(class <= SPECIAL_OTHER);
	INVARIANT(rule_is_like_class(special_class_text(class)) == (class != SPECIAL_OTHER));
	for (unsigned n = 1; embedded.kind != ADDR_NONE; n++) {
		INVARIANT(n <= SPECIAL_EMBEDDED_MAX);
		INVARIANT(embedded.port == a->port);
		INVARIANT(embedded.kind == ADDR_IPV4 || a->kind == ADDR_IPV6);
		embedded = special_embedded(a, n);
	}
}

/* Before the lookup, the answer of a rule is RULE_MAYBE or its answer afterwards. */
static void check_rule(const struct rule *rule, const struct rule_context *context)
{
	struct rule_context before = *context, known = *context;

	before.resolved.kind = ADDR_NONE;
	known.embedded = special_embedded(&known.resolved, 0);
	known.route = (enum special_route)known.routes[0];
	const struct rule_match early = rule_evaluate(rule, &before);
	const struct rule_match late = rule_evaluate(rule, &known);
	INVARIANT(late.answer != RULE_MAYBE && early.allow == late.allow);
	INVARIANT(early.answer == RULE_MAYBE || early.answer == late.answer);
	INVARIANT(!late.implied ||
		(late.answer == RULE_NO && late.failed == RULE_AT && late.allow && !rule->has_at));
	if (rule->items_len == 0)
		INVARIANT(early.answer == RULE_YES && late.answer == RULE_YES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct words_line lines[LINES_MAX];
	struct reader in = reader_of(data, size);
	struct rule_context context = take_context(&in);
	const char *text = (const char *)data + in.at, *end = (const char *)data + size;
	size_t count = 0;

	for (; text < end && count < LINES_MAX; count++)
		lines[count] = fuzz_take_line(&text, end, count + 1);
	struct rules rules = add_all(lines, count, false), with_text = add_all(lines, count, true);
	check_special(&context.resolved);
	check_texts(&rules, lines, count);
	check_texts(&with_text, lines, count);
	const struct rule *rule = (const struct rule *)rules.pool.bytes;
	for (size_t i = 0; i < rules.count; i++, rule = rule_next(rule))
		check_rule(rule, &context);
	if (context.requested.kind == ADDR_NAME)
		check_lookup(&rules, &context);
	check_routes(&rules, &context);
	check_seen(&rules, &with_text, &context);
	check_suggestion(lines, count, &context);
	forget(&rules);
	forget(&with_text);
	return 0;
}

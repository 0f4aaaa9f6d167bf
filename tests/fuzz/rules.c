/* SPDX-License-Identifier: ISC */
/* Fuzzes policy/rule, policy/rules and policy/special: rules and a question of the input's choice.
 * Knows: what a verdict promises the session. Does not know: what a clause means.
 *
 * Input: the question (see take_context()), then the rules, a line each; none are the built-in
 * ones. */
#include "policy/rules.h"

#include "fuzz.h"
#include "policy/config.h"
#include "wire/socks5.h"

enum { LINES_MAX = 8, PROBLEM_MAX = 4 * WORDS_QUOTED_MAX + 512, SUGGESTION_MAX = 1280 };

/* One of each kind of address, and of what hides another one inside. */
static const char *const places[] = {"127.0.0.1", "10.0.0.1", "192.0.2.7", "8.8.8.8", "169.254.1.1",
	"0.0.0.0", "::", "::1", "2606:4700::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1",
	"64:ff9b::a00:1", "2002:a00:1::1", "64:ff9b:1:a00:1:0:808:808", "2606:4700::5efe:a00:1",
	"2001:0:1:2::f5ff:fffe", "ff02::1"};
enum { PLACES = sizeof places / sizeof places[0], RAW_IPV4 = 0xfe, RAW_IPV6 = 0xff };

static struct addr place(unsigned n)
{
	return fuzz_address(places[n % PLACES], 0);
}

/* One of the places, or any address. */
static struct addr take_address(struct reader *in, unsigned n)
{
	const uint8_t *ip = NULL;
	if (n == RAW_IPV4 && (ip = reader_bytes(in, 4)) != NULL)
		return addr_of(ADDR_IPV4, ip, 4, 0);
	if (n == RAW_IPV6 && (ip = reader_bytes(in, 16)) != NULL)
		return addr_of(ADDR_IPV6, ip, 16, 0);
	return place(n);
}

/* A name that the session would ask about: no literal, and a host name. */
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

/* Six bytes and what they ask for: the client's kind, its address, its user, what it asks for (less
 * than 128 an address, else a name) and the port; for a name, where that leads. */
static struct rule_context take_context(struct reader *in)
{
	static const char *const users[] = {NULL, "alice", "any", "a b", "\xff\n"};
	struct rule_context f = {.client_kind = reader_u8(in) % (RULE_CLIENT_STDIO + 1), .uid = -1};
	const struct addr client = take_address(in, reader_u8(in));
	const unsigned user = reader_u8(in), asked = reader_u8(in);

	if (f.client_kind == RULE_CLIENT_IP)
		f.client = addr_unmapped(&client); /* as net/sockaddr does it */
	if (f.client_kind == RULE_CLIENT_UNIX && user >= 128)
		f.uid = user - 128;
	f.user = users[user % (sizeof users / sizeof users[0])];
	f.command = SOCKS5_CONNECT;
	const uint16_t port = reader_u16(in);
	f.requested = asked < 128 ? take_address(in, asked | (asked >= 126 ? 0x80 : 0))
				  : take_name(in, asked);
	f.resolved = asked < 128 ? f.requested : take_address(in, reader_u8(in));
	f.requested.port = f.resolved.port = port > 0 ? port : 1;
	return f;
}

/* The input's lines, as far as they are rules. */
static void take_rules(const char *text, size_t len, struct rules *rules)
{
	static char problem_bytes[PROBLEM_MAX];

	for (const char *end = text + len; text < end && rules->count < LINES_MAX;) {
		struct words_line line = fuzz_take_line(&text, end, rules->count + 1);
		struct writer problem = writer_on(problem_bytes, sizeof problem_bytes);
		struct config config;

		if (config_is_rule(&line) && config_line(&config, &line, &problem) == CONFIG_RULE)
			rules->rules[rules->count++] = line;
	}
}

static unsigned seen;

static void see(const struct words_line *rule, const struct rule_match *match)
{
	INVARIANT(rule && match->answer <= RULE_YES && match->failed <= RULE_CLAUSES);
	INVARIANT(match->answer != RULE_NO || match->failed < RULE_CLAUSES);
	seen++;
}

/* rules_evaluate(), and what is true of every verdict. */
static struct rules_verdict ask(const struct rules *rules, const struct rule_context *context)
{
	const struct rules_verdict v = rules_evaluate(rules, context, NULL);

	INVARIANT(v.allowed != RULE_MAYBE || context->resolved.kind == ADDR_NONE);
	bool ours = v.rule >= rules->rules && v.rule < rules->rules + rules->count;
	if (!ours && strcmp(v.rule->location, "end of the rules") != 0)
		INVARIANT(rules->count == 0 && strncmp(v.rule->location, "built-in ", 9) == 0);
	return v;
}

/* Nothing hangs on whether somebody looks on. */
static void check_seen(const struct rules *rules, const struct rule_context *context)
{
	const struct rules_verdict v = ask(rules, context);
	seen = 0;
	const struct rules_verdict again = rules_evaluate(rules, context, see);
	INVARIANT(seen > 0 && again.allowed == v.allowed && again.rule == v.rule);
}

/* What is said before a lookup holds for every address that may come of it. */
static void check_lookup(const struct rules *rules, const struct rule_context *context)
{
	struct rule_context f = *context;
	f.resolved = (struct addr){.kind = ADDR_NONE};
	const enum rule_answer before = ask(rules, &f).allowed;

	for (unsigned i = 0; i < 2; i++) {
		f.resolved = i == 0 ? context->resolved : place(context->resolved.bytes[3] + 7);
		f.resolved.port = context->requested.port;
		const enum rule_answer after = ask(rules, &f).allowed;
		INVARIANT(before == RULE_MAYBE || after == before);
	}
}

/* Alone, the remedy allows no other port, nor client, nor destination: one of them is tried. */
static void check_neighbours(const struct rules *alone, const struct rule_context *context)
{
	struct rule_context f = *context;

	if (context->requested.port % 4 == 0) {
		f.requested.port ^= 1;
	} else if (context->requested.port % 4 == 1) {
		f.client.bytes[f.client.len > 0 ? f.client.len - 1 : 0] ^= 1;
		f.uid += f.uid >= 0;
		if (f.client_kind != RULE_CLIENT_IP && f.uid < 0)
			return; /* it is nobody in particular */
	} else if (f.requested.kind == ADDR_NAME) {
		f.requested.bytes[0] = (f.requested.bytes[0] | 0x20) == 'q' ? 'z' : 'q';
	} else if (f.requested.kind == ADDR_IPV4) {
		f.resolved.bytes[3] ^= 1;
	} else {
		return; /* another address may have the same one inside */
	}
	INVARIANT(ask(alone, &f).allowed == RULE_NO);
}

/* The remedy is a rule, and in front of the others it allows what was asked. */
static void check_remedy(struct rules *rules, const struct rule_context *context)
{
	static char text[SUGGESTION_MAX], problem_bytes[PROBLEM_MAX];
	struct writer w = writer_on(text, sizeof text),
		      problem = writer_on(problem_bytes, sizeof problem_bytes);
	struct config config;

	rules_put_suggestion(&w, context);
	INVARIANT(!w.full && fuzz_is_harmless(text, w.len, false));
	const struct words_line line = {.text = text, .len = w.len, .location = "remedy"};
	INVARIANT(config_line(&config, &line, &problem) == CONFIG_RULE && problem.len == 0);
	memmove(rules->rules + 1, rules->rules, rules->count++ * sizeof rules->rules[0]);
	rules->rules[0] = line;
	const struct rules_verdict v = ask(rules, context);
	INVARIANT(v.allowed == RULE_YES && v.rule == rules->rules);

	check_neighbours(&(const struct rules){.count = 1, .rules = rules->rules}, context);
}

static void check_special(const struct addr *a)
{
	struct addr inside = special_embedded(a, 0);
	const enum special_class class = special_class_of(a);

	INVARIANT(class <= SPECIAL_OTHER);
	INVARIANT(rule_is_like_class(special_class_text(class)) == (class != SPECIAL_OTHER));
	for (unsigned n = 1; inside.kind != ADDR_NONE; n++) {
		INVARIANT(n < 8);
		INVARIANT(inside.port == a->port);
		INVARIANT(inside.kind == ADDR_IPV4 || a->kind == ADDR_IPV6);
		inside = special_embedded(a, n);
	}
}

/* A rule that is read only so far answers what it answers when it is read whole. */
static void check_rule(const struct words_line *line, const struct rule_context *context)
{
	char problem_bytes[1];
	struct writer problem = writer_on(problem_bytes, 0);
	struct words words, again;
	struct rule_match whole, quick;
	struct rule_context f = *context;

	f.embedded = special_embedded(&f.resolved, 0);
	INVARIANT(words_split(line, &words, NULL) && words_split(line, &again, NULL));
	INVARIANT(rule_match(&words, &f, &whole, &problem) && !problem.full);
	INVARIANT(rule_match(&again, &f, &quick, NULL));
	INVARIANT(whole.allow == quick.allow && whole.answer == quick.answer);
	INVARIANT(whole.answer != RULE_MAYBE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct words_line lines[LINES_MAX + 1];
	struct rules rules = {.count = 0, .rules = lines};
	struct reader in = reader_of(data, size);
	struct rule_context context = take_context(&in);

	take_rules((const char *)data + in.at, in.len - in.at, &rules);
	check_special(&context.resolved);
	for (size_t i = 0; i < rules.count; i++)
		check_rule(&rules.rules[i], &context);
	if (context.requested.kind == ADDR_NAME)
		check_lookup(&rules, &context);
	check_seen(&rules, &context);
	check_remedy(&rules, &context);
	return 0;
}

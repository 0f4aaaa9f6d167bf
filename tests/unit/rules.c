/* SPDX-License-Identifier: ISC */
/* policy/rules: compares random rules and contexts with a simple, slow model, which was written
 * from stdsocks.conf(5), ACCESS RULES. The model parses nothing: its rules are generated as values
 * and printed for rules_add(). Usage: rules [SEED [TURNS]] */
#include "policy/rules.h"

#include <ctype.h>

#include "check.h"
#include "wire/socks5.h"

#define MODEL_RULES_MAX 5
#define ITEMS_MAX       3
#define LABELS_MAX      3
#define ITEM_TEXT_MAX   64
#define RULE_TEXT_MAX   1024
#define TURNS           15000 /* sets of rules, with QUESTIONS requests each */
#define QUESTIONS       8

/* -- Random numbers: xorshift64. The same seed gives the same run. */

static uint64_t seed = 0x9e3779b97f4a7c15;

static unsigned below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % (unsigned)n;
}

static bool percent(unsigned p)
{
	return below(100) < p;
}

/* -- Addresses with their classes, written by hand; tests/unit/special.c has more. */

struct sample {
	const char *text, *class;                   /* of the address itself */
	const char *embedded_text, *embedded_class; /* of the embedded one */
	struct addr addr, embedded;
};

static struct sample samples[64];
static size_t sample_count;

static void add_sample(
	const char *text, const char *class, const char *embedded_text, const char *embedded_class)
{
	struct sample *s = &samples[sample_count++];
	*s = (struct sample){text, class, embedded_text, embedded_class, fuzz_address(text, 0),
		fuzz_address(embedded_text, 0)};
	CHECK(s->addr.kind != ADDR_NAME && s->embedded.kind != ADDR_NAME);
}

static void make_samples(void)
{
	/* These have no embedded address. */
	static const char *const plain[][16] = {
		{"loopback", "127.0.0.1", "::1"},
		{"private", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.0", "192.168.0.1",
			"fc00::1"},
		{"link-local", "169.254.169.254", "fe80::1"},
		{"public", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
			"128.0.0.0", "2600::1", "2001:4860::8888", "3fff:1000::"},
		{"special", "0.0.0.1", "192.0.2.7", "224.0.0.1", "255.255.255.255", "2001:db8::1",
			"ff02::1"},
	};
	static const char *const rows[][4] = {
		{"0.0.0.0", "special", "127.0.0.1", "loopback"},
		{"::", "special", "::1", "loopback"},
		{"::10.0.0.1", "special", "10.0.0.1", "private"},
		{"::8.8.8.8", "special", "8.8.8.8", "public"},
		{"::ffff:0.0.0.0", "special", "127.0.0.1", "loopback"},
		{"::ffff:10.0.0.1", "special", "10.0.0.1", "private"},
		{"::ffff:8.8.8.8", "special", "8.8.8.8", "public"},
		{"64:ff9b::7f00:1", "special", "127.0.0.1", "loopback"},
		{"64:ff9b::808:808", "special", "8.8.8.8", "public"},
		{"64:ff9b:1::a00:1", "special", "10.0.0.1", "private"},
		{"2001:0:102:304::f5ff:fffe", "special", "10.0.0.1", "private"},
		{"2001:0:102:304::f7f7:f7f7", "special", "8.8.8.8", "public"},
		{"2002:a00:1::1", "public", "10.0.0.1", "private"},
		{"2002:808:808::1", "public", "8.8.8.8", "public"},
	};
	for (size_t i = 0; i < COUNT(plain); i++)
		for (const char *const *text = &plain[i][1]; *text; text++)
			add_sample(*text, plain[i][0], *text, plain[i][0]);
	for (size_t i = 0; i < COUNT(rows); i++)
		add_sample(rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
}

static unsigned bits_of(const struct addr *a)
{
	return a->len * 8U;
}

static unsigned bit_at(const struct addr *a, unsigned i)
{
	return (unsigned)a->bytes[i / 8] >> (7 - i % 8) & 1U;
}

static const struct sample *random_sample(void)
{
	return &samples[below(sample_count)];
}

static bool is_mapped(const struct sample *sample)
{
	return strncmp(sample->text, "::ffff:", 7) == 0;
}

/* -- Names, as labels in lower case */

struct name {
	size_t count; /* 0: none */
	const char *labels[LABELS_MAX];
};

static struct name random_name(void)
{
	static const char *const labels[] = {"a", "b", "ex", "com"};
	struct name name = {.count = 1 + below(LABELS_MAX)};
	for (size_t i = 0; i < name.count; i++)
		name.labels[i] = labels[below(COUNT(labels))];
	return name;
}

/* Writes a name in random case, with or without a final dot. */
static void write_name(const struct name *name, char *ret_text)
{
	char *to = ret_text;
	for (size_t i = 0; i < name->count; i++) {
		for (const char *c = name->labels[i]; *c; c++)
			*to++ = (char)(percent(50) ? toupper(*c) : *c);
		*to++ = '.';
	}
	to[percent(30) ? 0 : -1] = '\0';
}

/* Returns true if the last labels of name are the labels of end. */
static bool ends_in(const struct name *name, const struct name *end)
{
	if (name->count < end->count)
		return false;
	for (size_t i = 0; i < end->count; i++)
		if (strcmp(name->labels[name->count - end->count + i], end->labels[i]) != 0)
			return false;
	return true;
}

/* -- Rules and questions, as values */

/* CLIENT_CLASS and CLIENT_PREFIX are for the client, CLASS and PREFIX for the destination. */
enum kind {
	ANY,
	CLIENT_CLASS,
	CLIENT_PREFIX,
	ANY_UNIX,
	UNIX_OF,
	STDIO,
	ANY_USER,
	USER,
	CONNECT,
	CLASS,
	PREFIX,
	SAME_NAME,
	SUFFIX,
	PORTS
};

struct item {
	enum kind kind;
	const char *class, *user;
	const struct sample *prefix;
	unsigned bits;
	struct name name;
	int64_t uid;
	unsigned first, last;
	char text[ITEM_TEXT_MAX];
};

struct model_rule {
	bool allow;
	size_t counts[RULE_CLAUSES]; /* of items; 0: the rule has no such clause */
	struct item items[RULE_CLAUSES][ITEMS_MAX];
	char text[RULE_TEXT_MAX];
};

struct question {
	struct rule_context context;
	const struct sample *client, *resolved;
	struct name name;
};

static const char *const users[] = {"alice", "Alice", "bob", "alice2"};
static const int64_t uids[] = {0, 1, 1000, UINT32_MAX};
static const unsigned ports[] = {1, 2, 24, 25, 26, 80, 443, 444, 65534, 65535};

static bool is_name(const struct item *item)
{
	return item->kind == SAME_NAME || item->kind == SUFFIX;
}

static void print_item(struct item *item)
{
	static const char *const words[] = {[ANY] = "any",
		[ANY_USER] = "any",
		[ANY_UNIX] = "unix",
		[STDIO] = "stdio",
		[CONNECT] = "connect",
		[PORTS] = NULL};
	char *text = item->text;
	if (words[item->kind]) {
		strcpy(text, words[item->kind]);
	} else if (item->kind == CLASS || item->kind == CLIENT_CLASS) {
		strcpy(text, item->class);
	} else if (item->kind == PREFIX || item->kind == CLIENT_PREFIX) {
		bool whole = item->bits == bits_of(&item->prefix->addr) && percent(50);
		sprintf(text, whole ? "%s" : "%s/%u", item->prefix->text, item->bits);
	} else if (item->kind == UNIX_OF) {
		sprintf(text, "unix:%lld", (long long)item->uid);
	} else if (is_name(item)) {
		text[0] = '.';
		write_name(&item->name, text + (item->kind == SUFFIX));
	} else if (item->kind == USER) {
		strcpy(text, item->user);
	} else {
		sprintf(text, item->last == item->first ? "%u" : "%u-%u", item->first, item->last);
	}
}

/* The ten kinds of each clause have the same probability. */
static void make_item(enum rule_clause clause, struct item *item)
{
	static const enum kind kinds[RULE_CLAUSES][10] = {
		[RULE_FROM] = {ANY, ANY_UNIX, UNIX_OF, STDIO, CLIENT_CLASS, CLIENT_CLASS,
			CLIENT_CLASS, CLIENT_PREFIX, CLIENT_PREFIX, CLIENT_PREFIX},
		[RULE_USER] = {ANY_USER, ANY_USER, ANY_USER, USER, USER, USER, USER, USER, USER,
			USER},
		[RULE_COMMAND] = {CONNECT, CONNECT, CONNECT, CONNECT, CONNECT, CONNECT, CONNECT,
			CONNECT, CONNECT, CONNECT},
		[RULE_TO] = {ANY, CLASS, CLASS, PREFIX, PREFIX, SAME_NAME, SAME_NAME, SAME_NAME,
			SUFFIX, SUFFIX},
		[RULE_AT] = {ANY, CLASS, CLASS, CLASS, CLASS, PREFIX, PREFIX, PREFIX, PREFIX,
			PREFIX},
		[RULE_PORT] = {PORTS, PORTS, PORTS, PORTS, PORTS, PORTS, PORTS, PORTS, PORTS,
			PORTS},
	};
	static const char *const classes[] = {"loopback", "private", "link-local", "public"};

	item->kind = kinds[clause][below(COUNT(kinds[clause]))];
	item->class = classes[below(COUNT(classes))];
	item->prefix = random_sample();
	item->bits = below(bits_of(&item->prefix->addr) + 1);
	if (percent(50))
		item->bits &= ~7U;
	item->uid = uids[below(COUNT(uids))];
	item->user = users[below(COUNT(users))];
	item->name = random_name();
	item->last = item->first = ports[below(COUNT(ports))];
	while (percent(60) && item->last == item->first)
		item->last += below(65536 - item->last);
	print_item(item);
}

/* Prints the clauses in random order, but "at" after "to". */
static void print_rule(struct model_rule *rule)
{
	static const char *const words[] = {"from", "user", "command", "to", "at", "port"};
	bool done[RULE_CLAUSES] = {false};
	char *to = rule->text;
	to += sprintf(to, rule->allow ? "allow" : "deny");
	for (size_t n = 0; n < RULE_CLAUSES;) {
		size_t clause = below(RULE_CLAUSES);
		if (done[clause] || (clause == RULE_AT && !done[RULE_TO]))
			continue;
		done[clause] = true;
		n++;
		for (size_t i = 0; i < rule->counts[clause]; i++)
			to += sprintf(to, i == 0 ? " %s %s" : ",%.0s%s", words[clause],
				rule->items[clause][i].text);
	}
}

static void make_rule(struct model_rule *rule, bool allow)
{
	static const unsigned chances[RULE_CLAUSES] = {30, 20, 10, 75, 35, 30};
	rule->allow = allow;
	for (enum rule_clause clause = RULE_FROM; clause < RULE_CLAUSES; clause++) {
		bool may = clause != RULE_AT || rule->counts[RULE_TO] > 0;
		bool has = percent(chances[clause]) && may;
		rule->counts[clause] = has ? 1 + below(ITEMS_MAX) : 0;
		for (size_t i = 0; i < rule->counts[clause]; i++)
			make_item(clause, &rule->items[clause][i]);
	}
	print_rule(rule);
}

static void set_resolved(struct question *q, const struct sample *resolved)
{
	static const struct addr none = {.kind = ADDR_NONE};
	q->resolved = resolved;
	q->context.resolved = resolved ? resolved->addr : none;
	q->context.resolved.port = resolved ? q->context.requested.port : 0;
}

static struct question random_question(void)
{
	struct question q = {.context = {.command = SOCKS5_CONNECT, .uid = -1}};
	uint16_t port = (uint16_t)ports[below(COUNT(ports))];
	char text[ADDR_NAME_MAX + 1];

	q.context.client_kind = (enum rule_client)below(4);
	if (percent(50))
		q.context.client_kind = RULE_CLIENT_IP;
	do /* net/client.h converts mapped addresses to IPv4 */
		q.client = random_sample();
	while (is_mapped(q.client));
	if (q.context.client_kind == RULE_CLIENT_IP)
		q.context.client = q.client->addr;
	if (q.context.client_kind == RULE_CLIENT_UNIX && percent(80))
		q.context.uid = uids[below(COUNT(uids))];
	if (percent(50))
		q.context.user = users[below(COUNT(users))];
	if (percent(5))
		q.context.command = SOCKS5_BIND;

	const struct sample *resolved = random_sample();
	if (percent(60)) {
		q.name = random_name();
		write_name(&q.name, text);
		q.context.requested = addr_of(ADDR_NAME, text, (uint8_t)strlen(text), port);
	} else {
		q.context.requested = resolved->addr;
		q.context.requested.port = port;
	}
	set_resolved(&q, resolved);
	return q;
}

/* -- The model. If the address is unknown, its conditions are evaluated as true and as false. */

enum address { KNOWN, NOTHING_HOLDS, EVERYTHING_HOLDS };

static bool has_prefix(const struct addr *address, const struct item *item)
{
	/* A prefix of mapped addresses is a prefix of IPv4 addresses. */
	const struct addr *prefix = &item->prefix->addr;
	unsigned from = is_mapped(item->prefix) && item->bits >= 96 ? 96 : 0;
	bool same = bits_of(address) == bits_of(prefix) - from;
	for (unsigned i = from; same && i < item->bits; i++)
		same = bit_at(address, i - from) == bit_at(prefix, i);
	return same;
}

static bool address_holds(
	const struct item *item, const struct question *q, bool allow, enum address address)
{
	if (address != KNOWN)
		return address == EVERYTHING_HOLDS;
	bool is_public = strcmp(q->resolved->embedded_class, "public") == 0;
	if (item->kind == CLASS)
		return strcmp(item->class, q->resolved->embedded_class) == 0;
	return has_prefix(&q->resolved->embedded, item) ||
		(has_prefix(&q->resolved->addr, item) && (!allow || is_public));
}

static bool item_holds(
	const struct item *item, const struct question *q, bool allow, enum address address)
{
	const struct rule_context *f = &q->context;
	const bool is_ip = f->client_kind == RULE_CLIENT_IP,
		   is_unix = f->client_kind == RULE_CLIENT_UNIX;
	switch (item->kind) {
	case ANY:
		return true;
	case CLIENT_CLASS:
		return is_ip && strcmp(item->class, q->client->class) == 0;
	case CLIENT_PREFIX:
		return is_ip && has_prefix(&q->client->addr, item);
	case ANY_UNIX:
		return is_unix;
	case UNIX_OF:
		return is_unix && f->uid == item->uid;
	case STDIO:
		return f->client_kind == RULE_CLIENT_STDIO;
	case ANY_USER:
		return f->user != NULL;
	case USER:
		return f->user && strcmp(item->user, f->user) == 0;
	case CONNECT:
		return f->command == SOCKS5_CONNECT;
	case CLASS:
	case PREFIX:
		return address_holds(item, q, allow, address);
	case SAME_NAME:
	case SUFFIX:
		return q->name.count > 0 && ends_in(&q->name, &item->name) &&
			(q->name.count == item->name.count) == (item->kind == SAME_NAME);
	case PORTS:
		return f->requested.port >= item->first && f->requested.port <= item->last;
	}
	return false;
}

static bool clause_holds(const struct model_rule *rule, enum rule_clause clause,
	const struct question *q, enum address address)
{
	bool holds = rule->counts[clause] == 0;
	for (size_t i = 0; i < rule->counts[clause]; i++)
		holds |= item_holds(&rule->items[clause][i], q, rule->allow, address);
	return holds;
}

/* Evaluates the implied "at public" of an allowed name: "to" matches by the name only, and there is
 * no "at". */
static bool implied_holds(
	const struct model_rule *rule, const struct question *q, enum address address)
{
	static const struct item at_public = {.kind = CLASS, .class = "public"};
	bool by_name = false, by_address = false;
	for (size_t i = 0; i < rule->counts[RULE_TO]; i++) {
		const struct item *item = &rule->items[RULE_TO][i];
		bool holds = item_holds(item, q, rule->allow, address);
		by_name |= holds && is_name(item);
		by_address |= holds && !is_name(item);
	}
	if (!rule->allow || !by_name || by_address || rule->counts[RULE_AT] > 0)
		return true;
	return address_holds(&at_public, q, true, address);
}

static bool rule_holds(
	const struct model_rule *rule, const struct question *q, enum address address)
{
	bool holds = implied_holds(rule, q, address);
	for (enum rule_clause clause = RULE_FROM; clause < RULE_CLAUSES; clause++)
		holds &= clause_holds(rule, clause, q, address);
	return holds;
}

static enum rule_answer model_answer(const struct model_rule *rule, const struct question *q)
{
	if (q->resolved)
		return rule_holds(rule, q, KNOWN) ? RULE_YES : RULE_NO;
	if (rule_holds(rule, q, NOTHING_HOLDS))
		return RULE_YES;
	return rule_holds(rule, q, EVERYTHING_HOLDS) ? RULE_MAYBE : RULE_NO;
}

/* Returns the verdict. ret_number: the rule that decided, or count for the end of the rules. */
static enum rule_answer model_evaluate(
	const struct model_rule *rules, size_t count, const struct question *q, size_t *ret_number)
{
	bool may_allow = false, may_deny = false, certain = false;
	*ret_number = count;
	for (size_t i = 0; i < count && !certain; i++) {
		enum rule_answer answer = model_answer(&rules[i], q);
		may_allow |= answer != RULE_NO && rules[i].allow;
		may_deny |= answer != RULE_NO && !rules[i].allow;
		certain = answer == RULE_YES;
		if (certain)
			*ret_number = i;
	}
	may_deny |= !certain; /* the end of the rules denies */
	return may_allow && may_deny ? RULE_MAYBE : may_allow ? RULE_YES : RULE_NO;
}

/* -- Comparison */

static void show(const struct model_rule *rules, size_t count, const struct question *q)
{
	static const char *const kinds[] = {"other", "ip", "unix", "stdio"};
	char bytes[512] = "";
	struct writer w = writer_on(bytes, sizeof bytes);

	if (check_failures > CHECK_SHOWN_MAX)
		return;
	for (size_t i = 0; i < count; i++)
		printf("\t%zu. %s\n", i + 1, rules[i].text);
	addr_put(&w, &q->context.requested);
	printf("\tfrom %s %s uid %lld user %s command %u to %.*s", kinds[q->context.client_kind],
		q->context.client_kind == RULE_CLIENT_IP ? q->client->text : "",
		(long long)q->context.uid, q->context.user ? q->context.user : "(none)",
		q->context.command, (int)w.len, bytes);
	printf(", resolved to %s\n", q->resolved ? q->resolved->text : "(unknown)");
}

static void add(struct rules *rules, const char *text, const char *location)
{
	struct words words;
	struct words_line line = check_line(text, strlen(text));
	line.location = location;
	CHECK(words_split(&line, &words, check_new_problem()));
	if (!CHECK(rules_add(rules, &line, &words, check_new_problem())))
		printf("\t%s: %s\n", text, check_problem_text);
	free((char *)line.text); /* rules do not refer to it */
}

/* Returns the rules for rules_evaluate(). `first`, if not NULL, is the first one. real_free() frees
 * them. */
static struct rules real_of(const char *first, const struct model_rule *rules, size_t count)
{
	size_t size = sizeof(struct rule) + RULE_GROWTH * (first ? strlen(first) : 0);
	for (size_t i = 0; i < count; i++)
		size += sizeof(struct rule) + RULE_GROWTH * strlen(rules[i].text);
	struct rules real = rules_on(malloc(size), size);
	if (!real.pool.bytes)
		abort();
	if (first)
		add(&real, first, "test");
	for (size_t i = 0; i < count; i++)
		add(&real, rules[i].text, "test");
	return real;
}

static void real_free(struct rules *real)
{
	free(real->pool.bytes);
}

/* Returns the rule with this number, from 0. */
static const struct rule *real_at(const struct rules *real, size_t number)
{
	const struct rule *rule = (const struct rule *)real->pool.bytes;
	while (number-- > 0)
		rule = rule_next(rule);
	return rule;
}

static enum rule_answer answer_of(const struct rules *real, const struct question *q)
{
	return rules_evaluate(real, &q->context, NULL).allowed;
}

/* Returns the answer of one or two rules. */
static enum rule_answer answer_of_texts(const char *first, const char *second, struct question *q)
{
	struct model_rule rule = {.allow = false};
	snprintf(rule.text, sizeof rule.text, "%s", second ? second : "");
	struct rules real = real_of(first, &rule, second ? 1 : 0);
	enum rule_answer answer = answer_of(&real, q);
	real_free(&real);
	return answer;
}

/* rules_evaluate() calls `see` for each rule, once and in order, with the answer of the model and a
 * clause that does not match. */
static const struct model_rule *seen_rules;
static const struct question *seen_question;
static const struct rules *seen_real;
static size_t seen_count;

static void is_failed_clause(const struct model_rule *rule, const struct rule_match *match)
{
	enum address address = seen_question->resolved ? KNOWN : EVERYTHING_HOLDS;
	if (match->answer != RULE_NO) {
		CHECK_NUMBER(match->failed, RULE_CLAUSES);
		CHECK(!match->implied);
	} else if (match->implied) {
		CHECK_NUMBER(match->failed, RULE_AT);
		CHECK(!implied_holds(rule, seen_question, address));
	} else if (CHECK(match->failed < RULE_CLAUSES)) {
		CHECK(!clause_holds(rule, match->failed, seen_question, address));
	}
}

static void see(const struct rule *seen, const struct rule_match *match)
{
	const struct model_rule *rule = &seen_rules[seen_count];
	CHECK(seen == real_at(seen_real, seen_count));
	CHECK_NUMBER(match->allow, rule->allow);
	CHECK_NUMBER(match->answer, model_answer(rule, seen_question));
	is_failed_clause(rule, match);
	seen_count++;
}

static void is_evaluated_as_in_the_model(const struct model_rule *rules, size_t count,
	const struct rules *real, const struct question *q)
{
	size_t number;
	enum rule_answer want = model_evaluate(rules, count, q, &number);

	seen_rules = rules;
	seen_question = q;
	seen_real = real;
	seen_count = 0;
	struct rules_verdict verdict = rules_evaluate(real, &q->context, see);
	CHECK_NUMBER(verdict.allowed, want);
	if (!q->resolved)
		return;
	CHECK_NUMBER(seen_count, number < count ? number + 1 : count);
	if (number < count)
		CHECK(verdict.rule == real_at(real, number));
	else
		CHECK_STRING(verdict.rule->location, "end of the rules");
}

/* A verdict before the lookup is the verdict for all addresses. */
static void is_never_contradicted(
	const struct model_rule *rules, size_t count, const struct rules *real, struct question q)
{
	set_resolved(&q, NULL);
	enum rule_answer before = answer_of(real, &q);
	check_about = "before the lookup";
	is_evaluated_as_in_the_model(rules, count, real, &q);
	check_about = NULL;
	for (size_t i = 0; i < 6 && before != RULE_MAYBE; i++) {
		set_resolved(&q, random_sample());
		if (!CHECK_NUMBER(answer_of(real, &q), before))
			show(NULL, 0, &q);
	}
}

/* Another deny rule in front never allows more, and changes nothing that it does not match. */
static void deny_only_denies(const struct model_rule *rules, size_t count, const struct rules *real,
	const struct question *q)
{
	static struct model_rule first;
	make_rule(&first, false);
	struct rules more = real_of(first.text, rules, count);
	enum rule_answer before = answer_of(real, q), after = answer_of(&more, q);
	bool right = CHECK(after <= before);
	if (model_answer(&first, q) == RULE_NO)
		right &= CHECK_NUMBER(after, before);
	if (!right)
		show(&first, 1, q);
	real_free(&more);
}

/* Returns true if the suggested rule of one question may allow the other one. */
static bool is_same_request(const struct question *a, const struct question *b)
{
	const struct rule_context *f = &a->context, *g = &b->context;
	bool same_who = f->client_kind == RULE_CLIENT_OTHER ||
		(f->client_kind == g->client_kind &&
			(f->client_kind != RULE_CLIENT_IP || a->client == b->client) &&
			(f->client_kind != RULE_CLIENT_UNIX || f->uid < 0 || f->uid == g->uid));
	bool same_name = a->name.count == b->name.count && ends_in(&a->name, &b->name);
	bool same_address = strcmp(a->resolved->embedded_text, b->resolved->embedded_text) == 0;
	bool is_public = strcmp(a->resolved->embedded_class, "public") == 0 &&
		strcmp(b->resolved->embedded_class, "public") == 0;
	return same_who && f->requested.port == g->requested.port &&
		(a->name.count > 0 ? same_name && (same_address || is_public) : same_address);
}

/* Returns the suggested rule, which is valid until the next call. */
static const char *suggestion_of(const struct question *q)
{
	static char text[RULE_TEXT_MAX];
	struct writer w = writer_on(text, sizeof text - 1);
	rules_put_suggestion(&w, &q->context);
	CHECK(!w.full);
	text[w.len] = '\0';
	return text;
}

/* The suggested rule alone allows only the denied request. */
static void allows_only_this(const char *suggestion, const struct question *q)
{
	struct rules alone = real_of(suggestion, NULL, 0);
	for (size_t i = 0; i < 4; i++) {
		struct question other = random_question();
		if (percent(50)) {
			other.name = q->name;
			other.context.requested = q->context.requested;
		}
		if (percent(50)) {
			other.client = q->client;
			other.context.client_kind = q->context.client_kind;
			other.context.client = q->context.client;
			other.context.uid = q->context.uid;
		}
		if (answer_of(&alone, &other) == RULE_YES && !CHECK(is_same_request(q, &other)))
			show(NULL, 0, &other);
	}
	CHECK_NUMBER(answer_of(&alone, q), RULE_YES);
	real_free(&alone);
}

/* In front of the rules, the suggested rule allows the denied request. If a name was denied before
 * the lookup, the rule suggested for it leads to a lookup. */
static void suggestion_allows_only_this(
	const struct model_rule *rules, size_t count, struct question q)
{
	check_about = suggestion_of(&q);
	struct rules more = real_of(check_about, rules, count);
	CHECK_NUMBER(answer_of(&more, &q), RULE_YES);
	allows_only_this(check_about, &q);
	real_free(&more);
	if (q.name.count > 0) {
		set_resolved(&q, NULL);
		more = real_of(suggestion_of(&q), rules, count);
		CHECK(answer_of(&more, &q) != RULE_NO);
		real_free(&more);
	}
	check_about = NULL;
}

static unsigned long turns = TURNS;

static void agrees_with_the_model(void)
{
	static struct model_rule rules[MODEL_RULES_MAX];
	for (unsigned long turn = 0; turn < turns; turn++) {
		size_t count = 1 + below(MODEL_RULES_MAX);
		for (size_t i = 0; i < count; i++)
			make_rule(&rules[i], percent(55));
		struct rules real = real_of(NULL, rules, count);
		for (size_t i = 0; i < QUESTIONS; i++) {
			const unsigned failures = check_failures;
			struct question q = random_question();
			is_evaluated_as_in_the_model(rules, count, &real, &q);
			if (i % 2 == 0)
				is_never_contradicted(rules, count, &real, q);
			if (i % 4 == 1)
				deny_only_denies(rules, count, &real, &q);
			if (i % 8 == 3 && q.context.command == SOCKS5_CONNECT)
				suggestion_allows_only_this(rules, count, q);
			if (check_failures > failures)
				show(rules, count, &q);
		}
		real_free(&real);
	}
}

/* -- Built-in rules, limits and suggestions */

static _Alignas(struct rule) char built_in_memory[RULES_MEMORY(RULE_TEXT_MAX)];
static _Alignas(struct rule) char written_memory[RULES_MEMORY(RULE_TEXT_MAX)];

static struct rules built_in(void)
{
	struct rules rules = rules_on(built_in_memory, sizeof built_in_memory);
	rules_add_built_in(&rules);
	return rules;
}

/* The built-in rules and the lines that stdsocks.conf(5) gives for them are the same. */
static void built_in_rules_are_those_of_the_manual(void)
{
	static const char *const lines[][2] = {{"built-in 1", "deny port 25"},
		{"built-in 2", "allow from loopback,private,link-local,unix,stdio to public"},
		{"built-in 3", "allow user any to public"}, {"built-in 4", "deny"}};
	const struct rules rules = built_in();
	struct rules written = rules_on(written_memory, sizeof written_memory);
	unsigned decided[COUNT(lines)] = {0};

	for (size_t i = 0; i < COUNT(lines); i++)
		add(&written, lines[i][1], lines[i][0]);
	CHECK_NUMBER(rules.count, written.count);
	CHECK_NUMBER(rules.pool.len, written.pool.len);
	for (size_t i = 0; i < 20000; i++) {
		struct question q = random_question();
		if (percent(30))
			set_resolved(&q, NULL);
		struct rules_verdict got = rules_evaluate(&rules, &q.context, NULL);
		struct rules_verdict want = rules_evaluate(&written, &q.context, NULL);
		CHECK_NUMBER(got.allowed, want.allowed);
		if (!CHECK_STRING(got.rule->location, want.rule->location))
			show(NULL, 0, &q);
		CHECK_NUMBER(got.rule->number, 0);
		for (size_t n = 0; n < COUNT(lines); n++)
			decided[n] += want.rule == real_at(&written, n);
	}
	for (size_t i = 0; i < COUNT(lines); i++)
		CHECK(decided[i] > 0);
}

/* A request for an address, from 8.8.8.8 or a client of another kind. */
static struct question request_from(
	enum rule_client kind, const char *user, const char *to, int port)
{
	static struct sample client = {.text = "8.8.8.8", .class = "public"};
	struct question q = {
		.context = {.client_kind = kind, .user = user, .uid = -1, .command = 1}};
	q.client = &client;
	q.context.client = fuzz_address(client.text, 0);
	q.context.requested = q.context.resolved = fuzz_address(to, (uint16_t)port);
	CHECK(q.context.requested.kind != ADDR_NAME);
	return q;
}

/* The built-in rules allow neither an open proxy nor access to private networks. */
static void built_in_rules_deny_public_clients_and_private_addresses(void)
{
	static const struct {
		enum rule_client kind;
		const char *user, *to;
		int port;
		enum rule_answer allowed;
		const char *location;
	} rows[] = {
		{RULE_CLIENT_IP, NULL, "1.1.1.1", 443, RULE_NO, "built-in 4"},
		{RULE_CLIENT_OTHER, NULL, "1.1.1.1", 443, RULE_NO, "built-in 4"},
		{RULE_CLIENT_IP, "alice", "1.1.1.1", 443, RULE_YES, "built-in 3"},
		{RULE_CLIENT_IP, "alice", "1.1.1.1", 25, RULE_NO, "built-in 1"},
		{RULE_CLIENT_IP, "alice", "127.0.0.1", 443, RULE_NO, "built-in 4"},
		{RULE_CLIENT_STDIO, NULL, "1.1.1.1", 443, RULE_YES, "built-in 2"},
		{RULE_CLIENT_UNIX, NULL, "2600::1", 26, RULE_YES, "built-in 2"},
		{RULE_CLIENT_STDIO, NULL, "0.0.0.0", 443, RULE_NO, "built-in 4"},
		{RULE_CLIENT_STDIO, NULL, "::ffff:10.0.0.1", 443, RULE_NO, "built-in 4"},
		{RULE_CLIENT_STDIO, NULL, "169.254.169.254", 80, RULE_NO, "built-in 4"},
		{RULE_CLIENT_STDIO, NULL, "2002:a00:1::1", 80, RULE_NO, "built-in 4"},
	};
	const struct rules rules = built_in();
	EACH_ROW(row, rows, to) {
		struct question q = request_from(row->kind, row->user, row->to, row->port);
		struct rules_verdict verdict = rules_evaluate(&rules, &q.context, NULL);
		CHECK_NUMBER(verdict.allowed, row->allowed);
		CHECK_STRING(verdict.rule->location, row->location);
	}
}

static void no_rules_deny(void)
{
	const struct question q = request_from(RULE_CLIENT_STDIO, NULL, "1.1.1.1", 443);
	const struct rules none = rules_on(NULL, 0);
	const struct rules_verdict verdict = rules_evaluate(&none, &q.context, NULL);
	CHECK_NUMBER(verdict.allowed, RULE_NO);
	CHECK_STRING(verdict.rule->location, "end of the rules");
}

/* An invalid rule is not added, and neither is rule 4097. */
static void adds_at_most_4096_rules(void)
{
	const size_t size = RULES_MEMORY(RULES_MAX * strlen("allow"));
	struct rules rules = rules_on(malloc(size), size);
	struct words words;
	const struct words_line wrong = {.text = "allow to", .len = 8, .location = "test"};
	const struct words_line right = {.text = "allow", .len = 5, .location = "test"};

	if (!rules.pool.bytes)
		abort();
	CHECK(words_split(&wrong, &words, check_new_problem()));
	CHECK(!rules_add(&rules, &wrong, &words, check_new_problem()));
	CHECK(strstr(check_problem_text, "no value after"));
	CHECK(rules.count == 0 && rules.pool.len == 0);
	for (size_t i = 0; i < 4096; i++)
		add(&rules, "allow", "test");
	CHECK(words_split(&right, &words, check_new_problem()));
	CHECK(!rules_add(&rules, &right, &words, check_new_problem()));
	CHECK_STRING(check_problem_text, "too many access rules; use at most 4096");
	CHECK_NUMBER(rules.count, 4096);
	real_free(&rules);
}

static void suggestions_are_written_as_in_the_manual(void)
{
	static const struct {
		enum rule_client kind;
		int64_t uid;
		const char *to, *want;
	} rows[] = {
		{RULE_CLIENT_IP, -1, "8.8.8.8", "allow from 8.8.8.8 to 8.8.8.8 port 443"},
		{RULE_CLIENT_UNIX, 1000, "::1", "allow from unix:1000 to ::1 port 443"},
		{RULE_CLIENT_UNIX, 0, "::1", "allow from unix:0 to ::1 port 443"},
		{RULE_CLIENT_UNIX, -1, "0.0.0.0", "allow from unix to 127.0.0.1 port 443"},
		{RULE_CLIENT_STDIO, -1, "2002:a00:1::1", "allow from stdio to 10.0.0.1 port 443"},
		{RULE_CLIENT_OTHER, -1, "::", "allow from any to ::1 port 443"},
	};
	EACH_ROW(row, rows, want) {
		struct question q = request_from(row->kind, NULL, row->to, 443);
		q.context.uid = row->uid;
		CHECK_STRING(suggestion_of(&q), row->want);
	}
	check_about = NULL;

	struct question q = request_from(RULE_CLIENT_IP, NULL, "10.0.0.1", 80);
	q.context.requested = addr_of(ADDR_NAME, "Example.com.", 12, 80);
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to Example.com. at 10.0.0.1 port 80");
	q.context.resolved = q.context.client;
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to Example.com. port 80");
	q.context.routes[0] = SPECIAL_ROUTE_BROADCAST;
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to Example.com. at 8.8.8.8 port 80");
	q.context.routes[0] = SPECIAL_ROUTE_LOCAL;
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to Example.com. at loopback port 80");
	q.context.requested = q.context.resolved = fuzz_address("64:ff9b::a00:1", 80);
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to 10.0.0.1 at loopback port 80");
	q.context.requested = q.context.resolved = fuzz_address("127.0.0.2", 80);
	CHECK_STRING(suggestion_of(&q), "allow from 8.8.8.8 to 127.0.0.2 port 80");
}

/* An address of NAT64's local prefix, whose layout (RFC 6052) is unknown. The embedded address is
 * 8.8.8.8 for /48, 8.8.8.10 for /56, 8.8.10.0 for /64, 10.0.0.1 for /96. */
#define SEVERAL "64:ff9b:1:808:8:80a:a00:1"
/* The owner of a network chooses the last 64 bits, so an ISATAP address may be an ordinary one. */
#define ISATAP  "2600::5efe:a00:1"

/* If an address has several embedded addresses, all of them must be allowed. */
static void all_embedded_addresses_are_evaluated(void)
{
	static const struct {
		const char *to, *first, *second;
		enum rule_answer want;
	} rows[] = {
		{SEVERAL, "allow to any", NULL, RULE_YES},
		{SEVERAL, "allow to public", NULL, RULE_NO},
		{SEVERAL, "allow to 8.8.8.8", NULL, RULE_NO},
		{SEVERAL, "allow to 10.0.0.0/8", NULL, RULE_NO},
		{SEVERAL, "allow to 8.0.0.0/8,10.0.0.0/8", NULL, RULE_YES},
		{SEVERAL, "allow to 8.0.0.0/8", "allow to 10.0.0.0/8", RULE_YES},
		{SEVERAL, "deny to 8.8.8.8", "allow", RULE_NO},
		{SEVERAL, "deny to 10.0.0.1", "allow", RULE_NO},
		{SEVERAL, "deny to 9.9.9.9", "allow", RULE_YES},
		{ISATAP, "allow to any", NULL, RULE_YES},
		{ISATAP, "allow to private", NULL, RULE_NO},
		{ISATAP, "allow to public", NULL, RULE_NO},
		{ISATAP, "allow to 10.0.0.0/8", NULL, RULE_NO},
		{ISATAP, "allow to 2600::/16", NULL, RULE_NO},
		{ISATAP, "allow to 10.0.0.0/8,2600::/16", NULL, RULE_YES},
		{ISATAP, "deny to public", "allow", RULE_NO},
		{ISATAP, "deny to private", "allow", RULE_NO},
		{"2600::200:5efe:808:808", "allow to public", NULL, RULE_YES},
		{"fd00::5efe:808:808", "allow to public", NULL, RULE_NO},
		{"fe80::5efe:808:808", "allow to public", NULL, RULE_NO},
		{"2001:db8::5efe:808:808", "allow to public", NULL, RULE_NO},
		{"2002:808:808::5efe:a00:1", "allow to public", NULL, RULE_NO},
	};
	EACH_ROW(row, rows, first) {
		struct question q = request_from(RULE_CLIENT_STDIO, NULL, row->to, 443);
		if (!CHECK_NUMBER(answer_of_texts(row->first, row->second, &q), row->want))
			printf("\tto %s\n", row->to);
		CHECK_NUMBER(answer_of_texts(suggestion_of(&q), NULL, &q), RULE_YES);
	}
}

/* -- Routes */

/* By its route, an address is a loopback address or in no class. An unknown route matters only if
 * the decision depends on it and a rule may allow the request. */
static void a_route_determines_the_class(void)
{
	static const struct {
		const char *to, *first, *second;
		/* By route, in the order of enum special_route: n is RULE_NO, y is RULE_YES. */
		const char *want;
	} rows[] = {
		{"8.8.4.4", "allow to public", NULL, "ynn?"},
		{"8.8.4.4", "allow to loopback", NULL, "nyn?"},
		{"8.8.4.4", "allow to private,link-local", NULL, "nnnn"},
		{"8.8.4.4", "allow to any", NULL, "yyyy"},
		{"8.8.4.4", "allow to 8.0.0.0/8", NULL, "yyyy"},
		{"8.8.4.4", "allow to 8.0.0.0/8 at loopback", NULL, "nyn?"},
		{"8.8.4.4", "allow to public port 80", NULL, "nnnn"},
		{"8.8.4.4", "allow to public,loopback", NULL, "yyn?"},
		{"8.8.4.4", "deny to loopback", "allow", "yny?"},
		{"8.8.4.4", "deny to loopback", "allow to private", "nnnn"},
		{"8.8.4.4", "deny to public", "allow to loopback", "nyn?"},
		{"8.8.4.4", "deny to private", "allow", "yyyy"},
		{"10.0.0.1", "allow to private", NULL, "ynn?"},
		{"169.254.0.1", "allow to link-local", NULL, "ynn?"},
		{"192.0.2.1", "allow to loopback", NULL, "nyn?"},
		{"2600::1", "allow to public", NULL, "ynn?"},
		{"127.0.0.1", "allow to loopback", NULL, "yyny"},
		{"::1", "allow to public", NULL, "nnnn"},
		{"0.0.0.0", "allow to loopback", NULL, "yyny"},
		{"64:ff9b::808:404", "allow to public", NULL, "ynn?"},
		{"2002:808:404::1", "allow to 2002::/16", NULL, "ynn?"},
		{"2002:808:404::1", "deny to 2002::/16", "allow", "nnnn"},
	};
	EACH_ROW(row, rows, first)
		for (unsigned route = 0; route <= SPECIAL_ROUTE_UNKNOWN; route++) {
			struct question q = request_from(RULE_CLIENT_STDIO, NULL, row->to, 443);
			memset(q.context.routes, (int)route, sizeof q.context.routes);
			const enum rule_answer want = row->want[route] == 'y' ? RULE_YES
				: row->want[route] == 'n'                     ? RULE_NO
									      : RULE_MAYBE;
			if (!CHECK_NUMBER(answer_of_texts(row->first, row->second, &q), want))
				printf("\tto %s by route %u\n", row->to, route);
			if (route < SPECIAL_ROUTE_UNKNOWN)
				CHECK_NUMBER(
					answer_of_texts(suggestion_of(&q), NULL, &q), RULE_YES);
		}
}

/* A rule that allows a name allows none of its addresses that are loopback by their route. */
static void a_name_is_not_allowed_at_this_host(void)
{
	struct question q = request_from(RULE_CLIENT_STDIO, NULL, "8.8.4.4", 443);

	q.context.requested = addr_of(ADDR_NAME, "a.example", 9, 443);
	q.context.routes[0] = SPECIAL_ROUTE_UNKNOWN;
	CHECK_NUMBER(answer_of_texts("allow to a.example", NULL, &q), RULE_MAYBE);
	CHECK_NUMBER(answer_of_texts("allow to a.example at loopback", NULL, &q), RULE_MAYBE);
	CHECK_NUMBER(answer_of_texts("allow to a.example at any", NULL, &q), RULE_YES);
	q.context.routes[0] = SPECIAL_ROUTE_LOCAL;
	CHECK_NUMBER(answer_of_texts("allow to a.example", NULL, &q), RULE_NO);
	CHECK_NUMBER(answer_of_texts("allow to a.example at loopback", NULL, &q), RULE_YES);
	q.context.routes[0] = SPECIAL_ROUTE_OTHER;
	CHECK_NUMBER(answer_of_texts("allow to a.example", NULL, &q), RULE_YES);
	CHECK_NUMBER(answer_of_texts("allow to a.example at loopback", NULL, &q), RULE_NO);
}

/* Each embedded address has its own route. The verdict says which one has to be known. */
static void each_embedded_address_has_a_route(void)
{
	struct rules rules = real_of("allow to public", NULL, 0);
	struct question q = request_from(RULE_CLIENT_STDIO, NULL, "2600::5efe:808:808", 443);
	uint8_t *routes = q.context.routes;

	memset(routes, SPECIAL_ROUTE_UNKNOWN, sizeof q.context.routes);
	for (unsigned known = 0; known < 2; known++) {
		const struct rules_verdict verdict = rules_evaluate(&rules, &q.context, NULL);
		CHECK_NUMBER(verdict.allowed, RULE_MAYBE);
		CHECK(verdict.unknown < 2 && routes[verdict.unknown] == SPECIAL_ROUTE_UNKNOWN);
		routes[verdict.unknown] = SPECIAL_ROUTE_OTHER;
	}
	CHECK_NUMBER(answer_of(&rules, &q), RULE_YES);
	for (unsigned n = 0; n < 2; n++) {
		routes[n] = SPECIAL_ROUTE_LOCAL;
		CHECK_NUMBER(answer_of(&rules, &q), RULE_NO);
		routes[!n] = SPECIAL_ROUTE_UNKNOWN; /* need not be known any more */
		CHECK_NUMBER(answer_of(&rules, &q), RULE_NO);
		routes[n] = routes[!n] = SPECIAL_ROUTE_OTHER;
	}
	real_free(&rules);
}

/* A client chooses the name that it requests: the suggested rule must not allow a class. */
static void a_suggestion_distinguishes_names_from_classes(void)
{
	static const char *const names[] = {"any", "loopback", "private", "link-local", "public",
		"all", "Any", "PRIVATE", "Link_Local"};
	EACH_TEXT(text, names) {
		struct question q = request_from(RULE_CLIENT_STDIO, NULL, "10.0.0.1", 443);
		q.context.requested = addr_of(ADDR_NAME, text, (uint8_t)strlen(text), 443);
		const char *suggestion = suggestion_of(&q);
		CHECK_NUMBER(answer_of_texts(suggestion, NULL, &q), RULE_YES);
		q = request_from(RULE_CLIENT_STDIO, NULL, "10.0.0.1", 443);
		CHECK_NUMBER(answer_of_texts(suggestion, NULL, &q), RULE_NO);
		q = request_from(RULE_CLIENT_STDIO, NULL, "8.8.8.8", 443);
		CHECK_NUMBER(answer_of_texts(suggestion, NULL, &q), RULE_NO);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2)
		turns = strtoul(argv[2], NULL, 10);
	if (argc > 1)
		seed ^= strtoull(argv[1], NULL, 10);
	make_samples();
	return CHECK_ALL(agrees_with_the_model, built_in_rules_are_those_of_the_manual,
		built_in_rules_deny_public_clients_and_private_addresses, no_rules_deny,
		adds_at_most_4096_rules, suggestions_are_written_as_in_the_manual,
		all_embedded_addresses_are_evaluated, a_route_determines_the_class,
		a_name_is_not_allowed_at_this_host, each_embedded_address_has_a_route,
		a_suggestion_distinguishes_names_from_classes);
}

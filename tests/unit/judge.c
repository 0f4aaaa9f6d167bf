/* SPDX-License-Identifier: ISC */
/* policy/judge: random rules and facts against a model that is slow and plain. The model is written
 * from stdsocks.conf(5), ACCESS RULES, and reads no text: its rules are made as values, and printed.
 * judge [SEED [TURNS]] */
#include "policy/judge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

#include "check.h"
#include "wire/socks5.h"

#define RULES_MAX     5
#define ITEMS_MAX     3
#define LABELS_MAX    3
#define ITEM_TEXT_MAX 64
#define RULE_TEXT_MAX 1024
#define TURNS         15000 /* rule sets, each asked QUESTIONS times */
#define QUESTIONS     8

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* -- Chance: xorshift64, so that a seed is a run. */

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

/* -- Addresses, each with what is known of it by hand: tests/unit/special.c has the rest. */

struct bits {
	unsigned count; /* 32 or 128 */
	bool at[128];
};

static struct place {
	const char *text, *class;               /* as it stands */
	const char *inside_text, *inside_class; /* what it reaches; NULL: itself */
	struct bits bits, inside_bits;
	struct addr addr;
} places[] = {
	{.text = "0.0.0.0", .class = "special", "127.0.0.1", "loopback"},
	{.text = "0.0.0.1", .class = "special"},
	{.text = "1.1.1.1", .class = "public"},
	{.text = "8.8.8.8", .class = "public"},
	{.text = "9.255.255.255", .class = "public"},
	{.text = "10.0.0.0", .class = "private"},
	{.text = "10.0.0.1", .class = "private"},
	{.text = "10.255.255.255", .class = "private"},
	{.text = "11.0.0.0", .class = "public"},
	{.text = "100.63.255.255", .class = "public"},
	{.text = "100.64.0.0", .class = "private"},
	{.text = "127.0.0.1", .class = "loopback"},
	{.text = "128.0.0.0", .class = "public"},
	{.text = "169.254.169.254", .class = "link-local"},
	{.text = "192.0.2.7", .class = "special"},
	{.text = "192.168.0.1", .class = "private"},
	{.text = "224.0.0.1", .class = "special"},
	{.text = "255.255.255.255", .class = "special"},
	{.text = "::", .class = "special", "::1", "loopback"},
	{.text = "::1", .class = "loopback"},
	{.text = "::10.0.0.1", .class = "special", "10.0.0.1", "private"},
	{.text = "::8.8.8.8", .class = "special", "8.8.8.8", "public"},
	{.text = "::ffff:0.0.0.0", .class = "special", "127.0.0.1", "loopback"},
	{.text = "::ffff:10.0.0.1", .class = "special", "10.0.0.1", "private"},
	{.text = "::ffff:8.8.8.8", .class = "special", "8.8.8.8", "public"},
	{.text = "64:ff9b::7f00:1", .class = "special", "127.0.0.1", "loopback"},
	{.text = "64:ff9b::808:808", .class = "special", "8.8.8.8", "public"},
	{.text = "64:ff9b:1::a00:1", .class = "special", "10.0.0.1", "private"},
	{.text = "2001:0:102:304::f5ff:fffe", .class = "special", "10.0.0.1", "private"},
	{.text = "2001:0:102:304::f7f7:f7f7", .class = "special", "8.8.8.8", "public"},
	{.text = "2002:a00:1::1", .class = "public", "10.0.0.1", "private"},
	{.text = "2002:808:808::1", .class = "public", "8.8.8.8", "public"},
	{.text = "2600::1", .class = "public"},
	{.text = "2001:4860::8888", .class = "public"},
	{.text = "2001:db8::1", .class = "special"},
	{.text = "3fff:1000::", .class = "public"},
	{.text = "fc00::1", .class = "private"},
	{.text = "fe80::1", .class = "link-local"},
	{.text = "ff02::1", .class = "special"},
};

static struct addr read_address(const char *text, struct bits *ret_bits)
{
	uint8_t ip[16];
	bool is_ipv4 = inet_pton(AF_INET, text, ip) == 1;
	CHECK(is_ipv4 || inet_pton(AF_INET6, text, ip) == 1);
	ret_bits->count = is_ipv4 ? 32 : 128;
	for (unsigned i = 0; i < ret_bits->count; i++)
		ret_bits->at[i] = ip[i / 8] & 0x80 >> i % 8;
	return addr_of(is_ipv4 ? ADDR_IPV4 : ADDR_IPV6, ip, is_ipv4 ? 4 : 16, 0);
}

static void read_places(void)
{
	for (size_t i = 0; i < COUNT(places); i++) {
		struct place *p = &places[i];
		if (!p->inside_text) {
			p->inside_text = p->text;
			p->inside_class = p->class;
		}
		read_address(p->inside_text, &p->inside_bits);
		p->addr = read_address(p->text, &p->bits);
	}
}

static const struct place *some_place(void)
{
	return &places[below(COUNT(places))];
}

static bool is_mapped(const struct place *place)
{
	return strncmp(place->text, "::ffff:", 7) == 0;
}

/* -- Names, as labels in lower case */

struct name {
	size_t count; /* 0: none */
	const char *labels[LABELS_MAX];
};

static struct name some_name(void)
{
	static const char *const labels[] = {"a", "b", "ex", "com"};
	struct name name = {.count = 1 + below(LABELS_MAX)};
	for (size_t i = 0; i < name.count; i++)
		name.labels[i] = labels[below(COUNT(labels))];
	return name;
}

/* Writes it in whatever case, perhaps with the dot at the end. */
static void spell(const struct name *name, char *ret_text)
{
	char *to = ret_text;
	for (size_t i = 0; i < name->count; i++) {
		for (const char *c = name->labels[i]; *c; c++)
			*to++ = (char)(percent(50) ? toupper(*c) : *c);
		*to++ = '.';
	}
	to[percent(30) ? 0 : -1] = '\0';
}

/* Whether the last labels of one are those of the other. */
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

enum kind { ANY, CLASS, PREFIX, SAME_NAME, SUFFIX, ANY_UNIX, UNIX_OF, STDIO, USER, CONNECT, PORTS };

struct item {
	enum kind kind;
	const char *class, *user;
	const struct place *prefix;
	unsigned bits;
	struct name name;
	int64_t uid;
	unsigned first, last;
	char text[ITEM_TEXT_MAX];
};

struct rule {
	bool allow;
	size_t counts[RULE_CLAUSES]; /* 0: without that clause */
	struct item items[RULE_CLAUSES][ITEMS_MAX];
	char text[RULE_TEXT_MAX];
};

struct question {
	struct rule_facts facts;
	const struct place *client, *reached;
	struct name name;
};

static const char *const users[] = {"alice", "Alice", "bob", "alice2"};
static const int64_t uids[] = {0, 1, 1000, UINT32_MAX};
static const unsigned ports[] = {1, 2, 24, 25, 26, 80, 443, 444, 65534, 65535};

static void make_address_item(struct item *item)
{
	static const char *const classes[] = {"loopback", "private", "link-local", "public"};
	unsigned which = below(10);
	item->kind = which == 0 ? ANY : which < 5 ? CLASS : PREFIX;
	item->class = classes[below(COUNT(classes))];
	item->prefix = some_place();
	item->bits = below(item->prefix->bits.count + 1);
	if (percent(50))
		item->bits &= ~7U;
	if (item->kind != PREFIX)
		snprintf(item->text, sizeof item->text, "%s",
			item->kind == ANY ? "any" : item->class);
	else if (item->bits == item->prefix->bits.count && percent(50))
		snprintf(item->text, sizeof item->text, "%s", item->prefix->text);
	else
		snprintf(item->text, sizeof item->text, "%s/%u", item->prefix->text, item->bits);
}

static void make_from_item(struct item *item)
{
	static const char *const texts[] = {
		[ANY] = "any", [ANY_UNIX] = "unix", [UNIX_OF] = "unix:", [STDIO] = "stdio"};
	static const enum kind kinds[] = {ANY, ANY_UNIX, UNIX_OF, STDIO};
	if (percent(60)) {
		make_address_item(item);
		return;
	}
	item->kind = kinds[below(COUNT(kinds))];
	item->uid = uids[below(COUNT(uids))];
	int len = snprintf(item->text, sizeof item->text, "%s", texts[item->kind]);
	if (item->kind == UNIX_OF)
		snprintf(item->text + len, sizeof item->text - (size_t)len, "%lld",
			(long long)item->uid);
}

static void make_to_item(struct item *item)
{
	if (percent(50)) {
		make_address_item(item);
		return;
	}
	item->kind = percent(50) ? SAME_NAME : SUFFIX;
	item->name = some_name();
	item->text[0] = '.';
	spell(&item->name, item->text + (item->kind == SUFFIX));
}

static void make_item(enum rule_clause clause, struct item *item)
{
	switch (clause) {
	case RULE_FROM:
		make_from_item(item);
		break;
	case RULE_USER:
		item->kind = percent(30) ? ANY : USER;
		item->user = users[below(COUNT(users))];
		snprintf(item->text, sizeof item->text, "%s",
			item->kind == ANY ? "any" : item->user);
		break;
	case RULE_COMMAND:
		item->kind = CONNECT;
		snprintf(item->text, sizeof item->text, "connect");
		break;
	case RULE_TO:
		make_to_item(item);
		break;
	case RULE_AT:
		make_address_item(item);
		break;
	case RULE_PORT:
		item->kind = PORTS;
		item->last = item->first = ports[below(COUNT(ports))];
		while (percent(60) && item->last == item->first)
			item->last += below(65536 - item->last);
		snprintf(item->text, sizeof item->text, item->last == item->first ? "%u" : "%u-%u",
			item->first, item->last);
		break;
	case RULE_CLAUSES:
		break;
	}
}

/* The clauses stand in any order, but for "at", which is somewhere behind "to". */
static void print_rule(struct rule *rule)
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

static void make_rule(struct rule *rule, bool allow)
{
	static const unsigned chances[RULE_CLAUSES] = {30, 20, 10, 75, 0, 30};
	rule->allow = allow;
	for (enum rule_clause clause = RULE_FROM; clause < RULE_CLAUSES; clause++) {
		unsigned chance = clause == RULE_AT ? 35 : chances[clause];
		bool has = percent(chance) && (clause != RULE_AT || rule->counts[RULE_TO] > 0);
		rule->counts[clause] = has ? 1 + below(ITEMS_MAX) : 0;
		for (size_t i = 0; i < rule->counts[clause]; i++)
			make_item(clause, &rule->items[clause][i]);
	}
	print_rule(rule);
}

static void set_reached(struct question *q, const struct place *reached)
{
	static const struct addr none = {.kind = ADDR_NONE};
	q->reached = reached;
	q->facts.reached = reached ? reached->addr : none;
	q->facts.reached.port = reached ? q->facts.asked.port : 0;
}

static struct question some_question(void)
{
	struct question q = {.facts = {.command = SOCKS5_CONNECT, .uid = -1}};
	uint16_t port = (uint16_t)ports[below(COUNT(ports))];
	char text[ADDR_NAME_MAX + 1];

	q.facts.client_kind = (enum rule_client)below(4);
	if (percent(50))
		q.facts.client_kind = RULE_CLIENT_IP;
	do /* net/client.h has turned a mapped one into the IPv4 address that it stands for */
		q.client = some_place();
	while (is_mapped(q.client));
	if (q.facts.client_kind == RULE_CLIENT_IP)
		q.facts.client = q.client->addr;
	if (q.facts.client_kind == RULE_CLIENT_UNIX && percent(80))
		q.facts.uid = uids[below(COUNT(uids))];
	if (percent(50))
		q.facts.user = users[below(COUNT(users))];
	if (percent(5))
		q.facts.command = SOCKS5_BIND;

	const struct place *reached = some_place();
	if (percent(60)) {
		q.name = some_name();
		spell(&q.name, text);
		q.facts.asked = addr_of(ADDR_NAME, text, (uint8_t)strlen(text), port);
	} else {
		q.facts.asked = reached->addr;
		q.facts.asked.port = port;
	}
	set_reached(&q, reached);
	return q;
}

/* -- The model. Where the address is not known, everything that hangs on it is tried both ways. */

enum address { KNOWN, NOTHING_HOLDS, EVERYTHING_HOLDS };

static bool has_prefix(const struct bits *address, const struct item *item)
{
	/* A prefix of mapped addresses is one of IPv4 addresses. */
	unsigned from = is_mapped(item->prefix) && item->bits >= 96 ? 96 : 0;
	bool same = address->count == item->prefix->bits.count - from;
	for (unsigned i = from; same && i < item->bits; i++)
		same = address->at[i - from] == item->prefix->bits.at[i];
	return same;
}

static bool address_holds(
	const struct item *item, const struct question *q, bool allow, enum address address)
{
	if (item->kind == ANY)
		return true;
	if (address != KNOWN)
		return address == EVERYTHING_HOLDS;
	if (item->kind == CLASS)
		return strcmp(item->class, q->reached->inside_class) == 0;
	bool opens = !allow || strcmp(q->reached->inside_class, "public") == 0;
	return has_prefix(&q->reached->inside_bits, item) ||
		(has_prefix(&q->reached->bits, item) && opens);
}

static bool name_holds(const struct item *item, const struct question *q)
{
	if (q->name.count == 0 || !ends_in(&q->name, &item->name))
		return false;
	bool same = q->name.count == item->name.count;
	return item->kind == SAME_NAME ? same : !same;
}

static bool from_holds(const struct item *item, const struct question *q)
{
	const struct rule_facts *f = &q->facts;
	switch (item->kind) {
	case ANY:
		return true;
	case CLASS:
		return f->client_kind == RULE_CLIENT_IP &&
			strcmp(item->class, q->client->class) == 0;
	case PREFIX:
		return f->client_kind == RULE_CLIENT_IP && has_prefix(&q->client->bits, item);
	case ANY_UNIX:
		return f->client_kind == RULE_CLIENT_UNIX;
	case UNIX_OF:
		return f->client_kind == RULE_CLIENT_UNIX && f->uid == item->uid;
	default:
		return f->client_kind == RULE_CLIENT_STDIO;
	}
}

static bool item_holds(enum rule_clause clause, const struct item *item, const struct question *q,
	bool allow, enum address address)
{
	switch (clause) {
	case RULE_FROM:
		return from_holds(item, q);
	case RULE_USER:
		return q->facts.user && (item->kind == ANY || !strcmp(item->user, q->facts.user));
	case RULE_COMMAND:
		return q->facts.command == SOCKS5_CONNECT;
	case RULE_TO:
		if (item->kind == SAME_NAME || item->kind == SUFFIX)
			return name_holds(item, q);
		return address_holds(item, q, allow, address);
	case RULE_AT:
		return address_holds(item, q, allow, address);
	case RULE_PORT:
		return q->facts.asked.port >= item->first && q->facts.asked.port <= item->last;
	case RULE_CLAUSES:
		break;
	}
	return false;
}

static bool clause_holds(const struct rule *rule, enum rule_clause clause, const struct question *q,
	enum address address)
{
	bool holds = rule->counts[clause] == 0;
	for (size_t i = 0; i < rule->counts[clause]; i++)
		holds |= item_holds(clause, &rule->items[clause][i], q, rule->allow, address);
	return holds;
}

/* A name that is allowed, when nothing but the name is why, and no "at" says where: at public. */
static bool implied_holds(const struct rule *rule, const struct question *q, enum address address)
{
	static const struct item at_public = {.kind = CLASS, .class = "public"};
	bool by_name = false, by_address = false;
	for (size_t i = 0; i < rule->counts[RULE_TO]; i++) {
		const struct item *item = &rule->items[RULE_TO][i];
		bool holds = item_holds(RULE_TO, item, q, rule->allow, address);
		bool is_name = item->kind == SAME_NAME || item->kind == SUFFIX;
		by_name |= holds && is_name;
		by_address |= holds && !is_name;
	}
	if (!rule->allow || !by_name || by_address || rule->counts[RULE_AT] > 0)
		return true;
	return address_holds(&at_public, q, true, address);
}

static bool rule_holds(const struct rule *rule, const struct question *q, enum address address)
{
	bool holds = implied_holds(rule, q, address);
	for (enum rule_clause clause = RULE_FROM; clause < RULE_CLAUSES; clause++)
		holds &= clause_holds(rule, clause, q, address);
	return holds;
}

static enum rule_answer model_answer(const struct rule *rule, const struct question *q)
{
	if (q->reached)
		return rule_holds(rule, q, KNOWN) ? RULE_YES : RULE_NO;
	if (rule_holds(rule, q, NOTHING_HOLDS))
		return RULE_YES;
	return rule_holds(rule, q, EVERYTHING_HOLDS) ? RULE_MAYBE : RULE_NO;
}

/* The verdict, and the number of the rule that gave it: count for their end. */
static enum rule_answer model_judge(
	const struct rule *rules, size_t count, const struct question *q, size_t *ret_number)
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
	may_deny |= !certain; /* their end denies */
	return may_allow && may_deny ? RULE_MAYBE : may_allow ? RULE_YES : RULE_NO;
}

/* -- Holding them against each other */

static void show(const struct rule *rules, size_t count, const struct question *q)
{
	static const char *const kinds[] = {"other", "ip", "unix", "stdio"};
	char bytes[512] = "";
	struct writer w = writer_on(bytes, sizeof bytes);

	if (check_failures > CHECK_SHOWN_MAX)
		return;
	for (size_t i = 0; i < count; i++)
		printf("\t%zu. %s\n", i + 1, rules[i].text);
	addr_put(&w, &q->facts.asked);
	printf("\tfrom %s %s uid %lld user %s command %u to %.*s", kinds[q->facts.client_kind],
		q->facts.client_kind == RULE_CLIENT_IP ? q->client->text : "",
		(long long)q->facts.uid, q->facts.user ? q->facts.user : "(nobody)",
		q->facts.command, (int)w.len, bytes);
	printf(" reached %s\n", q->reached ? q->reached->text : "(unknown)");
}

/* The same rules for the real one; the texts are copied to where a byte too many shows. */
struct real {
	struct words_line lines[RULES_MAX + 1];
	struct judge_rules rules;
};

static struct words_line line_of(const char *text, size_t len)
{
	char *copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, text, len);
	return (struct words_line){.text = copy, .len = len, .place = "test"};
}

static void real_free(struct real *real)
{
	for (size_t i = 0; i < real->rules.count; i++)
		free((char *)real->lines[i].text);
	free(real);
}

static struct real *real_of(const struct rule *rules, size_t count)
{
	struct real *real = malloc(sizeof *real);
	if (!real)
		abort();
	real->rules = (struct judge_rules){.count = count, .rules = real->lines};
	for (size_t i = 0; i < count; i++)
		real->lines[i] = line_of(rules[i].text, strlen(rules[i].text));
	return real;
}

/* What judge() lets see: each rule once and in order, with the model's answer, and a clause that is
 * why not. */
static const struct rule *seen_rules;
static const struct question *seen_question;
static const struct words_line *seen_lines;
static size_t seen_count;

static bool is_why_not(const struct rule *rule, const struct rule_match *match)
{
	enum address address = seen_question->reached ? KNOWN : EVERYTHING_HOLDS;
	if (match->answer != RULE_NO)
		return CHECK_NUMBER(match->failed, RULE_CLAUSES) && CHECK(!match->implied);
	if (!CHECK(match->failed < RULE_CLAUSES))
		return false;
	if (match->implied)
		return CHECK_NUMBER(match->failed, RULE_AT) &&
			CHECK(!implied_holds(rule, seen_question, address));
	return CHECK(!clause_holds(rule, match->failed, seen_question, address));
}

static void see(const struct words_line *line, const struct rule_match *match)
{
	const struct rule *rule = &seen_rules[seen_count];
	bool right = CHECK(line == &seen_lines[seen_count]);
	right &= CHECK_NUMBER(match->allow, rule->allow);
	right &= CHECK_NUMBER(match->answer, model_answer(rule, seen_question));
	right = right && is_why_not(rule, match);
	if (!right)
		show(rule, 1, seen_question);
	seen_count++;
}

static void is_judged_as_the_model_does(
	const struct rule *rules, size_t count, struct real *real, const struct question *q)
{
	size_t number;
	enum rule_answer want = model_judge(rules, count, q, &number);

	seen_rules = rules;
	seen_question = q;
	seen_lines = real->lines;
	seen_count = 0;
	struct judge_verdict verdict = judge(&real->rules, &q->facts, see);
	bool right = CHECK_NUMBER(verdict.allowed, want);
	if (q->reached) {
		right &= CHECK_NUMBER(seen_count, number < count ? number + 1 : count);
		right &= number < count ? CHECK(verdict.rule == &real->lines[number])
					: CHECK_STRING(verdict.rule->place, "end of the rules");
	}
	if (!right)
		show(rules, count, q);
}

/* What is said before a lookup, no address that it brings contradicts. */
static void is_never_contradicted(
	const struct rule *rules, size_t count, struct real *real, struct question q)
{
	set_reached(&q, NULL);
	enum rule_answer before = judge(&real->rules, &q.facts, NULL).allowed;
	is_judged_as_the_model_does(rules, count, real, &q);
	if (before == RULE_MAYBE)
		return;
	for (size_t i = 0; i < 6; i++) {
		set_reached(&q, some_place());
		if (!CHECK_NUMBER(judge(&real->rules, &q.facts, NULL).allowed, before))
			show(rules, count, &q);
	}
}

/* Puts a rule in front of the others. */
static struct real *with_first(const struct real *real, const char *text)
{
	struct real *more = malloc(sizeof *more);
	if (!more)
		abort();
	more->rules = (struct judge_rules){.count = real->rules.count + 1, .rules = more->lines};
	more->lines[0] = line_of(text, strlen(text));
	for (size_t i = 0; i < real->rules.count; i++)
		more->lines[i + 1] = line_of(real->lines[i].text, real->lines[i].len);
	return more;
}

/* Another deny in front never allows more; what it does not match stays as it was. */
static void deny_only_takes(const struct rule *rules, size_t count, struct real *real,
	const struct question *q, struct rule *first)
{
	make_rule(first, false);
	struct real *more = with_first(real, first->text);
	enum rule_answer before = judge(&real->rules, &q->facts, NULL).allowed;
	enum rule_answer after = judge(&more->rules, &q->facts, NULL).allowed;
	bool right = CHECK(after <= before);
	if (count > 0 && model_answer(first, q) == RULE_NO)
		right &= CHECK_NUMBER(after, before);
	if (!right) {
		show(first, 1, q);
		show(rules, count, q);
	}
	real_free(more);
}

/* Whether two questions are the same for the line that would allow one of them. */
static bool is_just_this(const struct question *a, const struct question *b)
{
	const struct rule_facts *f = &a->facts, *g = &b->facts;
	bool same_who = f->client_kind == RULE_CLIENT_OTHER ||
		(f->client_kind == g->client_kind &&
			(f->client_kind != RULE_CLIENT_IP || a->client == b->client) &&
			(f->client_kind != RULE_CLIENT_UNIX || f->uid < 0 || f->uid == g->uid));
	bool same_name = a->name.count == b->name.count && ends_in(&a->name, &b->name);
	bool same_address = strcmp(a->reached->inside_text, b->reached->inside_text) == 0;
	bool is_public = strcmp(a->reached->inside_class, "public") == 0 &&
		strcmp(b->reached->inside_class, "public") == 0;
	return same_who && f->asked.port == g->asked.port &&
		(a->name.count > 0 ? same_name && (same_address || is_public) : same_address);
}

/* The line that a refusal names, in front of the rules, allows what was refused; alone, it allows
 * nothing else. */
static void remedy_allows_just_this(
	const struct rule *rules, size_t count, struct real *real, struct question q)
{
	static const struct real nothing;
	char text[RULE_TEXT_MAX] = "";
	struct writer w = writer_on(text, sizeof text - 1);

	judge_put_remedy(&w, &q.facts);
	CHECK(!w.full);
	struct real *more = with_first(real, text), *alone = with_first(&nothing, text);
	bool right = CHECK_NUMBER(judge(&more->rules, &q.facts, NULL).allowed, RULE_YES);
	right &= CHECK_NUMBER(judge(&alone->rules, &q.facts, NULL).allowed, RULE_YES);
	for (size_t i = 0; i < 4; i++) {
		struct question other = some_question();
		if (percent(50)) {
			other.name = q.name;
			other.facts.asked = q.facts.asked;
		}
		if (percent(50)) {
			other.client = q.client;
			other.facts.client_kind = q.facts.client_kind;
			other.facts.client = q.facts.client;
			other.facts.uid = q.facts.uid;
		}
		if (judge(&alone->rules, &other.facts, NULL).allowed == RULE_YES &&
			!CHECK(is_just_this(&q, &other))) {
			right = false;
			show(NULL, 0, &other);
		}
	}
	if (q.name.count > 0) { /* and refused before the lookup, it is worth one */
		set_reached(&q, NULL);
		w = writer_on(text, sizeof text - 1);
		memset(text, 0, sizeof text);
		judge_put_remedy(&w, &q.facts);
		struct real *unknown = with_first(real, text);
		right &= CHECK(judge(&unknown->rules, &q.facts, NULL).allowed != RULE_NO);
		real_free(unknown);
	}
	if (!right) {
		printf("\tremedy %s\n", text);
		show(rules, count, &q);
	}
	real_free(more);
	real_free(alone);
}

static void agrees_with_the_model(unsigned long turns)
{
	struct rule *rules = calloc(RULES_MAX + 1, sizeof *rules);
	if (!rules)
		abort();
	for (unsigned long turn = 0; turn < turns; turn++) {
		size_t count = 1 + below(RULES_MAX);
		for (size_t i = 0; i < count; i++)
			make_rule(&rules[i], percent(55));
		struct real *real = real_of(rules, count);
		for (size_t i = 0; i < QUESTIONS; i++) {
			struct question q = some_question();
			is_judged_as_the_model_does(rules, count, real, &q);
			if (i % 2 == 0)
				is_never_contradicted(rules, count, real, q);
			if (i % 4 == 1)
				deny_only_takes(rules, count, real, &q, &rules[RULES_MAX]);
			if (i % 8 == 3 && q.facts.command == SOCKS5_CONNECT)
				remedy_allows_just_this(rules, count, real, q);
		}
		real_free(real);
	}
	free(rules);
}

/* -- The rest of the contract */

/* No rules, and the lines that stdsocks.conf(5) gives for them, are the same. */
static void built_in_rules_are_those_of_the_manual(void)
{
	static const char *const texts[] = {"deny port 25",
		"allow from loopback,private,link-local,unix,stdio to public",
		"allow user any to public", "deny"};
	static const char *const names[] = {"built-in 1", "built-in 2", "built-in 3", "built-in 4"};
	struct words_line lines[COUNT(texts)];
	const struct judge_rules none = {.count = 0},
				 written = {.count = COUNT(texts), .rules = lines};
	unsigned decided[COUNT(texts)] = {0};

	for (size_t i = 0; i < COUNT(texts); i++)
		lines[i] = (struct words_line){
			.text = texts[i], .len = strlen(texts[i]), .place = names[i]};
	for (size_t i = 0; i < 20000; i++) {
		struct question q = some_question();
		if (percent(30))
			set_reached(&q, NULL);
		struct judge_verdict got = judge(&none, &q.facts, NULL);
		struct judge_verdict want = judge(&written, &q.facts, NULL);
		CHECK_NUMBER(got.allowed, want.allowed);
		if (!CHECK_STRING(got.rule->place, want.rule->place))
			show(NULL, 0, &q);
		CHECK_NUMBER(got.rule->number, 0);
		for (size_t j = 0; j < COUNT(names); j++)
			decided[j] += strcmp(got.rule->place, names[j]) == 0;
	}
	for (size_t j = 0; j < COUNT(names); j++)
		CHECK(decided[j] > 0);
}

static struct question asked_by(enum rule_client kind, const char *user, const char *to, int port)
{
	struct question q = {.facts = {.client_kind = kind, .user = user, .uid = -1, .command = 1}};
	for (size_t i = 0; i < COUNT(places); i++) {
		if (strcmp(places[i].text, "8.8.8.8") == 0) {
			q.client = &places[i];
			q.facts.client = places[i].addr;
		}
		if (strcmp(places[i].text, to) == 0)
			q.facts.asked = places[i].addr;
	}
	CHECK(q.facts.asked.kind != ADDR_NONE);
	q.facts.asked.port = (uint16_t)port;
	q.facts.reached = q.facts.asked;
	return q;
}

/* Neither an open proxy nor a way in. */
static void without_rules_strangers_get_nowhere_and_nobody_gets_in(void)
{
	static const struct {
		enum rule_client kind;
		const char *user, *to;
		int port;
		enum rule_answer allowed;
		const char *place;
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
	const struct judge_rules none = {.count = 0};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct question q = asked_by(rows[i].kind, rows[i].user, rows[i].to, rows[i].port);
		struct judge_verdict verdict = judge(&none, &q.facts, NULL);
		check_about = rows[i].to;
		CHECK_NUMBER(verdict.allowed, rows[i].allowed);
		CHECK_STRING(verdict.rule->place, rows[i].place);
	}
	check_about = NULL;
}

/* Nobody checks the rules twice; one that went wrong in between opens nothing. */
static void a_rule_that_cannot_be_read_denies(void)
{
	static const char *const wrong[] = {"", "# allow", "timeout idle 2h", "allow nonsense",
		"allow to", "allow port 0", "allow \"", "Allow", "allow to any port 443,"};
	struct question q = asked_by(RULE_CLIENT_STDIO, NULL, "1.1.1.1", 443);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct words_line lines[] = {
			{.text = wrong[i], .len = strlen(wrong[i]), .place = "wrong"},
			{.text = "allow", .len = 5, .place = "right"}};
		const struct judge_rules rules = {.count = 2, .rules = lines};
		check_about = wrong[i];
		CHECK_NUMBER(judge(&rules, &q.facts, NULL).allowed, RULE_NO);
		CHECK(judge(&rules, &q.facts, NULL).rule == &lines[0]);
	}
	check_about = NULL;
}

static void remedies_are_written_as_in_the_manual(void)
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
	char bytes[RULE_TEXT_MAX];
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct writer w = writer_on(bytes, sizeof bytes);
		struct question q = asked_by(rows[i].kind, NULL, rows[i].to, 443);
		q.facts.uid = rows[i].uid;
		judge_put_remedy(&w, &q.facts);
		CHECK_TEXT(w, rows[i].want);
	}

	struct question q = asked_by(RULE_CLIENT_IP, NULL, "10.0.0.1", 80);
	struct writer w = writer_on(bytes, sizeof bytes);
	q.facts.asked = addr_of(ADDR_NAME, "Example.com.", 12, 80);
	judge_put_remedy(&w, &q.facts);
	CHECK_TEXT(w, "allow from 8.8.8.8 to Example.com. at 10.0.0.1 port 80");
	w = writer_on(bytes, sizeof bytes);
	q.facts.reached = q.client->addr;
	judge_put_remedy(&w, &q.facts);
	CHECK_TEXT(w, "allow from 8.8.8.8 to Example.com. port 80");
}

/* Nobody can tell which of RFC 6052's layouts a network has cut out of NAT64's local prefix: an
 * address that may be several is allowed when all of them are. */
static void an_address_that_may_be_several_is_judged_as_each(void)
{
	static const struct {
		const char *rules[2];
		enum rule_answer want;
	} rows[] = {
		{{"allow to any"}, RULE_YES},
		{{"allow to public"}, RULE_NO},
		{{"allow to 8.8.8.8"}, RULE_NO},
		{{"allow to 10.0.0.0/8"}, RULE_NO},
		{{"allow to 8.0.0.0/8,10.0.0.0/8"}, RULE_YES},
		{{"allow to 8.0.0.0/8", "allow to 10.0.0.0/8"}, RULE_YES},
		{{"deny to 8.8.8.8", "allow"}, RULE_NO},
		{{"deny to 10.0.0.1", "allow"}, RULE_NO},
		{{"deny to 9.9.9.9", "allow"}, RULE_YES},
	};
	/* 8.8.8.8 for /48, 8.8.8.10 for /56, 8.8.10.0 for /64, 10.0.0.1 for /96 */
	struct bits bits;
	struct question q = asked_by(RULE_CLIENT_STDIO, NULL, "::1", 443);
	q.facts.asked = q.facts.reached = read_address("64:ff9b:1:808:8:80a:a00:1", &bits);
	q.facts.asked.port = 443;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct words_line lines[2] = {{.text = NULL}};
		struct judge_rules rules = {.rules = lines};
		for (; rules.count < 2 && rows[i].rules[rules.count]; rules.count++)
			lines[rules.count] = line_of(
				rows[i].rules[rules.count], strlen(rows[i].rules[rules.count]));
		check_about = rows[i].rules[0];
		CHECK_NUMBER(judge(&rules, &q.facts, NULL).allowed, rows[i].want);
	}
	check_about = NULL;

	char bytes[RULE_TEXT_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	judge_put_remedy(&w, &q.facts);
	struct words_line line = line_of(bytes, w.len);
	const struct judge_rules remedy = {.count = 1, .rules = &line};
	CHECK_NUMBER(judge(&remedy, &q.facts, NULL).allowed, RULE_YES);
}

/* Whoever has a network chooses what stands in its last 64 bits. */
static void an_isatap_address_is_also_what_it_is(void)
{
	static const struct {
		const char *to, *rules[2];
		enum rule_answer want;
	} rows[] = {
		{"2600::5efe:a00:1", {"allow to any"}, RULE_YES},
		{"2600::5efe:a00:1", {"allow to private"}, RULE_NO},
		{"2600::5efe:a00:1", {"allow to public"}, RULE_NO},
		{"2600::5efe:a00:1", {"allow to 10.0.0.0/8"}, RULE_NO},
		{"2600::5efe:a00:1", {"allow to 2600::/16"}, RULE_NO},
		{"2600::5efe:a00:1", {"allow to 10.0.0.0/8,2600::/16"}, RULE_YES},
		{"2600::5efe:a00:1", {"deny to public", "allow"}, RULE_NO},
		{"2600::5efe:a00:1", {"deny to private", "allow"}, RULE_NO},
		{"2600::200:5efe:808:808", {"allow to public"}, RULE_YES},
		{"fd00::5efe:808:808", {"allow to public"}, RULE_NO},
		{"fe80::5efe:808:808", {"allow to public"}, RULE_NO},
		{"2001:db8::5efe:808:808", {"allow to public"}, RULE_NO},
		{"2002:808:808::5efe:a00:1", {"allow to public"}, RULE_NO},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct words_line lines[2] = {{.text = NULL}};
		struct judge_rules rules = {.rules = lines};
		struct bits bits;
		struct question q = asked_by(RULE_CLIENT_STDIO, NULL, "::1", 443);
		q.facts.asked = q.facts.reached = read_address(rows[i].to, &bits);
		q.facts.asked.port = 443;
		for (; rules.count < 2 && rows[i].rules[rules.count]; rules.count++)
			lines[rules.count] = line_of(
				rows[i].rules[rules.count], strlen(rows[i].rules[rules.count]));
		check_about = rows[i].rules[0];
		CHECK_NUMBER(judge(&rules, &q.facts, NULL).allowed, rows[i].want);
	}
	check_about = NULL;
}

/* A client chooses the name that it asks for: the line that would allow it must not open a class. */
static void a_remedy_takes_no_name_for_a_class(void)
{
	static const char *const names[] = {"any", "loopback", "private", "link-local", "public",
		"all", "Any", "PRIVATE", "Link_Local"};
	for (size_t i = 0; i < COUNT(names); i++) {
		char bytes[RULE_TEXT_MAX];
		struct writer w = writer_on(bytes, sizeof bytes);
		struct question q = asked_by(RULE_CLIENT_STDIO, NULL, "10.0.0.1", 443);
		q.facts.asked = addr_of(ADDR_NAME, names[i], (uint8_t)strlen(names[i]), 443);
		judge_put_remedy(&w, &q.facts);
		struct words_line line = line_of(bytes, w.len);
		const struct judge_rules remedy = {.count = 1, .rules = &line};
		CHECK_NUMBER(judge(&remedy, &q.facts, NULL).allowed, RULE_YES);
		q = asked_by(RULE_CLIENT_STDIO, NULL, "10.0.0.1", 443);
		CHECK_NUMBER(judge(&remedy, &q.facts, NULL).allowed, RULE_NO);
		q = asked_by(RULE_CLIENT_STDIO, NULL, "8.8.8.8", 443);
		CHECK_NUMBER(judge(&remedy, &q.facts, NULL).allowed, RULE_NO);
	}
}

int main(int argc, char **argv)
{
	unsigned long turns = argc > 2 ? strtoul(argv[2], NULL, 10) : TURNS;
	if (argc > 1)
		seed ^= strtoull(argv[1], NULL, 10);
	read_places();
	agrees_with_the_model(turns);
	built_in_rules_are_those_of_the_manual();
	without_rules_strangers_get_nowhere_and_nobody_gets_in();
	a_rule_that_cannot_be_read_denies();
	remedies_are_written_as_in_the_manual();
	an_address_that_may_be_several_is_judged_as_each();
	an_isatap_address_is_also_what_it_is();
	a_remedy_takes_no_name_for_a_class();
	return check_end();
}

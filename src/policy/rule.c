/* SPDX-License-Identifier: ISC */
#include "policy/rule.h"

#include <arpa/inet.h>
#include <string.h>

#include "policy/command.h"

/* The kind of an item, and the type of its value. */
enum item_kind {
	ITEM_ANY,     /* matches always */
	ITEM_CLIENT,  /* uint32_t: enum rule_client */
	ITEM_UID,     /* uint32_t */
	ITEM_USER,    /* text; "": any user */
	ITEM_COMMAND, /* uint32_t: enum command */
	ITEM_CLASS,   /* uint32_t: enum special_class */
	ITEM_PREFIX,  /* struct special_prefix */
	ITEM_NAME,    /* text in lower case, without final dot: a name, or a suffix with its dot */
	ITEM_PORTS    /* uint16_t[2]: first and last */
};

/* An item of a clause, such as 10.0.0.0/8. The next one follows it in memory. */
struct item {
	uint8_t clause; /* enum rule_clause */
	uint8_t kind;   /* enum item_kind */
	uint16_t size;  /* bytes, with the value; a multiple of 4 */
	char value[];
};

const struct rule *rule_next(const struct rule *rule)
{
	return (const struct rule *)((const char *)rule + rule->size);
}

const char *rule_text(const struct rule *rule)
{
	return (const char *)(rule + 1) + rule->items_len;
}

/* -- Parsing. A parser sets the item, or returns false if it does not know the text. */

static bool set_item(struct item *item, enum item_kind kind, size_t value_len)
{
	item->kind = (uint8_t)kind;
	item->size = (uint16_t)((sizeof *item + value_len + 3) & ~(size_t)3);
	return true;
}

static bool set_number(struct item *item, enum item_kind kind, uint32_t number)
{
	*(uint32_t *)item->value = number;
	return set_item(item, kind, sizeof number);
}

#define CLAUSE(clause) (1U << (clause))

static const struct word {
	const char *text;
	unsigned clauses; /* bits, of the clauses that know it */
	enum item_kind kind;
	uint32_t number;
} words_known[] = {
#define ADDRESS CLAUSE(RULE_FROM) | CLAUSE(RULE_TO) | CLAUSE(RULE_AT)
	{"any", ADDRESS, ITEM_ANY, 0},
	{"link-local", ADDRESS, ITEM_CLASS, SPECIAL_LINK_LOCAL},
	{"loopback", ADDRESS, ITEM_CLASS, SPECIAL_LOOPBACK},
	{"private", ADDRESS, ITEM_CLASS, SPECIAL_PRIVATE},
	{"public", ADDRESS, ITEM_CLASS, SPECIAL_PUBLIC},
	{"stdio", CLAUSE(RULE_FROM), ITEM_CLIENT, RULE_CLIENT_STDIO},
	{"unix", CLAUSE(RULE_FROM), ITEM_CLIENT, RULE_CLIENT_UNIX},
	{"any", CLAUSE(RULE_USER), ITEM_USER, 0},
};
#define WORDS_KNOWN (sizeof words_known / sizeof words_known[0])

static bool parse_uid(const char *text, struct item *item)
{
	uint64_t uid;

	return strncmp(text, "unix:", 5) == 0 &&
		words_number(text + 5, strlen(text + 5), UINT32_MAX, &uid) &&
		set_number(item, ITEM_UID, (uint32_t)uid);
}

/* Parses an address, or ADDRESS/BITS. A prefix of IPv4-mapped addresses becomes one of IPv4. */
static bool parse_prefix(char *text, struct item *item)
{
	struct special_prefix *prefix = (struct special_prefix *)item->value;

	if (text[0] > 'f' || text[0] < '0') /* as most names; ':' is between them */
		return false;
	const bool is_ipv6 = strchr(text, ':');
	uint64_t bits = is_ipv6 ? 128 : 32;
	char *slash = strchrnul(text, '/');
	const char separator = *slash;
	if (separator && !words_number(slash + 1, strlen(slash + 1), bits, &bits))
		return false;
	*slash = '\0';
	const bool valid = inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, prefix->bytes) == 1;
	*slash = separator; /* for an error message */
	prefix->kind = is_ipv6 ? ADDR_IPV6 : ADDR_IPV4;
	if (valid && bits >= 96) {
		const struct addr mapped = addr_of(ADDR_IPV6, prefix->bytes, 16, 0);
		const struct addr unmapped = addr_unmapped(&mapped);
		prefix->kind = (uint8_t)unmapped.kind;
		memcpy(prefix->bytes, unmapped.bytes, unmapped.len);
		bits -= unmapped.kind == ADDR_IPV4 ? 96 : 0;
	}
	prefix->bits = (uint8_t)bits;
	return valid &&
		set_item(item, ITEM_PREFIX, sizeof *prefix - (prefix->kind == ADDR_IPV4 ? 12 : 0));
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* A class in capitals would otherwise be a name that no client requests: a deny without effect. */
bool rule_is_like_class(const char *text)
{
	const char first = lower(text[0]);

	if (first != 'a' && first != 'l' && first != 'p') /* as most names */
		return false;
	for (const struct word *word = words_known; word < words_known + WORDS_KNOWN; word++)
		if (word->text[0] == first && word->clauses & CLAUSE(RULE_TO) &&
			strcasecmp(word->text, text) == 0)
			return true;
	return strcasecmp(text, "all") == 0 || strcasecmp(text, "link_local") == 0;
}

/* Parses a host name, or ".suffix". */
static bool parse_name(const char *text, struct item *item)
{
	const bool is_suffix = text[0] == '.';
	size_t len = strlen(text);
	struct addr host; /* initialized only as far as it is used: a file may have many names */

	if (len > ADDR_HOSTNAME_MAX + 2 || rule_is_like_class(text))
		return false;
	host.kind = ADDR_NAME;
	host.len = (uint8_t)(len - is_suffix);
	memcpy(host.bytes, text + is_suffix, host.len);
	if (!addr_is_hostname(&host))
		return false;
	if (text[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++)
		item->value[i] = lower(text[i]);
	item->value[len] = '\0';
	return set_item(item, ITEM_NAME, len + 1);
}

static bool parse_ports(const char *text, struct item *item)
{
	const char *dash = strchrnul(text, '-');
	uint16_t *ports = (uint16_t *)item->value;
	uint64_t first, last;

	if (!words_number(text, (size_t)(dash - text), UINT16_MAX, &first) || first == 0)
		return false;
	last = first;
	if (*dash && !words_number(dash + 1, strlen(dash + 1), UINT16_MAX, &last))
		return false;
	ports[0] = (uint16_t)first;
	ports[1] = (uint16_t)last;
	return first <= last && set_item(item, ITEM_PORTS, 2 * sizeof *ports);
}

static bool parse_item(enum rule_clause clause, char *text, struct item *item)
{
	for (const struct word *word = words_known; word < words_known + WORDS_KNOWN; word++)
		if (word->text[0] == text[0] && word->clauses & CLAUSE(clause) &&
			strcmp(word->text, text) == 0)
			return set_number(item, word->kind, word->number);
	switch (clause) {
	case RULE_FROM:
		return parse_prefix(text, item) || parse_uid(text, item);
	case RULE_USER:
		memcpy(item->value, text, strlen(text) + 1);
		return text[0] && set_item(item, ITEM_USER, strlen(text) + 1);
	case RULE_COMMAND:
		return command_of_word(text) &&
			set_number(item, ITEM_COMMAND, command_of_word(text));
	case RULE_TO:
		return parse_prefix(text, item) || parse_name(text, item);
	case RULE_AT:
		return parse_prefix(text, item);
	case RULE_PORT:
		return parse_ports(text, item);
	case RULE_CLAUSES:
		break;
	}
	return false;
}

#define ADDRESSES "an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public"

static const struct {
	const char *word, *error, *advice;
} clauses[RULE_CLAUSES] = {
	[RULE_FROM] = {"from", "invalid client", "use " ADDRESSES ", any, unix, unix:UID or stdio"},
	[RULE_USER] = {"user", "invalid user",
		"use a user name, or any for all authenticated users"},
	[RULE_COMMAND] = {"command", "invalid command", COMMAND_ADVICE},
	[RULE_TO] = {"to", "invalid destination", "use " ADDRESSES ", any, a host name or .suffix"},
	[RULE_AT] = {"at", "invalid address", "use " ADDRESSES " or any"},
	[RULE_PORT] = {"port", "invalid port", "use 1 to 65535, or a range such as 8000-8999"},
};

const char *rule_clause_text(enum rule_clause clause)
{
	return clause < RULE_CLAUSES ? clauses[clause].word : "";
}

/* Returns RULE_CLAUSES if the word does not begin a clause. */
static enum rule_clause clause_of(const char *word)
{
	enum rule_clause clause = RULE_FROM;
	while (clause < RULE_CLAUSES &&
		(clauses[clause].word[0] != word[0] || strcmp(clauses[clause].word, word) != 0))
		clause++;
	return clause;
}

/* Parses the value of a clause, "A,B,C". */
static bool parse_list(
	enum rule_clause clause, char *list, struct writer *pool, struct writer *problem)
{
	for (char *text; (text = strsep(&list, ","));) {
		struct item *item = (struct item *)(pool->bytes + pool->len);
		if (!parse_item(clause, text, item))
			return words_error(
				problem, clauses[clause].error, text, clauses[clause].advice);
		item->clause = (uint8_t)clause;
		pool->len += item->size;
	}
	return true;
}

bool rule_is_rule(const struct words *words)
{
	return words->count > 0 &&
		(strcmp(words->at[0], "allow") == 0 || strcmp(words->at[0], "deny") == 0);
}

/* Sets seen[] for each clause of the rule. */
static bool parse_clauses(
	const struct words *words, bool *seen, struct writer *pool, struct writer *problem)
{
	for (size_t i = 1; i < words->count; i += 2) {
		const char *word = words->at[i];
		const enum rule_clause clause = clause_of(word);

		if (clause == RULE_CLAUSES)
			return words_error(problem, "unknown clause", word,
				"use from, user, command, to, at or port");
		if (seen[clause])
			return words_error(problem, "duplicate clause", word,
				"join the items with commas, or write two rules");
		if (clause == RULE_AT && !seen[RULE_TO])
			return words_error(problem, "no destination before", word,
				"add, for example, \"to example.com\"");
		if (i + 1 == words->count)
			return words_error(problem, "no value after", word, clauses[clause].advice);
		if (!parse_list(clause, words->at[i + 1], pool, problem))
			return false;
		seen[clause] = true;
	}
	return true;
}

const struct rule *rule_parse(const struct words_line *line, struct words *words, bool keep_text,
	struct writer *pool, struct writer *problem)
{
	struct rule *rule = (struct rule *)(pool->bytes + pool->len);
	const size_t start = pool->len, text_len = keep_text ? line->len : 0;
	bool seen[RULE_CLAUSES] = {false};

	if (pool->cap - start < sizeof *rule + RULE_GROWTH * line->len) {
		words_error(problem, "too many items in rules", NULL, "remove some");
		return NULL;
	}
	pool->len += sizeof *rule;
	if (!parse_clauses(words, seen, pool, problem)) {
		pool->len = start;
		return NULL;
	}
	*rule = (struct rule){.location = line->location,
		.number = (unsigned)line->number & ((1U << 30) - 1),
		.allow = strcmp(words->at[0], "allow") == 0,
		.has_at = seen[RULE_AT],
		.items_len = (uint16_t)(pool->len - start - sizeof *rule)};
	memcpy(pool->bytes + pool->len, line->text, text_len);
	pool->bytes[pool->len + text_len] = '\0';
	rule->size = (uint16_t)((sizeof *rule + rule->items_len + text_len + sizeof(void *)) &
		~(sizeof(void *) - 1));
	pool->len = start + rule->size;
	return rule;
}

/* -- Evaluation. */

static uint32_t number_of(const struct item *item)
{
	return *(const uint32_t *)item->value;
}

static enum rule_answer answer_of(bool matches)
{
	return matches ? RULE_YES : RULE_NO;
}

static bool has_prefix(const struct item *item, const struct addr *a)
{
	return item->kind == ITEM_PREFIX &&
		special_has_prefix(a, (const struct special_prefix *)item->value);
}

/* Whether the destination is in the class. */
static enum rule_answer evaluate_class(enum special_class class, const struct rule_context *context)
{
	if (context->resolved.kind == ADDR_NONE)
		return RULE_MAYBE;
	const enum special_class own = special_class_by(&context->embedded, context->route);
	/* A loopback address stays one. A route can make any other address one. */
	if (context->route != SPECIAL_ROUTE_UNKNOWN || own == SPECIAL_LOOPBACK)
		return answer_of(own == class);
	return own == class || class == SPECIAL_LOOPBACK ? RULE_MAYBE : RULE_NO;
}

/* Evaluates ITEM_CLASS or ITEM_PREFIX for the client. */
static enum rule_answer evaluate_client(const struct item *item, const struct rule_context *context)
{
	const struct addr *client = &context->client;

	if (context->client_kind != RULE_CLIENT_IP)
		return RULE_NO;
	if (item->kind == ITEM_PREFIX)
		return answer_of(has_prefix(item, client));
	return answer_of(special_class_of(client) == number_of(item));
}

static enum rule_answer evaluate_address(
	const struct item *item, bool allow, const struct rule_context *context)
{
	if (item->clause == RULE_FROM)
		return evaluate_client(item, context);
	if (item->kind == ITEM_CLASS)
		return evaluate_class((enum special_class)number_of(item), context);
	if (context->resolved.kind == ADDR_NONE)
		return RULE_MAYBE;
	if (has_prefix(item, &context->embedded))
		return RULE_YES;
	/* A prefix of the IPv6 address around the embedded one is enough to deny. It allows only
	 * public embedded addresses: otherwise 2000::/3 would allow 10.0.0.1 in 2002:a00:1::. */
	if (!has_prefix(item, &context->resolved))
		return RULE_NO;
	return allow ? evaluate_class(SPECIAL_PUBLIC, context) : RULE_YES;
}

/* Names compare without case and without a final dot (RFC 4343, RFC 1034 s3.1). The suffix
 * ".example.com" matches names under example.com, but neither evilexample.com nor example.com. */
static bool matches_name(const struct item *item, const struct addr *name)
{
	const size_t item_len = strlen(item->value);
	size_t len = name->len;

	if (name->kind != ADDR_NAME)
		return false;
	if (len > 0 && name->bytes[len - 1] == '.')
		len--;
	const bool fits = item->value[0] == '.' ? len > item_len : len == item_len;
	return fits &&
		strncasecmp((const char *)name->bytes + len - item_len, item->value, item_len) == 0;
}

static enum rule_answer evaluate_item(
	const struct item *item, bool allow, const struct rule_context *context)
{
	const uint16_t port = context->requested.port, *ports = (const uint16_t *)item->value;

	switch ((enum item_kind)item->kind) {
	case ITEM_ANY:
		return RULE_YES;
	case ITEM_CLIENT:
		return answer_of(context->client_kind == number_of(item));
	case ITEM_UID:
		return answer_of(context->client_kind == RULE_CLIENT_UNIX &&
			context->uid == (int64_t)number_of(item));
	case ITEM_USER:
		return answer_of(context->user &&
			(item->value[0] == '\0' || strcmp(item->value, context->user) == 0));
	case ITEM_COMMAND:
		return answer_of(command_of_number(context->command) == number_of(item));
	case ITEM_CLASS:
	case ITEM_PREFIX:
		return evaluate_address(item, allow, context);
	case ITEM_NAME:
		return answer_of(matches_name(item, &context->requested));
	case ITEM_PORTS:
		return answer_of(port >= ports[0] && port <= ports[1]);
	}
	return RULE_NO;
}

/* Adds the answer of a clause to that of the rule. Returns false if the rule does not match. */
static bool add_answer(struct rule_match *match, enum rule_answer answer, enum rule_clause clause)
{
	if (answer < match->answer)
		match->answer = answer;
	if (answer == RULE_NO)
		match->failed = clause;
	return answer != RULE_NO;
}

struct rule_match rule_evaluate(const struct rule *rule, const struct rule_context *context)
{
	struct rule_match match = {
		.allow = rule->allow, .answer = RULE_YES, .failed = RULE_CLAUSES};
	const char *at = (const char *)(rule + 1), *end = at + rule->items_len;
	bool by_name = false, by_address = false; /* why "to" matches */

	while (at < end) {
		const enum rule_clause clause = ((const struct item *)at)->clause;
		enum rule_answer best = RULE_NO;
		const struct item *item;
		for (; at < end && (item = (const struct item *)at)->clause == clause;
			at += item->size) {
			const enum rule_answer answer = evaluate_item(item, rule->allow, context);
			if (answer > best)
				best = answer;
			if (clause == RULE_TO && answer == RULE_YES)
				*(item->kind == ITEM_NAME ? &by_name : &by_address) = true;
		}
		if (!add_answer(&match, best, clause))
			return match;
	}
	/* A name is allowed only at public addresses, unless the rule says at which: otherwise its
	 * owner could use DNS to reach this host and the network behind it. */
	if (rule->allow && by_name && !by_address && !rule->has_at)
		match.implied =
			!add_answer(&match, evaluate_class(SPECIAL_PUBLIC, context), RULE_AT);
	return match;
}

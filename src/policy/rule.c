/* SPDX-License-Identifier: ISC */
#include "policy/rule.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "policy/command.h"

enum item_kind {
	ITEM_ANY, /* always matches */
	ITEM_STDIO,
	ITEM_UNIX,
	ITEM_UID,
	ITEM_ANY_USER,
	ITEM_USER,
	ITEM_COMMAND,
	ITEM_CLASS,  /* of the client's address in "from", else of the destination's */
	ITEM_PREFIX, /* likewise */
	ITEM_NAME,
	ITEM_SUFFIX,
	ITEM_PORTS
};

/* An item of a clause, such as 10.0.0.0/8. The next one follows it in memory. */
struct item {
	uint8_t clause; /* enum rule_clause */
	uint8_t kind;   /* enum item_kind */
	uint16_t size;  /* bytes, with the value; a multiple of 4 */
	/* uint32_t: a UID, enum command or enum special_class; uint16_t[2]: the first and the last
	 * port; struct special_prefix; or text: a user, or a name in lower case without final dot
	 */
	char value[];
};

/* Returns the item at this offset of the rule's items. */
static const struct item *item_at(const struct rule *rule, size_t offset)
{
	return (const struct item *)((const char *)(rule + 1) + offset);
}

static const struct item *next_item(const struct item *item)
{
	return (const struct item *)((const char *)item + item->size);
}

const struct rule *rule_next(const struct rule *rule)
{
	return (const struct rule *)((const char *)rule + rule->size);
}

const char *rule_text(const struct rule *rule)
{
	return (const char *)(rule + 1) + rule->items_len;
}

/* -- Parsing. A parser sets the item, which is in memory of its own, or returns false. */

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

/* Converts a prefix of IPv4-mapped addresses to the prefix of the IPv4 addresses. */
static void unmap(struct special_prefix *prefix)
{
	if (prefix->kind != ADDR_IPV6 || prefix->bits < 96)
		return;
	const struct addr mapped = addr_of(ADDR_IPV6, prefix->bytes, 16, 0);
	const struct addr ipv4 = addr_unmapped(&mapped);
	if (ipv4.kind != ADDR_IPV4)
		return;
	prefix->kind = ADDR_IPV4;
	prefix->bits -= 96;
	memcpy(prefix->bytes, ipv4.bytes, 4);
}

/* An address, or ADDRESS/BITS. */
static bool parse_prefix(const char *text, struct special_prefix *ret_prefix)
{
	char host[INET6_ADDRSTRLEN];
	bool is_ipv6 = false;
	size_t len = 0;

	if (text[0] > 'f' || text[0] < '0') /* as most names; ':' is between them */
		return false;
	for (; text[len] != '/' && text[len] != '\0' && len < sizeof host; len++) {
		host[len] = text[len];
		is_ipv6 |= text[len] == ':';
	}
	if (len == sizeof host)
		return false;
	host[len] = '\0';
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host, ret_prefix->bytes) != 1)
		return false;
	uint64_t bits = is_ipv6 ? 128 : 32;
	const char *count = text + len + 1;
	if (text[len] == '/' && !words_number(count, strlen(count), bits, &bits))
		return false;
	ret_prefix->kind = is_ipv6 ? ADDR_IPV6 : ADDR_IPV4;
	ret_prefix->bits = (uint8_t)bits;
	unmap(ret_prefix);
	return true;
}

struct class
{
	const char *text;
	enum item_kind kind;
	uint32_t number;
};

/* Returns NULL if the text is neither "any" nor an address class. */
static const struct class *find_class(const char *text)
{
	static const struct class classes[] = {
		{"any", ITEM_ANY, 0},
		{"link-local", ITEM_CLASS, SPECIAL_LINK_LOCAL},
		{"loopback", ITEM_CLASS, SPECIAL_LOOPBACK},
		{"private", ITEM_CLASS, SPECIAL_PRIVATE},
		{"public", ITEM_CLASS, SPECIAL_PUBLIC},
	};
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (text[0] == classes[i].text[0] && strcmp(text, classes[i].text) == 0)
			return &classes[i];
	return NULL;
}

static bool parse_address(const char *text, struct item *item)
{
	const struct class *class = find_class(text);
	struct special_prefix *prefix = (struct special_prefix *)item->value;

	if (class)
		return set_number(item, class->kind, class->number);
	return parse_prefix(text, prefix) &&
		set_item(item, ITEM_PREFIX,
			offsetof(struct special_prefix, bytes) +
				(prefix->kind == ADDR_IPV4 ? 4 : 16));
}

static bool parse_client(const char *text, struct item *item)
{
	uint64_t uid;

	if (strcmp(text, "stdio") == 0)
		return set_item(item, ITEM_STDIO, 0);
	if (strcmp(text, "unix") == 0)
		return set_item(item, ITEM_UNIX, 0);
	if (strncmp(text, "unix:", 5) == 0)
		return words_number(text + 5, strlen(text + 5), UINT32_MAX, &uid) &&
			set_number(item, ITEM_UID, (uint32_t)uid);
	return parse_address(text, item);
}

static bool parse_user(const char *text, struct item *item)
{
	const size_t len = strlen(text) + 1;

	if (strcmp(text, "any") == 0)
		return set_item(item, ITEM_ANY_USER, 0);
	memcpy(item->value, text, len);
	return set_item(item, ITEM_USER, len);
}

static bool parse_command(const char *text, struct item *item)
{
	const unsigned command = command_of_word(text);
	return command != 0 && set_number(item, ITEM_COMMAND, command);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* A class in capitals would otherwise be a name that no client requests: a deny without effect. */
bool rule_is_like_class(const char *text)
{
	char small[16] = {lower(text[0])};
	size_t len = 0;

	if (small[0] != 'a' && small[0] != 'l' && small[0] != 'p') /* as most names */
		return false;
	for (; len < sizeof small - 1 && text[len] != '\0'; len++)
		small[len] = text[len] == '_' ? '-' : lower(text[len]);
	small[len] = '\0';
	return text[len] == '\0' && (find_class(small) || strcmp(small, "all") == 0);
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
	return set_item(item, is_suffix ? ITEM_SUFFIX : ITEM_NAME, len + 1);
}

static bool parse_destination(const char *text, struct item *item)
{
	return parse_address(text, item) || parse_name(text, item);
}

static bool parse_ports(const char *text, struct item *item)
{
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint16_t *ports = (uint16_t *)item->value;
	uint64_t first, last;

	if (!words_number(text, len, UINT16_MAX, &first) || first == 0)
		return false;
	last = first;
	if (dash && !words_number(dash + 1, strlen(dash + 1), UINT16_MAX, &last))
		return false;
	ports[0] = (uint16_t)first;
	ports[1] = (uint16_t)last;
	return first <= last && set_item(item, ITEM_PORTS, 2 * sizeof *ports);
}

#define ADDRESSES "an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public"

static const struct {
	const char *word;
	bool (*parse)(const char *text, struct item *item);
	const char *error, *advice;
} clauses[RULE_CLAUSES] = {
	[RULE_FROM] = {"from", parse_client, "invalid client",
		"use " ADDRESSES ", any, unix, unix:UID or stdio"},
	[RULE_USER] = {"user", parse_user, "invalid user",
		"use a user name, or any for all authenticated users"},
	[RULE_COMMAND] = {"command", parse_command, "invalid command", COMMAND_ADVICE},
	[RULE_TO] = {"to", parse_destination, "invalid destination",
		"use " ADDRESSES ", any, a host name or .suffix"},
	[RULE_AT] = {"at", parse_address, "invalid address", "use " ADDRESSES " or any"},
	[RULE_PORT] = {"port", parse_ports, "invalid port",
		"use 1 to 65535, or a range such as 8000-8999"},
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

/* Parses the keyword at words->at[i]. On error writes a message and returns RULE_CLAUSES. */
static enum rule_clause parse_keyword(
	const struct words *words, size_t i, const bool *seen, struct writer *problem)
{
	const char *word = words->at[i];
	enum rule_clause clause = clause_of(word);

	if (clause == RULE_CLAUSES)
		words_error(
			problem, "unknown clause", word, "use from, user, command, to, at or port");
	else if (seen[clause])
		words_error(problem, "duplicate clause", word,
			"join the items with commas, or write two rules");
	else if (clause == RULE_AT && !seen[RULE_TO])
		words_error(problem, "no destination before", word,
			"add, for example, \"to example.com\"");
	else if (i + 1 == words->count)
		words_error(problem, "no value after", word, clauses[clause].advice);
	else
		return clause;
	return RULE_CLAUSES;
}

/* Parses the value of a clause, "A,B,C". */
static bool parse_list(
	enum rule_clause clause, char *list, struct writer *pool, struct writer *problem)
{
	for (char *text = list, *end; text; text = end) {
		struct item *item = (struct item *)(pool->bytes + pool->len);
		for (end = text; *end != ',' && *end != '\0'; end++)
			;
		if (*end == '\0')
			end = NULL;
		else
			*end++ = '\0';
		if (!text[0] || !clauses[clause].parse(text, item))
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
		enum rule_clause clause = parse_keyword(words, i, seen, problem);
		if (clause == RULE_CLAUSES || !parse_list(clause, words->at[i + 1], pool, problem))
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

static enum rule_answer answer_of(bool matches)
{
	return matches ? RULE_YES : RULE_NO;
}

static uint32_t number_of(const struct item *item)
{
	return *(const uint32_t *)item->value;
}

/* Evaluates ITEM_CLASS or ITEM_PREFIX for an address as it is. */
static bool matches_address(const struct item *item, const struct addr *a)
{
	if (item->kind == ITEM_CLASS)
		return a->kind != ADDR_NONE && special_class_of(a) == number_of(item);
	return special_has_prefix(a, (const struct special_prefix *)item->value);
}

static enum rule_answer evaluate_destination(
	const struct item *item, bool allow, const struct rule_context *context)
{
	const struct addr *embedded = &context->embedded;

	if (context->resolved.kind == ADDR_NONE)
		return RULE_MAYBE;
	if (matches_address(item, embedded))
		return RULE_YES;
	/* A prefix of the IPv6 address around the embedded one is enough to deny. It allows only
	 * public embedded addresses: otherwise 2000::/3 would allow 10.0.0.1 in 2002:a00:1::. */
	return answer_of(item->kind == ITEM_PREFIX && matches_address(item, &context->resolved) &&
		(!allow || special_class_of(embedded) == SPECIAL_PUBLIC));
}

static enum rule_answer evaluate_at_public(const struct rule_context *context)
{
	if (context->resolved.kind == ADDR_NONE)
		return RULE_MAYBE;
	return answer_of(special_class_of(&context->embedded) == SPECIAL_PUBLIC);
}

static enum rule_answer evaluate_address(
	const struct item *item, bool allow, const struct rule_context *context)
{
	if (item->clause != RULE_FROM)
		return evaluate_destination(item, allow, context);
	return answer_of(
		context->client_kind == RULE_CLIENT_IP && matches_address(item, &context->client));
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
	if (item->kind == ITEM_SUFFIX ? len <= item_len : len != item_len)
		return false;
	for (size_t i = 1; i <= item_len; i++)
		if (lower((char)name->bytes[len - i]) != item->value[item_len - i])
			return false;
	return true;
}

static enum rule_answer evaluate_item(
	const struct item *item, bool allow, const struct rule_context *context)
{
	const char *user = context->user;
	const uint16_t port = context->requested.port, *ports = (const uint16_t *)item->value;

	switch ((enum item_kind)item->kind) {
	case ITEM_ANY:
		return RULE_YES;
	case ITEM_STDIO:
		return answer_of(context->client_kind == RULE_CLIENT_STDIO);
	case ITEM_UNIX:
		return answer_of(context->client_kind == RULE_CLIENT_UNIX);
	case ITEM_UID:
		return answer_of(context->client_kind == RULE_CLIENT_UNIX &&
			context->uid == (int64_t)number_of(item));
	case ITEM_ANY_USER:
		return answer_of(user);
	case ITEM_USER:
		return answer_of(user && strcmp(item->value, user) == 0);
	case ITEM_COMMAND:
		return answer_of(command_of_number(context->command) == number_of(item));
	case ITEM_CLASS:
	case ITEM_PREFIX:
		return evaluate_address(item, allow, context);
	case ITEM_NAME:
	case ITEM_SUFFIX:
		return answer_of(matches_name(item, &context->requested));
	case ITEM_PORTS:
		return answer_of(port >= ports[0] && port <= ports[1]);
	}
	return RULE_NO;
}

/* Why the clause "to" matches. */
struct reasons {
	bool by_name, by_address;
};

/* Evaluates the clause that begins at *item: the answer is that of its best item. Moves *item to
 * the next clause. */
static enum rule_answer evaluate_clause(const struct rule *rule, const struct item **item,
	const struct rule_context *context, struct reasons *to)
{
	const struct item *end = item_at(rule, rule->items_len);
	const uint8_t clause = (*item)->clause;
	enum rule_answer best = RULE_NO;

	for (; *item < end && (*item)->clause == clause; *item = next_item(*item)) {
		const enum rule_answer answer = evaluate_item(*item, rule->allow, context);
		const bool is_name = (*item)->kind == ITEM_NAME || (*item)->kind == ITEM_SUFFIX;
		if (answer > best)
			best = answer;
		if (clause == RULE_TO && answer == RULE_YES)
			*(is_name ? &to->by_name : &to->by_address) = true;
	}
	return best;
}

/* Adds a clause's answer to that of the rule. Returns false if the rule does not match. */
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
	const struct item *item = item_at(rule, 0), *end = item_at(rule, rule->items_len);
	struct reasons to = {false, false};

	while (item < end) {
		const enum rule_clause clause = item->clause;
		if (!add_answer(&match, evaluate_clause(rule, &item, context, &to), clause))
			return match;
	}
	/* A name is allowed only at public addresses, unless the rule says at which: otherwise its
	 * owner could use DNS to reach this host and the network behind it. */
	if (rule->allow && to.by_name && !to.by_address && !rule->has_at)
		match.implied = !add_answer(&match, evaluate_at_public(context), RULE_AT);
	return match;
}

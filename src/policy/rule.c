/* SPDX-License-Identifier: ISC */
/* One access rule: allow or deny, and the clauses that must all hold.
 * Knows: the rule's grammar (stdsocks.conf(5), ACCESS RULES) and what each clause means.
 * Does not know: the other rules. */
#include "policy/rule.h"

#include <arpa/inet.h>
#include <string.h>

#include "policy/command.h"

/* What one item of a list, such as 10.0.0.0/8, is for the context. */
enum item { ITEM_NO, ITEM_MAYBE, ITEM_YES, ITEM_WRONG };

static enum item item_of(bool holds)
{
	return holds ? ITEM_YES : ITEM_NO;
}

/* What the clauses leave behind for those after them. */
struct state {
	const struct rule_context *context;
	bool allow; /* what the rule says */
	bool by_name,
		by_address; /* why "to" holds: for the name asked for, for the address meant */
};

static const char *const clause_texts[RULE_CLAUSES] = {
	[RULE_FROM] = "from",
	[RULE_USER] = "user",
	[RULE_COMMAND] = "command",
	[RULE_TO] = "to",
	[RULE_AT] = "at",
	[RULE_PORT] = "port",
};

const char *rule_clause_text(enum rule_clause clause)
{
	return clause < RULE_CLAUSES ? clause_texts[clause] : "";
}

bool rule_is_one(const struct words *words)
{
	return words->count > 0 &&
		(strcmp(words->at[0], "allow") == 0 || strcmp(words->at[0], "deny") == 0);
}

/* A prefix of IPv4-mapped addresses is the one of the IPv4 addresses that they stand for. */
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

/* An address, perhaps with "/bits". */
static bool parse_prefix(const char *text, struct special_prefix *ret_prefix)
{
	char host[INET6_ADDRSTRLEN];
	bool is_ipv6 = false;
	size_t len = 0;

	if (text[0] > 'f' || text[0] < '0') /* most names; "::" begins behind '9' */
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
	ret_prefix->bits = (unsigned)bits;
	unmap(ret_prefix);
	return true;
}

static bool is_class(const char *text)
{
	static const char *const classes[] = {"any", "link-local", "loopback", "private", "public"};
	if (text[0] != 'a' && text[0] != 'l' && text[0] != 'p')
		return false;
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (strcmp(text, classes[i]) == 0)
			return true;
	return false;
}

/* An address class or prefix, held against an address as it stands. ADDR_NONE is only in "any". */
static enum item match_address(const char *text, const struct addr *a)
{
	struct special_prefix prefix;

	if (is_class(text) && text[0] == 'a')
		return ITEM_YES;
	if (is_class(text))
		return item_of(a->kind != ADDR_NONE &&
			strcmp(text, special_class_text(special_class_of(a))) == 0);
	if (!parse_prefix(text, &prefix))
		return ITEM_WRONG;
	return item_of(special_has_prefix(a, &prefix));
}

/* The same for where a connection goes: judged as what it reaches, the address inside. */
static enum item match_reached(const char *text, const struct state *s)
{
	const struct addr *a = &s->context->resolved;
	if (a->kind == ADDR_NONE) { /* not known yet */
		enum item item = match_address(text, a);
		return item == ITEM_NO ? ITEM_MAYBE : item;
	}

	const struct addr *inside = &s->context->embedded;
	enum item item = match_address(text, inside);
	if (item != ITEM_NO || is_class(text))
		return item;
	/* An IPv6 prefix around it: enough to be denied. Allowed is only what is public inside;
	 * what is not has to be allowed as what it is, or 2000::/3 would be a door to 10.0.0.1. */
	if (match_address(text, a) == ITEM_NO)
		return ITEM_NO;
	return item_of(!s->allow || special_class_of(inside) == SPECIAL_PUBLIC);
}

static enum item match_from(const char *text, struct state *s)
{
	const struct rule_context *f = s->context;
	static const struct addr none = {.kind = ADDR_NONE};
	uint64_t uid;

	if (strcmp(text, "any") == 0)
		return ITEM_YES;
	if (strcmp(text, "stdio") == 0)
		return item_of(f->client_kind == RULE_CLIENT_STDIO);
	if (strcmp(text, "unix") == 0)
		return item_of(f->client_kind == RULE_CLIENT_UNIX);
	if (strncmp(text, "unix:", 5) == 0)
		return words_number(text + 5, strlen(text + 5), UINT32_MAX, &uid)
			? item_of(f->client_kind == RULE_CLIENT_UNIX && f->uid == (int64_t)uid)
			: ITEM_WRONG;
	return match_address(text, f->client_kind == RULE_CLIENT_IP ? &f->client : &none);
}

static enum item match_user(const char *text, struct state *s)
{
	const char *user = s->context->user;
	if (!user)
		return ITEM_NO;
	return item_of(strcmp(text, "any") == 0 || strcmp(text, user) == 0);
}

static enum item match_command(const char *text, struct state *s)
{
	unsigned command = command_of_word(text);

	return command == 0 ? ITEM_WRONG
			    : item_of(command == command_of_number(s->context->command));
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Names compare without case and without the dot at the end (RFC 4343, RFC 1034 s3.1), a suffix
 * ".example.com" by labels: it is under example.com, not evilexample.com, nor example.com itself.
 */
static bool match_name(const char *text, const struct addr *asked)
{
	size_t text_len = strlen(text), len = asked->len;
	if (asked->kind != ADDR_NAME)
		return false;
	if (len > 0 && asked->bytes[len - 1] == '.')
		len--;
	if (text[text_len - 1] == '.')
		text_len--;
	if (text[0] == '.' ? len <= text_len : len != text_len)
		return false;
	for (size_t i = 1; i <= text_len; i++)
		if (lower(asked->bytes[len - i]) != lower((uint8_t)text[text_len - i]))
			return false;
	return true;
}

/* A class in capitals would be a name, which nobody asks for: a deny that denies nothing. */
bool rule_is_like_class(const char *text)
{
	char small[16];
	size_t len = 0;
	for (; len < sizeof small - 1 && text[len] != '\0'; len++)
		small[len] = (char)lower((uint8_t)text[len]);
	small[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (small[i] == '_')
			small[i] = '-';
	return text[len] == '\0' && (is_class(small) || strcmp(small, "all") == 0);
}

static bool is_name_pattern(const char *text)
{
	size_t len = strlen(text);
	if (rule_is_like_class(text))
		return false;
	if (len > ADDR_HOSTNAME_MAX + 2)
		return false;
	struct addr name = addr_of(ADDR_NAME, text, (uint8_t)len, 0);
	if (text[0] == '.')
		name = addr_of(ADDR_NAME, text + 1, (uint8_t)(len - 1), 0);
	return addr_is_hostname(&name);
}

static enum item match_to(const char *text, struct state *s)
{
	enum item item = match_reached(text, s);
	s->by_address |= item == ITEM_YES;
	if (item != ITEM_WRONG)
		return item;
	if (!is_name_pattern(text))
		return ITEM_WRONG;
	bool holds = match_name(text, &s->context->requested);
	s->by_name |= holds;
	return item_of(holds);
}

static enum item match_at(const char *text, struct state *s)
{
	return match_reached(text, s);
}

static enum item match_port(const char *text, struct state *s)
{
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint64_t first, last;

	if (!words_number(text, len, UINT16_MAX, &first) || first == 0)
		return ITEM_WRONG;
	last = first;
	if (dash && !words_number(dash + 1, strlen(dash + 1), UINT16_MAX, &last))
		return ITEM_WRONG;
	if (last < first)
		return ITEM_WRONG;
	return item_of(s->context->requested.port >= first && s->context->requested.port <= last);
}

static const struct {
	enum item (*match)(const char *, struct state *);
	const char *would_do;
} clauses[RULE_CLAUSES] = {
	[RULE_FROM] = {match_from,
		"an address, a prefix such as 10.0.0.0/8, loopback, private, "
		"link-local, public, any, unix, unix:UID or stdio would do"},
	[RULE_USER] = {match_user, "a user's name would do, or any for whoever has logged in"},
	[RULE_COMMAND] = {match_command, COMMAND_WORDS},
	[RULE_TO] = {match_to,
		"an address, a prefix such as 10.0.0.0/8, loopback, private, "
		"link-local, public, any, a host name or .suffix would do"},
	[RULE_AT] = {match_at,
		"an address, a prefix such as 10.0.0.0/8, loopback, private, "
		"link-local, public or any would do"},
	[RULE_PORT] = {match_port, "a port or a range such as 8000-8999, of 1 to 65535, would do"},
};

/* A list "A,B,C": what the best of its items is. Every item is read, so that a mistake is never
 * passed over because something before it held. */
static enum item match_list(
	enum rule_clause clause, char *list, struct state *s, struct writer *problem)
{
	enum item best = ITEM_NO;

	for (char *text = list, *comma; text; text = comma ? comma + 1 : NULL) {
		comma = strchr(text, ',');
		if (comma)
			*comma = '\0';
		enum item item = text[0] ? clauses[clause].match(text, s) : ITEM_WRONG;
		if (item == ITEM_WRONG) {
			words_error(
				problem, "does not belong there:", text, clauses[clause].would_do);
			return ITEM_WRONG;
		}
		if (item > best)
			best = item;
	}
	return best;
}

/* The clause that a word begins, or RULE_CLAUSES. No two begin with the same letter. */
static enum rule_clause clause_of(const char *word)
{
	enum rule_clause clause = RULE_FROM;
	while (clause < RULE_CLAUSES && clause_texts[clause][0] != word[0])
		clause++;
	return clause < RULE_CLAUSES && strcmp(clause_texts[clause], word) == 0 ? clause
										: RULE_CLAUSES;
}

/* The clause at words->at[i], or RULE_CLAUSES when it cannot stand there: then why was put into
 * problem. */
static enum rule_clause read_clause(
	const struct words *words, size_t i, const bool *seen, struct writer *problem)
{
	const char *word = words->at[i];
	enum rule_clause clause = clause_of(word);

	if (clause == RULE_CLAUSES)
		words_error(problem, "no such clause:", word,
			"there are from, user, command, to, at and port");
	else if (seen[clause])
		words_error(problem, "twice in one rule:", word,
			"join the items with commas, or write two rules");
	else if (clause == RULE_AT && !seen[RULE_TO])
		words_error(
			problem, "nothing before", word, "say to whom, then at which addresses");
	else if (i + 1 == words->count)
		words_error(problem, "nothing follows", word, clauses[clause].would_do);
	else
		return clause;
	return RULE_CLAUSES;
}

static void hold(struct rule_match *match, enum item item, enum rule_clause clause)
{
	if (item == ITEM_NO && clause < match->failed)
		match->failed = clause;
	if (item == ITEM_NO)
		match->answer = RULE_NO;
	if (item == ITEM_MAYBE && match->answer == RULE_YES)
		match->answer = RULE_MAYBE;
}

bool rule_match(struct words *words, const struct rule_context *context,
	struct rule_match *ret_match, struct writer *problem)
{
	struct rule_match match = {.allow = strcmp(words->at[0], "allow") == 0,
		.answer = RULE_YES,
		.failed = RULE_CLAUSES};
	struct state s = {.context = context, .allow = match.allow};
	bool seen[RULE_CLAUSES] = {false};

	for (size_t i = 1; i < words->count; i += 2) {
		enum rule_clause clause = read_clause(words, i, seen, problem);
		if (clause == RULE_CLAUSES)
			return false;
		seen[clause] = true;
		enum item item = match_list(clause, words->at[i + 1], &s, problem);
		if (item == ITEM_WRONG)
			return false;
		hold(&match, item, clause);
		if (item == ITEM_NO && !problem)
			break;
	}
	/* An allowed name is allowed at public addresses, unless the rule says at which: or DNS
	 * could make it a door to this host and the network behind it. */
	if (match.answer != RULE_NO && match.allow && s.by_name && !s.by_address && !seen[RULE_AT])
		hold(&match, match_reached("public", &s), RULE_AT);
	match.implied = match.failed == RULE_AT && !seen[RULE_AT];
	*ret_match = match;
	return true;
}

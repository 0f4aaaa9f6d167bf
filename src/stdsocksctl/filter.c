/* SPDX-License-Identifier: ISC */
/* Which connections are meant: the clauses of an access rule, held against one connection after the
 * other. Knows: how a connection's texts become what a rule asks. Does not know: the grammar. */
#include "stdsocksctl/filter.h"

#include <string.h>

#include "policy/command.h"
#include "policy/rule.h"
#include "text/hex.h"
#include "wire/socks5.h"

/* The rule is one that denies: one that allows means public addresses where it says a name. */
static const char rule_word[] = "deny";

/* Where something begins that a line of configuration would pass over. */
static bool has_comment(const char *text)
{
	bool quoted = false, at_start = true;

	for (; *text; text++) {
		if (at_start && !quoted && *text == '#')
			return true;
		if (*text == '"')
			quoted = !quoted;
		at_start = *text == ' ' || *text == '\t';
	}
	return false;
}

static bool is_read(const char *argument, bool is_value, struct writer *problem)
{
	if (argument[strspn(argument, " \t\r\n")] == '\0')
		return words_error(problem, "empty filter argument", NULL, "omit it");
	if (is_value && strchr(argument, '"'))
		return words_error(problem, "double quote in filter value", argument,
			"omit it: the argument is the whole value");
	if (!is_value && has_comment(argument))
		return words_error(problem, "comment in filter", argument, "quote the word");
	if (strchr(argument, '\r'))
		return words_error(problem, "carriage return in filter", argument, "omit it");
	return true;
}

bool filter_wants_value(const struct filter *f)
{
	return f->words % 2 == 1;
}

bool filter_add(struct filter *f, const char *argument, struct writer *problem)
{
	const char *quote = filter_wants_value(f) ? "\"" : "";
	struct writer w = writer_on(f->text, sizeof f->text - 1);
	struct words words;

	if (!is_read(argument, *quote, problem))
		return false;
	w.len = strlen(f->text);
	if (w.len == 0)
		writer_str(&w, rule_word);
	writer_u8(&w, ' ');
	writer_str(&w, quote);
	writer_str(&w, argument);
	writer_str(&w, quote);
	f->text[w.len] = '\0';
	if (w.full)
		return words_error(problem, "filter too long", NULL, "use at most 1024 bytes");
	const struct words_line line = {.text = f->text, .len = w.len, .location = "filter"};
	if (!words_split(&line, &words, problem))
		return false;
	f->words = words.count - 1;
	return true;
}

bool filter_check(struct filter *f, struct writer *problem)
{
	const struct words_line line = {.text = f->text, .len = strlen(f->text), .location = "filter"};
	struct writer pool = writer_on(f->memory, sizeof f->memory);
	struct words words;

	if (f->text[0] == '\0')
		return true;
	if (f->words == 0) /* a rule without clauses matches all connections */
		return words_error(problem, "filter without clauses", NULL,
			"add a clause, or omit the filter");
	if (!words_split(&line, &words, problem))
		return false;
	f->rule = rule_parse(&line, &words, false, &pool, problem);
	return f->rule;
}

static struct addr addr_of_text(const char *text, unsigned port)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > ADDR_NAME_MAX)
		return (struct addr){.kind = ADDR_NONE};
	struct addr name = addr_of(ADDR_NAME, text, (uint8_t)len, (uint16_t)port);
	return addr_from_literal(&name);
}

/* What was said, as it was before it was escaped; what wire/writer has not escaped stays as it is. */
static const char *unescaped(const char *text, char raw[static WORDS_LINE_MAX + 1])
{
	char again[WORDS_LINE_MAX];
	struct hex quoted = hex_start();
	struct writer w = writer_on(raw, WORDS_LINE_MAX), check = writer_on(again, sizeof again);
	size_t len = text ? strlen(text) : 0;

	quoted.state = HEX_QUOTED;
	if (!text || !hex_read(&quoted, text, len, &w))
		return text;
	writer_escaped(&check, raw, w.len);
	if (w.full || memchr(raw, '\0', w.len) || check.len != len || memcmp(again, text, len) != 0)
		return text;
	raw[w.len] = '\0';
	return raw;
}

/* As a column shows it whose texts have no blanks. */
static const char *without_blanks(const char *text, char shown[static WORDS_LINE_MAX + 1])
{
	struct writer w = writer_on(shown, WORDS_LINE_MAX);

	for (; *text; text++) {
		if (*text == ' ')
			writer_str(&w, "\\x20");
		else
			writer_u8(&w, (uint8_t)*text);
	}
	shown[w.len] = '\0';
	return w.full ? "" : shown;
}

/* The number of the command that a record names; 0 where there is none. */
static uint8_t command_of(const char *name)
{
	for (unsigned number = 1; name && number <= UINT8_MAX; number++)
		if (command_of_number((uint8_t)number) != 0 &&
			strcmp(socks5_command_text((uint8_t)number), name) == 0)
			return (uint8_t)number;
	return 0;
}

static struct rule_context facts_of(const struct filter_parties *who)
{
	const uint8_t command = command_of(who->command);
	/* A lookup's means nothing, as the server judges it. */
	const unsigned port = command_of_number(command) == COMMAND_RESOLVE ? 0 : who->port;
	struct rule_context facts = {.client_kind = RULE_CLIENT_OTHER,
		.uid = who->uid ? (int64_t)*who->uid : -1,
		.user = who->user,
		.command = command,
		.requested = addr_of_text(who->dst, port),
		.resolved = addr_of_text(who->reached, port)};

	facts.client = addr_of_text(who->client, 0);
	if (facts.client.kind == ADDR_IPV4 || facts.client.kind == ADDR_IPV6)
		facts.client_kind = RULE_CLIENT_IP;
	else if (who->client && strcmp(who->client, "unix") == 0)
		facts.client_kind = RULE_CLIENT_UNIX;
	else if (who->client && strcmp(who->client, "stdio") == 0)
		facts.client_kind = RULE_CLIENT_STDIO;
	if (facts.resolved.kind == ADDR_NONE && facts.requested.kind != ADDR_NAME)
		facts.resolved = facts.requested;
	if (facts.resolved.kind != ADDR_NONE)
		facts.embedded = special_embedded(&facts.resolved, 0);
	return facts;
}

static bool matches(const struct filter *f, const struct rule_context *context)
{
	return rule_evaluate(f->rule, context).answer == RULE_YES;
}

bool filter_passes(const struct filter *f, const struct filter_parties *who)
{
	char raw[WORDS_LINE_MAX + 1], shown[WORDS_LINE_MAX + 1];

	if (f->text[0] == '\0')
		return true;
	struct rule_context facts = facts_of(who);
	if (matches(f, &facts))
		return true;
	if (!who->user)
		return false;
	facts.user = unescaped(who->user, raw);
	if (facts.user != who->user && matches(f, &facts))
		return true;
	facts.user = without_blanks(who->user, shown);
	return strchr(who->user, ' ') && matches(f, &facts);
}

/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/filter.h"

#include <string.h>

#include "policy/command.h"
#include "policy/rule.h"
#include "stdsocksctl/column.h"
#include "text/hex.h"
#include "wire/socks5.h"

/* A rule that allows a name is limited to public addresses; a rule that denies is not. */
static const char rule_word[] = "deny";

/* Returns true if a line of configuration would ignore the rest of the text from some "#" on. */
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

static bool check_argument(const char *argument, bool is_value, struct writer *problem)
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

static struct words_line line_of(const struct filter *f)
{
	return (struct words_line){.text = f->text, .len = strlen(f->text), .location = "filter"};
}

bool filter_add(struct filter *f, const char *argument, struct writer *problem)
{
	const char *quote = filter_wants_value(f) ? "\"" : "";
	struct writer w = writer_on(f->text, sizeof f->text - 1);
	struct words words;

	if (!check_argument(argument, *quote, problem))
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
	const struct words_line line = line_of(f);
	if (!words_split(&line, &words, problem))
		return false;
	f->words = words.count - 1;
	return true;
}

bool filter_check(struct filter *f, struct writer *problem)
{
	const struct words_line line = line_of(f);
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

/* Returns the text before writer_escaped() escaped it; if that did not, returns the text itself. */
static const char *unescaped(const char *text, char raw[static WORDS_LINE_MAX + 1])
{
	char again[WORDS_LINE_MAX];
	struct hex quoted = hex_start();
	struct writer w = writer_on(raw, WORDS_LINE_MAX), check = writer_on(again, sizeof again);
	size_t len = strlen(text);

	quoted.state = HEX_QUOTED;
	if (!hex_read(&quoted, text, len, &w))
		return text;
	writer_escaped(&check, raw, w.len);
	if (w.full || memchr(raw, '\0', w.len) || check.len != len || memcmp(again, text, len) != 0)
		return text;
	raw[w.len] = '\0';
	return raw;
}

/* Returns the number of the command that a record names, or 0 if there is none. */
static uint8_t command_of(const char *name)
{
	for (unsigned number = 1; name && number <= UINT8_MAX; number++)
		if (command_of_number((uint8_t)number) != 0 &&
			strcmp(socks5_command_text((uint8_t)number), name) == 0)
			return (uint8_t)number;
	return 0;
}

static struct rule_context context_of(const struct filter_connection *c)
{
	const uint8_t command = command_of(c->command);
	/* The server ignores the port of a lookup, too. */
	const unsigned port = command_of_number(command) == COMMAND_RESOLVE ? 0 : c->port;
	struct rule_context context = {.client_kind = RULE_CLIENT_OTHER,
		.uid = c->uid ? (int64_t)*c->uid : -1,
		.user = c->user,
		.command = command,
		.requested = addr_of_text(c->dst, port),
		.resolved = addr_of_text(c->address, port)};

	context.client = addr_of_text(c->client, 0);
	if (context.client.kind == ADDR_IPV4 || context.client.kind == ADDR_IPV6)
		context.client_kind = RULE_CLIENT_IP;
	else if (c->client && strcmp(c->client, "unix") == 0)
		context.client_kind = RULE_CLIENT_UNIX;
	else if (c->client && strcmp(c->client, "stdio") == 0)
		context.client_kind = RULE_CLIENT_STDIO;
	if (context.resolved.kind == ADDR_NONE && context.requested.kind != ADDR_NAME)
		context.resolved = context.requested;
	if (context.resolved.kind != ADDR_NONE)
		context.embedded = special_embedded(&context.resolved, 0);
	return context;
}

static bool matches_user(const struct filter *f, struct rule_context *context, const char *user)
{
	context->user = user;
	return rule_evaluate(f->rule, context).answer == RULE_YES;
}

bool filter_matches(const struct filter *f, const struct filter_connection *c)
{
	char buffer[WORDS_LINE_MAX + 1];

	if (f->text[0] == '\0')
		return true;
	struct rule_context context = context_of(c);
	if (matches_user(f, &context, c->user))
		return true;
	if (!c->user)
		return false;
	/* A user is also selected by the name before it was escaped, and as "log" shows it. */
	const char *raw = unescaped(c->user, buffer);
	if (raw != c->user && matches_user(f, &context, raw))
		return true;
	struct writer w = writer_on(buffer, WORDS_LINE_MAX);
	column_put(&w, c->user);
	buffer[w.len] = '\0';
	return strchr(c->user, ' ') && !w.full && matches_user(f, &context, buffer);
}

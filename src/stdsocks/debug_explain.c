/* SPDX-License-Identifier: ISC */
/* --explain: what the rules say of a connection that nobody makes.
 * Knows: questions and expectations as text. Does not know: sessions. */
#include "stdsocks/debug_explain.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "net/resolve.h"
#include "policy/command.h"
#include "stdsocks/options.h"
#include "wire/large.h"
#include "wire/socks5.h"

#define LOOKUP_US  INT64_C(60000000) /* the resolver gives up long before */
/* A place: a path of PATH_MAX and a number. An address with its class. */
#define ANSWER_CAP 8192

static const char example[] = "from 192.0.2.7 user alice to example.com port 443";
static const char example_lookup[] = "command resolve to example.com";

struct question {
	struct words words;
	struct rule_context context;
	const char *expected; /* "allow", "deny" or NULL */
};

static void print(FILE *file, const struct writer *text)
{
	fprintf(file, "%.*s", (int)text->len, text->bytes);
}

/* unix:UID, a user who has a name in the system. */
static bool parse_uid(const char *text, struct rule_context *context)
{
	uint64_t uid;
	if (!words_number(text, strlen(text), UINT32_MAX, &uid))
		return false;
	const struct passwd *user = getpwuid((uid_t)uid);
	context->uid = (int64_t)uid;
	if (user && !context->user)
		context->user = user->pw_name;
	return true;
}

static bool parse_who(const char *text, struct rule_context *context)
{
	size_t len = strnlen(text, ADDR_NAME_MAX);
	struct addr name = addr_of(ADDR_NAME, text, (uint8_t)len, 0);

	if (strcmp(text, "stdio") == 0) {
		context->client_kind = RULE_CLIENT_STDIO;
		return true;
	}
	if (strcmp(text, "unix") == 0 || strncmp(text, "unix:", 5) == 0) {
		context->client_kind = RULE_CLIENT_UNIX;
		return text[4] == '\0' || parse_uid(text + 5, context);
	}
	context->client_kind = RULE_CLIENT_IP;
	context->client = addr_from_literal(&name);
	context->client = addr_unmapped(&context->client);
	return context->client.kind != ADDR_NAME;
}

static bool parse_host(const char *text, struct rule_context *context)
{
	if (strlen(text) > ADDR_NAME_MAX)
		return false;
	context->requested =
		addr_of(ADDR_NAME, text, (uint8_t)strlen(text), context->requested.port);
	context->requested = addr_from_literal(&context->requested);
	return context->requested.kind != ADDR_NAME || addr_is_hostname(&context->requested);
}

static bool parse_command(const char *text, struct rule_context *context)
{
	context->command = command_number(text);
	return context->command != 0;
}

/* One clause of a question. */
static bool parse_clause(const char *clause, const char *text, struct rule_context *context)
{
	uint64_t port;

	if (strcmp(clause, "from") == 0)
		return parse_who(text, context);
	if (strcmp(clause, "user") == 0) {
		context->user = text;
		return text[0] != '\0';
	}
	if (strcmp(clause, "command") == 0)
		return parse_command(text, context);
	if (strcmp(clause, "to") == 0)
		return parse_host(text, context);
	if (strcmp(clause, "port") != 0 || !words_number(text, strlen(text), UINT16_MAX, &port) ||
		port == 0)
		return false;
	context->requested.port = (uint16_t)port;
	return true;
}

/* Why nobody can ask the server for that, or NULL. */
static const char *impossible(const struct rule_context *context)
{
	const bool takes_port =
		context->command == SOCKS5_CONNECT || context->command == SOCKS5_UDP_ASSOCIATE;

	if (context->requested.kind == ADDR_NONE || (takes_port && context->requested.port == 0))
		return "no destination or no port";
	if (context->command == SOCKS5_RESOLVE && context->requested.port != 0)
		return "a lookup has no port";
	return NULL;
}

/* False with a complaint on standard error when it is no question. */
static bool parse_question(const struct words_line *line, struct question *q)
{
	static char bytes[ANSWER_CAP];
	struct writer problem = writer_on(bytes, sizeof bytes);
	*q = (struct question){
		.context = {
			.client_kind = RULE_CLIENT_STDIO, .uid = -1, .command = SOCKS5_CONNECT}};
	const char *wrong = NULL;
	size_t i = 0;

	words_put_location(&problem, line);
	writer_str(&problem, ": ");
	bool right = words_split(line, &q->words, &problem);
	if (right && rule_is_one(&q->words))
		q->expected = q->words.at[i++];
	for (; right && !wrong && i < q->words.count; i += 2)
		if (i + 1 == q->words.count ||
			!parse_clause(q->words.at[i], q->words.at[i + 1], &q->context))
			wrong = q->words.at[i];
	const char *what =
		wrong ? "not understood, with what follows it:" : impossible(&q->context);
	if (right && what) {
		right = words_error(&problem, what, wrong, "ask, for example: ");
		writer_str(
			&problem, q->context.command == SOCKS5_RESOLVE ? example_lookup : example);
	}
	if (!right) {
		writer_u8(&problem, '\n');
		print(stderr, &problem);
	}
	return right;
}

static void print_host(const struct addr *a)
{
	char bytes[ANSWER_CAP];
	struct writer w = writer_on(bytes, sizeof bytes);
	addr_put_host(&w, a);
	print(stdout, &w);
}

static void print_place(const struct words_line *rule)
{
	char bytes[ANSWER_CAP];
	struct writer w = writer_on(bytes, sizeof bytes);
	words_put_location(&w, rule);
	print(stdout, &w);
}

/* Shows one rule, and why it did not match. */
static void see(const struct words_line *rule, const struct rule_match *match)
{
	printf("  ");
	print_place(rule);
	printf(": %.*s\n    ", (int)rule->len, rule->text);
	switch (match->answer) {
	case RULE_NO:
		if (match->implied)
			printf("no: without \"at\" a name is allowed at public addresses\n");
		else
			printf("no: \"%s\" does not hold\n", rule_clause_text(match->failed));
		break;
	case RULE_MAYBE:
		printf("perhaps: that hangs on the address\n");
		break;
	case RULE_YES:
		printf("yes: %s\n", match->allow ? "allowed" : "denied");
		break;
	}
}

/* Judges with one address, or with none yet, and shows it. */
static enum rule_answer answer(const struct rules *rules, const struct rule_context *context)
{
	struct addr inside;

	if (context->resolved.kind != ADDR_NONE) {
		inside = special_embedded(&context->resolved, 0);
		printf(" at ");
		print_host(&context->resolved);
		if (inside.kind != context->resolved.kind) {
			printf(", which reaches ");
			print_host(&inside);
		}
		printf(" (%s)\n", special_class_text(special_class_of(&inside)));
	}
	struct rules_verdict verdict = rules_evaluate(rules, context, see);
	if (verdict.allowed != RULE_MAYBE) {
		printf("  %s by ", verdict.allowed == RULE_YES ? "allowed" : "denied");
		print_place(verdict.rule);
		printf("\n");
	}
	if (verdict.allowed == RULE_NO) {
		char bytes[ANSWER_CAP];
		struct writer w = writer_on(bytes, sizeof bytes);
		writer_str(&w, "  to allow it: ");
		rules_put_suggestion(&w, context);
		writer_u8(&w, '\n');
		print(stdout, &w);
	}
	return verdict.allowed;
}

/* The answer for a name: by its addresses, unless it needs none. */
static enum rule_answer answer_name(const struct rules *rules, struct rule_context *context)
{
	static struct resolve_list list LARGE;
	enum rule_answer best = answer(rules, context);

	if (best != RULE_MAYBE)
		return best;
	if (resolve_name(&context->requested, clock_after(clock_now_us(), LOOKUP_US), &list) !=
		RESOLVE_DONE) {
		printf("  not found: %s\n", list.why);
		return RULE_MAYBE;
	}
	best = RULE_NO;
	for (size_t i = 0; i < list.count; i++) {
		context->resolved = list.addrs[i];
		if (answer(rules, context) == RULE_YES)
			best = RULE_YES;
	}
	return best;
}

static void print_escaped(FILE *file, const struct words_line *line)
{
	char bytes[ANSWER_CAP];
	struct writer w = writer_on(bytes, sizeof bytes);
	writer_escaped(&w, line->text, line->len);
	writer_u8(&w, '\n');
	print(file, &w);
}

static int explain_line(const struct rules *rules, const struct words_line *line)
{
	static struct question q;
	enum rule_answer answered;

	if (!parse_question(line, &q))
		return EXIT_USAGE;
	print_escaped(stdout, line);
	if (q.context.requested.kind == ADDR_NAME) {
		answered = answer_name(rules, &q.context);
	} else {
		q.context.resolved = q.context.requested;
		answered = answer(rules, &q.context);
	}
	static const char *const answers[] = {
		[RULE_NO] = "deny", [RULE_MAYBE] = "unknown", [RULE_YES] = "allow"};
	const char *said = answers[answered];
	printf("%s\n", said);
	fflush(stdout); /* before what standard error says */
	if (!q.expected || strcmp(q.expected, said) == 0)
		return EXIT_OVER;
	fprintf(stderr, "expected %s, and the answer is %s: ", q.expected, said);
	print_escaped(stderr, line);
	return EXIT_CONFIG;
}

/* Every line of standard input. */
static int explain_lines(const struct rules *rules)
{
	struct words_line line = {.location = "standard input"};
	int status = EXIT_OVER;
	static char *text; /* getline(3) owns it, for the process's life */
	static size_t cap;

	for (ssize_t n; (n = getline(&text, &cap, stdin)) > 0;) {
		size_t blanks = strspn(text, " \t\r\n");
		line.text = text;
		line.len = (size_t)n - (text[n - 1] == '\n');
		line.len -= line.len > 0 && text[line.len - 1] == '\r';
		line.number++;
		if (blanks == (size_t)n || text[blanks] == '#')
			continue;
		int one = explain_line(rules, &line);
		if (one != EXIT_OVER && status != EXIT_USAGE)
			status = one;
	}
	if (!ferror(stdin))
		return status;
	fprintf(stderr, "standard input: %s; it takes a file of questions\n", strerror(errno));
	return EXIT_SYSTEM;
}

int explain(const struct rules *rules, const char *question)
{
	const struct words_line line = {
		.text = question, .len = strlen(question), .location = "--explain"};
	int status = strcmp(question, "-") == 0 ? explain_lines(rules) : explain_line(rules, &line);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "standard output: %s; it takes the answers\n", strerror(errno));
	return EXIT_SYSTEM;
}

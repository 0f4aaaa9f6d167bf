/* SPDX-License-Identifier: ISC */
#include "stdsocks/debug_explain.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "net/name_files.h"
#include "policy/command.h"
#include "stdsocks/destination.h"
#include "stdsocks/options.h"
#include "wire/large.h"
#include "wire/socks5.h"

/* Longer than the default timeouts of three name servers. */
#define LOOKUP_US  INT64_C(60000000)
/* Bytes of the longest text that is printed at once: a location with a path of PATH_MAX, and an
 * escaped line. */
#define ANSWER_CAP 8192

static const char example[] = "from 192.0.2.7 user alice to example.com port 443";
static const char example_lookup[] = "command resolve to example.com";

struct question {
	struct words words;
	struct rule_context context;
	const char *expected; /* "allow", "deny" or NULL */
};

static char out_bytes[ANSWER_CAP] LARGE;
static struct writer out = {.bytes = out_bytes, .cap = sizeof out_bytes};

/* Prints the text, which is then empty. */
static void print(FILE *file)
{
	fprintf(file, "%.*s", (int)out.len, out.bytes);
	out = writer_on(out_bytes, sizeof out_bytes);
}

/* The UID of unix:UID. If it has a user name, that is authenticated. */
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

static bool parse_from(const char *text, struct rule_context *context)
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

static bool parse_to(const char *text, struct rule_context *context)
{
	if (strlen(text) > ADDR_NAME_MAX)
		return false;
	context->requested =
		addr_of(ADDR_NAME, text, (uint8_t)strlen(text), context->requested.port);
	context->requested = addr_from_literal(&context->requested);
	return context->requested.kind != ADDR_NAME || addr_is_hostname(&context->requested);
}

static bool parse_clause(const char *clause, const char *text, struct rule_context *context)
{
	uint64_t port;

	if (strcmp(clause, "from") == 0)
		return parse_from(text, context);
	if (strcmp(clause, "user") == 0) {
		context->user = text;
		return text[0] != '\0';
	}
	if (strcmp(clause, "command") == 0) {
		context->command = command_number(text);
		return context->command != 0;
	}
	if (strcmp(clause, "to") == 0)
		return parse_to(text, context);
	if (strcmp(clause, "port") != 0 || !words_number(text, strlen(text), UINT16_MAX, &port) ||
		port == 0)
		return false;
	context->requested.port = (uint16_t)port;
	return true;
}

/* Returns an error if no client can send the request; otherwise NULL. */
static const char *impossible(const struct rule_context *context)
{
	const bool takes_port =
		context->command == SOCKS5_CONNECT || context->command == SOCKS5_UDP_ASSOCIATE;

	if (context->requested.kind == ADDR_NONE || (takes_port && context->requested.port == 0))
		return "no destination or no port in the question";
	if (context->command == SOCKS5_RESOLVE && context->requested.port != 0)
		return "a lookup has no port";
	return NULL;
}

/* On error returns false and writes a message to standard error. */
static bool parse_question(const struct words_line *line, struct question *q)
{
	*q = (struct question){
		.context = {
			.client_kind = RULE_CLIENT_STDIO, .uid = -1, .command = SOCKS5_CONNECT}};
	const char *wrong = NULL;
	size_t i = 0;

	words_put_location(&out, line);
	writer_str(&out, ": ");
	bool valid = words_split(line, &q->words, &out);
	if (valid && rule_is_rule(&q->words))
		q->expected = q->words.at[i++];
	for (; valid && !wrong && i < q->words.count; i += 2)
		if (i + 1 == q->words.count ||
			!parse_clause(q->words.at[i], q->words.at[i + 1], &q->context))
			wrong = q->words.at[i];
	const char *what = wrong ? "cannot parse clause" : impossible(&q->context);
	if (valid && what) {
		valid = words_error(&out, what, wrong, "ask, for example: ");
		writer_str(&out, q->context.command == SOCKS5_RESOLVE ? example_lookup : example);
	}
	if (valid)
		out.len = 0; /* no error follows the location */
	else
		writer_u8(&out, '\n');
	print(stderr);
	return valid;
}

static void print_location(const struct rule *rule)
{
	const struct words_line line = {.location = rule->location, .number = rule->number};
	words_put_location(&out, &line);
	print(stdout);
}

/* Prints a rule, and why it matches or not. */
static void print_rule(const struct rule *rule, const struct rule_match *match)
{
	printf("  ");
	print_location(rule);
	printf(": %s\n    ", rule_text(rule));
	if (match->answer == RULE_YES)
		printf("yes: %s\n", match->allow ? "allowed" : "denied");
	else if (match->answer == RULE_MAYBE)
		printf("maybe: depends on the address\n");
	else if (match->implied)
		printf("no: without \"at\", a name is allowed at public addresses only\n");
	else
		printf("no: \"%s\" does not match\n", rule_clause_text(match->failed));
}

/* Sets the routes of all addresses that the resolved address may reach. If the kernel cannot be
 * asked, a route stays unknown. */
static void find_routes(const struct config *config, struct rule_context *context)
{
	const struct addr *resolved = &context->resolved;
	struct addr embedded;

	for (unsigned n = 0; (embedded = special_embedded(resolved, n)).kind != ADDR_NONE; n++) {
		const int route = special_class_of(&embedded) == SPECIAL_LOOPBACK
			? SPECIAL_ROUTE_OTHER
			: destination_route(config, resolved, n);
		context->routes[n] = (uint8_t)(route < 0 ? SPECIAL_ROUTE_UNKNOWN : route);
	}
}

/* Prints the address, the embedded address that it reaches, and its class. */
static void print_address(const struct rule_context *context)
{
	static const char *const reasons[] = {[SPECIAL_ROUTE_OTHER] = "",
		[SPECIAL_ROUTE_LOCAL] = ": an address of this host",
		[SPECIAL_ROUTE_BROADCAST] = ": a broadcast address",
		[SPECIAL_ROUTE_UNKNOWN] = ""};
	const struct addr *resolved = &context->resolved;
	const struct addr embedded = special_embedded(resolved, 0);
	const enum special_route route = (enum special_route)context->routes[0];

	writer_str(&out, " at ");
	addr_put_host(&out, resolved);
	if (embedded.kind != resolved->kind) {
		writer_str(&out, ", which reaches ");
		addr_put_host(&out, &embedded);
	}
	print(stdout);
	printf(" (%s%s)\n", special_class_text(special_class_by(&embedded, route)), reasons[route]);
}

/* Evaluates the rules for context->resolved, or for a name that is not resolved yet. */
static enum rule_answer explain_address(
	const struct settings *settings, const struct rule_context *context)
{
	struct rule_context known = *context;
	struct session_decision decision = {.context = *context};
	const struct rules_verdict *verdict = &decision.verdict;

	if (context->resolved.kind != ADDR_NONE) {
		find_routes(&settings->config, &known);
		print_address(&known);
	}
	rules_evaluate(&settings->rules, &known, print_rule);
	destination_decide(settings, &decision);
	if (decision.error) {
		printf("  denied: %s: %s\n", destination_why(&decision), strerror(decision.error));
	} else if (verdict->allowed != RULE_MAYBE) {
		printf("  %s by ", verdict->allowed == RULE_YES ? "allowed" : "denied");
		print_location(verdict->rule);
		printf("\n");
	}
	if (verdict->allowed == RULE_NO && !decision.error) {
		printf("  to allow it: ");
		rules_put_suggestion(&out, &decision.context);
		writer_u8(&out, '\n');
		print(stdout);
	}
	return verdict->allowed;
}

/* Finds the addresses of a name. Prints where they are from, or returns false and prints why there
 * are none. */
static bool look_up(const struct addr *name, struct resolve_list *list)
{
	static struct resolve lookup;
	const int64_t deadline_us = clock_after(clock_now_us(), LOOKUP_US);

	list->count = 0;
	resolve_start(&lookup, name, deadline_us, list, NULL);
	const int error = resolve_wait_for_end(&lookup, list);
	if (error < 0 || lookup.status != RESOLVE_DONE) {
		printf("  not found: %s\n", error < 0 ? strerror(-error) : lookup.why);
		return false;
	}
	if (lookup.source.kind != ADDR_NONE) {
		writer_str(&out, "  resolved by ");
		addr_put_host(&out, &lookup.source);
		writer_u8(&out, '\n');
		print(stdout);
	}
	return true;
}

/* Evaluates the rules for a request. Resolves a name only if they depend on its addresses. */
static enum rule_answer explain_request(
	const struct settings *settings, struct rule_context *context)
{
	static struct resolve_list list LARGE;

	if (context->requested.kind != ADDR_NAME)
		context->resolved = context->requested;
	enum rule_answer best = explain_address(settings, context);
	if (best != RULE_MAYBE)
		return best;
	if (!look_up(&context->requested, &list))
		return RULE_MAYBE;
	best = RULE_NO;
	for (size_t i = 0; i < list.count; i++) {
		context->resolved = list.addrs[i];
		if (explain_address(settings, context) == RULE_YES)
			best = RULE_YES;
	}
	return best;
}

static void print_escaped(FILE *file, const struct words_line *line)
{
	writer_escaped(&out, line->text, line->len);
	writer_u8(&out, '\n');
	print(file);
}

/* Returns the exit status. */
static int explain_line(const struct settings *settings, const struct words_line *line)
{
	static const char *const answers[] = {
		[RULE_NO] = "deny", [RULE_MAYBE] = "unknown", [RULE_YES] = "allow"};
	static struct question q;

	if (!parse_question(line, &q))
		return EXIT_USAGE;
	print_escaped(stdout, line);
	const enum rule_answer answer = explain_request(settings, &q.context);
	printf("%s\n", answers[answer]);
	fflush(stdout); /* before the message on standard error */
	if (!q.expected || strcmp(q.expected, answers[answer]) == 0)
		return EXIT_OVER;
	fprintf(stderr, "expected %s, but the answer is %s: ", q.expected, answers[answer]);
	print_escaped(stderr, line);
	return EXIT_CONFIG;
}

static int explain_lines(const struct settings *settings)
{
	struct words_line line = {.location = "standard input"};
	int status = EXIT_OVER;
	static char *text; /* allocated by getline(3), and not freed */
	static size_t cap;

	for (ssize_t n; (n = getline(&text, &cap, stdin)) > 0;) {
		size_t blanks = strspn(text, " \t\r\n");
		line.text = text;
		line.len = (size_t)n - (text[n - 1] == '\n');
		line.len -= line.len > 0 && text[line.len - 1] == '\r';
		line.number++;
		if (blanks == (size_t)n || text[blanks] == '#')
			continue;
		int one = explain_line(settings, &line);
		if (one != EXIT_OVER && status != EXIT_USAGE)
			status = one;
	}
	if (!ferror(stdin))
		return status;
	fprintf(stderr, "standard input: %s; use a file of questions\n", strerror(errno));
	return EXIT_SYSTEM;
}

int debug_explain(const struct settings *settings, const char *question)
{
	const struct words_line line = {
		.text = question, .len = strlen(question), .location = "--explain"};

	name_files_open(); /* once for all questions */
	const int status = strcmp(question, "-") == 0 ? explain_lines(settings)
						      : explain_line(settings, &line);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "standard output: %s; use a file that can be written\n", strerror(errno));
	return EXIT_SYSTEM;
}

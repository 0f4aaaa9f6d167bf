/* SPDX-License-Identifier: ISC */
/* stdsocksctl/filter: how a connection's texts become what a rule asks. */
#include "stdsocksctl/filter.h"

#include "check.h"

static const uint32_t root = 0, somebody = 1000;

static void passing(void)
{
	static const struct {
		const char *filter;
		struct filter_parties who;
		bool passes;
	} rows[] = {
		{"", {0}, true},
		{"from any", {0}, true},
		{"from unix:0", {.client = "unix", .uid = &root}, true},
		{"from unix:0", {.client = "unix", .uid = &somebody}, false},
		{"from unix:0", {.client = "unix"}, false},
		{"from unix:0", {.client = "stdio", .uid = &root}, false},
		{"from 192.0.2.0/24", {.client = "192.0.2.7"}, true},
		{"from 192.0.2.0/24", {.client = "other"}, false},
		{"from 192.0.2.0/24", {0}, false},
		{"user any", {.user = "alice"}, true},
		{"user any", {0}, false},
		/* names were escaped by wire/writer, or something took the backslashes away */
		{"user dom\\alice", {.user = "dom\\\\alice"}, true},
		{"user dom\\alice", {.user = "dom\\alice"}, true},
		/* as it is shown */
		{"user dom\\\\alice", {.user = "dom\\\\alice"}, true},
		{"user caf\\xc3\\xa9", {.user = "caf\\xc3\\xa9"}, true},
		{"user a\\x20b", {.user = "a b"}, true},
		{"user a\\x20b", {.user = "a c"}, false},
		{"user a\\x20", {.user = "a"}, false},
		{"user \"a b\"", {.user = "a b"}, true},
		{"user \xc3\xa9", {.user = "\\xc3\\xa9"}, true},
		{"user al", {.user = "a\"\"l"}, false},
		{"user al", {.user = "a\"l"}, false},
		{"user alice", {.user = "alice\\x00bob"}, false},
		{"user alice", {.user = "alice\\"}, false},
		{"to example.com", {.dst = "example.com", .port = 1}, true},
		{"to .example.com port 2", {.dst = "www.example.com", .port = 1}, false},
		{"to 10.0.0.0/8", {.dst = "10.1.2.3", .port = 1}, true},
		{"to 10.0.0.0/8", {.dst = "example.com", .port = 1}, false},
		{"to 10.0.0.0/8", {.dst = "example.com", .reached = "10.1.2.3", .port = 1}, true},
		{"to any", {0}, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct filter f = {0};
		char text[WORDS_LINE_MAX];
		struct writer problem = writer_on(text, sizeof text);
		check_about = rows[i].filter;
		if (rows[i].filter[0])
			CHECK(filter_add(&f, rows[i].filter, &problem));
		CHECK(filter_check(&f, &problem));
		CHECK_TEXT(problem, "");
		CHECK_NUMBER(filter_passes(&f, &rows[i].who), rows[i].passes);
	}
}

static void words(void)
{
	struct filter f = {0};
	char text[WORDS_LINE_MAX], word[WORDS_LINE_MAX + 1];
	struct writer problem = writer_on(text, sizeof text);

	check_about = "words";
	CHECK(filter_add(&f, "user", NULL));
	CHECK(filter_wants_value(&f));
	CHECK(!filter_check(&f, &problem) && problem.len > 0);
	CHECK(filter_add(&f, "alice", NULL));
	CHECK(!filter_wants_value(&f));
	CHECK(filter_check(&f, NULL));
	CHECK(filter_passes(&f, &(struct filter_parties){.user = "alice"}));
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	CHECK(!filter_add(&f, word, NULL));
}

/* An argument that says nothing is a mistake, and never a filter that all pass. */
static void nothing(void)
{
	static const char *const arguments[] = {
		"", " ", "\t", " \t ", "#", "#x", " # x", "\r", "\n", " \r", "\"\" #x", "user\r"};
	static const char *const values[] = {
		"", " ", "\t", "\r", "alice\r", "a\"b", "\"a b\"", "\""};
	char text[WORDS_LINE_MAX];

	for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
		struct filter f = {0};
		struct writer problem = writer_on(text, sizeof text);
		check_about = arguments[i];
		CHECK(!filter_add(&f, arguments[i], &problem) && problem.len > 0);
		CHECK_NUMBER(f.words, 0);
	}
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct filter f = {0};
		struct writer problem = writer_on(text, sizeof text);
		check_about = values[i];
		CHECK(filter_add(&f, "user", NULL));
		CHECK(!filter_add(&f, values[i], &problem) && problem.len > 0);
	}
	check_about = "a rule without clauses";
	CHECK(!filter_check(&(struct filter){.text = "deny "}, NULL));
}

/* What stands behind a clause is one word. */
static void values(void)
{
	static const struct {
		const char *arguments[4], *user;
		bool passes;
	} rows[] = {
		{{"user", "a b"}, "a b", true},
		{{"user", "a b"}, "a", false},
		{{"user", "a to any"}, "a", false},
		{{"user", "#x"}, "#x", true},
		{{"user", " alice"}, "alice", false},
		{{"user \"a b\""}, "a b", true},
		{{"user \"#x\""}, "#x", true},
		{{"user a#x"}, "a#x", true},
		{{"from any user", "a b"}, "a b", true},
		{{"user alice", "from any", "to", "any"}, "alice", true},
		{{"user", "bob,a b"}, "a b", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct filter f = {0};
		check_about = rows[i].arguments[0];
		for (size_t n = 0; n < 4 && rows[i].arguments[n]; n++)
			CHECK(filter_add(&f, rows[i].arguments[n], NULL));
		CHECK(filter_check(&f, NULL));
		const struct filter_parties who = {.user = rows[i].user};
		CHECK_NUMBER(filter_passes(&f, &who), rows[i].passes);
	}
}

/* A record's command, by the word that a rule has for it. */
static void commands(void)
{
	static const struct {
		const char *filter, *command;
		bool passes;
	} rows[] = {{"command connect", "CONNECT", true}, {"command connect", "BIND", false},
		{"command bind", "BIND", true}, {"command udp", "UDP ASSOCIATE", true},
		{"command udp", "BIND", false}, {"command resolve", "RESOLVE", true},
		{"command resolve", "RESOLVE_PTR", true}, {"command resolve", "CONNECT", false},
		{"command bind,udp", "UDP ASSOCIATE", true},
		{"command connect", "unassigned", false}, {"command connect", "connect", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct filter f = {0};
		check_about = rows[i].filter;
		CHECK(filter_add(&f, rows[i].filter, NULL));
		CHECK(filter_check(&f, NULL));
		const struct filter_parties who = {.command = rows[i].command};
		CHECK_NUMBER(filter_passes(&f, &who), rows[i].passes);
	}
}

/* A lookup has no port, whatever its client has sent as one. */
static void lookups(void)
{
	static const struct {
		const char *filter, *command;
		bool passes;
	} rows[] = {{"port 443", "CONNECT", true}, {"port 443", "BIND", true},
		{"port 443", NULL, true}, {"port 443", "RESOLVE", false},
		{"port 443", "RESOLVE_PTR", false}, {"to 192.0.2.0/24", "RESOLVE_PTR", true},
		{"to 192.0.2.7 port 443", "RESOLVE", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct filter f = {0};
		check_about = rows[i].filter;
		CHECK(filter_add(&f, rows[i].filter, NULL));
		CHECK(filter_check(&f, NULL));
		const struct filter_parties who = {
			.command = rows[i].command, .dst = "192.0.2.7", .port = 443};
		CHECK_NUMBER(filter_passes(&f, &who), rows[i].passes);
	}
}

/* "any" is also what is not known, and no other item is. */
static void unknown(void)
{
	static const struct {
		const char *filter;
		bool passes;
	} rows[] = {{"from any", true}, {"to any", true}, {"to any at any", true},
		{"user any", false}, {"command connect", false}, {"to public", false},
		{"to any at public", false}, {"port 1-65535", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct filter f = {0};
		check_about = rows[i].filter;
		CHECK(filter_add(&f, rows[i].filter, NULL));
		CHECK(filter_check(&f, NULL));
		CHECK_NUMBER(filter_passes(&f, &(struct filter_parties){0}), rows[i].passes);
	}
}

int main(void)
{
	passing();
	words();
	nothing();
	values();
	unknown();
	commands();
	lookups();
	return check_end();
}

/* SPDX-License-Identifier: ISC */
/* stdsocksctl/filter: matches connections and reports invalid filters. */
#include "stdsocksctl/filter.h"

#include "check.h"

static const uint32_t root = 0, user = 1000;

static void matching(void)
{
	static const struct {
		const char *arguments[4];
		struct filter_connection connection;
		bool matches;
	} rows[] = {
		{{NULL}, {0}, true},
		{{"from unix:0"}, {.client = "unix", .uid = &root}, true},
		{{"from unix:0"}, {.client = "unix", .uid = &user}, false},
		{{"from unix:0"}, {.client = "unix"}, false},
		{{"from unix:0"}, {.client = "stdio", .uid = &root}, false},
		{{"from 192.0.2.0/24"}, {.client = "192.0.2.7"}, true},
		{{"from 192.0.2.0/24"}, {.client = "other"}, false},
		{{"from 192.0.2.0/24"}, {0}, false},
		{{"user any"}, {.user = "alice"}, true},
		/* writer_escaped() escapes the name, or systemd removes the backslashes */
		{{"user dom\\alice"}, {.user = "dom\\\\alice"}, true},
		{{"user dom\\alice"}, {.user = "dom\\alice"}, true},
		/* the name as stdsocksctl prints it */
		{{"user dom\\\\alice"}, {.user = "dom\\\\alice"}, true},
		{{"user caf\\xc3\\xa9"}, {.user = "caf\\xc3\\xa9"}, true},
		{{"user a\\x20b"}, {.user = "a b"}, true},
		{{"user a\\x20b"}, {.user = "a c"}, false},
		{{"user a\\x20"}, {.user = "a"}, false},
		{{"user \xc3\xa9"}, {.user = "\\xc3\\xa9"}, true},
		{{"user al"}, {.user = "a\"\"l"}, false},
		{{"user al"}, {.user = "a\"l"}, false},
		{{"user alice"}, {.user = "alice\\x00bob"}, false},
		{{"user alice"}, {.user = "alice\\"}, false},
		{{"to example.com"}, {.dst = "example.com", .port = 1}, true},
		{{"to .example.com port 2"}, {.dst = "www.example.com", .port = 1}, false},
		{{"to 10.0.0.0/8"}, {.dst = "10.1.2.3", .port = 1}, true},
		{{"to 10.0.0.0/8"}, {.dst = "example.com", .port = 1}, false},
		{{"to 10.0.0.0/8"}, {.dst = "example.com", .address = "10.1.2.3", .port = 1}, true},
		/* the argument after a keyword is one word */
		{{"user", "a b"}, {.user = "a b"}, true},
		{{"user", "a b"}, {.user = "a"}, false},
		{{"user", "a to any"}, {.user = "a"}, false},
		{{"user", "#x"}, {.user = "#x"}, true},
		{{"user", " alice"}, {.user = "alice"}, false},
		{{"user \"a b\""}, {.user = "a b"}, true},
		{{"user \"#x\""}, {.user = "#x"}, true},
		{{"user a#x"}, {.user = "a#x"}, true},
		{{"from any user", "a b"}, {.user = "a b"}, true},
		{{"user alice", "from any", "to", "any"}, {.user = "alice"}, true},
		{{"user", "bob,a b"}, {.user = "a b"}, true},
		/* only "any" matches a value that is not known */
		{{"from any"}, {0}, true},
		{{"to any"}, {0}, true},
		{{"to any at any"}, {0}, true},
		{{"user any"}, {0}, false},
		{{"command connect"}, {0}, false},
		{{"to public"}, {0}, false},
		{{"to any at public"}, {0}, false},
		{{"port 1-65535"}, {0}, false},
		/* the command of a record, by the keyword of a rule */
		{{"command connect"}, {.command = "CONNECT"}, true},
		{{"command connect"}, {.command = "BIND"}, false},
		{{"command bind"}, {.command = "BIND"}, true},
		{{"command udp"}, {.command = "UDP ASSOCIATE"}, true},
		{{"command udp"}, {.command = "BIND"}, false},
		{{"command resolve"}, {.command = "RESOLVE"}, true},
		{{"command resolve"}, {.command = "RESOLVE_PTR"}, true},
		{{"command resolve"}, {.command = "CONNECT"}, false},
		{{"command bind,udp"}, {.command = "UDP ASSOCIATE"}, true},
		{{"command connect"}, {.command = "unassigned"}, false},
		{{"command connect"}, {.command = "connect"}, false},
		/* the port of a lookup is ignored */
		{{"port 443"}, {.command = "CONNECT", .dst = "192.0.2.7", .port = 443}, true},
		{{"port 443"}, {.command = "BIND", .dst = "192.0.2.7", .port = 443}, true},
		{{"port 443"}, {.dst = "192.0.2.7", .port = 443}, true},
		{{"port 443"}, {.command = "RESOLVE", .dst = "192.0.2.7", .port = 443}, false},
		{{"port 443"}, {.command = "RESOLVE_PTR", .dst = "192.0.2.7", .port = 443}, false},
		{{"to 192.0.2.0/24"}, {.command = "RESOLVE_PTR", .dst = "192.0.2.7", .port = 443},
			true},
		{{"to 192.0.2.7 port 443"}, {.command = "RESOLVE", .dst = "192.0.2.7", .port = 443},
			false},
	};

	EACH_ROW(row, rows, arguments[0]) {
		struct filter f = {0};
		check_new_problem();
		for (size_t n = 0; n < COUNT(row->arguments) && row->arguments[n]; n++)
			CHECK(filter_add(&f, row->arguments[n], &check_problem));
		CHECK(filter_check(&f, &check_problem));
		CHECK_STRING(check_problem_text, "");
		CHECK_NUMBER(filter_matches(&f, &row->connection), row->matches);
	}
}

static void words(void)
{
	struct filter f = {0};
	char word[WORDS_LINE_MAX + 1];

	check_about = "words";
	CHECK(filter_add(&f, "user", check_new_problem()));
	CHECK(filter_wants_value(&f));
	CHECK(!filter_check(&f, check_new_problem()) && check_problem_text[0]);
	CHECK(filter_add(&f, "alice", check_new_problem()));
	CHECK(!filter_wants_value(&f));
	CHECK(filter_check(&f, check_new_problem()));
	CHECK(filter_matches(&f, &(struct filter_connection){.user = "alice"}));
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	CHECK(!filter_add(&f, word, check_new_problem()));
}

/* An empty argument is an error, and not a filter that matches all connections. */
static void empty(void)
{
	static const char *const arguments[] = {
		"", " ", "\t", " \t ", "#", "#x", " # x", "\r", "\n", " \r", "\"\" #x", "user\r"};
	static const char *const values[] = {
		"", " ", "\t", "\r", "alice\r", "a\"b", "\"a b\"", "\""};

	EACH_TEXT(argument, arguments) {
		struct filter f = {0};
		CHECK(!filter_add(&f, argument, check_new_problem()) && check_problem_text[0]);
		CHECK_NUMBER(f.words, 0);
	}
	EACH_TEXT(value, values) {
		struct filter f = {0};
		CHECK(filter_add(&f, "user", check_new_problem()));
		CHECK(!filter_add(&f, value, check_new_problem()) && check_problem_text[0]);
	}
	check_about = "a rule without clauses";
	CHECK(!filter_check(&(struct filter){.text = "deny "}, check_new_problem()));
}

int main(void)
{
	return CHECK_ALL(matching, words, empty);
}

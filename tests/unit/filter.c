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
		{"user dom\\\\alice", {.user = "dom\\\\alice"}, false},
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
			CHECK(filter_add(&f, rows[i].filter));
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
	CHECK(filter_add(&f, "user"));
	CHECK(!filter_check(&f, &problem) && problem.len > 0);
	CHECK(filter_add(&f, "alice"));
	CHECK(filter_check(&f, NULL));
	CHECK(filter_passes(&f, &(struct filter_parties){.user = "alice"}));
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	CHECK(!filter_add(&f, word));
}

int main(void)
{
	passing();
	words();
	return check_end();
}

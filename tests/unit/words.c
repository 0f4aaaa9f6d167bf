/* SPDX-License-Identifier: ISC */
/* text/words: splits a line into words, checks limits, and writes error messages. */
#include "text/words.h"

#include "check.h"

/* Splits a line at the end of its memory: a sanitizer detects reads after it. */
static bool split(const char *text, size_t len, struct words *ret_words)
{
	const struct words_line line = check_line(text, len);
	bool valid = words_split(&line, ret_words, check_new_problem());
	free((char *)line.text);
	return valid;
}

/* The words are joined by '|', which none of them contains. */
static void is_split_into(const char *text, size_t len, const char *want)
{
	static struct words words;
	char joined[2 * WORDS_LINE_MAX];
	struct writer w = writer_on(joined, sizeof joined);

	if (!CHECK(split(text, len, &words)))
		return;
	CHECK_STRING(check_problem_text, "");
	for (size_t i = 0; i < words.count; i++) {
		CHECK(words.at[i] >= words.text);
		CHECK(words.at[i] + strlen(words.at[i]) < words.text + sizeof words.text);
		writer_str(&w, words.at[i]);
		writer_u8(&w, '|');
	}
	CHECK_TEXT(w, want);
}

static void is_error(const char *text, size_t len, const char *want)
{
	static struct words words;
	CHECK(!split(text, len, &words));
	CHECK_STRING(check_problem_text, want);
}

static void cuts_at_blanks_up_to_a_comment(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{" \t \r", ""},
		{"a", "a|"},
		{"a b", "a|b|"},
		{"\ta  b\t \tc\r", "a|b|c|"},
		{"#", ""},
		{"  # a b", ""},
		{"#\"", ""},
		{"a #", "a|"},
		{"a # b \"", "a|"},
		{"a\t#b", "a|"},
		{"a#b c", "a#b|c|"}, /* a comment begins only after a blank */
		{"a# b", "a#|b|"},
		{"a\nb\v\f", "a\nb\v\f|"},         /* other white space is not blank */
		{"a\\ b\\\"c\" d", "a\\|b\\c|d|"}, /* a backslash has no meaning */
		{"'a b'", "'a|b'|"},
		{"\303\244 \377\001\177", "\303\244|\377\001\177|"},
		/* quotes keep blanks and comments */
		{"\"\"", "|"},
		{"\"\" \"\"", "||"},
		{"\"\"\"\"", "|"},
		{"\"a b\"", "a b|"},
		{"\"a\tb#\" c", "a\tb#|c|"},
		{"a\" \"b", "a b|"},
		{"\"a\"\"b\"", "ab|"},
		{"\"a\" \"b\"", "a|b|"},
		{"\"#\"", "#|"},
		{"\"\"#a", "#a|"}, /* the quote is within a word */
		{"\"a\"#b", "a#b|"},
		{"\"a\\\"", "a\\|"}, /* no escape sequences */
		{"\"a b\" # \"", "a b|"},
	};
	EACH_ROW(row, rows, text)
		is_split_into(row->text, strlen(row->text), row->want);
}

/* The number of quotes before the comment is odd. */
static void an_open_quote_is_an_error(void)
{
	static const char *const rows[] = {
		"\"", "a\"", "\"a", "a \"b", "\"a\" \"", "\"\"\"", "\"a # b", "a \"# b", "a\\\""};
	EACH_TEXT(text, rows)
		is_error(text, strlen(text), "quote not closed; close it with '\"'");
}

/* Tests a NUL in words, blanks, quotes and comments. If it were allowed, a word would end there. */
static void a_nul_is_an_error_anywhere(void)
{
	static const char line[] = "ab \"c d\" # e";
	for (size_t at = 0; at < sizeof line - 1; at++) {
		char with_nul[sizeof line];
		memcpy(with_nul, line, sizeof line);
		with_nul[at] = '\0';
		is_error(with_nul, sizeof line - 1,
			"NUL byte or carriage return in line; remove it");
	}
}

/* A line has at most 1024 bytes, which may be one word or 32 words. */
static void a_line_has_1024_bytes(void)
{
	static const char *const fill[] = {"a", " ", "#", "\"", "\"\"", "a "};
	static const char *const said = "line too long; use at most 1024 bytes";
	char line[WORDS_LINE_MAX + 2], want[WORDS_LINE_MAX + 2];

	CHECK_NUMBER(WORDS_LINE_MAX, 1024);
	memset(want, 'a', WORDS_LINE_MAX);
	memcpy(want + WORDS_LINE_MAX, "|", 2);
	for (size_t i = 0; i < COUNT(fill); i++) {
		for (size_t at = 0; at < sizeof line; at++)
			line[at] = fill[i][at % strlen(fill[i])];
		check_about = fill[i];
		is_error(line, WORDS_LINE_MAX + 1, said);
		is_error(line, WORDS_LINE_MAX + 2, said);
		if (i == 5)
			is_error(line, WORDS_LINE_MAX, "too many words; use at most 32");
		else
			is_split_into(line, WORDS_LINE_MAX, i == 0 ? want : i < 3 ? "" : "|");
	}
	memset(line, 'a', WORDS_LINE_MAX); /* the last byte is a word */
	line[WORDS_LINE_MAX - 2] = ' ';
	memcpy(want + WORDS_LINE_MAX - 2, "|a|", 4);
	is_split_into(line, WORDS_LINE_MAX, want);
}

static void a_line_has_32_words(void)
{
	char line[3 * WORDS_MAX + 4], want[2 * WORDS_MAX + 1];
	CHECK_NUMBER(WORDS_MAX, 32);
	for (size_t i = 0; i <= WORDS_MAX; i++)
		memcpy(line + 2 * i, "a ", 2);
	for (size_t i = 0; i < WORDS_MAX; i++)
		memcpy(want + 2 * i, "a|", 3);
	is_split_into(line, 2 * WORDS_MAX, want);
	is_error(line, 2 * WORDS_MAX + 1, "too many words; use at most 32");
	line[2 * WORDS_MAX] = '#'; /* a comment is not a word */
	is_split_into(line, 2 * WORDS_MAX + 2, want);

	for (size_t i = 0; i <= WORDS_MAX; i++) /* an empty word counts */
		memcpy(line + 3 * i, "\"\" ", 3);
	memset(want, '|', WORDS_MAX);
	want[WORDS_MAX] = '\0';
	is_split_into(line, 3 * WORDS_MAX, want);
	is_error(line, 3 * WORDS_MAX + 2, "too many words; use at most 32");
}

static void writes_the_location(void)
{
	static const struct {
		const char *want;
		struct words_line line;
	} rows[] = {
		{"/etc/stdsocks/stdsocks.conf:7",
			{.location = "/etc/stdsocks/stdsocks.conf", .number = 7}},
		{"/f:1", {.location = "/f", .number = 1}},
		{"/f:18446744073709551615", {.location = "/f", .number = 18446744073709551615U}},
		{"-o", {.location = "-o"}},
		{"built-in 2", {.location = "built-in 2"}},
	};
	EACH_ROW(row, rows, want)
		CHECK_PUT(row->want, words_put_location, &row->line);
}

static void writes_error(const char *what, const char *word, const char *want)
{
	CHECK(!words_error(check_writer(), what, word, "this would do"));
	CHECK_TEXT(check_written, want);
}

/* A quoted word is escaped, and cut after 200 bytes. */
static void writes_an_error_on_one_line(void)
{
	char word[WORDS_QUOTED_MAX + 2], want[4 * sizeof word + 64];
	writes_error("no such thing", NULL, "no such thing; this would do");
	writes_error("no such thing:", "", "no such thing: \"\"; this would do");
	writes_error("x", "a b", "x \"a b\"; this would do");
	writes_error("x", "\"\\\n\033\377", "x \"\\\"\\\\\\n\\x1b\\xff\"; this would do");

	CHECK_NUMBER(WORDS_QUOTED_MAX, 200);
	for (size_t len = WORDS_QUOTED_MAX - 1; len <= WORDS_QUOTED_MAX + 1; len++) {
		memset(word, 'a', len);
		word[len] = '\0';
		snprintf(want, sizeof want, "x \"%.200s%s\"; this would do", word,
			len > WORDS_QUOTED_MAX ? "..." : "");
		writes_error("x", word, want);
	}
}

static void is_number(const char *text, size_t len, uint64_t max, uint64_t want)
{
	uint64_t value = 1234567;
	if (!CHECK(words_number(text, len, max, &value)) || !CHECK(value == want))
		check_show("of  ", text, len);
}

/* Checks that the text is rejected and the output unchanged. */
static void is_no_number(const char *text, size_t len, uint64_t max)
{
	uint64_t value = 1234567;
	if (!CHECK(!words_number(text, len, max, &value)) || !CHECK_NUMBER(value, 1234567))
		check_show("of  ", text, len);
}

static void reads_decimal_numbers(void)
{
	static const char *const invalid[] = {"-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1,",
		"a", "/", ":", "\xb2", "--", "1-2", "", "18446744073709551616",
		"18446744073709551625", "184467440737095516150", "99999999999999999999"};
	is_number("0", 1, 9, 0);
	is_number("7", 1, 9, 7);
	is_number("007", 3, 9, 7);
	is_number("00000000000000000000000000000065535", 35, 65535, 65535);
	is_number("123x", 3, 999, 123); /* no more than len digits */
	is_number("18446744073709551615", 20, UINT64_MAX, UINT64_MAX);
	is_number("9223372036854775808", 19, UINT64_MAX, (uint64_t)INT64_MAX + 1);
	EACH_TEXT(text, invalid)
		is_no_number(text, strlen(text), UINT64_MAX);
	is_no_number("1", 0, UINT64_MAX);
	is_no_number("1\0", 2, UINT64_MAX);
}

/* Tests the numbers below, at and above each limit. */
static void numbers_have_a_limit(void)
{
	static const uint64_t limits[] = {0, 1, 5, 8, 9, 10, 11, 19, 32, 99, 100, 128, 255, 65535,
		UINT32_MAX, UINT64_MAX - 6};
	for (size_t i = 0; i < COUNT(limits); i++) {
		char text[32];
		uint64_t first = limits[i] < 9 ? 0 : limits[i] - 9;
		for (uint64_t value = first; value <= limits[i] + 6; value++) {
			snprintf(text, sizeof text, "%llu", (unsigned long long)value);
			if (value <= limits[i])
				is_number(text, strlen(text), limits[i], value);
			else
				is_no_number(text, strlen(text), limits[i]);
			if (value == UINT64_MAX)
				break;
		}
	}
}

int main(void)
{
	return CHECK_ALL(cuts_at_blanks_up_to_a_comment, an_open_quote_is_an_error,
		a_nul_is_an_error_anywhere, a_line_has_1024_bytes, a_line_has_32_words,
		writes_the_location, writes_an_error_on_one_line, reads_decimal_numbers,
		numbers_have_a_limit);
}

/* SPDX-License-Identifier: ISC */
/* Checks for unit tests. Each failed check is printed with its location; the number of checks and
 * failures is printed at the end. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/addr.h"

/* In a unit test, a failed invariant of tests/fuzz is a failed check and does not abort. */
#define INVARIANT(condition) CHECK(condition)
#include "../fuzz/fuzz.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Further failures are only counted: a check in a loop may fail in each turn. */
#define CHECK_SHOWN_MAX 20

static unsigned check_count, check_failures;

/* The row of a table or the turn of a loop that the next checks belong to. It is printed with a
 * failure. NULL: none. */
static const char *check_about;

/* Each check returns true if the condition holds. A failed check does not end the test. */
#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_NUMBER(got, want)                                                                    \
	check_number((long long)(got), (long long)(want), __FILE__, __LINE__, #got)
#define CHECK_BYTES(got, got_len, want, want_len)                                                  \
	check_bytes((got), (got_len), (want), (want_len), __FILE__, __LINE__, #got)
#define CHECK_STRING(got, want) CHECK_BYTES((got), strlen(got), (want), strlen(want))
/* Compares the text in a struct writer. */
#define CHECK_TEXT(w, want)     CHECK_BYTES((w).bytes, (w).len, (want), strlen(want))
/* Calls put(writer, ...) with an empty writer, and compares the text or bytes that it writes. */
#define CHECK_PUT(want, put, ...)                                                                  \
	(put(check_writer(), __VA_ARGS__), CHECK_TEXT(check_written, (want)))
#define CHECK_PUT_BYTES(want, want_len, put, ...)                                                  \
	(put(check_writer(), __VA_ARGS__),                                                         \
		CHECK_BYTES(check_written.bytes, check_written.len, (want), (want_len)))

/* Runs the next statement for each row of an array of structs, or for each text of an array of
 * texts. A failed check prints the member `name` of the row, or the text. */
#define EACH_ROW(row, rows, name)                                                                  \
	for (const __typeof__((rows)[0]) *row = (rows);                                            \
		row < (rows) + COUNT(rows) && (check_about = row->name, true); row++)
#define EACH_TEXT(text, texts)                                                                     \
	for (const char *const *text##_at = (texts), *text;                                        \
		text##_at < (texts) + COUNT(texts) && (check_about = text = *text##_at, true);     \
		text##_at++)

/* Runs tests, which are functions without arguments, in this order. Returns the exit status of the
 * program. */
#define CHECK_ALL(...)                                                                             \
	check_all((void (*const[])(void)){__VA_ARGS__},                                            \
		COUNT(((void (*const[])(void)){__VA_ARGS__})))

static inline bool check_that(bool holds, const char *file, int line, const char *expression)
{
	check_count++;
	if (holds)
		return true;
	if (++check_failures > CHECK_SHOWN_MAX)
		return false;
	printf("%s:%d: ", file, line);
	if (check_about)
		printf("[%s] ", check_about);
	printf("check failed: %s\n", expression);
	return false;
}

static inline bool check_number(
	long long got, long long want, const char *file, int line, const char *expression)
{
	if (check_that(got == want, file, line, expression))
		return true;
	if (check_failures <= CHECK_SHOWN_MAX)
		printf("\tgot  %lld\n\twant %lld\n", got, want);
	return false;
}

static inline void check_show(const char *name, const void *bytes, size_t len)
{
	char text[4 * 512];
	if (check_failures > CHECK_SHOWN_MAX)
		return;
	struct writer w = writer_on(text, sizeof text);
	writer_escaped(&w, bytes, len < 512 ? len : 512);
	printf("\t%s %zu bytes \"%.*s\"\n", name, len, (int)w.len, text);
}

static inline bool check_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
	const char *file, int line, const char *expression)
{
	bool same = got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0);
	if (check_that(same, file, line, expression))
		return true;
	check_show("got ", got, got_len);
	check_show("want", want, want_len);
	return false;
}

static char check_buffer[16 * 1024];
static struct writer check_written;

static inline struct writer *check_writer(void)
{
	check_written = writer_on(check_buffer, sizeof check_buffer);
	return &check_written;
}

/* An error message, followed by a NUL. */
static char check_problem_text[4 * WORDS_LINE_MAX];
static struct writer check_problem;

/* Returns an empty writer on check_problem_text for an error message. */
static inline struct writer *check_new_problem(void)
{
	memset(check_problem_text, 0, sizeof check_problem_text);
	check_problem = writer_on(check_problem_text, sizeof check_problem_text - 1);
	return &check_problem;
}

/* Returns a line in allocated memory of exactly its length. The caller frees its text. */
static inline struct words_line check_line(const char *text, size_t len)
{
	return (struct words_line){
		.text = (char *)fuzz_copy(text, len), .len = len, .location = "test", .number = 1};
}

/* Prints the number of checks and failures. Returns the exit status, which is 1 if a check failed
 * or if there was none. */
static inline int check_end(void)
{
	printf("%u checks, %u failed\n", check_count, check_failures);
	return check_count == 0 || check_failures > 0;
}

static inline int check_all(void (*const *tests)(void), size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_about = NULL;
		tests[i]();
	}
	return check_end();
}

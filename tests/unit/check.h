/* SPDX-License-Identifier: ISC */
/* What a unit test says: each check that failed, with its place, and at the end how many did. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/addr.h"

/* A promise of tests/fuzz is a check here: it goes on when it fails. */
#define INVARIANT(holds) CHECK(holds)
#include "../fuzz/fuzz.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The first failures tell enough; what fails is often in a loop. */
#define CHECK_SHOWN_MAX 20

static unsigned check_count, check_failures;

/* Which row of a table, or turn of a loop, the next checks are about; NULL: none. */
static const char *check_about;

/* Each of them goes on when it fails, and answers whether it held. */
#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_NUMBER(got, want)                                                                    \
	check_number((long long)(got), (long long)(want), __FILE__, __LINE__, #got)
#define CHECK_BYTES(got, got_len, want, want_len)                                                  \
	check_bytes((got), (got_len), (want), (want_len), __FILE__, __LINE__, #got)
#define CHECK_STRING(got, want) CHECK_BYTES((got), strlen(got), (want), strlen(want))
/* What was put into a struct writer. */
#define CHECK_TEXT(w, want)     CHECK_BYTES((w).bytes, (w).len, (want), strlen(want))
/* Calls put(writer, ...) with an empty writer, and compares the text or the bytes that it has
 * put. */
#define CHECK_PUT(want, put, ...)                                                                  \
	(put(check_writer(), __VA_ARGS__), CHECK_TEXT(check_written, (want)))
#define CHECK_PUT_BYTES(want, want_len, put, ...)                                                  \
	(put(check_writer(), __VA_ARGS__),                                                         \
		CHECK_BYTES(check_written.bytes, check_written.len, (want), (want_len)))

/* Runs the statement that follows for each row of an array of structs, or for each text of an
 * array of texts. A failed check names the row by its member `name`, and the text by itself. */
#define EACH_ROW(row, rows, name)                                                                  \
	for (const __typeof__((rows)[0]) *row = (rows);                                            \
		row < (rows) + COUNT(rows) && (check_about = row->name, true); row++)
#define EACH_TEXT(text, texts)                                                                     \
	for (const char *const *text##_at = (texts), *text;                                        \
		text##_at < (texts) + COUNT(texts) && (check_about = text = *text##_at, true);     \
		text##_at++)

/* Runs tests, functions without arguments, in this order. Returns the program's exit status. */
#define CHECK_ALL(...)                                                                             \
	check_all((void (*const[])(void)){__VA_ARGS__},                                            \
		COUNT(((void (*const[])(void)){__VA_ARGS__})))

static inline bool check_that(bool right, const char *file, int line, const char *what)
{
	check_count++;
	if (right)
		return true;
	if (++check_failures > CHECK_SHOWN_MAX)
		return false;
	printf("%s:%d: ", file, line);
	if (check_about)
		printf("[%s] ", check_about);
	printf("not so: %s\n", what);
	return false;
}

static inline bool check_number(
	long long got, long long want, const char *file, int line, const char *what)
{
	if (check_that(got == want, file, line, what))
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
	const char *file, int line, const char *what)
{
	bool same = got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0);
	if (check_that(same, file, line, what))
		return true;
	check_show("got ", got, got_len);
	check_show("want", want, want_len);
	return false;
}

static char check_room[16 * 1024];
static struct writer check_written;

static inline struct writer *check_writer(void)
{
	check_written = writer_on(check_room, sizeof check_room);
	return &check_written;
}

/* What was said of a mistake, with a NUL behind it. */
static char check_said[4 * WORDS_LINE_MAX];
static struct writer check_problem;

static inline struct writer *check_to_say(void)
{
	memset(check_said, 0, sizeof check_said);
	check_problem = writer_on(check_said, sizeof check_said - 1);
	return &check_problem;
}

/* Returns a line that lies at the end of its memory. The caller frees its text. */
static inline struct words_line check_line(const char *text, size_t len)
{
	return (struct words_line){
		.text = (char *)fuzz_copy(text, len), .len = len, .location = "test", .number = 1};
}

/* The last line, and the exit status. A test that checked nothing has failed. */
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

/* SPDX-License-Identifier: ISC */
/* What a unit test says: each check that failed, with its place, and at the end how many did. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire/writer.h"

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

/* The last line, and the exit status. A test that checked nothing has failed. */
static inline int check_end(void)
{
	printf("%u checks, %u failed\n", check_count, check_failures);
	return check_count == 0 || check_failures > 0;
}

/* SPDX-License-Identifier: ISC */
/* Splits a line of a configuration file into words, and formats the messages about errors in it.
 * The syntax is in stdsocks.conf(5), SYNTAX. */
#pragma once

#include "wire/writer.h"

#define WORDS_MAX        32
#define WORDS_LINE_MAX   1024 /* bytes, without the newline */
#define WORDS_QUOTED_MAX 200  /* bytes of a word that an error message quotes */

/* A line without its newline, and its location. It points to memory of the caller. */
struct words_line {
	const char *text;
	size_t len;
	const char *location; /* a file, "-o", "built-in 1" */
	size_t number;        /* of the line in the file, from 1; 0 if there is no file */
};

/* Writes "/etc/stdsocks/stdsocks.conf:7", "-o" or "built-in 2". */
void words_put_location(struct writer *w, const struct words_line *line);

/* The words of a line. Each one is in text and ends with a NUL. */
struct words {
	size_t count;
	char *at[WORDS_MAX];
	char text[WORDS_LINE_MAX + 1];
};

/* Splits a line at blanks. A word that begins with '#' begins a comment. Double quotes keep blanks
 * and '#'; there is no escape inside them. On error returns false and writes a message to problem;
 * then *ret_words is undefined. */
bool words_split(const struct words_line *line, struct words *ret_words, struct writer *problem);

/* Writes the message `WHAT "WORD"; ADVICE`. The word is escaped, and cut after WORDS_QUOTED_MAX
 * bytes; if it is NULL, it and its quotes are omitted. Returns false, so that a parser can write
 * `return words_error(...)`. */
bool words_error(struct writer *problem, const char *what, const char *word, const char *advice);

/* Parses len decimal digits. Returns false if there is another character, or no digit, or if the
 * number is greater than max; then *ret_value is unchanged. */
bool words_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value);

/* SPDX-License-Identifier: ISC */
/* Splits a line of a configuration file into words, and formats the messages about errors in it.
 * The syntax is in stdsocks.conf(5), SYNTAX. */
#pragma once

#include "wire/writer.h"

#define WORDS_MAX        32   /* words of a line */
#define WORDS_LINE_MAX   1024 /* bytes, without the newline */
#define WORDS_QUOTED_MAX 200  /* bytes of a word that an error message quotes */

/* A line without its newline, and its location. The caller owns the text and the location. */
struct words_line {
	const char *text;
	size_t len;
	const char *location; /* the path of a file, or "-o", "built-in 1", ... */
	size_t number;        /* of the line in the file, from 1; 0 if it is not in a file */
};

/* Writes the location of a line: "/etc/stdsocks/stdsocks.conf:7", "-o" or "built-in 2". */
void words_put_location(struct writer *w, const struct words_line *line);

/* The words of a line: strings that are stored in `text`. */
struct words {
	size_t count;
	char *at[WORDS_MAX];
	char text[WORDS_LINE_MAX + 1];
};

/* Splits a line at spaces and tabs. A '#' at the beginning of a word begins a comment. Inside
 * double quotes, spaces, tabs and '#' are part of the word; there are no escapes. A carriage return
 * at the end of the line is ignored. On error returns false and writes a message to *problem; then
 * *ret_words is undefined. */
bool words_split(const struct words_line *line, struct words *ret_words, struct writer *problem);

/* Writes the error message `WHAT "WORD"; ADVICE`. The word is escaped, and cut after
 * WORDS_QUOTED_MAX bytes. If it is NULL, the word and its quotes are omitted. Returns false, so
 * that a parser can write `return words_error(...)`. */
bool words_error(struct writer *problem, const char *what, const char *word, const char *advice);

/* Parses a number of len decimal digits. Returns false if len is 0, a character is not a digit, or
 * the number is greater than max; then *ret_value is unchanged. */
bool words_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value);

/* SPDX-License-Identifier: ISC */
/* A line of configuration as words, and how a mistake in it is told.
 * Knows: blanks, quotes, comments. Does not know: keywords. */
#pragma once

#include "wire/writer.h"

#define WORDS_MAX        32
#define WORDS_LINE_MAX   1024 /* bytes, without the newline */
#define WORDS_QUOTED_MAX 200  /* bytes of a word that a mistake quotes */

/* One line, without its newline, and where it stands. The text and the place are somebody else's.
 */
struct words_line {
	const char *text;
	size_t len;
	const char *location; /* a file, "-o", "built-in 1" */
	size_t number;        /* of the line there, from 1; 0: it has none */
};

/* "/etc/stdsocks/stdsocks.conf:7", "-o", "built-in 2". */
void words_put_location(struct writer *w, const struct words_line *line);

/* Each word ends in NUL, inside text. */
struct words {
	size_t count;
	char *at[WORDS_MAX];
	char text[WORDS_LINE_MAX + 1];
};

/* Cuts a line at blanks, up to a '#'. Double quotes keep blanks and '#'; there
 * is no escape inside them. False when it cannot be: then what is wrong was put into problem,
 * unless that is NULL. */
bool words_split(const struct words_line *line, struct words *ret_words, struct writer *problem);

/* The same for the first words of a line that was right before, `enough` of them at the most:
 * whether there are more. */
bool words_split_first(const struct words_line *line, size_t enough, struct words *ret_words);

/* Puts "WHAT "WORD"; WOULD_DO" into problem; both of these may be NULL. Always false. */
bool words_error(struct writer *problem, const char *what, const char *word, const char *would_do);

/* A decimal number of len digits, at most max. False when it is none. */
bool words_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value);

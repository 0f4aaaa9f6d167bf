/* SPDX-License-Identifier: ISC */
/* A line of configuration as words, and how a mistake in it is told.
 * Knows: blanks, quotes, comments. Does not know: keywords. */
#include "text/words.h"

#include <string.h>

bool words_error(struct writer *problem, const char *what, const char *word, const char *would_do)
{
	if (!problem)
		return false;
	writer_str(problem, what);
	if (word) {
		writer_str(problem, " \"");
		writer_escaped(problem, word, strnlen(word, WORDS_QUOTED_MAX));
		writer_str(problem, strlen(word) > WORDS_QUOTED_MAX ? "...\"" : "\"");
	}
	writer_str(problem, "; ");
	writer_str(problem, would_do);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void words_put_location(struct writer *w, const struct words_line *line)
{
	writer_str(w, line->location);
	if (line->number > 0) {
		writer_u8(w, ':');
		writer_decimal(w, line->number, 1);
	}
}

/* What no line of text has inside. */
static bool is_wrong(char c)
{
	return c == '\0' || c == '\r';
}

/* Copies one word from `at` on, and a NUL behind it, to *to, which is moved on. Where the word
 * ends; *ret_closed tells whether its quotes do. */
static const char *copy_word(const char *at, const char *end, char **to, bool *ret_closed)
{
	char *out = *to;
	bool quoted = false;

	for (;; at++) {
		while (at < end && (unsigned char)*at > '"') /* nearly all bytes are */
			*out++ = *at++;
		if (at == end || is_wrong(*at) || (!quoted && is_blank(*at)))
			break;
		if (*at == '"')
			quoted = !quoted;
		else
			*out++ = *at;
	}
	*out++ = '\0';
	*to = out;
	*ret_closed = !quoted;
	return at;
}

enum split { SPLIT_DONE, SPLIT_ENOUGH, SPLIT_OPEN_QUOTE, SPLIT_WRONG_BYTE };

/* Cuts up to `enough` words off; SPLIT_ENOUGH when there is another one. */
static enum split split(const struct words_line *line, size_t enough, struct words *words)
{
	const char *at = line->text, *end = at + line->len;
	char *to = words->text;
	bool closed;

	if (end > at && end[-1] == '\r') /* CRLF */
		end--;
	for (words->count = 0;;) {
		while (at < end && is_blank(*at))
			at++;
		size_t left = (size_t)(end - at);
		if (left > 0 && *at == '#' && !memchr(at, '\0', left) && !memchr(at, '\r', left))
			return SPLIT_DONE;
		if (left == 0)
			return SPLIT_DONE;
		if (*at == '#' || is_wrong(*at))
			return SPLIT_WRONG_BYTE;
		if (words->count == enough)
			return SPLIT_ENOUGH;
		words->at[words->count++] = to;
		at = copy_word(at, end, &to, &closed);
		if (at < end && is_wrong(*at))
			return SPLIT_WRONG_BYTE;
		if (!closed)
			return SPLIT_OPEN_QUOTE;
	}
}

bool words_split(const struct words_line *line, struct words *words, struct writer *problem)
{
	words->count = 0;
	if (line->len > WORDS_LINE_MAX)
		return words_error(
			problem, "the line is too long", NULL, "at most 1024 bytes are read");
	switch (split(line, WORDS_MAX, words)) {
	case SPLIT_DONE:
		return true;
	case SPLIT_ENOUGH:
		return words_error(problem, "too many words", NULL, "at most 32 are read");
	case SPLIT_OPEN_QUOTE:
		return words_error(problem, "a quote is left open", NULL, "end it with '\"'");
	case SPLIT_WRONG_BYTE:
		break;
	}
	return words_error(problem, "the line has a NUL byte or a carriage return inside", NULL,
		"plain text is read");
}

bool words_split_first(const struct words_line *line, size_t enough, struct words *words)
{
	words->count = 0;
	return line->len <= WORDS_LINE_MAX && split(line, enough, words) == SPLIT_ENOUGH;
}

bool words_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

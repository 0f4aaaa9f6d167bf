/* SPDX-License-Identifier: ISC */
#include "text/words.h"

#include <string.h>

bool words_error(struct writer *problem, const char *what, const char *word, const char *advice)
{
	writer_str(problem, what);
	if (word) {
		writer_str(problem, " \"");
		writer_escaped(problem, word, strnlen(word, WORDS_QUOTED_MAX));
		writer_str(problem, strlen(word) > WORDS_QUOTED_MAX ? "...\"" : "\"");
	}
	writer_str(problem, "; ");
	writer_str(problem, advice);
	return false;
}

void words_put_location(struct writer *w, const struct words_line *line)
{
	writer_str(w, line->location);
	if (line->number > 0) {
		writer_u8(w, ':');
		writer_decimal(w, line->number, 1);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Returns true for a character that is an error anywhere in a line, even in a comment. */
static bool is_forbidden(char c)
{
	return c == '\0' || c == '\r';
}

/* Copies the word at `at` and a NUL to *to, and moves *to behind them. Returns the end of the word
 * in the line. *ret_closed is false if its last quote is not closed. */
static const char *copy_word(const char *at, const char *end, char **to, bool *ret_closed)
{
	char *out = *to;
	bool quoted = false;

	for (;; at++) {
		/* The characters tested for below are not greater than '"', and most others are. */
		while (at < end && (unsigned char)*at > '"')
			*out++ = *at++;
		if (at == end || is_forbidden(*at) || (!quoted && is_blank(*at)))
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

static bool forbidden(struct writer *problem)
{
	return words_error(problem, "NUL byte or carriage return in line", NULL, "remove it");
}

bool words_split(const struct words_line *line, struct words *words, struct writer *problem)
{
	const char *at = line->text, *end = at + line->len;
	char *to = words->text;
	bool closed;

	words->count = 0;
	if (line->len > WORDS_LINE_MAX)
		return words_error(problem, "line too long", NULL, "use at most 1024 bytes");
	if (end > at && end[-1] == '\r') /* the line ends in CR LF */
		end--;
	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		const size_t left = (size_t)(end - at);
		if (left == 0)
			return true;
		if (*at == '#')
			return (!memchr(at, '\0', left) && !memchr(at, '\r', left)) ||
				forbidden(problem);
		if (words->count == WORDS_MAX)
			return words_error(problem, "too many words", NULL, "use at most 32");
		words->at[words->count++] = to;
		at = copy_word(at, end, &to, &closed);
		if (at < end && is_forbidden(*at))
			return forbidden(problem);
		if (!closed)
			return words_error(problem, "quote not closed", NULL, "close it with '\"'");
	}
}

bool words_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value) ||
			value > max)
			return false;
	}
	*ret_value = value;
	return true;
}

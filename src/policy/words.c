/* SPDX-License-Identifier: ISC */
/* A line of configuration as words, and how a mistake in it is told.
 * Knows: blanks, quotes, comments. Does not know: keywords. */
#include "policy/words.h"

#include <string.h>

bool words_mistake(struct writer *problem, const char *what, const char *word, const char *would_do)
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

void words_put_place(struct writer *w, const struct words_line *line)
{
	writer_str(w, line->place);
	if (line->number > 0) {
		writer_u8(w, ':');
		writer_decimal(w, line->number, 1);
	}
}

/* A byte that goes on with a word, in quotes or not; most of those that do. */
static bool is_plain(char c)
{
	return (unsigned char)c > '"';
}

/* Copies one word from *at on, and the NUL behind it: where the next one goes. *at is left where the
 * word ends; NULL when a quote is left open. */
static char *copy_word(const char **at, const char *end, char *to)
{
	const char *from = *at;
	bool quoted = false;

	for (; from < end && (quoted || !is_blank(*from)); from++) {
		while (from < end && is_plain(*from))
			*to++ = *from++;
		if (from == end || (!quoted && is_blank(*from)))
			break;
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*to++ = '\0';
	*at = from;
	return quoted ? NULL : to;
}

bool words_split(const struct words_line *line, struct words *words, struct writer *problem)
{
	const char *at = line->text, *end = at + line->len;
	char *to = words->text;

	if (end > at && end[-1] == '\r') /* CRLF */
		end--;

	words->count = 0;
	if (line->len > WORDS_LINE_MAX)
		return words_mistake(
			problem, "the line is too long", NULL, "at most 1024 bytes are read");
	if (memchr(at, '\0', line->len))
		return words_mistake(
			problem, "the line has a NUL byte", NULL, "plain text is read");
	if (memchr(at, '\r', (size_t)(end - at)))
		return words_mistake(problem, "a carriage return is inside the line", NULL,
			"lines end in a newline");
	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end || *at == '#')
			return true;
		if (words->count == WORDS_MAX)
			return words_mistake(
				problem, "too many words", NULL, "at most 32 are read");
		words->at[words->count++] = to;
		to = copy_word(&at, end, to);
		if (!to)
			return words_mistake(
				problem, "a quote is left open", NULL, "end it with '\"'");
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
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

/* SPDX-License-Identifier: ISC */
#include "policy/users.h"

#include <string.h>

size_t users_name_len(const struct words_line *line)
{
	const char *colon = memchr(line->text, ':', line->len);
	return colon ? (size_t)(colon - line->text) : line->len;
}

static size_t without_return(const char *text, size_t len)
{
	return len > 0 && text[len - 1] == '\r' ? len - 1 : len;
}

bool users_check_line(const struct words_line *line, bool *ret_is_user, struct writer *problem)
{
	size_t len = without_return(line->text, line->len), name_len = users_name_len(line);

	*ret_is_user = len > 0 && line->text[0] != '#';
	if (!*ret_is_user)
		return true;
	if (memchr(line->text, '\0', len))
		return words_error(problem, "NUL byte in line", NULL, "remove it");
	if (name_len >= len)
		return words_error(problem, "no colon in line", NULL,
			"use NAME:SECRET, or begin a comment with '#'");
	if (name_len == 0 || name_len > USERS_NAME_MAX)
		return words_error(problem, "invalid user name", NULL, "use 1 to 255 bytes");
	if (len - name_len - 1 == 0 || len - name_len - 1 > USERS_SECRET_MAX)
		return words_error(problem, "invalid secret", NULL, "use 1 to 255 bytes");
	return true;
}

/* Returns 1 if the text is equal to the offered bytes, otherwise 0. Always reads 255 bytes, so that
 * the time depends neither on the text nor on its length. */
static unsigned is_equal(const char *text, size_t len, const uint8_t *offered, size_t offered_len)
{
	size_t bits = len ^ offered_len;
	for (size_t i = 0; i < USERS_SECRET_MAX; i++)
		bits |= ((uint8_t)text[i] & (uint8_t)(0U - (i < len))) ^ offered[i];
	return bits == 0;
}

bool users_know(const char *text, size_t len, const struct socks5_login *login)
{
	/* What the client sent, padded with zeros. */
	struct {
		uint8_t name[USERS_NAME_MAX], secret[USERS_SECRET_MAX];
	} offer = {0};
	unsigned named = 0, known = 0;

	memcpy(offer.name, login->name, login->name_len);
	memcpy(offer.secret, login->password, login->password_len);
	for (const char *at = text, *end = text + len; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t line_len = newline ? (size_t)(newline - at) : (size_t)(end - at);
		const struct words_line line = {.text = at, .len = without_return(at, line_len)};
		size_t name_len = users_name_len(&line);
		if (at[0] != '#' && name_len < line.len) {
			unsigned same_name = is_equal(at, name_len, offer.name, login->name_len);
			unsigned same_secret = is_equal(at + name_len + 1, line.len - name_len - 1,
				offer.secret, login->password_len);
			named += same_name;
			known += same_name & same_secret;
		}
		at += line_len + 1;
	}
	explicit_bzero(&offer, sizeof offer);
	return ((named ^ 1U) | (known ^ 1U)) == 0 && login->name_len > 0 && login->password_len > 0;
}

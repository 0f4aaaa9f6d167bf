/* SPDX-License-Identifier: ISC */
/* policy/users: checks the syntax of a line, and accepts only a name with its own secret. */
#include "policy/users.h"

#include "check.h"

#define LINE_MAX_LEN (USERS_NAME_MAX + 1 + USERS_SECRET_MAX)

/* -- Lines */

/* Checks a line at the end of its memory: a sanitizer detects reads after it. */
static bool is_valid_line(const char *text, size_t len, bool *ret_is_user)
{
	const struct words_line line = check_line(text, len);
	bool valid = users_check_line(&line, ret_is_user, check_new_problem());
	free((char *)line.text);
	return valid;
}

/* Checks that the message does not quote the line, which may contain a secret. */
static void is_error(const char *text, size_t len, const char *want)
{
	bool is_user;
	CHECK(!is_valid_line(text, len, &is_user));
	CHECK_STRING(check_problem_text, want);
}

static void is_valid(const char *text, size_t len, bool want_is_user)
{
	bool is_user = !want_is_user;
	CHECK(is_valid_line(text, len, &is_user));
	CHECK_NUMBER(is_user, want_is_user);
	CHECK_STRING(check_problem_text, "");
}

static const char no_user[] = "no colon in line; use NAME:SECRET, or begin a comment with '#'";
static const char no_name[] = "invalid user name; use 1 to 255 bytes";
static const char no_secret[] = "invalid secret; use 1 to 255 bytes";
static const char has_nul[] = "NUL byte in line; remove it";

static void checks_the_syntax_of_a_line(void)
{
	static const char *const users[] = {"a:b", "a:b\r", "a:b:c", "a::", "a: ", " : ", "a:#",
		"a:\r\r", "\r:b", " #a:b", "a b:c d", "\"a\":\"b\"", "\303\244:\377\001", "a#:b"};
	static const char *const others[] = {"", "\r", "#", "#\r", "# a:b", "#a", "##:", "#:b"};
	static const char *const no_users[] = {
		"a", "alice", "alice\r", " ", "\t", "\r\r", " \r", "alice hunter2"};
	static const char *const no_names[] = {":", ":b", ":b\r", "::b"};
	static const char *const no_secrets[] = {"a:", "a:\r"};
	EACH_TEXT(text, users)
		is_valid(text, strlen(text), true);
	EACH_TEXT(text, others)
		is_valid(text, strlen(text), false);
	EACH_TEXT(text, no_users)
		is_error(text, strlen(text), no_user);
	EACH_TEXT(text, no_names)
		is_error(text, strlen(text), no_name);
	EACH_TEXT(text, no_secrets)
		is_error(text, strlen(text), no_secret);
}

/* Names and secrets of 1 to 255 bytes, with and without a carriage return after them. */
static void names_and_secrets_have_255_bytes(void)
{
	static const size_t lens[] = {1, 254, 255, 256, 257, 510};
	char line[1200];
	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < 6; j++)
			for (size_t returns = 0; returns < 2; returns++) {
				size_t len = lens[i] + 1 + lens[j] + returns;
				memset(line, 'a', lens[i]);
				line[lens[i]] = ':';
				memset(line + lens[i] + 1, 'b', lens[j]);
				line[len - 1] = returns ? '\r' : 'b';
				if (lens[i] > 255)
					is_error(line, len, no_name);
				else if (lens[j] > 255)
					is_error(line, len, no_secret);
				else
					is_valid(line, len, true);
			}
}

static void a_nul_is_an_error_except_in_a_comment(void)
{
	for (size_t at = 0; at < 5; at++) {
		char line[] = "ab:cd";
		line[at] = '\0';
		is_error(line, 5, has_nul);
	}
	is_error("ab:cd\0\r", 7, has_nul);
	is_error("\0", 1, has_nul);
	is_valid("#b:\0d", 5, false);
}

static void finds_the_name(void)
{
	static const struct {
		const char *text;
		size_t name_len;
	} rows[] = {{"alice:b", 5}, {"a:b:c", 1}, {":b", 0}, {"alice", 5}, {"a:", 1}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct words_line line = {.text = rows[i].text, .len = strlen(rows[i].text)};
		CHECK_NUMBER(users_name_len(&line), rows[i].name_len);
	}
}

/* -- Logins */

/* The text and USERS_PADDING bytes, with the given value, after it: a sanitizer detects further
 * reads. */
static bool know(const char *text, size_t len, char padding, const void *name, size_t name_len,
	const void *secret, size_t secret_len)
{
	char *copy = malloc(len + USERS_PADDING);
	uint8_t *offered = malloc(name_len + secret_len + 1);
	if (!copy || !offered)
		abort();
	memcpy(copy, text, len);
	memset(copy + len, padding, USERS_PADDING);
	memcpy(offered, name, name_len);
	memcpy(offered + name_len, secret, secret_len);
	const struct socks5_login login = {.name_len = (uint8_t)name_len,
		.password_len = (uint8_t)secret_len,
		.name = offered,
		.password = offered + name_len};
	bool known = users_know(copy, len, &login);
	free(copy);
	free(offered);
	return known;
}

/* Returns true if "name/secret" is accepted. */
static bool know_text(const char *text, const char *login)
{
	static const char next_line[] = "b:\n"; /* after the end of the text, so it is ignored */
	const char *secret = strchr(login, '/') + 1;
	const size_t len = strlen(text), name_len = (size_t)(secret - login) - 1;
	bool known = know(text, len, '\0', login, name_len, secret, strlen(secret));
	for (const char *c = next_line; *c; c++)
		CHECK_NUMBER(know(text, len, *c, login, name_len, secret, strlen(secret)), known);
	return known;
}

static void accepts_a_user_in_any_line(void)
{
	static const char *const texts[] = {"alice:secret", "alice:secret\n", "alice:secret\r\n",
		"alice:secret\r", "\nalice:secret\n", "\r\n\r\nalice:secret\r\n\r\n",
		"bob:x\nalice:secret\ncarol:y", "# alice:no\nalice:secret",
		"alice:secret\n#alice:x", "alice\nalice:secret",
		"alicia:secret\nalic:secret\nalice:secret\nalice2:secret",
		"bob:secret\r\nalice:secret\nALICE:secret\r\n", ":secret\nalice:secret",
		"#\n\n#\nalice:secret"};
	EACH_TEXT(text, texts) {
		CHECK(know_text(text, "alice/secret"));
		CHECK(!know_text(text, "alice/Secret"));
		CHECK(!know_text(text, "Alice/secret"));
		CHECK(!know_text(text, "secret/alice"));
	}
}

static void rejects_other_logins(void)
{
	static const struct {
		const char *text, *known[2], *unknown[4];
	} rows[] = {
		{"", {0}, {"alice/secret", "/"}},
		{"\n", {0}, {"alice/secret", "/"}},
		{"alice", {0}, {"alice/"}},
		{"alice\n", {0}, {"alice/alice"}},
		{"#alice:secret", {0}, {"alice/secret", "#alice/secret"}},
		{"alice:secret", {"alice/secret"}, {"bob/secret", "/"}},
		/* a name with the secret of another user */
		{"bob:x\nalice:secret", {"alice/secret", "bob/x"},
			{"bob/secret", "alice/x", "bob:x\nalice/secret"}},
		{"a:b:c", {"a/b:c"}, {"a:b/c"}}, /* the first colon ends the name */
		{"a::", {"a/:"}, {0}},
		{" alice:secret", {0}, {"alice/secret"}},
		{"alice :secret", {0}, {"alice/secret"}},
		{"alice: secret", {0}, {"alice/secret"}},
		{"alice: secret ", {"alice/ secret "}, {0}},
		{"alice:secret ", {0}, {"alice/secret"}},
		{"alice:secret\r\r\n", {"alice/secret\r"}, {"alice/secret"}},
		{"alice:secret\r\n", {0}, {"alice/secret\r"}},
		{"alice:secret\n", {0}, {"alice/secret\n"}},
		{"alice:secret\nbob:x", {0}, {"alice/secret\nbob:x"}},
		{"alice:", {0}, {"alice/"}},
		{"alice:\r\n", {0}, {"alice/"}},
		{":secret", {0}, {"/secret"}},
		{":", {0}, {"/"}},
		/* a name with two lines is not accepted */
		{"alice:one\n#alice:two\nAlice:two", {"alice/one"}, {0}},
	};
	static const char *const twice[] = {"alice:one\nalice:two\nbob:x",
		"alice:one\nbob:x\nalice:one\n", "alice:two\r\nbob:x\r\nalice:one\r\n",
		"alice:one\nalice:\nbob:x", "alice:one\nalice:one\nalice:one\nbob:x"};
	EACH_ROW(row, rows, text) {
		for (size_t i = 0; i < COUNT(row->known) && row->known[i]; i++)
			CHECK(know_text(row->text, row->known[i]));
		for (size_t i = 0; i < COUNT(row->unknown) && row->unknown[i]; i++)
			CHECK(!know_text(row->text, row->unknown[i]));
	}
	EACH_TEXT(text, twice) {
		CHECK(!know_text(text, "alice/one"));
		CHECK(!know_text(text, "alice/two"));
		CHECK(!know_text(text, "alice/"));
		CHECK(know_text(text, "bob/x"));
	}
}

/* Checks that a login with this wrong name or wrong secret is rejected. */
static void is_unknown_as_either(const char *text, const char *name, const char *secret,
	const void *wrong, size_t wrong_len, bool is_name)
{
	bool known = is_name ? know(text, strlen(text), 0, wrong, wrong_len, secret, strlen(secret))
			     : know(text, strlen(text), 0, name, strlen(name), wrong, wrong_len);
	if (!CHECK(!known))
		check_show(is_name ? "name" : "secret", wrong, wrong_len);
}

/* Checks every shorter prefix, every extension by a byte, every changed bit, and zeros after,
 * before and in place of the name and the secret. */
static void similar_is_rejected(const char *name, const char *secret)
{
	char text[LINE_MAX_LEN + 2];
	snprintf(text, sizeof text, "%s:%s\n", name, secret);
	CHECK(know(text, strlen(text), 0, name, strlen(name), secret, strlen(secret)));
	for (int is_name = 0; is_name < 2; is_name++) {
		const char *valid = is_name ? name : secret;
		size_t len = strlen(valid);
		uint8_t wrong[2 * 255 + 2];
#define WRONG(n) is_unknown_as_either(text, name, secret, wrong, (n), is_name)
		memcpy(wrong, valid, len + 1);
		for (size_t n = 0; n < len; n++)
			WRONG(n);
		for (unsigned byte = 0; byte < 256 && len < 255; byte++) {
			wrong[len] = (uint8_t)byte;
			WRONG(len + 1);
		}
		for (size_t at = 0; at < len; at++)
			for (unsigned bit = 0; bit < 9; bit++) {
				memcpy(wrong, valid, len);
				wrong[at] = (uint8_t)(bit < 8 ? wrong[at] ^ 1U << bit : 0);
				WRONG(len);
			}
		memset(wrong, 0, sizeof wrong);
		for (size_t n = 0; n <= 255; n++)
			WRONG(n);
		memcpy(wrong, valid, len);
		for (size_t n = len + 1; n <= 255; n++)
			WRONG(n);
		memmove(wrong + 1, wrong, len);
		wrong[0] = 0;
		if (len < 255)
			WRONG(len + 1);
#undef WRONG
	}
}

static void rejects_similar_logins(void)
{
	char longest[USERS_NAME_MAX + 1];
	memset(longest, 'n', USERS_NAME_MAX);
	longest[USERS_NAME_MAX] = '\0';
	similar_is_rejected("alice", "hunter2");
	similar_is_rejected("a", "b");
	similar_is_rejected("\303\244\377", "\001\200 ");
	similar_is_rejected(longest, "b");
	similar_is_rejected("a", longest);
	similar_is_rejected(longest, longest);
	longest[USERS_NAME_MAX - 1] = '\0';
	similar_is_rejected(longest, longest);
}

/* Lines that users_check_line() rejects: too long for a login. They do not affect other lines. */
static void rejects_long_lines(void)
{
	static const size_t lens[] = {256, 257, 511, 512}; /* 511 has the low 8 bits of 255 */
	char text[3 * 512], offered[USERS_NAME_MAX];
	memset(offered, 'a', sizeof offered);
	for (size_t i = 0; i < COUNT(lens); i++) {
		const size_t len = lens[i];
		memset(text, 'a', len);
		memcpy(text + len, ":b\nc:", 5);
		memset(text + len + 5, 'a', len);
		for (size_t n = 0; n <= sizeof offered; n++) {
			CHECK(!know(text, 2 * len + 5, 'a', offered, n, "b", 1));
			CHECK(!know(text, 2 * len + 5, 'a', "c", 1, offered, n));
		}
	}
	CHECK_NUMBER(USERS_NAME_MAX, 255);
	CHECK_NUMBER(USERS_SECRET_MAX, 255);
}

int main(void)
{
	return CHECK_ALL(checks_the_syntax_of_a_line, names_and_secrets_have_255_bytes,
		a_nul_is_an_error_except_in_a_comment, finds_the_name, accepts_a_user_in_any_line,
		rejects_other_logins, rejects_similar_logins, rejects_long_lines);
}

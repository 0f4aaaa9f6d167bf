/* SPDX-License-Identifier: ISC */
/* policy/users: the form of a line, and that nothing but the name and its secret logs in. */
#include "policy/users.h"

#include <stdlib.h>

#include "check.h"

#define LINE_MAX_LEN (USERS_NAME_MAX + 1 + USERS_SECRET_MAX)

/* -- Lines */

static char problem_bytes[512];

/* Checks a line that lies at the end of its memory. */
static bool check_line(const char *text, size_t len, bool *ret_is_user)
{
	char *copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, text, len);
	const struct words_line line = {.text = copy, .len = len, .place = "test", .number = 1};
	struct writer problem = writer_on(problem_bytes, sizeof problem_bytes - 1);
	bool right = users_check_line(&line, ret_is_user, &problem);
	problem_bytes[problem.len] = '\0';
	free(copy);
	return right;
}

/* What is said names nothing of the line: there are secrets in it. */
static void is_mistake(const char *text, size_t len, const char *want)
{
	bool is_user;
	CHECK(!check_line(text, len, &is_user));
	CHECK_STRING(problem_bytes, want);
}

static void is_right(const char *text, size_t len, bool want_is_user)
{
	bool is_user = !want_is_user;
	CHECK(check_line(text, len, &is_user));
	CHECK_NUMBER(is_user, want_is_user);
	CHECK_STRING(problem_bytes, "");
}

static void knows_the_form_of_a_line(void)
{
	static const char *const users[] = {"a:b", "a:b\r", "a:b:c", "a::", "a: ", " : ", "a:#",
		"a:\r\r", "\r:b", " #a:b", "a b:c d", "\"a\":\"b\"", "\303\244:\377\001", "a#:b"};
	static const char *const others[] = {"", "\r", "#", "#\r", "# a:b", "#a", "##:", "#:b"};
	static const char no_user[] = "not a user; NAME:SECRET would do, and '#' for a comment";
	static const char no_name[] = "not a name; 1 to 255 bytes would do";
	static const char no_secret[] = "not a secret; 1 to 255 bytes would do";
	static const char *const mistakes[][2] = {
		{"a", no_user},
		{"alice", no_user},
		{"alice\r", no_user},
		{" ", no_user},
		{"\t", no_user},
		{"\r\r", no_user},
		{" \r", no_user},
		{"alice hunter2", no_user},
		{":", no_name},
		{":b", no_name},
		{":b\r", no_name},
		{"::b", no_name},
		{"a:", no_secret},
		{"a:\r", no_secret},
	};
	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
		is_right(check_about = users[i], strlen(users[i]), true);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		is_right(check_about = others[i], strlen(others[i]), false);
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
		is_mistake(check_about = mistakes[i][0], strlen(mistakes[i][0]), mistakes[i][1]);
	check_about = NULL;
}

/* Names and secrets of 1 to 255 bytes, with and without a carriage return behind them. */
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
					is_mistake(
						line, len, "not a name; 1 to 255 bytes would do");
				else if (lens[j] > 255)
					is_mistake(
						line, len, "not a secret; 1 to 255 bytes would do");
				else
					is_right(line, len, true);
			}
}

static void a_nul_is_a_mistake_but_in_a_comment(void)
{
	for (size_t at = 0; at < 5; at++) {
		char line[] = "ab:cd";
		line[at] = '\0';
		is_mistake(line, 5, "the line has a NUL byte; plain text is read");
	}
	is_mistake("ab:cd\0\r", 7, "the line has a NUL byte; plain text is read");
	is_mistake("\0", 1, "the line has a NUL byte; plain text is read");
	is_right("#b:\0d", 5, false);
}

static void finds_the_name(void)
{
	static const struct {
		const char *text;
		size_t name_len;
	} rows[] = {{"alice:b", 5}, {"a:b:c", 1}, {":b", 0}, {"alice", 5}, {"a:", 1}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct words_line line = {.text = rows[i].text, .len = strlen(rows[i].text)};
		CHECK_NUMBER(users_name_len(&line), rows[i].name_len);
	}
}

/* -- Logins */

/* The text, and whatever is behind it: no more than the header asks for, where a sanitizer sees a
 * byte that is too far. */
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

static bool know_text(const char *text, const char *name, const char *secret)
{
	bool known = know(text, strlen(text), '\0', name, strlen(name), secret, strlen(secret));
	check_about = text; /* what lies behind the text changes nothing */
	CHECK_NUMBER(
		know(text, strlen(text), 'b', name, strlen(name), secret, strlen(secret)), known);
	CHECK_NUMBER(
		know(text, strlen(text), ':', name, strlen(name), secret, strlen(secret)), known);
	CHECK_NUMBER(
		know(text, strlen(text), '\n', name, strlen(name), secret, strlen(secret)), known);
	return known;
}

static void knows_a_user_wherever_the_line_stands(void)
{
	static const char *const texts[] = {"alice:secret", "alice:secret\n", "alice:secret\r\n",
		"alice:secret\r", "\nalice:secret\n", "\r\n\r\nalice:secret\r\n\r\n",
		"bob:x\nalice:secret\ncarol:y", "# alice:no\nalice:secret",
		"alice:secret\n#alice:x", "alice\nalice:secret",
		"alicia:secret\nalic:secret\nalice:secret\nalice2:secret",
		"bob:secret\r\nalice:secret\nALICE:secret\r\n", ":secret\nalice:secret",
		"#\n\n#\nalice:secret"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CHECK(know_text(texts[i], "alice", "secret"));
		CHECK(!know_text(texts[i], "alice", "Secret"));
		CHECK(!know_text(texts[i], "Alice", "secret"));
		CHECK(!know_text(texts[i], "secret", "alice"));
	}
	check_about = NULL;
}

static void knows_nobody_else(void)
{
	static const char *const rows[][3] = {
		{"", "alice", "secret"},
		{"\n", "alice", "secret"},
		{"alice", "alice", ""},
		{"alice\n", "alice", "alice"},
		{"#alice:secret", "alice", "secret"},
		{"#alice:secret", "#alice", "secret"},
		{"alice:secret", "bob", "secret"},
		{"bob:x\nalice:secret", "bob", "secret"}, /* a name, and another's secret */
		{"bob:x\nalice:secret", "alice", "x"},
		{"a:b:c", "a:b", "c"}, /* the first colon ends the name */
		{" alice:secret", "alice", "secret"},
		{"alice :secret", "alice", "secret"},
		{"alice: secret", "alice", "secret"},
		{"alice:secret ", "alice", "secret"},
		{"alice:secret\r\r\n", "alice", "secret"},
		{"alice:secret\r\n", "alice", "secret\r"},
		{"alice:secret\n", "alice", "secret\n"},
		{"alice:secret\nbob:x", "alice", "secret\nbob:x"},
		{"bob:x\nalice:secret", "bob:x\nalice", "secret"},
		{"alice:", "alice", ""},
		{"alice:\r\n", "alice", ""},
		{":secret", "", "secret"},
		{":", "", ""},
		{"", "", ""},
		{"\n", "", ""},
		{"alice:secret", "", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK(!know_text(rows[i][0], rows[i][1], rows[i][2]));
	CHECK(know_text("a:b:c", "a", "b:c"));
	CHECK(know_text("a::", "a", ":"));
	CHECK(know_text("alice:secret\r\r\n", "alice", "secret\r"));
	CHECK(know_text("alice: secret ", "alice", " secret "));
	check_about = NULL;
}

static void a_name_that_stands_twice_is_nobodys(void)
{
	static const char *const texts[] = {"alice:one\nalice:two\nbob:x",
		"alice:one\nbob:x\nalice:one\n", "alice:two\r\nbob:x\r\nalice:one\r\n",
		"alice:one\nalice:\nbob:x", "alice:one\nalice:one\nalice:one\nbob:x"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CHECK(!know_text(texts[i], "alice", "one"));
		CHECK(!know_text(texts[i], "alice", "two"));
		CHECK(!know_text(texts[i], "alice", ""));
		CHECK(know_text(texts[i], "bob", "x"));
	}
	CHECK(know_text("alice:one\n#alice:two\nAlice:two", "alice", "one"));
	check_about = NULL;
}

/* One way for the client to be wrong, about the name and about the secret. */
static void is_unknown_as_either(const char *text, const char *name, const char *secret,
	const void *wrong, size_t wrong_len, bool is_name)
{
	bool known = is_name ? know(text, strlen(text), 0, wrong, wrong_len, secret, strlen(secret))
			     : know(text, strlen(text), 0, name, strlen(name), wrong, wrong_len);
	if (!CHECK(!known))
		check_show(is_name ? "name" : "secret", wrong, wrong_len);
}

/* Every proper prefix, every extension by a byte, every change of a byte, zeros behind it, before
 * it and for it. */
static void nearly_right_is_wrong(const char *name, const char *secret)
{
	char text[LINE_MAX_LEN + 2];
	snprintf(text, sizeof text, "%s:%s\n", name, secret);
	CHECK(know(text, strlen(text), 0, name, strlen(name), secret, strlen(secret)));
	for (int is_name = 0; is_name < 2; is_name++) {
		const char *right = is_name ? name : secret;
		size_t len = strlen(right);
		uint8_t wrong[2 * 255 + 2];
#define WRONG(n) is_unknown_as_either(text, name, secret, wrong, (n), is_name)
		memcpy(wrong, right, len + 1);
		for (size_t n = 0; n < len; n++)
			WRONG(n);
		for (unsigned byte = 0; byte < 256 && len < 255; byte++) {
			wrong[len] = (uint8_t)byte;
			WRONG(len + 1);
		}
		for (size_t at = 0; at < len; at++)
			for (unsigned bit = 0; bit < 9; bit++) {
				memcpy(wrong, right, len);
				wrong[at] = (uint8_t)(bit < 8 ? wrong[at] ^ 1U << bit : 0);
				WRONG(len);
			}
		memset(wrong, 0, sizeof wrong);
		for (size_t n = 0; n <= 255; n++)
			WRONG(n);
		memcpy(wrong, right, len);
		for (size_t n = len + 1; n <= 255; n++)
			WRONG(n);
		memmove(wrong + 1, wrong, len);
		wrong[0] = 0;
		if (len < 255)
			WRONG(len + 1);
#undef WRONG
	}
}

static void nothing_is_nearly_right(void)
{
	char longest[USERS_NAME_MAX + 1];
	memset(longest, 'n', USERS_NAME_MAX);
	longest[USERS_NAME_MAX] = '\0';
	nearly_right_is_wrong("alice", "hunter2");
	nearly_right_is_wrong("a", "b");
	nearly_right_is_wrong("\303\244\377", "\001\200 ");
	nearly_right_is_wrong(longest, "b");
	nearly_right_is_wrong("a", longest);
	nearly_right_is_wrong(longest, longest);
	longest[USERS_NAME_MAX - 1] = '\0';
	nearly_right_is_wrong(longest, longest);
}

/* Lines that no checked text has: too long for any login, and no way into the ones beside them. */
static void what_is_too_long_is_nobodys(void)
{
	char text[3 * 512], offered[USERS_NAME_MAX];
	memset(offered, 'a', sizeof offered);
	static const size_t lens[] = {256, 257, 511, 512}; /* 511: 255 and what 8 bits lose */
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		const size_t len = lens[i];
		memset(text, 'a', len);
		memcpy(text + len, ":b\n", 3);
		memcpy(text + len + 3, "c:", 2);
		memset(text + len + 5, 'a', len);
		CHECK(!know(text, 2 * len + 5, 'a', offered, sizeof offered, "b", 1));
		CHECK(!know(text, 2 * len + 5, 'a', "c", 1, offered, sizeof offered));
		for (size_t n = 0; n < 255; n++) {
			CHECK(!know(text, 2 * len + 5, 'a', offered, n, "b", 1));
			CHECK(!know(text, 2 * len + 5, 'a', "c", 1, offered, n));
		}
	}
	CHECK_NUMBER(USERS_NAME_MAX, 255);
	CHECK_NUMBER(USERS_SECRET_MAX, 255);
}

int main(void)
{
	knows_the_form_of_a_line();
	names_and_secrets_have_255_bytes();
	a_nul_is_a_mistake_but_in_a_comment();
	finds_the_name();
	knows_a_user_wherever_the_line_stands();
	knows_nobody_else();
	a_name_that_stands_twice_is_nobodys();
	nothing_is_nearly_right();
	what_is_too_long_is_nobodys();
	return check_end();
}

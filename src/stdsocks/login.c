/* SPDX-License-Identifier: ISC */
#include "stdsocks/login.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "policy/users.h"
#include "wire/large.h"

/* If the password is right, the checkpassword program executes this one, which exits with 0. */
#define ON_SUCCESS "/bin/true"

/* The exit status of the checkpassword interface if the password is wrong. */
#define STATUS_WRONG 1

static int start_checker(const struct config *c, bool with_stderr, struct checker *ret_checker)
{
	static char *argv[WORDS_MAX + 1] LARGE;
	const char *word = c->passwords_text;

	for (unsigned i = 0; i < c->passwords_words; i++, word += strlen(word) + 1)
		argv[i] = (char *)word;
	argv[c->passwords_words] = (char *)ON_SUCCESS;
	return checker_start(argv, with_stderr, ret_checker);
}

int login_prepare(struct login *login, const struct client *client, bool with_stderr)
{
	const struct config *c = &login->settings->config;
	const struct passwd *user = client->uid < 0 ? NULL : getpwuid((uid_t)client->uid);

	login->system_user = user ? user->pw_name : NULL;
	if (!(c->auth & CONFIG_AUTH_PASSWORD) || c->passwords != CONFIG_CHECKPASSWORD)
		return 0;
	int error = start_checker(c, with_stderr, &login->checker);
	login->has_checker = error == 0;
	return error;
}

/* Writes the name, the password and a timestamp to the program, each with a NUL.
 * https://cr.yp.to/checkpwd/interface.html */
static int ask_checker(
	struct checker *checker, const struct socks5_login *offered, int64_t deadline_us)
{
	char bytes[CHECKER_QUESTION_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);

	writer_bytes(&w, offered->name, offered->name_len);
	writer_u8(&w, '\0');
	writer_bytes(&w, offered->password, offered->password_len);
	writer_u8(&w, '\0');
	writer_str(&w, "0");
	writer_u8(&w, '\0');
	int status = checker_ask(checker, w.bytes, w.len, deadline_us);
	explicit_bzero(bytes, sizeof bytes);
	return status;
}

/* Converts the result of checker_ask(). */
static enum record_end end_of(int status, const char **ret_why)
{
	static char text[64] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);

	switch (status) {
	case 0:
		return RECORD_ONGOING;
	case STATUS_WRONG:
		return RECORD_LOGIN_FAILED;
	case -ETIMEDOUT:
		return RECORD_HANDSHAKE_TIMEOUT;
	case -ECANCELED:
		return RECORD_TERMINATED;
	case -ENOTCONN:
		return RECORD_CLIENT_GONE;
	default:
		writer_str(&w, "checkpassword: ");
		writer_str(&w, status < 0 ? strerror(-status) : "exit status ");
		if (status >= 0)
			writer_decimal(&w, (uint64_t)status, 1);
		*ret_why = text;
		return RECORD_FAILED;
	}
}

static bool has_nul(const struct socks5_login *l)
{
	return memchr(l->name, '\0', l->name_len) || memchr(l->password, '\0', l->password_len);
}

enum record_end login_ask(struct login *login, const struct socks5_login *offered,
	int64_t deadline_us, const char **ret_why)
{
	enum record_end end = RECORD_LOGIN_FAILED;

	/* With a NUL, a name could contain a password, or the name that is verified could be
	 * shorter than the one that the record shows. */
	bool possible = offered->name_len > 0 && offered->password_len > 0 && !has_nul(offered);
	if (possible && login->has_checker) {
		login->has_checker = false;
		end = end_of(ask_checker(&login->checker, offered, deadline_us), ret_why);
	} else if (possible && login->settings->users) {
		if (users_know(login->settings->users, login->settings->users_len, offered))
			end = RECORD_ONGOING;
	}
	login_close(login);
	return end;
}

void login_close(struct login *login)
{
	if (login->has_checker)
		checker_dismiss(&login->checker);
	login->has_checker = false;
	settings_forget_users(login->settings);
}

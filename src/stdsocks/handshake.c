/* SPDX-License-Identifier: ISC */
/* Everything up to a request: greeting, login, and what the client wants.
 * Knows: the order of the messages, in both versions. Does not know: where requests may lead. */
#include "stdsocks/handshake.h"

#include <errno.h>
#include <string.h>

#include "record/trace.h"
#include "wire/large.h"
#include "wire/socks4.h"

static bool say_method(struct session *s, enum socks5_method method)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_method(&w, method);
	return talk_say(s, SOCKS5_METHOD, &w);
}

/* The last words to a client that is not served. Always false. */
static bool refuse_method(struct session *s, enum record_end how)
{
	login_over(s->input->login);
	if (s->input->why_not) {
		how = RECORD_FAILED;
		s->why = s->input->why_not;
	}
	if (say_method(s, SOCKS5_NO_ACCEPTABLE_METHODS)) {
		talk_end(s, how, RECORD_STDSOCKS, 0);
		endpoint_linger(&s->client, s->up);
	}
	return false;
}

/* RFC 1928 s3: the method that says most of who the client is, of those that both can do. A user
 * whom the kernel knows needs no password. */
static enum socks5_method choose_method(struct session *s, const struct socks5_methods *methods)
{
	const unsigned any = CONFIG_AUTH_NONE | CONFIG_AUTH_PASSWORD;
	const unsigned auth = s->input->why_not ? any : s->config->auth;
	bool none_will_do = auth & CONFIG_AUTH_NONE || s->input->client->uid >= 0;

	if (s->input->why_not && socks5_offers(methods, SOCKS5_NO_AUTHENTICATION_REQUIRED))
		return SOCKS5_NO_AUTHENTICATION_REQUIRED; /* a request is answered more clearly */
	if (auth & CONFIG_AUTH_PASSWORD && socks5_offers(methods, SOCKS5_USERNAME_PASSWORD))
		return SOCKS5_USERNAME_PASSWORD;
	if (none_will_do && socks5_offers(methods, SOCKS5_NO_AUTHENTICATION_REQUIRED))
		return SOCKS5_NO_AUTHENTICATION_REQUIRED;
	s->why = none_will_do ? NULL : "a password is required";
	return SOCKS5_NO_ACCEPTABLE_METHODS;
}

static bool negotiate(struct session *s, enum socks5_method *ret_method)
{
	struct socks5_methods methods;
	enum parse verdict;
	size_t used;

	while ((verdict = socks5_parse_methods(
			talk_unread(s), talk_unread_len(s), &used, &methods)) == PARSE_MORE)
		if (!talk_hear(s, SOCKS5_METHODS))
			return false;
	if (verdict == PARSE_BAD) {
		talk_show_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5);
	}
	*ret_method = choose_method(s, &methods);
	talk_use(s, SOCKS5_METHODS, used);
	if (*ret_method == SOCKS5_NO_ACCEPTABLE_METHODS)
		return refuse_method(s, RECORD_NO_METHOD);
	return say_method(s, *ret_method);
}

static bool say_login_status(struct session *s, uint8_t status)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_login_status(&w, status);
	return talk_say(s, SOCKS5_LOGIN_STATUS, &w);
}

/* RFC 1929 s2: a failure, and the end. What the client has sent behind it is not looked at. */
static bool refuse_login(struct session *s, enum record_end how, const char *why)
{
	s->why = why;
	if (say_login_status(s, 1)) {
		talk_end(s, how, RECORD_STDSOCKS, 0);
		endpoint_linger(&s->client, s->up);
	}
	return false;
}

/* The name, for the rules and the record. */
static void note_user(struct session *s, const void *name, size_t len)
{
	static char user[UINT8_MAX + 1] LARGE;
	memcpy(user, name, len);
	user[len] = '\0';
	s->user = user;
	s->user_len = len;
}

/* RFC 1929 s2: who the client says it is, and whether that is so. */
static bool hear_login(struct session *s)
{
	struct socks5_login login;
	enum parse verdict;
	size_t used;
	const char *why = NULL;

	while ((verdict = socks5_parse_login(talk_unread(s), talk_unread_len(s), &used, &login)) ==
		PARSE_MORE)
		if (!talk_hear(s, SOCKS5_LOGIN))
			return false;
	if (verdict == PARSE_BAD) {
		if (s->input->trace) /* what follows a wrong version may be a password all the same
				      */
			trace_message("client", SOCKS5_LOGIN, talk_unread(s), 1);
		login_over(s->input->login);
		explicit_bzero(s->up->bytes + s->up->start, talk_unread_len(s));
		return refuse_login(s, RECORD_LOGIN_FAILED, "not a login of RFC 1929");
	}
	note_user(s, login.name, login.name_len);
	enum login_verdict answer = login_ask(s->input->login, &login, s->deadline_us, &why);
	uint8_t *message = s->up->bytes + s->up->start;
	talk_use(s, SOCKS5_LOGIN, used);
	explicit_bzero(message, used);
	if (s->input->why_not)
		return refuse_login(s, RECORD_FAILED, s->input->why_not);
	switch (answer) {
	case LOGIN_RIGHT:
		s->is_authenticated = true;
		return say_login_status(s, 0);
	case LOGIN_WRONG:
		return refuse_login(s, RECORD_LOGIN_FAILED, NULL);
	case LOGIN_FAILED:
		return refuse_login(s, RECORD_FAILED, why);
	case LOGIN_LATE:
		return talk_end_of_client(s, -ETIMEDOUT);
	case LOGIN_STOPPED:
		break;
	}
	return talk_end_of_client(s, -ECANCELED);
}

/* What the kernel knows of the client holds until it has logged in as somebody else. */
static void take_system_user(struct session *s)
{
	const char *user = s->input->login->system_user;

	login_over(s->input->login);
	if (!user)
		return;
	note_user(s, user, strnlen(user, UINT8_MAX));
	s->is_authenticated = true;
}

static bool identify(struct session *s, enum socks5_method method)
{
	if (method == SOCKS5_USERNAME_PASSWORD)
		return hear_login(s);
	take_system_user(s);
	return true;
}

/* RFC 1928 s4: what the client wants. */
static bool hear_request(struct session *s)
{
	enum parse verdict;
	enum socks5_reply reply;
	size_t used;

	while ((verdict = socks5_parse_request(talk_unread(s), talk_unread_len(s), &used,
			&s->request, &reply)) == PARSE_MORE)
		if (!talk_hear(s, SOCKS5_REQUEST))
			return false;
	if (verdict == PARSE_BAD) {
		talk_show_rest(s, SOCKS5_REQUEST);
		return talk_refuse(s, reply, 0, "not a request of RFC 1928");
	}
	talk_use(s, SOCKS5_REQUEST, used);
	s->has_request = true;
	if (s->input->why_not)
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, s->input->error, s->input->why_not);
	return true;
}

/* What a client of version 4 says that it is. Nobody is let in for it; but where the kernel knows
 * better, it is wrong. */
static bool check_userid(struct session *s, const struct socks4_request *request)
{
	static char userid[SOCKS4_USERID_MAX] LARGE;

	memcpy(userid, request->userid, request->userid_len);
	s->userid = userid;
	s->userid_len = request->userid_len;
	s->userid_is_wrong = s->is_authenticated && request->userid_len > 0 &&
		(s->user_len != request->userid_len ||
			memcmp(s->user, userid, request->userid_len) != 0);
	return !s->userid_is_wrong;
}

/* SOCKS 4 and 4A: greeting, user and request are one message. It has no password, so it is no way
 * round one. */
static bool hear_request4(struct session *s)
{
	struct socks4_request request;
	enum parse verdict;
	size_t used;

	s->is_version_4 = true;
	while ((verdict = socks4_parse_request(
			talk_unread(s), talk_unread_len(s), &used, &request)) == PARSE_MORE)
		if (!talk_hear(s, SOCKS4_REQUEST))
			return false;
	take_system_user(s);
	if (verdict == PARSE_BAD) {
		talk_show_rest(s, SOCKS4_REQUEST);
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, 0, "not a request of SOCKS 4");
	}
	s->request = (struct socks5_request){.command = request.command, .dst = request.dst};
	s->has_request = true;
	bool is_right = check_userid(s, &request);
	talk_use(s, SOCKS4_REQUEST, used);
	if (s->input->why_not)
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, s->input->error, s->input->why_not);
	if (!(s->config->auth & CONFIG_AUTH_NONE) && s->input->client->uid < 0)
		return talk_refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "a password is required, and version 4 has none");
	if (!is_right)
		return talk_refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "the system says that the user is another one");
	return true;
}

bool request_hear(struct session *s)
{
	enum socks5_method method = SOCKS5_NO_ACCEPTABLE_METHODS;
	const unsigned any = CONFIG_VERSION_4 | CONFIG_VERSION_5;
	const unsigned versions = s->input->why_not ? any : s->config->versions;

	if (!talk_hear(s, SOCKS5_METHODS))
		return false;
	if (talk_unread(s)[0] == SOCKS4_VERSION && versions & CONFIG_VERSION_4)
		return hear_request4(s);
	if (!(versions & CONFIG_VERSION_5)) {
		talk_show_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5);
	}
	return negotiate(s, &method) && identify(s, method) && hear_request(s);
}

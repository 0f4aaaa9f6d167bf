/* SPDX-License-Identifier: ISC */
/* The handshake: greeting, authentication and request, in the order of RFC 1928 and RFC 1929. */
#include "stdsocks/handshake.h"

#include <errno.h>
#include <string.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/trace.h"
#include "stdsocks/message.h"
#include "stdsocks/reply.h"
#include "wire/large.h"
#include "wire/socks4.h"

/* Whether service is refused to every client. The handshake goes as far as the client lets it, so
 * that the client gets the clearest failure that its messages allow. */
static bool is_refused(const struct session *s)
{
	return s->input->refusal.reason != NULL;
}

static enum record_end send_method(struct session *s, enum socks5_method method)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);

	socks5_put_method(&w, method);
	return message_send(s, SOCKS5_METHOD, &w);
}

static enum record_end refuse_method(struct session *s, enum record_end how, const char *why)
{
	login_close(s->input->login);
	const enum record_end sent = send_method(s, SOCKS5_NO_ACCEPTABLE_METHODS);
	return outcome_refused(s, sent, how, 0, why);
}

/* Whether a client may do without a password: the kernel knows its user, or none is required. */
static bool needs_no_password(const struct session *s)
{
	return s->config->auth & CONFIG_AUTH_NONE || s->input->client->uid >= 0;
}

/* RFC 1928 s3: of the methods that both sides have, the one that tells most about the client. */
static enum socks5_method choose_method(struct session *s, const struct socks5_methods *methods)
{
	const bool offers_none = socks5_offers(methods, SOCKS5_NO_AUTHENTICATION_REQUIRED);

	if (is_refused(s) && offers_none)
		return SOCKS5_NO_AUTHENTICATION_REQUIRED; /* a reply can say more */
	if ((s->config->auth & CONFIG_AUTH_PASSWORD || is_refused(s)) &&
		socks5_offers(methods, SOCKS5_USERNAME_PASSWORD))
		return SOCKS5_USERNAME_PASSWORD;
	if (needs_no_password(s) && offers_none)
		return SOCKS5_NO_AUTHENTICATION_REQUIRED;
	return SOCKS5_NO_ACCEPTABLE_METHODS;
}

static enum record_end negotiate(struct session *s, enum socks5_method *ret_method)
{
	struct socks5_methods methods;
	enum record_end end;
	enum parse parsed;
	size_t used;

	while ((parsed = socks5_parse_methods(
			message_unread(s), message_unread_len(s), &used, &methods)) == PARSE_MORE)
		if ((end = message_receive(s, SOCKS5_METHODS)))
			return end;
	if (parsed == PARSE_BAD) {
		message_trace_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5, NULL);
	}
	s->record.has_greeting = true;
	*ret_method = choose_method(s, &methods);
	message_consume(s, SOCKS5_METHODS, used);
	if (*ret_method == SOCKS5_NO_ACCEPTABLE_METHODS)
		return refuse_method(s, RECORD_NO_METHOD,
			needs_no_password(s) ? NULL : "a password is required");
	return send_method(s, *ret_method);
}

static enum record_end send_login_status(struct session *s, uint8_t status)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);

	socks5_put_login_status(&w, status);
	return message_send(s, SOCKS5_LOGIN_STATUS, &w);
}

/* Returns when a login that has just been received is to be answered if it is refused: at the same
 * time after it, whatever the cause. */
static int64_t refusal_us(const struct session *s)
{
	const int64_t delay_us = s->config->refused_login_us;

	if (delay_us == CONFIG_NEVER_US)
		return 0;
	return clock_earlier(clock_after(clock_now_us(), delay_us), s->deadline_us);
}

static enum record_end await_refusal(struct session *s)
{
	const int error = s->refusal_us ? wait_for(-1, 0, s->refusal_us) : -ETIMEDOUT;

	return error == -ETIMEDOUT ? RECORD_ONGOING : outcome_client_error(s, error);
}

/* RFC 1929 s2: the server closes the connection after a failure. Unread bytes are ignored. */
static enum record_end refuse_login(struct session *s, enum record_end how, const char *why)
{
	enum record_end sent = await_refusal(s);

	if (!sent)
		sent = send_login_status(s, 1);
	const enum record_end end = outcome_refused(s, sent, how, 0, why);
	/* A login counts as refused even if the client did not wait for the answer. */
	return end == RECORD_CLIENT_GONE ? how : end;
}

static void note_user(struct session *s, const void *name, size_t len)
{
	static char user[UINT8_MAX + 1] LARGE;

	memcpy(user, name, len);
	user[len] = '\0';
	s->record.user = user;
	s->record.user_len = len;
}

/* Answers a login. end is the result of login_ask(). */
static enum record_end answer_login(struct session *s, enum record_end end, const char *why)
{
	if (is_refused(s))
		return refuse_login(s, RECORD_FAILED, NULL);
	if (end == RECORD_CLIENT_GONE)
		return outcome_client_error(s, -ENOTCONN);
	if (end == RECORD_HANDSHAKE_TIMEOUT || end == RECORD_TERMINATED)
		return outcome_end(s, end, RECORD_STDSOCKS, 0);
	if (end)
		return refuse_login(s, end, why);
	s->is_authenticated = true;
	return send_login_status(s, 0);
}

/* RFC 1929 s2. */
static enum record_end authenticate_by_password(struct session *s)
{
	struct socks5_login login;
	enum record_end end;
	enum parse parsed;
	size_t used;
	const char *why = NULL;

	while ((parsed = socks5_parse_login(
			message_unread(s), message_unread_len(s), &used, &login)) == PARSE_MORE)
		if ((end = message_receive(s, SOCKS5_LOGIN)))
			return end;
	s->refusal_us = refusal_us(s);
	uint8_t *message = s->up->bytes + s->up->start;
	if (parsed == PARSE_BAD) {
		if (s->input->trace) /* only the version: the rest may contain a password */
			trace_message("client", SOCKS5_LOGIN, message, 1);
		login_close(s->input->login);
		explicit_bzero(message, message_unread_len(s));
		return refuse_login(s, RECORD_LOGIN_FAILED, "not an RFC 1929 message");
	}
	note_user(s, login.name, login.name_len);
	end = login_ask(s->input->login, &login, s->deadline_us, &why);
	message_consume(s, SOCKS5_LOGIN, used);
	explicit_bzero(message, used);
	return answer_login(s, end, why);
}

/* Takes the user from the kernel, if it knows the client's. */
static void authenticate_by_kernel(struct session *s)
{
	const char *user = s->input->login->system_user;

	login_close(s->input->login);
	if (!user)
		return;
	note_user(s, user, strnlen(user, UINT8_MAX));
	s->is_authenticated = true;
}

/* RFC 1928 s4. */
static enum record_end receive_request(struct session *s)
{
	enum record_end end;
	enum parse parsed;
	enum socks5_reply reply;
	size_t used;

	while ((parsed = socks5_parse_request(message_unread(s), message_unread_len(s), &used,
			&s->request, &reply)) == PARSE_MORE)
		if ((end = message_receive(s, SOCKS5_REQUEST)))
			return end;
	if (parsed == PARSE_BAD) {
		message_trace_rest(s, SOCKS5_REQUEST);
		return reply_refuse(s, reply, 0, "not an RFC 1928 request");
	}
	message_consume(s, SOCKS5_REQUEST, used);
	s->record.command = s->request.command;
	return is_refused(s) ? reply_refuse(s, SOCKS5_GENERAL_FAILURE, 0, NULL) : RECORD_ONGOING;
}

/* USERID authenticates no client, but it is wrong if the kernel knows another user. */
static void note_userid(struct session *s, const struct socks4_request *request)
{
	static char userid[SOCKS4_USERID_MAX] LARGE;

	memcpy(userid, request->userid, request->userid_len);
	s->record.userid = userid;
	s->record.userid_len = request->userid_len;
	s->userid_is_wrong = s->is_authenticated && request->userid_len > 0 &&
		(s->record.user_len != request->userid_len ||
			memcmp(s->record.user, userid, request->userid_len) != 0);
}

/* SOCKS 4 and 4A: greeting, user and request are one message. There is no password in it, so if a
 * password is required the request is refused. */
static enum record_end receive_version_4_request(struct session *s)
{
	struct socks4_request request;
	enum record_end end;
	enum parse parsed;
	size_t used;

	s->is_version_4 = true;
	while ((parsed = socks4_parse_request(
			message_unread(s), message_unread_len(s), &used, &request)) == PARSE_MORE)
		if ((end = message_receive(s, SOCKS4_REQUEST)))
			return end;
	authenticate_by_kernel(s);
	if (parsed == PARSE_BAD) {
		message_trace_rest(s, SOCKS4_REQUEST);
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, 0, "not a SOCKS 4 request");
	}
	s->record.has_greeting = true;
	s->request = (struct socks5_request){.command = request.command, .dst = request.dst};
	s->record.command = s->request.command;
	note_userid(s, &request);
	message_consume(s, SOCKS4_REQUEST, used);
	if (is_refused(s))
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, 0, NULL);
	if (!needs_no_password(s))
		return reply_refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "a password is required, and version 4 has none");
	if (s->userid_is_wrong)
		return reply_refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "USERID is not the user of the client's socket");
	return RECORD_ONGOING;
}

enum record_end handshake_run(struct session *s)
{
	enum socks5_method method = SOCKS5_NO_ACCEPTABLE_METHODS;
	const unsigned any = CONFIG_VERSION_4 | CONFIG_VERSION_5;
	const unsigned versions = is_refused(s) ? any : s->config->versions;
	enum record_end end = message_receive(s, SOCKS5_METHODS);

	if (end)
		return end;
	if (message_unread(s)[0] == SOCKS4_VERSION && versions & CONFIG_VERSION_4)
		return receive_version_4_request(s);
	if (!(versions & CONFIG_VERSION_5)) {
		message_trace_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5, NULL);
	}
	if ((end = negotiate(s, &method)))
		return end;
	if (method != SOCKS5_USERNAME_PASSWORD)
		authenticate_by_kernel(s);
	else if ((end = authenticate_by_password(s)))
		return end;
	return receive_request(s);
}

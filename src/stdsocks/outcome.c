/* SPDX-License-Identifier: ISC */
/* How a session ended, and the record of it. */
#include "stdsocks/outcome.h"

#include <errno.h>

#include "net/clock.h"
#include "net/wait.h"
#include "stdsocks/confine.h"
#include "wire/large.h"

enum record_end outcome_end(
	struct session *s, enum record_end end, enum record_who closed_by, int error)
{
	s->record.closed_by = closed_by;
	s->record.error = error;
	return end;
}

enum record_end outcome_last_message(
	struct session *s, enum record_end sent, enum record_end end, int error)
{
	if (sent)
		return sent;
	wait_watch(-1);
	endpoint_linger(&s->client, s->up);
	return outcome_end(s, end, RECORD_STDSOCKS, error);
}

enum record_end outcome_refused(
	struct session *s, enum record_end sent, enum record_end end, int error, const char *why)
{
	const struct refusal *refusal = &s->input->refusal;

	s->record.why = refusal->reason ? refusal->reason : why;
	if (refusal->reason)
		return outcome_last_message(s, sent, RECORD_FAILED, refusal->error);
	return outcome_last_message(s, sent, end, error);
}

enum record_end outcome_client_error(struct session *s, int error)
{
	if (error == -ETIMEDOUT)
		return outcome_end(s, RECORD_HANDSHAKE_TIMEOUT, RECORD_STDSOCKS, 0);
	if (error == -ECANCELED)
		return outcome_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	if (error == -ENOTCONN) {
		endpoint_check_hangup(&s->client);
		error = -s->client.error;
	}
	if (endpoint_error_is_local(-error))
		return outcome_end(s, RECORD_FAILED, RECORD_STDSOCKS, -error);
	return outcome_end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, -error);
}

enum record_end outcome_relay(struct session *s, enum relay_end how)
{
	static const enum record_end ends[] = {
		[RELAY_CLOSED] = RECORD_CLOSED,
		[RELAY_BROKEN] = RECORD_RESET,
		[RELAY_IDLE] = RECORD_IDLE_TIMEOUT,
		[RELAY_HALF_CLOSED] = RECORD_HALF_CLOSED_TIMEOUT,
		[RELAY_LIFETIME] = RECORD_LIFETIME,
		[RELAY_STOPPED] = RECORD_TERMINATED,
		[RELAY_FAILED] = RECORD_FAILED,
	};
	const struct endpoint *first = s->relay.first;
	const bool by_side = how == RELAY_CLOSED || how == RELAY_BROKEN;

	if (first && (how == RELAY_BROKEN || how == RELAY_FAILED))
		s->record.error = first->error;
	if (by_side && first)
		s->record.closed_by = first == &s->client ? RECORD_CLIENT : RECORD_UPSTREAM;
	else
		s->record.closed_by = RECORD_STDSOCKS;
	if (s->record.error != ETIMEDOUT)
		return ends[how];
	s->record.why = "keepalive timeout";
	return RECORD_VANISHED;
}

const struct record *outcome_record(struct session *s)
{
	static const char *const kinds[] = {[CLIENT_GONE] = "unknown",
		[CLIENT_INET] = "inet",
		[CLIENT_UNIX] = "unix",
		[CLIENT_OTHER] = "other",
		[CLIENT_STDIO] = "stdio"};
	static char rule_bytes[RECORD_SUGGESTED_RULE_MAX] LARGE;
	struct record *r = &s->record;

	r->client_kind = kinds[s->input->client->kind];
	r->client = s->input->client->remote;
	r->dst = s->request.dst;
	r->up = s->relay.up.delivered;
	r->down = s->relay.down.delivered;
	r->total_us = clock_now_us() - s->input->start_us;
	r->sandbox = confine_missing();
	if (!s->denial.verdict.rule)
		return r;
	r->rule = s->denial.verdict.rule->location;
	r->rule_line = s->denial.verdict.rule->number;
	r->suggested_rule = writer_on(rule_bytes, sizeof rule_bytes);
	rules_put_suggestion(&r->suggested_rule, &s->denial.context);
	return r;
}

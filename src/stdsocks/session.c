/* SPDX-License-Identifier: ISC */
/* The conversation with one client, from its greeting to the record.
 * Knows: its order, and the commands that there are. */
#include "stdsocks/session.h"

#include "net/clock.h"
#include "sandbox/sandbox.h"
#include "stdsocks/handshake.h"
#include "stdsocks/serve.h"
#include "wire/large.h"

static const struct service {
	unsigned command; /* enum command */
	unsigned stage;   /* enum syscalls_stage */
	bool (*serve)(struct session *s, struct resolve_list *list);
} services[] = {
	{COMMAND_CONNECT, SYSCALLS_CONNECT, serve_connect},
	{COMMAND_BIND, SYSCALLS_BIND, serve_bind},
	{COMMAND_RESOLVE, SYSCALLS_RESOLVE, serve_resolve},
	{COMMAND_UDP, SYSCALLS_ASSOCIATE, serve_udp},
};
#define SERVICES_COUNT (sizeof services / sizeof services[0])

unsigned session_stages(const struct config *config)
{
	unsigned stages = 0;
	for (size_t i = 0; i < SERVICES_COUNT; i++)
		if (config->commands & services[i].command)
			stages |= services[i].stage;
	return stages;
}

/* What the request asks for, if it is configured, else NULL. */
static const struct service *find_service(const struct session *s)
{
	unsigned wanted = command_of_number(s->request.command) & s->config->commands;

	if (s->is_version_4 && wanted == COMMAND_UDP)
		return NULL; /* version 4 has none */
	for (size_t i = 0; i < SERVICES_COUNT; i++)
		if (services[i].command == wanted)
			return &services[i];
	return NULL;
}

/* Whether it can be wanted at all, before anything is looked up. */
static bool check_request(struct session *s, const struct service *service)
{
	struct addr *dst = &s->requested;

	if (!service)
		return talk_refuse(s, SOCKS5_COMMAND_NOT_SUPPORTED, 0, NULL);
	*dst = addr_from_literal(&s->request.dst);
	if (service->command == COMMAND_RESOLVE)
		dst->port = 0; /* which means nothing there: no rule is to hold for it */
	if (s->is_version_4 && s->request.command == SOCKS5_RESOLVE_PTR)
		return talk_refuse_version_4(s);
	if (s->request.command == SOCKS5_UDP_ASSOCIATE)
		return true; /* it is no destination */
	if (s->request.command == SOCKS5_RESOLVE_PTR && dst->kind == ADDR_NAME)
		return talk_refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0, "only an address has a PTR");
	if (dst->kind == ADDR_NAME && !addr_is_hostname(dst))
		return talk_refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "no host name");
	if (s->request.command == SOCKS5_CONNECT && dst->port == 0)
		return talk_refuse(s, SOCKS5_CONNECTION_REFUSED, 0, "port 0");
	return true;
}

/* From here on the process can do what this command takes, and nothing that others would have
 * taken. */
static bool lock_in(struct session *s, const struct service *service)
{
	const char *part;

	if (session_stages(s->config) == service->stage)
		return true;
	int error = sandbox_enter_stage(service->stage, &part);
	if (error == 0 || s->config->sandbox_best_effort)
		return true;
	return talk_fail(s, -error, talk_no_stage(part));
}

static bool serve(struct session *s)
{
	static struct resolve_list list LARGE;
	const struct service *service = find_service(s);

	return check_request(s, service) && lock_in(s, service) && service->serve(s, &list);
}

/* What was read and not yet delivered, in each direction. */
static struct buffer up LARGE, down LARGE;

void session_put_record(const struct session *s, struct record *ret_record)
{
	static const char *const kinds[] = {[CLIENT_GONE] = "unknown",
		[CLIENT_INET] = "inet",
		[CLIENT_UNIX] = "unix",
		[CLIENT_OTHER] = "other",
		[CLIENT_STDIO] = "stdio"};
	static char rule_bytes[RECORD_SUGGESTED_RULE_MAX] LARGE;

	*ret_record = (struct record){.client_kind = kinds[s->input->client->kind],
		.client = s->input->client->remote,
		.user = s->user,
		.user_len = s->user_len,
		.userid = s->userid,
		.userid_len = s->userid_len,
		.command = s->has_request ? s->request.command : RECORD_NONE,
		.dst = s->request.dst,
		.connected = s->connected,
		.bound = s->bound,
		.reply = s->reply,
		.up = s->relay.up.delivered,
		.down = s->relay.down.delivered,
		.datagrams = s->datagrams,
		.resolve_us = s->resolve_us,
		.connect_us = s->connect_us,
		.total_us = clock_now_us() - s->input->start_us,
		.closed_by = s->closed_by,
		.end = s->end,
		.error = s->error,
		.why = s->why};
	if (!s->denial.verdict.rule)
		return;
	ret_record->rule = s->denial.verdict.rule->location;
	ret_record->rule_line = s->denial.verdict.rule->number;
	ret_record->suggested_rule = writer_on(rule_bytes, sizeof rule_bytes);
	destination_put_suggestion(&ret_record->suggested_rule, s);
}

void session_run(const struct session_input *input, struct record *ret_record)
{
	struct session s = {
		.input = input,
		.config = &input->settings->config,
		.deadline_us = clock_after(input->start_us, input->settings->config.handshake_us),
		.client = input->client->endpoint,
		.up = &up,
		.down = &down,
		.reply = RECORD_NONE,
		.resolve_us = RECORD_NONE,
		.connect_us = RECORD_NONE,
		.end = RECORD_CLIENT_GONE,
		.closed_by = RECORD_CLIENT,
	};

	if (input->client->kind != CLIENT_GONE && (!request_hear(&s) || !serve(&s)))
		endpoint_shutdown(&s.client);
	session_put_record(&s, ret_record);
}

/* SPDX-License-Identifier: ISC */
/* A session: serves one client, from its first message to the record of the connection. */
#include "stdsocks/session.h"

#include "net/clock.h"
#include "net/wait.h"
#include "record/title.h"
#include "sandbox/syscalls.h"
#include "stdsocks/confine.h"
#include "stdsocks/handshake.h"
#include "stdsocks/reply.h"
#include "stdsocks/serve.h"
#include "stdsocks/slots.h"
#include "wire/large.h"

static const struct service {
	unsigned command; /* enum command */
	unsigned stage;   /* enum syscalls_stage */
	enum record_end (*serve)(struct session *s, struct resolve_list *list);
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

/* Returns the service that the request names, or NULL if it is not configured. */
static const struct service *find_service(const struct session *s)
{
	unsigned wanted = command_of_number(s->request.command) & s->config->commands;

	if (s->is_version_4 && wanted == COMMAND_UDP)
		return NULL; /* version 4 has no UDP ASSOCIATE */
	for (size_t i = 0; i < SERVICES_COUNT; i++)
		if (services[i].command == wanted)
			return &services[i];
	return NULL;
}

/* Sets s->requested. Refuses a request that cannot be served, whatever the rules say. */
static enum record_end check_request(struct session *s, const struct service *service)
{
	const uint8_t command = s->request.command;
	struct addr *dst = &s->requested;

	if (!service)
		return reply_refuse(s, SOCKS5_COMMAND_NOT_SUPPORTED, 0, NULL);
	*dst = addr_from_literal(&s->request.dst);
	if (service->command == COMMAND_RESOLVE)
		dst->port = 0; /* meaningless here: a rule's ports are not to match it */
	if (s->is_version_4 && command == SOCKS5_RESOLVE_PTR)
		return reply_refuse_version_4(s);
	if (command == SOCKS5_UDP_ASSOCIATE)
		return RECORD_ONGOING; /* DST is not a destination */
	if (command == SOCKS5_RESOLVE_PTR && dst->kind == ADDR_NAME)
		return reply_refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0, "not an address");
	if (dst->kind == ADDR_NAME && !addr_is_hostname(dst))
		return reply_refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "not a host name");
	if (command == SOCKS5_CONNECT && dst->port == 0)
		return reply_refuse(s, SOCKS5_CONNECTION_REFUSED, 0, "port 0");
	return RECORD_ONGOING;
}

/* Gives up the calls that only the other configured commands need. */
static enum record_end enter_stage(struct session *s, const struct service *service)
{
	if (session_stages(s->config) == service->stage)
		return RECORD_ONGOING;
	const struct refusal refusal = confine_to_stage(s->config, service->stage);
	return refusal.reason ? reply_fail(s, refusal.error, refusal.reason) : RECORD_ONGOING;
}

static enum record_end handle_request(struct session *s)
{
	static struct resolve_list list LARGE;
	const struct service *service = find_service(s);
	enum record_end end;

	if ((end = check_request(s, service)) || (end = enter_stage(s, service)))
		return end;
	title_connecting(outcome_record(s));
	return service->serve(s, &list);
}

static struct buffer up LARGE, down LARGE;

void session_run(const struct session_input *input, struct record *ret_record)
{
	struct session s = {
		.input = input,
		.config = &input->settings->config,
		.deadline_us = clock_after(input->start_us, input->settings->config.handshake_us),
		.client = input->client->endpoint,
		.up = &up,
		.down = &down,
		.record = {.command = RECORD_NONE,
			.reply = RECORD_NONE,
			.resolve_us = RECORD_NONE,
			.connect_us = RECORD_NONE,
			.end = RECORD_CLIENT_GONE},
	};

	if (input->client->kind != CLIENT_GONE) {
		slots_take_for_client(&s);
		title_handshake(outcome_record(&s));
		wait_watch(s.client.out);
		enum record_end end = handshake_run(&s);
		if (!end)
			end = slots_admit(&s);
		s.record.end = end ? end : handle_request(&s);
		/* A relay, which has endpoints, has ended the connection itself. */
		if (!s.relay.up.from)
			endpoint_shutdown(&s.client);
	}
	*ret_record = *outcome_record(&s);
}

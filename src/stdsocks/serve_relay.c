/* SPDX-License-Identifier: ISC */
/* The bytes of a connection that is there, from the last lock to the record.
 * Knows: the relay, and what is told of it meanwhile. Does not know: who has called whom. */
#include <errno.h>

#include "net/clock.h"
#include "net/relay.h"
#include "sandbox/sandbox.h"
#include "stdsocks/serve.h"

/* Down to moving bytes; or both sides are reset, for the client has its reply. */
static bool tighten(struct session *s)
{
	const char *part;
	int error = sandbox_enter_stage(SYSCALLS_RELAYING, &part);

	if (error == 0 || s->config->sandbox_best_effort)
		return true;
	s->why = talk_no_stage(part);
	endpoint_reset(&s->client);
	endpoint_reset(&s->upstream);
	return talk_end(s, RECORD_FAILED, RECORD_STDSOCKS, -error);
}

int64_t serve_first_tick(struct session *s, int64_t now_us)
{
	return status_begin(s->input->status, now_us - s->input->start_us)
		? now_us + STATUS_PAUSE_US
		: INT64_MAX;
}

bool serve_tell(struct session *s, int64_t now_us, int64_t *ret_tick_us)
{
	struct record record;

	session_put_record(s, &record);
	*ret_tick_us = now_us + STATUS_PAUSE_US;
	return status_say(s->input->status, &record);
}

/* The relay to its end; from time to time a line says how it goes. */
static enum relay_end relay_and_tell(struct session *s, struct relay *r)
{
	enum relay_end how;

	r->tick_us = serve_first_tick(s, r->moved_us);
	while ((how = relay_run(r)) == RELAY_TICK)
		r->tick_waits = serve_tell(s, clock_now_us(), &r->tick_us);
	return how;
}

static void end_of_relay(struct session *s, const struct relay *r, enum relay_end how)
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
	const struct endpoint *who = how == RELAY_CLOSED || how == RELAY_BROKEN ? r->first : NULL;
	int error = (how == RELAY_BROKEN || how == RELAY_FAILED) && r->first ? r->first->error : 0;

	talk_end(s, error == ETIMEDOUT ? RECORD_VANISHED : ends[how],
		!who                        ? RECORD_STDSOCKS
			: who == &s->client ? RECORD_CLIENT
					    : RECORD_UPSTREAM,
		error);
}

void serve_relay(struct session *s)
{
	endpoint_set_options(&s->client);
	endpoint_set_options(&s->upstream);
	endpoint_set_rate(&s->upstream, s->config->rate_up);
	endpoint_set_rate(&s->client, s->config->rate_down);
	if (!tighten(s))
		return;

	int64_t start_us = clock_now_us();
	s->relay = (struct relay){
		.up = {.from = &s->client, .to = &s->upstream, .buffer = s->up},
		.down = {.from = &s->upstream, .to = &s->client, .buffer = s->down},
		.idle_us = s->config->idle_us,
		.half_closed_us = s->config->half_closed_us,
		.lifetime_deadline_us = clock_after(start_us, s->config->lifetime_us),
		.moved_us = start_us,
	};
	end_of_relay(s, &s->relay, relay_and_tell(s, &s->relay));
}

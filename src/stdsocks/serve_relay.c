/* SPDX-License-Identifier: ISC */
/* Relays the bytes of a connection. Runs a relay or an association to its end. */
#include "net/clock.h"
#include "net/route.h"
#include "net/wait.h"
#include "record/title.h"
#include "sandbox/syscalls.h"
#include "stdsocks/confine.h"
#include "stdsocks/serve.h"

enum record_end serve_until_end(struct session *s, enum relay_end (*run)(struct relay *relay))
{
	struct relay *r = &s->relay;
	enum relay_end how;

	wait_watch(-1); /* the relay polls the client itself */
	r->moved_us = clock_now_us();
	r->idle_us = s->config->idle_us;
	r->half_closed_us = s->config->half_closed_us;
	r->lifetime_deadline_us = clock_after(r->moved_us, s->config->lifetime_us);
	do {
		r->tick_us = clock_now_us() + TITLE_PAUSE_US;
		r->tick_waits = title_relaying(outcome_record(s));
	} while ((how = run(r)) == RELAY_TICK);
	return outcome_relay(s, how);
}

enum record_end serve_relay(struct session *s)
{
	route_close(); /* the relay needs no more decisions */
	endpoint_set_options(&s->client);
	endpoint_set_options(&s->upstream);
	endpoint_set_rate(&s->upstream, s->config->rate_up);
	endpoint_set_rate(&s->client, s->config->rate_down);
	s->relay.up = (struct flow){.from = &s->client, .to = &s->upstream, .buffer = s->up};
	s->relay.down = (struct flow){.from = &s->upstream, .to = &s->client, .buffer = s->down};

	const struct refusal refusal = confine_to_stage(s->config, SYSCALLS_RELAYING);
	if (!refusal.reason)
		return serve_until_end(s, relay_run);
	/* The client has its reply: only a reset can tell it. */
	s->record.why = refusal.reason;
	endpoint_reset(&s->client);
	endpoint_reset(&s->upstream);
	return outcome_end(s, RECORD_FAILED, RECORD_STDSOCKS, refusal.error);
}

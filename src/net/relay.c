/* SPDX-License-Identifier: ISC */
/* Moves bytes between the client and the upstream, in both directions, until both directions have
 * ended. */
#include "net/relay.h"

#include <errno.h>

#include "net/clock.h"
#include "net/wait.h"

static bool is_empty(const struct flow *f)
{
	return f->buffer->start == f->buffer->end;
}

/* Derives the poll events of a flow from its state: input while its buffer is empty, output while
 * it is not. fds[0] is f->from, fds[1] is f->to, which is always polled, because poll(2) reports
 * errors without being asked. For the same reason an unused descriptor must be -1, or the loop
 * would spin. */
static void flow_want(const struct flow *f, struct pollfd fds[2])
{
	bool wants_bytes = f->state == FLOW_OPEN && is_empty(f);
	fds[0] = (struct pollfd){.fd = wants_bytes ? f->from->in : -1, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = f->state != FLOW_CLOSED ? f->to->out : -1,
		.events = is_empty(f) ? 0 : POLLOUT};
}

/* Makes at most one read and one write for a flow, as poll(2) allows. Returns true if bytes moved.
 */
static bool flow_turn(struct flow *f, const struct pollfd fds[2])
{
	bool moved = false, writable = fds[1].revents & POLLOUT;

	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		endpoint_check_hangup(f->to);
	if (fds[0].revents) {
		int n = endpoint_read(f->from, f->buffer);
		moved = n > 0;
		if (n == 0 ||
			(n < 0 && f->from->error)) /* after an error, EAGAIN is the end, too */
			f->state = FLOW_ENDING;
		writable = f->to->out_socket; /* a pipe must be polled first */
	}
	if (!is_empty(f) && writable && !f->to->error && !f->to->write_closed) {
		int n = endpoint_write(f->to, f->buffer);
		if (n > 0) {
			f->delivered += (uint64_t)n;
			moved = true;
		}
	}
	return moved;
}

/* Updates the state of a flow after reading and writing. If f->to accepts no more bytes, the flow
 * is closed. If f->from has failed, reads the last bytes. The end of the stream is passed on after
 * all bytes before it. */
static void flow_settle(struct flow *f)
{
	if (f->to->error || f->to->write_closed) {
		f->buffer->start = f->buffer->end;
		f->state = FLOW_CLOSED;
	}
	if (f->state == FLOW_OPEN && is_empty(f) && f->from->error &&
		(!f->from->in_socket || endpoint_read(f->from, f->buffer) <= 0))
		f->state = FLOW_ENDING;
	if (f->state == FLOW_ENDING && is_empty(f)) {
		/* A failure is passed on as a reset when both flows have ended. */
		if (!f->from->error)
			endpoint_shutdown(f->to);
		f->state = FLOW_CLOSED;
	}
}

/* Sets r->first to the endpoint that closed or failed first. Returns true if there is one. */
static bool note_first(struct relay *r)
{
	const struct endpoint *client = r->up.from, *upstream = r->down.from;

	if (client->error || client->write_closed || (r->up.state != FLOW_OPEN && !upstream->error))
		r->first = client;
	else if (upstream->error || r->down.state != FLOW_OPEN)
		r->first = upstream;
	return r->first != NULL;
}

/* Returns the timeout that has expired. */
static enum relay_end expired(const struct relay *r)
{
	if (clock_now_us() >= r->lifetime_deadline_us)
		return RELAY_LIFETIME;
	return r->first ? RELAY_HALF_CLOSED : RELAY_IDLE;
}

/* Runs the loop until a tick or the end. */
static enum relay_end move_bytes(struct relay *r)
{
	while (r->up.state != FLOW_CLOSED || r->down.state != FLOW_CLOSED) {
		/* wait_poll() never returns -ETIMEDOUT while a descriptor is always ready. */
		if (r->moved_us >= r->lifetime_deadline_us)
			return RELAY_LIFETIME;
		if (r->moved_us >= r->tick_us && !r->tick_waits)
			return RELAY_TICK;
		struct pollfd fds[4 + WAIT_OWN_FDS];
		flow_want(&r->up, fds);
		flow_want(&r->down, fds + 2);
		int64_t end_us =
			clock_after(r->moved_us, r->first ? r->half_closed_us : r->idle_us);
		if (end_us > r->lifetime_deadline_us)
			end_us = r->lifetime_deadline_us;
		bool ticks = r->tick_us < end_us && !r->tick_waits;
		int ready = wait_poll(fds, 4, ticks ? r->tick_us : end_us);
		if (ready == -ETIMEDOUT)
			return ticks ? RELAY_TICK : expired(r);
		if (ready < 0)
			return ready == -ECANCELED ? RELAY_STOPPED : RELAY_FAILED;

		bool up_moved = flow_turn(&r->up, fds), down_moved = flow_turn(&r->down, fds + 2);
		flow_settle(&r->up);
		flow_settle(&r->down);
		bool half_closes = !r->first && note_first(r);
		if (up_moved || down_moved || half_closes) {
			r->moved_us = clock_now_us();
			r->tick_waits = false;
		}
	}
	return r->up.from->error || r->up.to->error ? RELAY_BROKEN : RELAY_CLOSED;
}

/* If the endpoint `broken` has failed, waits until the other one has acknowledged all bytes, so
 * that the reset that follows discards none. */
static void await_delivery(struct relay *r, struct endpoint *broken, struct endpoint *other)
{
	if (!broken->error)
		return;
	if (!r->first->error)
		r->first = broken;
	int64_t deadline_us = clock_after(clock_now_us(), r->half_closed_us);
	endpoint_flush(other,
		deadline_us < r->lifetime_deadline_us ? deadline_us : r->lifetime_deadline_us);
}

enum relay_end relay_run(struct relay *r)
{
	struct endpoint *client = r->up.from, *upstream = r->down.from;
	const enum relay_end end = move_bytes(r);

	if (end == RELAY_TICK || end == RELAY_CLOSED)
		return end;
	if (end == RELAY_BROKEN) {
		await_delivery(r, client, upstream);
		await_delivery(r, upstream, client);
	}
	/* The streams are incomplete, and both sides must notice it. The endpoint that failed is
	 * reset, too: if this host was short of memory, it is still connected. */
	endpoint_reset(client);
	endpoint_reset(upstream);
	if (end == RELAY_BROKEN && endpoint_error_is_local(r->first->error))
		return RELAY_FAILED;
	return end;
}

/* SPDX-License-Identifier: ISC */
/* BIND (RFC 1928 s4): accepts one inbound connection, from the remote host in the request. The
 * first reply has the address to connect to, the second one the address of the remote host. */
#include <errno.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/listen.h"
#include "net/wait.h"
#include "stdsocks/reply.h"
#include "stdsocks/serve.h"

/* Accepts a connection from a remote host of the list. Sets *ret_others if another host has
 * connected; its connection was reset. Returns the descriptor, or -errno, -EAGAIN if no connection
 * is queued. The clock is not read before the queue is empty: a connection behind those of other
 * hosts was in time. */
static int accept_queued(
	int listening, const struct resolve_list *hosts, struct addr *ret_remote, bool *ret_others)
{
	for (int i = 0; i <= LISTEN_BACKLOG; i++) { /* the kernel queues one more */
		int fd = listen_accept(listening, hosts, ret_remote);
		if (fd != -ECONNREFUSED)
			return fd;
		*ret_others = true;
	}
	return -EAGAIN;
}

/* Waits for the inbound connection, and reads what the client sends meanwhile. Returns as
 * accept_queued(), but not -EAGAIN; or as wait_poll(). */
static int await_inbound(struct session *s, int listening, const struct resolve_list *hosts,
	struct addr *ret_remote, bool *ret_others)
{
	bool is_ended = false;

	do {
		bool wants_bytes = !is_ended && s->up->end < sizeof s->up->bytes;
		struct pollfd fds[2 + WAIT_OWN_FDS] = {{.fd = listening, .events = POLLIN},
			{.fd = wants_bytes ? s->client.in : -1, .events = POLLIN}};
		int ready = wait_poll(fds, 2, s->deadline_us);
		if (ready < 0)
			return ready;
		if (fds[1].revents && endpoint_read(&s->client, s->up) == 0)
			is_ended = true; /* the relay reads the end again, and passes it on */
		if (s->client.error)
			return -ENOTCONN;
		int fd = fds[0].revents ? accept_queued(listening, hosts, ret_remote, ret_others)
					: -EAGAIN;
		if (fd != -EAGAIN)
			return fd;
	} while (clock_now_us() < s->deadline_us); /* other hosts cannot extend it */
	return -ETIMEDOUT;
}

/* Ends a session without an inbound connection. */
static enum record_end end_without_inbound(struct session *s, int error, bool others)
{
	const char *why = others ? "only other hosts have connected in time"
				 : "no host has connected in time";
	return destination_failed(s, error, error == ETIMEDOUT ? why : NULL);
}

/* After the first reply the client waits for the remote host, for which there is another timeout.
 */
static enum record_end accept_inbound(
	struct session *s, int listening, const struct resolve_list *hosts)
{
	int64_t start_us = clock_now_us();
	struct addr remote;
	bool others = false;
	enum record_end end;

	s->deadline_us = clock_after(start_us, s->config->bind_us);
	endpoint_set_options(&s->client); /* keepalive notices a client that has vanished */
	int fd = await_inbound(s, listening, hosts, &remote, &others);
	s->record.connect_us = clock_now_us() - start_us;
	close(listening); /* refuses further connections */
	if (fd < 0)
		return end_without_inbound(s, -fd, others);
	s->upstream = (struct endpoint){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	if ((end = reply_send(s, SOCKS5_SUCCEEDED, &remote)))
		return end;
	s->record.connected = remote;
	return RECORD_ONGOING;
}

enum record_end serve_bind(struct session *s, struct resolve_list *list)
{
	const struct dial_source source = destination_source(s->config);
	enum record_end end = destination_locate(s, list);

	resolve_stop(s->lookup);
	if (end)
		return end;
	int listening = listen_for(list, &source, &s->record.bound);
	if (listening < 0)
		return destination_failed(s, -listening, NULL);
	if (s->input->two_replies)
		*s->input->two_replies = true;
	if ((end = reply_send(s, SOCKS5_SUCCEEDED, &s->record.bound)) ||
		(end = accept_inbound(s, listening, list)))
		return end;
	return serve_relay(s);
}

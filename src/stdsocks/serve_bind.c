/* SPDX-License-Identifier: ISC */
/* BIND (RFC 1928 s4): the client names a peer and is told where that may call; and when it has,
 * from where. Knows: that nobody else may call, and only once. Does not know: what the bytes mean.
 */
#include <errno.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/listen.h"
#include "net/wait.h"
#include "stdsocks/serve.h"

/* What the client says and does meanwhile. False when nothing can be told to it any more. */
static bool hear_client(struct session *s, const struct pollfd fds[2], bool *ended)
{
	if (fds[1].revents)
		endpoint_check_hangup(&s->client);
	if (fds[0].revents && endpoint_read(&s->client, s->up) == 0)
		*ended = true; /* the relay will meet it again, and pass it on */
	return !s->client.error && !s->client.write_closed;
}

/* The call of one of the peers, among those that have come: its descriptor; or -errno, which is
 * -EAGAIN when there is none. The clock is not looked at before strangers have been turned away:
 * who came behind them has come in time. */
static int take_queued(int listening, const struct resolve_list *peers, struct addr *ret_caller,
	bool *ret_strangers)
{
	for (int i = 0; i <= LISTEN_BACKLOG; i++) { /* the kernel keeps one more */
		int fd = listen_accept(listening, peers, ret_caller);
		if (fd != -ECONNREFUSED)
			return fd;
		*ret_strangers = true;
	}
	return -EAGAIN;
}

/* Waits for the call of one of the peers: its descriptor; or -errno, which is -EPIPE when the
 * client has gone. */
static int await_call(struct session *s, int listening, const struct resolve_list *peers,
	struct addr *ret_caller, bool *ret_strangers)
{
	bool ended = false;

	do {
		bool wants_bytes = !ended && s->up->end < sizeof s->up->bytes;
		struct pollfd fds[4] = {{.fd = listening, .events = POLLIN},
			{.fd = wants_bytes ? s->client.in : -1, .events = POLLIN},
			{.fd = s->client.out}};
		int ready = wait_poll(fds, 3, s->deadline_us);
		if (ready < 0)
			return ready;
		if (!hear_client(s, fds + 1, &ended))
			return -EPIPE;
		int fd = fds[0].revents ? take_queued(listening, peers, ret_caller, ret_strangers)
					: -EAGAIN;
		if (fd != -EAGAIN)
			return fd;
	} while (clock_now_us() < s->deadline_us); /* whoever calls, and however often */
	return -ETIMEDOUT;
}

/* There was no call, for this errno. Always false. */
static bool nobody_called(struct session *s, int error, bool strangers)
{
	if (s->client.error || s->client.write_closed) {
		bool ours = endpoint_error_is_local(s->client.error);
		return talk_end(s, ours ? RECORD_FAILED : RECORD_CLIENT_GONE,
			ours ? RECORD_STDSOCKS : RECORD_CLIENT, s->client.error);
	}
	const char *why =
		strangers ? "nobody but strangers has called in time" : "nobody has called in time";
	return destination_failed(s, error, error == ETIMEDOUT ? why : NULL);
}

/* From the first reply on, the client waits for the peer and no longer for us: with a time of its
 * own. */
static bool take_call(struct session *s, int listening, const struct resolve_list *peers)
{
	int64_t start_us = clock_now_us();
	struct addr caller;
	bool strangers = false;

	s->deadline_us = clock_after(start_us, s->config->bind_us);
	endpoint_set_options(&s->client); /* for one that has vanished nobody is waited for */
	int fd = await_call(s, listening, peers, &caller, &strangers);
	s->connect_us = clock_now_us() - start_us;
	close(listening); /* who calls now is refused */
	if (fd < 0)
		return nobody_called(s, -fd, strangers);
	s->upstream = (struct endpoint){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	if (!talk_reply(s, SOCKS5_SUCCEEDED, &caller))
		return false;
	s->connected = caller;
	return true;
}

bool serve_bind(struct session *s, struct resolve_list *list)
{
	if (!destination_locate(s, list))
		return false;
	const struct dial_source source = destination_source(s->config);
	int listening = listen_for(list, &source, &s->bound);
	if (listening < 0)
		return destination_failed(s, -listening, NULL);
	if (s->input->two_replies)
		*s->input->two_replies = true;
	if (!talk_reply(s, SOCKS5_SUCCEEDED, &s->bound) || !take_call(s, listening, list))
		return false;
	serve_relay(s);
	return true;
}

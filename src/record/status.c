/* SPDX-License-Identifier: ISC */
/* What a connection is while it lives: one line, for systemctl status, through $NOTIFY_SOCKET
 * (sd_notify(3)). Knows: the line's form (stdsocks(8), STATUS), the socket. Does not know: the
 * clock. */
#include "record/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/log_socket.h"
#include "text/amount.h"
#include "wire/socks5.h"

/* As RFC 3986 s2.1 has it, blanks too, so that a name is one word. Not with backslashes, as
 * everywhere else: of those systemd 252 takes one level for its own. */
static void put_percent(struct writer *w, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)name[i];
		if (byte > ' ' && byte < 0x7f && !strchr("%\\\"", byte)) {
			writer_u8(w, byte);
		} else {
			writer_u8(w, '%');
			writer_hex(w, byte);
		}
	}
}

void status_put(struct writer *w, const struct record *r, uint64_t rate)
{
	/* As it was dialled: an IPv6 address that was sent as a name has its brackets here. */
	const struct addr dst = addr_from_literal(&r->dst);

	if (r->client.kind == ADDR_NONE)
		writer_str(w, r->client_kind);
	else
		addr_put_host(w, &r->client);
	if (r->user_len > 0) {
		writer_u8(w, ' ');
		put_percent(w, r->user, r->user_len);
	}
	writer_str(w, " -> ");
	if (r->command > SOCKS5_CONNECT) {
		writer_str(w, socks5_command_text((uint8_t)r->command));
		writer_u8(w, ' ');
	}
	addr_put(w, &dst);
	writer_str(w, ", ");
	amount_put_bytes(w, r->up);
	writer_str(w, " up, ");
	amount_put_bytes(w, r->down);
	writer_str(w, " down, ");
	if (rate > 0) {
		amount_put_bytes(w, rate);
		writer_str(w, "/s, ");
	}
	amount_put_span(w, r->total_us);
}

/* $NOTIFY_SOCKET is inherited, and a service such as inetd's has one of its own, for itself: what
 * its children said there would be a warning of PID 1's each time. systemd names whom it means;
 * where it does not, somebody else has set the variable, for us. */
static bool is_for_us(void)
{
	const char *text = getenv("SYSTEMD_EXEC_PID");
	char pid[20];
	struct writer w = writer_on(pid, sizeof pid);

	if (!text)
		return true;
	writer_decimal(&w, (uint64_t)getpid(), 1);
	return strlen(text) == w.len && memcmp(text, pid, w.len) == 0;
}

struct status status_open(void)
{
	struct status status = {.fd = -1};
	const char *where = getenv("NOTIFY_SOCKET");

	if (!where || !where[0])
		return status;
	int fd = log_socket_open();
	if (fd >= 0 && log_socket_connect(fd, where))
		status.fd = fd;
	else if (fd >= 0)
		close(fd);
	return status;
}

bool status_begin(struct status *s, int64_t now_us)
{
	s->said_us = now_us;
	return s->fd >= 0 && is_for_us(); /* not before: a reply waits for no getpid(2) */
}

/* Bytes a second of those that have moved since the last message, which may be years ago. */
static uint64_t rate_since(const struct status *s, const struct record *r)
{
	const uint64_t moved = r->up + r->down - s->said_moved;
	const uint64_t span_ms = (uint64_t)(r->total_us - s->said_us) / 1000;

	return span_ms > 0 ? moved / span_ms * 1000 + moved % span_ms * 1000 / span_ms : 0;
}

bool status_say(struct status *s, const struct record *r)
{
	char text[STATUS_MAX];
	struct writer w = writer_on(text, sizeof text);
	const uint64_t rate = rate_since(s, r);
	const struct status_amounts now = {
		amount_shown(r->up), amount_shown(r->down), amount_shown(rate)};

	if (s->fd < 0)
		return true;
	if (s->has_said && now.up == s->said.up && now.down == s->said.down &&
		now.rate == s->said.rate)
		return rate == 0;
	writer_str(&w, "STATUS=");
	status_put(&w, r, rate);
	if (send(s->fd, w.bytes, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			return false;
		s->fd = -1; /* nobody listens any more */
		return true;
	}
	s->has_said = true;
	s->said = now;
	s->said_moved = r->up + r->down;
	s->said_us = r->total_us;
	return rate == 0;
}

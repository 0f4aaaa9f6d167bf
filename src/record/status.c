/* SPDX-License-Identifier: ISC */
/* The status of an open connection: one line for systemctl status (stdsocks(8), STATUS), which is
 * sent to systemd through $NOTIFY_SOCKET (sd_notify(3)). */
#include "record/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/log_socket.h"
#include "text/amount.h"
#include "wire/socks5.h"

/* Escapes as RFC 3986 s2.1 does, spaces included, so that a name is one word. Backslashes would not
 * do: systemd 252 removes one level of them. */
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
	/* An IPv6 address that was sent as a name gets brackets, too. */
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

/* Returns true if $NOTIFY_SOCKET was set for this process. A child of inetd inherits the variable
 * of inetd's service, and PID 1 would log a warning for each of its messages. systemd also sets
 * $SYSTEMD_EXEC_PID to the process that it means. If that is not set, another program has set
 * $NOTIFY_SOCKET for this process. */
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
	s->sent_us = now_us;
	return s->fd >= 0 && is_for_us(); /* not earlier: getpid(2) would delay the reply */
}

/* Returns the bytes per second since the last message, which can be years ago. */
static uint64_t rate_since(const struct status *s, const struct record *r)
{
	const uint64_t moved = r->up + r->down - s->sent_moved;
	const uint64_t span_ms = (uint64_t)(r->total_us - s->sent_us) / 1000;

	return span_ms > 0 ? moved / span_ms * 1000 + moved % span_ms * 1000 / span_ms : 0;
}

bool status_send(struct status *s, const struct record *r)
{
	char text[STATUS_MAX];
	struct writer w = writer_on(text, sizeof text);
	const uint64_t rate = rate_since(s, r);
	const struct status_amounts now = {
		amount_shown(r->up), amount_shown(r->down), amount_shown(rate)};

	if (s->fd < 0)
		return true;
	if (s->has_sent && now.up == s->sent.up && now.down == s->sent.down &&
		now.rate == s->sent.rate)
		return rate == 0;
	writer_str(&w, "STATUS=");
	status_put(&w, r, rate);
	if (send(s->fd, w.bytes, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			return false;
		s->fd = -1; /* the socket was closed */
		return true;
	}
	s->has_sent = true;
	s->sent = now;
	s->sent_moved = r->up + r->down;
	s->sent_us = r->total_us;
	return rate == 0;
}

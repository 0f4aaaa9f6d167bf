/* SPDX-License-Identifier: ISC */
/* What a connection is while it lives: one line, for systemctl status, through $NOTIFY_SOCKET (sd_notify(3)).
 * Knows: the line's form (stdsocks(8), STATUS), the socket. Does not know: the clock. */
#include "record/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/datagram.h"

/* K, M, G are those of "rate" in stdsocks.conf(5). */
static const char units[] = "KMGT";

/* How many bytes the unit has in which an amount is shown. */
static uint64_t unit_of(uint64_t amount, size_t *ret_power)
{
	uint64_t unit = 1;

	for (*ret_power = 0; amount / unit >= 1000 && *ret_power < sizeof units - 1; ++*ret_power)
		unit *= 1000;
	return unit;
}

/* "999", "1.0K", "99.9K", "100K": rounded down. */
static void put_amount(struct writer *w, uint64_t amount)
{
	size_t power;
	const uint64_t unit = unit_of(amount, &power);

	writer_decimal(w, amount / unit, 1);
	if (power == 0)
		return;
	if (amount / unit < 100) {
		writer_u8(w, '.');
		writer_decimal(w, amount % unit / (unit / 10), 1);
	}
	writer_u8(w, (uint8_t)units[power - 1]);
}

/* What is left of an amount there. */
static uint64_t shown(uint64_t amount)
{
	size_t power;
	const uint64_t unit = unit_of(amount, &power);

	return amount - amount % (power > 0 && amount / unit < 100 ? unit / 10 : unit);
}

/* In the largest unit that there is one of: "59s", "1m". */
static void put_age(struct writer *w, int64_t age_us)
{
	static const struct {
		uint64_t seconds;
		char letter;
	} spans[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	const uint64_t age_s = (uint64_t)age_us / 1000000;
	size_t i = 0;

	while (spans[i].letter != 's' && age_s < spans[i].seconds)
		i++;
	writer_decimal(w, age_s / spans[i].seconds, 1);
	writer_u8(w, (uint8_t)spans[i].letter);
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
		writer_escaped(w, r->user, r->user_len);
	}
	writer_str(w, " -> ");
	addr_put(w, &dst);
	writer_str(w, ", ");
	put_amount(w, r->up);
	writer_str(w, " up, ");
	put_amount(w, r->down);
	writer_str(w, " down, ");
	if (rate > 0) {
		put_amount(w, rate);
		writer_str(w, "/s, ");
	}
	put_age(w, r->total_us);
}

/* $NOTIFY_SOCKET is inherited, and a service such as inetd's has one of its own, for itself: what its children
 * said there would be a warning of PID 1's each time. systemd names whom it means; where it does not,
 * somebody else has set the variable, for us. */
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
	int fd = datagram_socket();
	if (fd >= 0 && datagram_connect(fd, where))
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
	const struct status_amounts now = {shown(r->up), shown(r->down), shown(rate)};

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

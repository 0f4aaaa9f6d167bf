/* SPDX-License-Identifier: ISC */
/* The record of one connection, as values and as text. The fields STDSOCKS_... are explained in
 * stdsocks(8), RECORD. */
#include "record/record.h"

#include <string.h>

static const struct {
	const char *value, *phrase;
} ends[] = {
#define X(name, value, phrase) [RECORD_##name] = {(value), (phrase)},
	RECORD_ENDS(X)
#undef X
};

static const char *const drop_words[] = {
#define X(name, word) word,
	RECORD_DROPS(X)
#undef X
};

static const char *const who_values[] = {"client", "upstream", "stdsocks"};

static void put_who(struct writer *w, const struct record *r)
{
	if (r->client.kind == ADDR_NONE)
		writer_str(w, r->client_kind);
	else
		addr_put(w, &r->client);
	if (r->user) {
		writer_str(w, " user ");
		writer_quoted(w, r->user, r->user_len);
	}
	if (r->command == RECORD_NONE)
		return;
	writer_u8(w, ' ');
	writer_str(w, socks5_command_text((uint8_t)r->command));
	writer_u8(w, ' ');
	addr_put(w, &r->dst);
	if (r->connected.kind != ADDR_NONE && r->dst.kind == ADDR_NAME && !r->datagrams) {
		writer_str(w, " at ");
		addr_put_host(w, &r->connected);
	}
	if (r->bound.kind != ADDR_NONE) {
		writer_str(w, " on ");
		addr_put(w, &r->bound);
	}
}

/* BIND is served when the inbound connection has been accepted, after its first reply. */
static bool was_served(const struct record *r)
{
	return r->reply == SOCKS5_SUCCEEDED &&
		(r->command != SOCKS5_BIND || r->connected.kind != ADDR_NONE);
}

static void put_rule(struct writer *w, const struct record *r)
{
	writer_escaped(w, r->rule, strlen(r->rule));
	if (r->rule_line > 0) {
		writer_u8(w, ':');
		writer_decimal(w, r->rule_line, 1);
	}
}

/* The reason of the end, if it says more than the reply does; else NULL. */
static const char *reason(const struct record *r)
{
	if (r->why)
		return r->why;
	if (r->reply == SOCKS5_CONNECTION_REFUSED || r->reply == SOCKS5_NETWORK_UNREACHABLE)
		return NULL;
	return r->error ? strerror(r->error) : NULL;
}

static uint64_t dropped(const struct record_datagrams *d)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < RECORD_DROP_COUNT; i++)
		sum += d->dropped[i];
	return sum;
}

/* "stranger 1, denied 12". */
static void put_drops(struct writer *w, const struct record_datagrams *d)
{
	const char *between = "";
	for (size_t i = 0; i < RECORD_DROP_COUNT; i++) {
		if (d->dropped[i] == 0)
			continue;
		writer_str(w, between);
		writer_str(w, drop_words[i]);
		writer_u8(w, ' ');
		writer_decimal(w, d->dropped[i], 1);
		between = ", ";
	}
}

/* The first destination of datagrams, and the number of others. */
static void put_destinations(struct writer *w, const struct record *r)
{
	if (r->datagrams->destinations == 0)
		return;
	writer_str(w, " to ");
	addr_put(w, &r->connected);
	if (r->datagrams->destinations == 1)
		return;
	writer_str(w, " and ");
	writer_decimal(w, r->datagrams->destinations - 1, 1);
	writer_str(w, " more");
}

/* Bytes in both directions, and dropped datagrams. */
static void put_moved(struct writer *w, const struct record *r)
{
	writer_str(w, ", ");
	writer_decimal(w, r->up, 1);
	writer_str(w, " bytes up");
	if (r->datagrams)
		put_destinations(w, r);
	writer_str(w, ", ");
	writer_decimal(w, r->down, 1);
	writer_str(w, " down");
	if (!r->datagrams || dropped(r->datagrams) == 0)
		return;
	writer_str(w, ", ");
	writer_decimal(w, dropped(r->datagrams), 1);
	writer_str(w, " datagrams dropped (");
	put_drops(w, r->datagrams);
	if (r->rule) {
		writer_str(w, ", first denial by ");
		put_rule(w, r);
	}
	writer_u8(w, ')');
}

void record_put_message(struct writer *w, const struct record *r)
{
	bool served = was_served(r);

	put_who(w, r);
	writer_str(w, ": ");
	if (r->end == RECORD_VANISHED) {
		writer_str(w, who_values[r->closed_by]);
		writer_u8(w, ' ');
	}
	writer_str(w, ends[r->end].phrase);
	if (r->end == RECORD_CLOSED || r->end == RECORD_RESET) {
		writer_str(w, " by ");
		writer_str(w, who_values[r->closed_by]);
	}
	if (!served && r->reply > SOCKS5_SUCCEEDED) {
		writer_str(w, ", ");
		writer_str(w, socks5_reply_text((uint8_t)r->reply));
	}
	if (reason(r)) {
		writer_str(w, " (");
		writer_str(w, reason(r));
		writer_u8(w, ')');
	}
	if (r->rule && !served) {
		writer_str(w, " by ");
		put_rule(w, r);
	}
	if (served)
		put_moved(w, r);
	writer_str(w, ", ");
	writer_decimal(w, (uint64_t)r->total_us / 1000000, 1);
	writer_u8(w, '.');
	writer_decimal(w, (uint64_t)r->total_us / 1000 % 1000, 3);
	writer_str(w, " s");
	if (r->rule) {
		writer_str(w, RECORD_TO_ALLOW_IT);
		writer_bytes(w, r->suggested_rule.bytes, r->suggested_rule.len);
	}
}

static void put_text(struct writer *w, const char *name, const char *value)
{
	writer_str(w, name);
	writer_str(w, value);
	writer_u8(w, '\n');
}

static void put_number(struct writer *w, const char *name, uint64_t value)
{
	writer_str(w, name);
	writer_decimal(w, value, 1);
	writer_u8(w, '\n');
}

/* Writes nothing for RECORD_NONE. */
static void put_if_any(struct writer *w, const char *name, int64_t value)
{
	if (value != RECORD_NONE)
		put_number(w, name, (uint64_t)value);
}

/* port is the field for the port, or NULL. */
static void put_addr(struct writer *w, const char *host, const char *port, const struct addr *a)
{
	if (a->kind == ADDR_NONE)
		return;
	writer_str(w, host);
	addr_put_host(w, a);
	writer_u8(w, '\n');
	if (port)
		put_number(w, port, a->port);
}

static void put_name(struct writer *w, const char *field, const char *name, size_t len)
{
	if (!name)
		return;
	writer_str(w, field);
	writer_escaped(w, name, len);
	writer_u8(w, '\n');
}

static void put_datagrams(struct writer *w, const struct record_datagrams *d)
{
	put_number(w, "STDSOCKS_DATAGRAMS_UP=", d->up);
	put_number(w, "STDSOCKS_DATAGRAMS_DOWN=", d->down);
	put_number(w, "STDSOCKS_DESTINATIONS=", d->destinations);
	put_number(w, "STDSOCKS_DROPPED=", dropped(d));
	if (dropped(d) == 0)
		return;
	writer_str(w, "STDSOCKS_DROPPED_FOR=");
	put_drops(w, d);
	writer_u8(w, '\n');
}

void record_put_fields(struct writer *w, const struct record *r)
{
	const bool served = was_served(r);
	/* With CONNECT it is the port of DST, and with RESOLVE it has no meaning. */
	const bool has_port = r->command == SOCKS5_BIND || r->datagrams;

	put_text(w, "MESSAGE_ID=",
		r->end == RECORD_FAILED ? RECORD_ID_FAILED
			: served        ? RECORD_ID_SERVED
					: RECORD_ID_NOT_SERVED);
	if (r->client.kind == ADDR_NONE)
		put_text(w, "STDSOCKS_CLIENT=", r->client_kind);
	put_addr(w, "STDSOCKS_CLIENT=", "STDSOCKS_CLIENT_PORT=", &r->client);
	if (r->command != RECORD_NONE)
		put_text(w, "STDSOCKS_COMMAND=", socks5_command_text((uint8_t)r->command));
	put_addr(w, "STDSOCKS_DST=", "STDSOCKS_DST_PORT=", &r->dst);
	put_addr(w, "STDSOCKS_REACHED=", has_port ? "STDSOCKS_REACHED_PORT=" : NULL, &r->connected);
	put_addr(w, "STDSOCKS_BOUND=", "STDSOCKS_BOUND_PORT=", &r->bound);
	put_if_any(w, "STDSOCKS_REPLY=", r->reply);
	if (served) {
		put_number(w, "STDSOCKS_BYTES_UP=", r->up);
		put_number(w, "STDSOCKS_BYTES_DOWN=", r->down);
	}
	if (r->datagrams)
		put_datagrams(w, r->datagrams);
	put_addr(w, "STDSOCKS_RESOLVER=", NULL, &r->resolver);
	put_if_any(w, "STDSOCKS_RESOLVE_USEC=", r->resolve_us);
	put_if_any(w, "STDSOCKS_CONNECT_USEC=", r->connect_us);
	put_number(w, "STDSOCKS_TOTAL_USEC=", (uint64_t)r->total_us);
	put_text(w, "STDSOCKS_END=", ends[r->end].value);
	put_text(w, "STDSOCKS_CLOSED_BY=", who_values[r->closed_by]);
	put_name(w, "STDSOCKS_USER=", r->user, r->user_len);
	put_name(w, "STDSOCKS_USERID=", r->userid, r->userid_len);
	if (r->rule) {
		writer_str(w, "STDSOCKS_RULE=");
		put_rule(w, r);
		writer_u8(w, '\n');
	}
	if (r->sandbox)
		put_text(w, "STDSOCKS_SANDBOX=", r->sandbox);
	if (r->error)
		put_number(w, "ERRNO=", (uint64_t)r->error);
}

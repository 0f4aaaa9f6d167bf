/* SPDX-License-Identifier: ISC */
/* The process title (stdsocks(8), PROCESS TITLE), in the memory of argv and the environment.
 *
 * The kernel places these strings in one piece, argv first. As /proc/PID/cmdline it shows the
 * memory of argv; or, if the last byte of that is not NUL, the text up to the first NUL. */
#include "record/title.h"

#include <string.h>
#include <unistd.h>

#include "text/amount.h"

static const char ellipsis[] = "...";

static struct {
	char *bytes;
	size_t cap;
	size_t dirty; /* the bytes behind these are NUL */
	/* The bytes of both directions and total_us of the record in the last title that had a
	 * request. */
	uint64_t moved;
	int64_t total_us;
} title;

/* Returns the end of those strings that follow each other from `start` on. */
static char *end_of(char *const strings[], char *start)
{
	for (; *strings && *strings == start; strings++)
		start += strlen(start) + 1;
	return start;
}

void title_use(char *const argv[])
{
	const char *end = end_of(environ, end_of(argv, argv[0]));

	memset(&title, 0, sizeof title);
	title.bytes = argv[0];
	title.cap = title.dirty = (size_t)(end - argv[0]);
}

/* Returns a writer for a title, which leaves room for a NUL. */
static struct writer begin(void)
{
	struct writer w = writer_on(title.bytes, title.cap > 0 ? title.cap - 1 : 0);

	writer_str(&w, TITLE_PREFIX);
	return w;
}

/* Ends a title that was cut. */
static void put_ellipsis(struct writer *w)
{
	const size_t len = w->cap < sizeof ellipsis ? w->cap : sizeof ellipsis - 1;

	if (w->len > w->cap - len)
		w->len = w->cap - len;
	memcpy(w->bytes + w->len, ellipsis, len);
	w->len += len;
	title.dirty = title.cap; /* a part of what did not fit may be behind it */
}

/* Completes a title: overwrites the rest of the previous one, or of the strings. */
static void complete(struct writer *w)
{
	static char *no_variables[1];

	if (title.cap == 0)
		return;
	if (w->full)
		put_ellipsis(w);
	if (title.dirty > w->len)
		memset(w->bytes + w->len, '\0', title.dirty - w->len);
	title.dirty = w->len;
	environ = no_variables;
}

/* Writes a name as writer_quoted() does, but as much of it as there is room for. */
static void put_name(struct writer *w, const void *name, size_t len)
{
	const uint8_t *bytes = name;
	const char *quote = writer_is_plain(name, len) ? "" : "\"";

	writer_str(w, quote);
	for (size_t i = 0; i < len; i++)
		writer_escaped(w, &bytes[i], 1);
	writer_str(w, quote);
}

static void put_client(struct writer *w, const struct record *r)
{
	if (r->client.kind == ADDR_NONE)
		writer_str(w, r->client_kind);
	else
		addr_put_host(w, &r->client);
}

/* Writes the destination. UDP ASSOCIATE can have a name that is not a host name. */
static void put_dst(struct writer *w, const struct record *r)
{
	const struct addr dst = addr_from_literal(&r->dst);

	if (dst.kind != ADDR_NAME) {
		addr_put(w, &dst);
		return;
	}
	put_name(w, dst.bytes, dst.len);
	writer_u8(w, ':');
	writer_decimal(w, dst.port, 1);
}

static struct writer begin_with_request(const struct record *r)
{
	struct writer w = begin();

	put_client(&w, r);
	if (r->user_len > 0) {
		writer_u8(&w, ' ');
		put_name(&w, r->user, r->user_len);
	}
	writer_str(&w, " -> ");
	if (r->command != SOCKS5_CONNECT) {
		writer_str(&w, socks5_command_text((uint8_t)r->command));
		writer_u8(&w, ' ');
	}
	put_dst(&w, r);
	return w;
}

void title_role(const char *role)
{
	struct writer w = begin();

	writer_str(&w, role);
	complete(&w);
}

static void put_state(const struct record *r, const char *state)
{
	struct writer w = begin();

	put_client(&w, r);
	writer_str(&w, state);
	complete(&w);
}

void title_handshake(const struct record *r)
{
	put_state(r, " handshake");
}

void title_ended(const struct record *r)
{
	put_state(r, " ended");
}

/* Returns the bytes per second since the last title, and remembers the present values. */
static uint64_t update_rate(const struct record *r)
{
	const uint64_t moved = r->up + r->down - title.moved;
	const uint64_t span_ms = (uint64_t)(r->total_us - title.total_us) / 1000;

	title.moved = r->up + r->down;
	title.total_us = r->total_us;
	/* The span may be years. */
	return span_ms > 0 ? moved / span_ms * 1000 + moved % span_ms * 1000 / span_ms : 0;
}

void title_connecting(const struct record *r)
{
	struct writer w = begin_with_request(r);

	writer_str(&w, " connecting");
	complete(&w);
	update_rate(r);
}

static void put_amount(struct writer *w, uint64_t amount, const char *unit)
{
	if (amount == 0)
		return;
	writer_u8(w, ' ');
	amount_put_bytes(w, amount);
	writer_str(w, unit);
}

bool title_relaying(const struct record *r)
{
	const uint64_t rate = update_rate(r);
	struct writer w = begin_with_request(r);

	put_amount(&w, r->up, " up");
	put_amount(&w, r->down, " down");
	put_amount(&w, rate, "/s");
	complete(&w);
	return rate == 0;
}

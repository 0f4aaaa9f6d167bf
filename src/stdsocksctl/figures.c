/* SPDX-License-Identifier: ISC */
/* What a report tells, counted record by record in bounded memory.
 * Knows: what a record means. Does not know: how a report looks. */
#include "stdsocksctl/figures.h"

#include <errno.h>
#include <string.h>

#include "wire/socks5.h"

const char *const figures_outcome_words[] = {
#define X(name, word, means) word,
	FIGURES_OUTCOMES(X)
#undef X
};

const char *const figures_outcome_means[] = {
#define X(name, word, means) means,
	FIGURES_OUTCOMES(X)
#undef X
};

const char *const figures_end_words[FIGURES_ENDS] = {"closed", "reset", "vanished", "idle-timeout",
	"half-closed-timeout", "lifetime", "terminated", "refused", "not-socks5", "no-method",
	"login-failed", "client-gone", "handshake-timeout", "failed", "other"};

const char *const figures_party_words[] = {"users", "destinations", "clients"};

const char *const figures_span_words[] = {"resolve", "connect", "total"};

const int64_t figures_le_us[FIGURES_LE] = {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000, INT64_MAX};

const char *figures_reply_text(unsigned reply)
{
	return reply < FIGURES_REPLIES - 1 ? socks5_reply_text((uint8_t)reply) : "other";
}

static bool is_bind(const struct entry *e)
{
	return strcmp(e->command, socks5_command_text(SOCKS5_BIND)) == 0;
}

/* The first reply to BIND says where to call; it is served when somebody has called. */
static bool waited_in_vain(const struct entry *e)
{
	return is_bind(e) && e->reply == SOCKS5_SUCCEEDED && !e->reached[0];
}

static enum figures_outcome outcome_of(const struct entry *e)
{
	if (strcmp(e->end, "failed") == 0)
		return FIGURES_HOST;
	if (waited_in_vain(e))
		return FIGURES_CLIENT;
	switch (e->reply) {
	case SOCKS5_SUCCEEDED:
		return FIGURES_SERVED;
	case SOCKS5_NOT_ALLOWED:
		return FIGURES_DENIED;
	case SOCKS5_COMMAND_NOT_SUPPORTED:
	case SOCKS5_ATYP_NOT_SUPPORTED:
	case ENTRY_NONE:
		return FIGURES_CLIENT;
	default:
		return FIGURES_UNREACHABLE;
	}
}

static void add_end(struct figures *f, const char *end)
{
	size_t i = 0;

	while (i < FIGURES_ENDS - 1 && strcmp(end, figures_end_words[i]) != 0)
		i++;
	f->ends[i]++;
}

static void add_spans(struct figures *f, const struct entry *e)
{
	/* With BIND it is how long somebody took to call. */
	const int64_t connect_us = is_bind(e) ? ENTRY_NONE : e->connect_us;
	const int64_t spans_us[FIGURES_SPANS] = {e->resolve_us, connect_us, e->total_us};

	for (size_t span = 0; span < FIGURES_SPANS; span++) {
		size_t le = 0;
		if (spans_us[span] == ENTRY_NONE)
			continue;
		while (spans_us[span] > figures_le_us[le])
			le++;
		f->le[span][le]++;
		histogram_add(&f->spans[span], spans_us[span]);
	}
}

/* A rule refused it; or, of an association, datagrams. What else was served has none, unless it is forged. */
static bool has_denial(const struct entry *e)
{
	const bool is_association = e->reply == SOCKS5_SUCCEEDED && e->destinations != ENTRY_NONE;

	return e->rule[0] && (e->reply == SOCKS5_NOT_ALLOWED || is_association);
}

static int add_parties(struct figures *f, const struct entry *e, const struct heavy_counts *counts)
{
	int64_t port;
	const char *const keys[FIGURES_PARTIES] = {e->user, entry_destination(e, &port), e->client};
	int failed = 0;

	for (size_t party = 0; party < FIGURES_PARTIES; party++) {
		if (!keys[party][0])
			continue;
		failed |= heavy_add(&f->by_connections[party], keys[party], 1, counts);
		failed |= heavy_add(
			&f->by_bytes[party], keys[party], counts->up + counts->down, counts);
	}
	if (has_denial(e))
		failed |= heavy_add(&f->rules, e->rule, 1, counts);
	return failed ? -ENOMEM : 0;
}

int figures_add(struct figures *f, const struct entry *e)
{
	enum figures_outcome outcome = outcome_of(e);
	const struct heavy_counts counts = {.connections = 1,
		.failed = outcome != FIGURES_SERVED,
		.up = e->up > 0 ? (uint64_t)e->up : 0,
		.down = e->down > 0 ? (uint64_t)e->down : 0};
	struct timeline_stretch *stretch = timeline_at(&f->timeline, e->time_us);

	if (f->records == 0 || e->time_us < f->first_us)
		f->first_us = e->time_us;
	if (e->time_us > f->last_us)
		f->last_us = e->time_us;
	f->records++;
	f->outcomes[outcome]++;
	stretch->counts[outcome]++;
	heavy_sum(&f->up, counts.up);
	heavy_sum(&f->down, counts.down);
	heavy_sum(&stretch->up, counts.up);
	heavy_sum(&stretch->down, counts.down);
	if (e->reply == ENTRY_NONE)
		f->no_reply++;
	else
		f->replies[e->reply < FIGURES_REPLIES - 1 ? e->reply : FIGURES_REPLIES - 1]++;
	add_end(f, e->end);
	add_spans(f, e);
	return add_parties(f, e, &counts);
}

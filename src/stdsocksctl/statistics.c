/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/statistics.h"

#include <errno.h>
#include <string.h>

#include "wire/socks5.h"

const char *const statistics_outcome_words[] = {
	"served", "denied", "unreachable", "client", "host"};

const char *const statistics_outcome_meanings[] = {"the request succeeded",
	"an access rule denied the request", "the destination could not be reached",
	"no valid request or password, or the client closed the connection",
	"a failure of this host"};

const char *const statistics_party_words[] = {"users", "destinations", "clients"};

const char *const statistics_span_words[] = {"resolve", "connect", "total"};

const int64_t statistics_le_us[STATISTICS_LE] = {1000, 2500, 5000, 10000, 25000, 50000, 100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, INT64_MAX};

const char *statistics_reply_text(unsigned reply)
{
	return reply < STATISTICS_REPLIES - 1 ? socks5_reply_text((uint8_t)reply) : "other";
}

static bool is_bind(const struct entry *e)
{
	return strcmp(e->command, socks5_command_text(SOCKS5_BIND)) == 0;
}

/* The first reply to BIND has the address to which the remote host may connect. Only if it has
 * connected, the request has succeeded. */
static bool has_no_remote_host(const struct entry *e)
{
	return is_bind(e) && e->reply == SOCKS5_SUCCEEDED && !e->connected[0];
}

static enum statistics_outcome outcome_of(const struct entry *e)
{
	if (strcmp(e->end, entry_ends[RECORD_FAILED - RECORD_CLOSED]) == 0)
		return STATISTICS_HOST;
	if (has_no_remote_host(e))
		return STATISTICS_CLIENT;
	switch (e->reply) {
	case SOCKS5_SUCCEEDED:
		return STATISTICS_SERVED;
	case SOCKS5_NOT_ALLOWED:
		return STATISTICS_DENIED;
	case SOCKS5_COMMAND_NOT_SUPPORTED:
	case SOCKS5_ATYP_NOT_SUPPORTED:
	case ENTRY_NONE:
		return STATISTICS_CLIENT;
	default:
		return STATISTICS_UNREACHABLE;
	}
}

static void add_end(struct statistics *s, const char *end)
{
	size_t i = 0;

	while (i < ENTRY_ENDS && strcmp(end, entry_ends[i]) != 0)
		i++;
	s->ends[i]++;
}

static void add_spans(struct statistics *s, const struct entry *e)
{
	/* With BIND it is the time until the remote host connected. */
	const int64_t connect_us = is_bind(e) ? ENTRY_NONE : e->connect_us;
	const int64_t spans_us[STATISTICS_SPANS] = {e->resolve_us, connect_us, e->total_us};

	for (size_t span = 0; span < STATISTICS_SPANS; span++) {
		size_t le = 0;
		if (spans_us[span] == ENTRY_NONE)
			continue;
		while (spans_us[span] > statistics_le_us[le])
			le++;
		s->le[span][le]++;
		histogram_add(&s->spans[span], spans_us[span]);
	}
}

/* Returns true if a rule denied the request or datagrams. A forged record may have a rule, too. */
static bool has_denial(const struct entry *e)
{
	const bool is_association = e->reply == SOCKS5_SUCCEEDED && e->destinations != ENTRY_NONE;

	return e->rule[0] && (e->reply == SOCKS5_NOT_ALLOWED || is_association);
}

static int add_parties(
	struct statistics *s, const struct entry *e, const struct top_k_counts *counts)
{
	int64_t port;
	const char *const keys[STATISTICS_PARTIES] = {
		e->user, entry_destination(e, &port), e->client};
	int failed = 0;

	for (size_t party = 0; party < STATISTICS_PARTIES; party++) {
		if (!keys[party][0])
			continue;
		failed |= top_k_add(&s->by_connections[party], keys[party], 1, counts);
		failed |= top_k_add(
			&s->by_bytes[party], keys[party], counts->up + counts->down, counts);
	}
	if (has_denial(e))
		failed |= top_k_add(&s->rules, e->rule, 1, counts);
	return failed ? -ENOMEM : 0;
}

int statistics_add(struct statistics *s, const struct entry *e)
{
	enum statistics_outcome outcome = outcome_of(e);
	const struct top_k_counts counts = {.connections = 1,
		.failed = outcome != STATISTICS_SERVED,
		.up = e->up > 0 ? (uint64_t)e->up : 0,
		.down = e->down > 0 ? (uint64_t)e->down : 0};
	struct timeline_interval *interval = timeline_at(&s->timeline, e->time_us);

	if (s->records == 0 || e->time_us < s->first_us)
		s->first_us = e->time_us;
	if (e->time_us > s->last_us)
		s->last_us = e->time_us;
	s->records++;
	s->outcomes[outcome]++;
	interval->counts[outcome]++;
	top_k_sum(&s->up, counts.up);
	top_k_sum(&s->down, counts.down);
	top_k_sum(&interval->up, counts.up);
	top_k_sum(&interval->down, counts.down);
	if (e->reply == ENTRY_NONE)
		s->no_reply++;
	else
		s->replies[e->reply < STATISTICS_REPLIES - 1 ? e->reply : STATISTICS_REPLIES - 1]++;
	add_end(s, e->end);
	add_spans(s, e);
	return add_parties(s, e, &counts);
}

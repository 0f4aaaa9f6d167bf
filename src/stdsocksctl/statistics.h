/* SPDX-License-Identifier: ISC */
/* Statistics of records, in bounded memory. */
#pragma once

#include "stdsocksctl/entry.h"
#include "stdsocksctl/histogram.h"
#include "stdsocksctl/timeline.h"
#include "stdsocksctl/top_k.h"

/* The outcome of a connection. */
enum statistics_outcome {
	STATISTICS_SERVED,
	STATISTICS_DENIED,
	STATISTICS_UNREACHABLE,
	STATISTICS_CLIENT,
	STATISTICS_HOST,
	STATISTICS_OUTCOMES
};

extern const char *const statistics_outcome_words[], *const statistics_outcome_meanings[];

#define STATISTICS_ENDS    (ENTRY_ENDS + 1) /* the end reasons, and "other" */
#define STATISTICS_REPLIES 10               /* 0 to 8, and others */

enum { STATISTICS_USERS, STATISTICS_DSTS, STATISTICS_CLIENTS, STATISTICS_PARTIES };

extern const char *const statistics_party_words[];

enum { STATISTICS_RESOLVE, STATISTICS_CONNECT, STATISTICS_TOTAL, STATISTICS_SPANS };

extern const char *const statistics_span_words[];

/* Upper bounds of the histograms for Prometheus, in microseconds; the last is INT64_MAX. */
#define STATISTICS_LE 14

extern const int64_t statistics_le_us[STATISTICS_LE];

/* If it is all zero, no record has been added. */
struct statistics {
	uint64_t records, up, down;
	int64_t first_us, last_us; /* the earliest and the latest record */
	uint64_t outcomes[STATISTICS_OUTCOMES];
	uint64_t replies[STATISTICS_REPLIES], ends[STATISTICS_ENDS];
	uint64_t no_reply;
	struct histogram spans[STATISTICS_SPANS];
	uint64_t le[STATISTICS_SPANS][STATISTICS_LE]; /* above the previous bound */
	struct timeline timeline;
	struct top_k by_connections[STATISTICS_PARTIES], by_bytes[STATISTICS_PARTIES];
	struct top_k rules;
};

/* Adds a record. Returns 0 or -ENOMEM. */
int statistics_add(struct statistics *s, const struct entry *e);

/* Returns socks5_reply_text() of a reply from 0 to 8, or "other" for STATISTICS_REPLIES - 1, which
 * counts all other replies. */
const char *statistics_reply_text(unsigned reply);

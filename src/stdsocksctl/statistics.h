/* SPDX-License-Identifier: ISC */
/* Statistics of the records of ended connections, in bounded memory. */
#pragma once

#include "stdsocksctl/entry.h"
#include "stdsocksctl/histogram.h"
#include "stdsocksctl/timeline.h"
#include "stdsocksctl/top_k.h"

/* The outcome of a connection. */
enum statistics_outcome {
	STATISTICS_SERVED,      /* the request succeeded */
	STATISTICS_DENIED,      /* an access rule denied the request */
	STATISTICS_UNREACHABLE, /* the destination could not be reached */
	STATISTICS_CLIENT,      /* no valid request or password, or the client has disconnected */
	STATISTICS_HOST,        /* a failure of this host */
	STATISTICS_OUTCOMES     /* the number of outcomes */
};

/* For each outcome, a word and a sentence. */
extern const char *const statistics_outcome_words[], *const statistics_outcome_meanings[];

#define STATISTICS_ENDS    (ENTRY_ENDS + 1) /* the end reasons, and "other" */
#define STATISTICS_REPLIES 10               /* the replies 0 to 8 of RFC 1928, and all others */

/* The parties by which connections are counted; STATISTICS_PARTIES is their number. */
enum { STATISTICS_USERS, STATISTICS_DSTS, STATISTICS_CLIENTS, STATISTICS_PARTIES };

extern const char *const statistics_party_words[];

/* The durations of each connection that are counted; STATISTICS_SPANS is their number. */
enum { STATISTICS_RESOLVE, STATISTICS_CONNECT, STATISTICS_TOTAL, STATISTICS_SPANS };

extern const char *const statistics_span_words[];

/* The upper bounds of the buckets ("le") of a histogram for Prometheus, in microseconds, and their
 * number. The last bound is INT64_MAX. */
#define STATISTICS_LE 14

extern const int64_t statistics_le_us[STATISTICS_LE];

/* All zero: no record was added. */
struct statistics {
	uint64_t records;
	uint64_t up, down;         /* bytes */
	int64_t first_us, last_us; /* the times of the earliest and the latest record */
	uint64_t outcomes[STATISTICS_OUTCOMES];
	uint64_t replies[STATISTICS_REPLIES], ends[STATISTICS_ENDS];
	uint64_t no_reply; /* records without a reply */
	struct histogram spans[STATISTICS_SPANS];
	/* The number of durations up to statistics_le_us[i] and above statistics_le_us[i - 1]. */
	uint64_t le[STATISTICS_SPANS][STATISTICS_LE];
	struct timeline timeline; /* the outcomes and bytes over time */
	/* The parties with the most connections, and those with the most bytes. */
	struct top_k by_connections[STATISTICS_PARTIES], by_bytes[STATISTICS_PARTIES];
	struct top_k rules; /* the rules that have denied the most connections */
};

/* Adds a record. Returns 0; or -ENOMEM, and then a part of the record was added. */
int statistics_add(struct statistics *s, const struct entry *e);

/* Returns the meaning of an index of statistics.replies in words: for a reply from 0 to 8, its text
 * in RFC 1928; for STATISTICS_REPLIES - 1, which counts all other replies, "other". */
const char *statistics_reply_text(unsigned reply);

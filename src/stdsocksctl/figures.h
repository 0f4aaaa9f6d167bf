/* SPDX-License-Identifier: ISC */
/* What a report tells, counted record by record in bounded memory.
 * Knows: what a record means. Does not know: how a report looks. */
#pragma once

#include "stdsocksctl/entry.h"
#include "stdsocksctl/heavy.h"
#include "stdsocksctl/histogram.h"
#include "stdsocksctl/timeline.h"

/* What became of a connection: word, what it means. */
#define FIGURES_OUTCOMES(X)                                                                        \
	X(SERVED, "served", "got what it asked for")                                               \
	X(DENIED, "denied", "not allowed by a rule")                                               \
	X(UNREACHABLE, "unreachable", "the destination could not be reached")                      \
	X(CLIENT, "client", "no right request, no right password, or the client went")             \
	X(HOST, "host", "this host failed us")

enum figures_outcome {
#define X(name, word, means) FIGURES_##name,
	FIGURES_OUTCOMES(X)
#undef X
		FIGURES_OUTCOMES_COUNT
};

extern const char *const figures_outcome_words[], *const figures_outcome_means[];

/* The words of STDSOCKS_END; whatever else stands there is the last one, "other". */
#define FIGURES_ENDS    15
#define FIGURES_REPLIES 10 /* 0 to 8, and others */

extern const char *const figures_end_words[FIGURES_ENDS];

/* Who is told by name. */
enum figures_party { FIGURES_USERS, FIGURES_DSTS, FIGURES_CLIENTS, FIGURES_PARTIES };

extern const char *const figures_party_words[];

enum figures_span { FIGURES_RESOLVE, FIGURES_CONNECT, FIGURES_TOTAL, FIGURES_SPANS };

extern const char *const figures_span_words[];

/* Upper ends of the histograms that Prometheus gets, in microseconds; the last one is all. */
#define FIGURES_LE 14

extern const int64_t figures_le_us[FIGURES_LE];

struct figures {
	uint64_t records, up, down;
	int64_t first_us, last_us; /* the earliest and the latest record */
	uint64_t outcomes[FIGURES_OUTCOMES_COUNT];
	uint64_t replies[FIGURES_REPLIES], ends[FIGURES_ENDS];
	uint64_t no_reply;
	struct histogram spans[FIGURES_SPANS];
	uint64_t le[FIGURES_SPANS][FIGURES_LE]; /* up to this end, and above the one before */
	struct timeline timeline;
	struct heavy by_connections[FIGURES_PARTIES], by_bytes[FIGURES_PARTIES];
	struct heavy rules;
};

/* All zero has counted nothing. 0 or -ENOMEM. */
int figures_add(struct figures *f, const struct entry *e);

/* "2 connection not allowed by ruleset"; the last one is "other". */
const char *figures_reply_text(unsigned reply);

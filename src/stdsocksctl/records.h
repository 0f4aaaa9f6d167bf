/* SPDX-License-Identifier: ISC */
/* Reads from the journal the records that the command line selects. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/entry.h"
#include "stdsocksctl/journal.h"
#include "stdsocksctl/options.h"

#define RECORDS_MATCHES_MAX 32 /* upper limit of the values of --reply and --end */

struct records_options {
	struct options common;
	struct journal_location location;
	/* The time of the records, since the epoch. INT64_MIN and INT64_MAX: not given. */
	int64_t since_us, until_us;
	bool since_moves; /* *ret_moves of when_read() for since_us */
	/* "FIELD=VALUE" for each value of --reply and --end. */
	char matches[RECORDS_MATCHES_MAX][64];
	size_t matches_count;
};

/* The parser of these options, for the member `children` of a command's struct argp. At
 * ARGP_KEY_INIT, the command's parser must store a pointer to a struct records_options, all zero,
 * in state->child_inputs[0]. An error ends the process with EX_USAGE. */
extern const struct argp_child records_children[];

/* A search in the journal. */
struct records {
	const struct records_options *options;
	sd_journal *journal;
	bool shows_progress; /* set by the caller: write lines of progress to standard error */
	bool is_shown;       /* a line of progress is on the terminal, to be erased at the end */
	uint64_t seen;       /* journal entries that were read, if shows_progress */
	int64_t next_us;     /* when the next line is due, by CLOCK_MONOTONIC; 0: not started */
};

/* Begins a search for the selected records, the oldest first. *options must outlive the search. The
 * caller ends it with records_close(). Returns EX_OK; or prints an error and returns the exit
 * status for it, and nothing has to be closed. */
int records_open(const struct records_options *options, struct records *ret_records);

/* Ends a search: closes the journal, and erases the line of progress. */
void records_close(struct records *r);

/* Reads the next selected record into *e. Returns 1; 0 if there are no more in the journal at this
 * time; or -errno. *e is overwritten in any case. */
int records_next(struct records *r, struct entry *e);

/* Moves the search so that records_next() reads the last `count` selected records next, or all if
 * there are fewer. *scratch is overwritten. Returns 0 or more, or -errno. */
int records_last(struct records *r, uint64_t count, struct entry *scratch);

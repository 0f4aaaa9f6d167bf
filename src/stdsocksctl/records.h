/* SPDX-License-Identifier: ISC */
/* Reads the records that the command line selects from the journal. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/entry.h"
#include "stdsocksctl/journal.h"
#include "stdsocksctl/options.h"

#define RECORDS_MATCHES_MAX 32

struct records_options {
	struct options common;
	struct journal_location location;
	int64_t since_us, until_us;            /* INT64_MIN, INT64_MAX: not given */
	bool since_moves;                      /* as ret_moves of when_read() */
	char matches[RECORDS_MATCHES_MAX][64]; /* "FIELD=VALUE" */
	size_t matches_count;
};

/* For .children of a command's argp; includes options_children. At ARGP_KEY_INIT, the command's
 * parser stores a pointer to its struct records_options, which is all zero, in
 * state->child_inputs[0]. */
extern const struct argp_child records_children[];

struct records {
	const struct records_options *options;
	sd_journal *journal;
	bool shows_progress; /* on standard error */
	bool is_shown;       /* a line of progress is on the terminal */
	uint64_t seen;
	int64_t next_us; /* of the next line of progress; 0: not started */
};

/* Returns EX_OK, or prints an error and returns its exit status. The options must outlive r. */
int records_open(const struct records_options *options, struct records *ret_records);
void records_close(struct records *r);

/* Reads the next selected record. Returns 1, or 0 if there is none yet, or -errno. */
int records_next(struct records *r, struct entry *e);

/* Moves back so that records_next() returns the last `count` records. Returns 0 or more, or -errno.
 * scratch is overwritten. */
int records_last(struct records *r, uint64_t count, struct entry *scratch);

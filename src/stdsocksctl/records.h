/* SPDX-License-Identifier: ISC */
/* The records that a command line means, one after the other.
 * Knows: the options that choose them, and how they are found in the journal. Does not know: what is
 * made of them. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/entry.h"
#include "stdsocksctl/journal.h"
#include "stdsocksctl/options.h"

#define RECORDS_MATCHES_MAX 32

struct records_options {
	struct options common;
	struct journal_place place;
	int64_t since_us, until_us;               /* INT64_MIN, INT64_MAX: not said */
	bool since_moves;                         /* --since is another time with every run */
	const char *matches[RECORDS_MATCHES_MAX]; /* "FIELD=VALUE" */
	size_t matches_count;
	char texts[RECORDS_MATCHES_MAX][64]; /* that they stand in */
};

/* For the argp of a command, as options_children is, which it brings along; its input is a struct
 * records_options. */
extern const struct argp_child records_children[];

struct records {
	const struct records_options *options;
	sd_journal *journal;
	bool shows_progress;  /* on standard error, while records are looked for */
	bool shares_terminal; /* ... on which the caller prints what is found */
	bool is_shown;        /* a line of progress stands there */
	uint64_t seen;
	int64_t next_us; /* not before that; 0: not begun */
};

/* 0, or an exit status when what is wrong has been said. The options have to outlive it. */
int records_open(const struct records_options *options, struct records *ret_records);
void records_close(struct records *r);

/* Puts the next record that is meant into e: 1; 0 when there is none, now; -errno. */
int records_next(struct records *r, struct entry *e);

/* Goes back so that records_next() gives the last `count` of them. 0 or -errno. */
int records_last(struct records *r, uint64_t count, struct entry *scratch);

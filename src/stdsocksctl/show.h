/* SPDX-License-Identifier: ISC */
/* Live connections as a table or as JSON, in an order that was asked for.
 * Knows: what is told of a connection. Does not know: where that is from, or terminals. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/live.h"

/* What is told, and sorted by. */
struct show_column {
	const char *title;
	const char *key; /* of --sort; NULL: not to be sorted by */
	char letter;     /* in top; 0: none */
	void (*put)(struct writer *w, const struct live_connection *c);
	uint64_t (*number)(const struct live_connection *c); /* NULL: a text */
};

/* By its key, or by its letter; NULL: there is none. */
const struct show_column *show_column_of_key(const char *key);
const struct show_column *show_column_of_letter(int letter);

/* All keys, ", " between them, and all letters, blanks between them. */
void show_put_keys(struct writer *w);
void show_put_letters(struct writer *w);

/* Numbers from the biggest one, texts from A to Z, what is not known last; the oldest first where they are equal. */
void show_sort(struct live *live, const struct show_column *by);

/* "612 connections, 3.4M/s, 81.2M memory", or without the last where memory is not counted. */
void show_put_totals(struct writer *w, const struct live *live);

/* The titles and a line for each. */
void show_table(const struct live *live, FILE *to);

/* An object a line for each: what is not known is left out. */
void show_json(const struct live *live, FILE *to);

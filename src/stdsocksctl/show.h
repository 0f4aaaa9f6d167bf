/* SPDX-License-Identifier: ISC */
/* Writes open connections as a table or as JSON, and sorts them. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/live.h"

#define SHOW_KEYS "client, user, command, dst, up, down, rate, age, memory or cpu"

struct show_column {
	const char *title;
	const char *key; /* one of SHOW_KEYS; NULL: not to be sorted by */
	char letter;     /* the key that sorts by it in top; 0: none */
	void (*put_text)(struct writer *w, const struct live_connection *c); /* NULL: a number */
	void (*put_number)(struct writer *w, uint64_t value);
	size_t offset; /* of the number in struct live_connection */
};

/* Finds a column by its key or, if that is NULL, by its letter. Returns NULL if there is none. */
const struct show_column *show_column(const char *key, int letter);

/* Writes the letters, separated by blanks. */
void show_put_letters(struct writer *w);

/* Sorts numbers in descending order, texts in ascending order, values that are not known last, and
 * equal values by descending age. */
void show_sort(struct live *live, const struct show_column *by);

/* Writes "612 connections, 3.4M/s, 81.2M memory". The last part is omitted if memory accounting is
 * off. */
void show_put_totals(struct writer *w, const struct live *live);

/* Prints the titles and a row for each connection. */
void show_table(const struct live *live, FILE *to);

/* Prints an object for each connection, one per line. Values that are not known are omitted. */
void show_json(const struct live *live, FILE *to);

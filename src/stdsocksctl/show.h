/* SPDX-License-Identifier: ISC */
/* Sorts open connections, and writes them as a table or as JSON. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/live.h"

/* The keys of columns, for error messages and --help. */
#define SHOW_KEYS "client, user, command, dst, up, down, rate, age, memory or cpu"

/* A column of the table: a member of struct live_connection, or the output of put_text(). */
struct show_column {
	const char *title;
	const char *key; /* the argument of --sort for this column, one of SHOW_KEYS; or NULL */
	char letter;     /* the key on the keyboard that sorts by this column in "top"; 0: none */
	/* put_text writes the value. If it is NULL, the value is the member of struct
	 * live_connection at this offset: a number, which put_number writes, or if that is NULL, a
	 * text. */
	void (*put_text)(struct writer *w, const struct live_connection *c);
	void (*put_number)(struct writer *w, uint64_t value);
	size_t offset;
};

/* Returns the column with this key or, if key is NULL, with this letter. Returns NULL if there is
 * none. */
const struct show_column *show_column(const char *key, int letter);

/* Writes the letters that select a column in "top", separated by spaces. */
void show_put_letters(struct writer *w);

/* Sorts the connections by a column: numbers in descending order, texts in ascending order. Values
 * that are not known come last. Connections with equal values are sorted by descending age. */
void show_sort(struct live *live, const struct show_column *by);

/* Writes the sums of all connections: "612 connections, 8 ready, 3.4M/s, 81.2M memory". The second
 * number and the memory are omitted if they are 0. */
void show_put_totals(struct writer *w, const struct live *live);

/* Prints a table: the titles, and a row for each connection. */
void show_table(const struct live *live, FILE *to);

/* Prints a JSON object for each connection, one per line. Values that are not known are omitted. */
void show_json(const struct live *live, FILE *to);

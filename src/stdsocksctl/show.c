/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/command.h"
#include "stdsocksctl/column.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/table.h"
#include "text/amount.h"
#include "wire/socks5.h"

#define CELL_MAX 2048 /* bytes: the name of a user has 255, which writer_escaped() quadruples */

/* Writes the keyword that a filter has for the command. */
static void put_command(struct writer *w, const struct live_connection *c)
{
	if (c->title.command)
		writer_str(w, command_word(c->title.command));
}

static void put_user(struct writer *w, const struct live_connection *c)
{
	column_put_name(w, c->title.user);
}

static void put_destination(struct writer *w, const struct live_connection *c)
{
	column_put_destination(w, c->title.dst, c->title.dst_port);
}

static void put_pid(struct writer *w, const struct live_connection *c)
{
	writer_decimal(w, (uint64_t)c->process.pid, 1);
}

static void put_rate(struct writer *w, uint64_t rate)
{
	amount_put_bytes(w, rate);
	writer_str(w, "/s");
}

static void put_span(struct writer *w, uint64_t us)
{
	amount_put_span(w, (int64_t)us);
}

static void put_cpu(struct writer *w, uint64_t ns)
{
	if (ns >= UINT64_C(1000000000)) {
		put_span(w, ns / 1000);
	} else {
		writer_decimal(w, ns / 1000000, 1);
		writer_str(w, "ms");
	}
}

#define NUMBER(member, put) NULL, put, offsetof(struct live_connection, member)
#define TEXT(member)        NULL, NULL, offsetof(struct live_connection, member)

static const struct show_column columns[] = {
	{"CLIENT", "client", 'c', TEXT(client.text)},
	{"USER", "user", 'u', put_user, NULL, 0},
	{"COMMAND", "command", 0, put_command, NULL, 0},
	{"DESTINATION", "dst", 'd', put_destination, NULL, 0},
	{"UP", "up", 'U', NUMBER(title.bytes_up, amount_put_bytes)},
	{"DOWN", "down", 'D', NUMBER(title.bytes_down, amount_put_bytes)},
	{"RATE", "rate", 'r', NUMBER(title.rate, put_rate)},
	{"AGE", "age", 'a', NUMBER(age_us, put_span)},
	{"MEMORY", "memory", 'm', NUMBER(memory, amount_put_bytes)},
	{"CPU", "cpu", 'p', NUMBER(cpu_ns, put_cpu)},
	{"PID", NULL, 0, put_pid, NULL, 0},
	{"UNIT", NULL, 0, TEXT(unit)},
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

const struct show_column *show_column(const char *key, int letter)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (key ? columns[i].key && strcmp(columns[i].key, key) == 0
			: columns[i].letter && columns[i].letter == letter)
			return &columns[i];
	return NULL;
}

void show_put_letters(struct writer *w)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!columns[i].letter)
			continue;
		writer_str(w, i ? " " : "");
		writer_u8(w, (uint8_t)columns[i].letter);
	}
}

static uint64_t number_of(const struct show_column *column, const struct live_connection *c)
{
	return *(const uint64_t *)((const char *)c + column->offset);
}

/* Writes "" if the value is not known. */
static void put_cell(
	char cell[CELL_MAX], const struct show_column *column, const struct live_connection *c)
{
	struct writer w = writer_on(cell, CELL_MAX - 1);

	if (column->put_text)
		column->put_text(&w, c);
	else if (!column->put_number)
		writer_str(&w, (const char *)c + column->offset);
	else if (number_of(column, c) != LIVE_UNKNOWN)
		column->put_number(&w, number_of(column, c));
	cell[w.len] = '\0';
}

/* The results are less than 0 if a precedes b. */
static int compare_numbers(uint64_t a, uint64_t b)
{
	if (a == LIVE_UNKNOWN || b == LIVE_UNKNOWN)
		return (a == LIVE_UNKNOWN) - (b == LIVE_UNKNOWN);
	return (a < b) - (a > b);
}

static int compare_texts(const char *a, const char *b)
{
	return a[0] && b[0] ? strcmp(a, b) : !a[0] - !b[0];
}

static int compare(const void *left, const void *right, void *column)
{
	const struct live_connection *a = left, *b = right;
	const struct show_column *by = column;
	char a_cell[CELL_MAX], b_cell[CELL_MAX];
	int r;

	if (!by->put_number) {
		put_cell(a_cell, by, a);
		put_cell(b_cell, by, b);
		r = compare_texts(a_cell, b_cell);
	} else {
		r = compare_numbers(number_of(by, a), number_of(by, b));
	}
	r = r ? r : compare_numbers(b->process.start_us, a->process.start_us);
	return r ? r : a->process.pid - b->process.pid;
}

void show_sort(struct live *live, const struct show_column *by)
{
	if (live->count > 0)
		qsort_r(live->connections, live->count, sizeof live->connections[0], compare,
			(void *)by);
}

void show_put_totals(struct writer *w, const struct live *live)
{
	uint64_t rate = 0, memory = 0;

	for (size_t i = 0; i < live->count; i++) {
		const struct live_connection *c = &live->connections[i];
		rate += c->title.rate == LIVE_UNKNOWN ? 0 : c->title.rate;
		memory += c->memory == LIVE_UNKNOWN ? 0 : c->memory;
	}
	writer_decimal(w, live->count, 1);
	writer_str(w, live->count == 1 ? " connection, " : " connections, ");
	if (live->ready > 0) {
		writer_decimal(w, live->ready, 1);
		writer_str(w, " ready, ");
	}
	put_rate(w, rate);
	if (memory == 0)
		return;
	writer_str(w, ", ");
	amount_put_bytes(w, memory);
	writer_str(w, " memory");
}

void show_table(const struct live *live, FILE *to)
{
	struct table_column titles[COLUMNS];
	struct table t = {.columns = titles, .count = COLUMNS};

	for (size_t i = 0; i < COLUMNS; i++)
		titles[i] = (struct table_column){columns[i].title, columns[i].put_number};
	for (size_t row = 0; row < live->count; row++) {
		char texts[COLUMNS][CELL_MAX];
		const char *cells[COLUMNS];
		for (size_t i = 0; i < COLUMNS; i++) {
			put_cell(texts[i], &columns[i], &live->connections[row]);
			cells[i] = texts[i];
		}
		table_add(&t, cells);
	}
	table_print(&t, to);
	table_clear(&t);
}

/* Returns NULL if the value is not known. json_int_t cannot hold a value above INT64_MAX. */
static json_t *number(uint64_t value)
{
	return value <= INT64_MAX ? memory_or_exit(json_integer((json_int_t)value)) : NULL;
}

static json_t *number_if(bool is_known, uint64_t value)
{
	return is_known ? number(value) : NULL;
}

static const char *text_if_known(const char *text)
{
	return text[0] ? text : NULL;
}

/* In a format "*" means that NULL is omitted. */
static json_t *object_of(const struct live_connection *c, const char *time)
{
	const struct instance_client *client = &c->client;
	const struct instance_title *t = &c->title;
	const char *command = t->command ? socks5_command_text(t->command) : NULL;

	return memory_or_exit(json_pack(
		"{ss ss si ss* so* so* so* ss* ss* ss* so* so* so* so* so* so* so*}", "time", time,
		"unit", c->unit, "pid", (int)c->process.pid, "client", text_if_known(client->text),
		"client_port", number_if(client->port, client->port), "client_pid",
		number_if(client->has_uid, client->pid), "client_uid",
		number_if(client->has_uid, client->uid), "user", text_if_known(t->user), "command",
		command, "dst", text_if_known(t->dst), "dst_port",
		number_if(t->dst[0], t->dst_port), "bytes_up", number(t->bytes_up), "bytes_down",
		number(t->bytes_down), "rate", number(t->rate), "age_usec", number(c->age_us),
		"memory", number(c->memory), "cpu_usec",
		number_if(c->cpu_ns != LIVE_UNKNOWN, c->cpu_ns / 1000)));
}

void show_json(const struct live *live, FILE *to)
{
	char when[sizeof "2026-01-01T00:00:00Z"] = "";
	const time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc))
		strftime(when, sizeof when, "%FT%TZ", &utc);
	for (size_t i = 0; i < live->count; i++) {
		json_t *object = object_of(&live->connections[i], when);
		json_dumpf(object, to, JSON_COMPACT);
		fputc('\n', to);
		json_decref(object);
	}
}

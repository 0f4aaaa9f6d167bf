/* SPDX-License-Identifier: ISC */
/* Live connections as a table or as JSON, in an order that was asked for.
 * Knows: what is told of a connection. Does not know: where that is from, or terminals. */
#include "stdsocksctl/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/table.h"
#include "text/amount.h"
#include "wire/socks5.h"

#define CELL_MAX 2048 /* bytes: a user's name has 255, four characters each */

static void put_text(struct writer *w, const char *text)
{
	writer_str(w, text ? text : "");
}

static void put_client(struct writer *w, const struct live_connection *c)
{
	put_text(w, live_client(c));
}

static void put_user(struct writer *w, const struct live_connection *c)
{
	put_text(w, c->said.user);
}

/* As a filter says it. */
static void put_command(struct writer *w, const struct live_connection *c)
{
	if (c->said.command)
		writer_str(w, command_word(c->said.command));
}

static void put_destination(struct writer *w, const struct live_connection *c)
{
	const char *dst = c->said.dst;

	if (!dst)
		return;
	bool is_ipv6 = strchr(dst, ':');
	writer_str(w, is_ipv6 ? "[" : "");
	writer_str(w, dst);
	writer_str(w, is_ipv6 ? "]:" : ":");
	writer_decimal(w, c->said.dst_port, 1);
}

static void put_unit(struct writer *w, const struct live_connection *c)
{
	writer_str(w, c->unit);
}

static uint64_t up(const struct live_connection *c)
{
	return c->said.dst ? c->said.bytes_up : LIVE_UNKNOWN;
}

static uint64_t down(const struct live_connection *c)
{
	return c->said.dst ? c->said.bytes_down : LIVE_UNKNOWN;
}

static uint64_t rate(const struct live_connection *c)
{
	return c->said.dst ? c->said.rate : LIVE_UNKNOWN;
}

static uint64_t age(const struct live_connection *c)
{
	return c->age_us;
}

static uint64_t memory(const struct live_connection *c)
{
	return c->memory;
}

static uint64_t cpu(const struct live_connection *c)
{
	return c->cpu_ns;
}

static void put_bytes(struct writer *w, uint64_t bytes)
{
	if (bytes != LIVE_UNKNOWN)
		amount_put_bytes(w, bytes);
}

static void put_up(struct writer *w, const struct live_connection *c)
{
	put_bytes(w, up(c));
}

static void put_down(struct writer *w, const struct live_connection *c)
{
	put_bytes(w, down(c));
}

static void put_rate(struct writer *w, const struct live_connection *c)
{
	put_bytes(w, rate(c));
	writer_str(w, w->len ? "/s" : "");
}

static void put_age(struct writer *w, const struct live_connection *c)
{
	amount_put_span(w, (int64_t)c->age_us);
}

static void put_memory(struct writer *w, const struct live_connection *c)
{
	put_bytes(w, c->memory);
}

static void put_cpu(struct writer *w, const struct live_connection *c)
{
	if (c->cpu_ns == LIVE_UNKNOWN)
		return;
	if (c->cpu_ns >= UINT64_C(1000000000)) {
		amount_put_span(w, (int64_t)(c->cpu_ns / 1000));
	} else {
		writer_decimal(w, c->cpu_ns / 1000000, 1);
		writer_str(w, "ms");
	}
}

static const struct show_column columns[] = {
	{"CLIENT", "client", 'c', put_client, NULL},
	{"USER", "user", 'u', put_user, NULL},
	{"COMMAND", "command", 0, put_command, NULL},
	{"DESTINATION", "dst", 'd', put_destination, NULL},
	{"UP", "up", 'U', put_up, up},
	{"DOWN", "down", 'D', put_down, down},
	{"RATE", "rate", 'r', put_rate, rate},
	{"AGE", "age", 'a', put_age, age},
	{"MEMORY", "memory", 'm', put_memory, memory},
	{"CPU", "cpu", 'p', put_cpu, cpu},
	{"UNIT", NULL, 0, put_unit, NULL},
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

const struct show_column *show_column_of_key(const char *key)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (columns[i].key && strcmp(columns[i].key, key) == 0)
			return &columns[i];
	return NULL;
}

const struct show_column *show_column_of_letter(int letter)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (columns[i].letter && columns[i].letter == letter)
			return &columns[i];
	return NULL;
}

void show_put_keys(struct writer *w)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		writer_str(w, columns[i].key && w->len ? ", " : "");
		put_text(w, columns[i].key);
	}
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

/* Less than 0: a is shown before b. */
static int compare_numbers(uint64_t a, uint64_t b)
{
	if (a == b)
		return 0;
	if (a == LIVE_UNKNOWN || b == LIVE_UNKNOWN)
		return a == LIVE_UNKNOWN ? 1 : -1;
	return a > b ? -1 : 1;
}

static int compare_texts(struct writer a, struct writer b)
{
	size_t len = a.len < b.len ? a.len : b.len;

	if (a.len == 0 || b.len == 0)
		return (a.len == 0) - (b.len == 0);
	int r = memcmp(a.bytes, b.bytes, len);
	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static int compare(const void *left, const void *right, void *column)
{
	const struct live_connection *a = left, *b = right;
	const struct show_column *by = column;
	char a_text[CELL_MAX], b_text[CELL_MAX];
	struct writer a_put = writer_on(a_text, sizeof a_text);
	struct writer b_put = writer_on(b_text, sizeof b_text);
	int r;

	if (by->number) {
		r = compare_numbers(by->number(a), by->number(b));
	} else {
		by->put(&a_put, a);
		by->put(&b_put, b);
		r = compare_texts(a_put, b_put);
	}
	return r ? r : compare_numbers(a->age_us, b->age_us);
}

void show_sort(struct live *live, const struct show_column *by)
{
	if (live->count > 0)
		qsort_r(live->connections, live->count, sizeof live->connections[0], compare,
			(void *)by);
}

void show_put_totals(struct writer *w, const struct live *live)
{
	uint64_t all_rates = 0, all_memory = 0;

	for (size_t i = 0; i < live->count; i++) {
		const struct live_connection *c = &live->connections[i];
		all_rates += c->said.rate;
		all_memory += c->memory == LIVE_UNKNOWN ? 0 : c->memory;
	}
	writer_decimal(w, live->count, 1);
	writer_str(w, live->count == 1 ? " connection, " : " connections, ");
	amount_put_bytes(w, all_rates);
	writer_str(w, "/s");
	if (all_memory == 0)
		return; /* nobody counts it */
	writer_str(w, ", ");
	amount_put_bytes(w, all_memory);
	writer_str(w, " memory");
}

void show_table(const struct live *live, FILE *to)
{
	struct table_column titles[COLUMNS];
	struct table t = {.columns = titles, .count = COLUMNS};

	for (size_t i = 0; i < COLUMNS; i++)
		titles[i] = (struct table_column){columns[i].title, columns[i].number};
	for (size_t row = 0; row < live->count; row++) {
		char texts[COLUMNS][CELL_MAX];
		const char *cells[COLUMNS];
		for (size_t i = 0; i < COLUMNS; i++) {
			struct writer w = writer_on(texts[i], CELL_MAX - 1);
			columns[i].put(&w, &live->connections[row]);
			texts[i][w.len] = '\0';
			cells[i] = texts[i];
		}
		table_add(&t, cells);
	}
	table_print(&t, to);
	table_clear(&t);
}

static void set(json_t *object, const char *name, json_t *value)
{
	if (value && json_object_set_new(object, name, value) != 0)
		memory_or_end(NULL);
}

/* json_integer_t has no room for more, and what is not known is more. */
static json_t *number(uint64_t value)
{
	return value <= INT64_MAX ? memory_or_end(json_integer((json_int_t)value)) : NULL;
}

static json_t *text(const char *value)
{
	return value ? memory_or_end(json_string(value)) : NULL;
}

static json_t *object_of(const struct live_connection *c, const char *when)
{
	json_t *object = memory_or_end(json_object());

	set(object, "time", text(when));
	set(object, "unit", text(c->unit));
	set(object, "client", text(live_client(c)));
	if (c->client.port)
		set(object, "client_port", number(c->client.port));
	if (c->client.has_uid) {
		set(object, "client_pid", number(c->client.pid));
		set(object, "client_uid", number(c->client.uid));
	}
	set(object, "user", text(c->said.user));
	if (c->said.command)
		set(object, "command", text(socks5_command_text(c->said.command)));
	set(object, "dst", text(c->said.dst));
	if (c->said.dst)
		set(object, "dst_port", number(c->said.dst_port));
	set(object, "bytes_up", number(up(c)));
	set(object, "bytes_down", number(down(c)));
	set(object, "rate", number(rate(c)));
	set(object, "age_usec", number(c->age_us));
	set(object, "memory", number(c->memory));
	set(object, "cpu_usec",
		number(c->cpu_ns == LIVE_UNKNOWN ? LIVE_UNKNOWN : c->cpu_ns / 1000));
	return object;
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

/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/group.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/memory.h"
#include "stdsocksctl/table.h"

#define NUMBER_MAX 20 /* characters of a number */

struct group {
	char name[INSTANCE_NAME_MAX + 1]; /* "": not known */
	size_t count;
	unsigned limit; /* 0: none */
};

static const char *const keys[] = {[GROUP_BY_USER] = "user", [GROUP_BY_CLIENT] = "client"};
static const char *const titles[] = {[GROUP_BY_USER] = "USER", [GROUP_BY_CLIENT] = "CLIENT"};

bool group_by_key(const char *text, enum group_by *ret_by)
{
	const bool is_client = strcmp(text, keys[GROUP_BY_CLIENT]) == 0;

	if (!is_client && strcmp(text, keys[GROUP_BY_USER]) != 0)
		return false;
	*ret_by = is_client ? GROUP_BY_CLIENT : GROUP_BY_USER;
	return true;
}

/* -- The limits. */

static void apply(struct limit *limit, const char *text, size_t len)
{
	const struct words_line line = {.text = text, .len = len};
	struct writer problem = writer_on(NULL, 0);
	struct words words;

	if (words_split(&line, &words, &problem) && words.count > 0 &&
		strcmp(words.at[0], "limit") == 0)
		limit_parse(limit, &words, &problem);
}

int group_read_limit(const char *path, struct limit *ret_limit)
{
	FILE *file = fopen(path, "re");
	size_t cap = 0;
	char *text = NULL;
	ssize_t len;

	*ret_limit = (struct limit){.from = 0};
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while ((len = getline(&text, &cap, file)) > 0)
		apply(ret_limit, text, (size_t)len - (text[len - 1] == '\n'));
	const int error = ferror(file) ? -EIO : 0;
	free(text);
	fclose(file);
	return error;
}

/* The limit of a client address depends on the mode: one of the two has a default. */
static unsigned limit_of_client(const struct limit *limit, const char *unit)
{
	const bool is_prefork = !strchr(unit, '@');

	if (limit->from == 0)
		return is_prefork ? LIMIT_FROM_DEFAULT : 0;
	return limit_has_from(limit) ? limit->from : 0;
}

/* -- The groups. */

static struct group group_of_client(const struct live_connection *c, const struct limit *limit)
{
	const char *text = c->client.text;
	const struct addr name = addr_of(ADDR_NAME, text, (uint8_t)strlen(text), 0);
	const struct addr address = addr_from_literal(&name), client = limit_client(&address);
	struct group group = {.count = 1};
	struct writer w = writer_on(group.name, sizeof group.name - 1);

	addr_put_host(&w, &client);
	if (client.kind == ADDR_IPV6)
		writer_str(&w, "/64");
	if (client.kind != ADDR_NAME)
		group.limit = limit_of_client(limit, c->unit);
	return group;
}

static struct group group_of_user(const struct live_connection *c, const struct limit *limit)
{
	const char *user = c->title.user;
	struct group group = {.count = 1};

	memcpy(group.name, user, strlen(user) + 1);
	if (user[0])
		group.limit = limit_of_user(limit, user, strlen(user));
	return group;
}

static int by_name(const void *left, const void *right)
{
	const struct group *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static int by_count(const void *left, const void *right)
{
	const struct group *a = left, *b = right;

	return a->count != b->count ? (a->count < b->count) - (a->count > b->count) : by_name(a, b);
}

/* Joins the groups of one connection that have equal names. Returns the number of groups. */
static size_t join(struct group *groups, size_t count)
{
	size_t kept = 0;

	qsort(groups, count, sizeof groups[0], by_name);
	for (size_t i = 0; i < count; i++) {
		struct group *last = kept > 0 ? &groups[kept - 1] : NULL;
		if (!last || strcmp(last->name, groups[i].name) != 0) {
			groups[kept++] = groups[i];
			continue;
		}
		last->count++;
		if (groups[i].limit > last->limit)
			last->limit = groups[i].limit;
	}
	qsort(groups, kept, sizeof groups[0], by_count);
	return kept;
}

/* -- The output. */

static void add_row(struct table *table, const struct group *group)
{
	char count[NUMBER_MAX + 1], limit[NUMBER_MAX + 1] = "";
	const char *const cells[] = {group->name, count, limit};

	snprintf(count, sizeof count, "%zu", group->count);
	if (group->limit > 0)
		snprintf(limit, sizeof limit, "%u", group->limit);
	table_add(table, cells);
}

static void print_table(const struct group *groups, size_t count, enum group_by by, FILE *to)
{
	const struct table_column columns[] = {
		{titles[by], false}, {"CONNECTIONS", true}, {"LIMIT", true}};
	struct table table = {.columns = columns, .count = 3};

	for (size_t i = 0; i < count; i++)
		add_row(&table, &groups[i]);
	table_print(&table, to);
	table_clear(&table);
}

static void print_object(const struct group *group, enum group_by by, FILE *to)
{
	json_t *name = group->name[0] ? memory_or_exit(json_string(group->name)) : NULL;
	json_t *limit = group->limit > 0 ? memory_or_exit(json_integer(group->limit)) : NULL;
	json_t *object = memory_or_exit(json_pack("{so* sI so*}", keys[by], name, "connections",
		(json_int_t)group->count, "limit", limit));

	json_dumpf(object, to, JSON_COMPACT);
	fputc('\n', to);
	json_decref(object);
}

void group_print(const struct live *live, enum group_by by, const struct limit *limit, bool is_json,
	FILE *to)
{
	struct group *groups = memory_or_exit(calloc(live->count + 1, sizeof groups[0]));

	for (size_t i = 0; i < live->count; i++)
		groups[i] = by == GROUP_BY_CLIENT ? group_of_client(&live->connections[i], limit)
						  : group_of_user(&live->connections[i], limit);
	const size_t count = join(groups, live->count);
	if (!is_json)
		print_table(groups, count, by, to);
	for (size_t i = 0; is_json && i < count; i++)
		print_object(&groups[i], by, to);
	free(groups);
}

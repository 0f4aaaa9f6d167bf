/* SPDX-License-Identifier: ISC */
/* Counts the open connections of each user or of each client, beside their limits. */
#pragma once

#include <stdio.h>

#include "policy/limit.h"
#include "stdsocksctl/live.h"

enum group_by { GROUP_BY_USER, GROUP_BY_CLIENT };

#define GROUP_KEYS "user or client"

/* Returns true and sets *ret_by if the text is one of GROUP_KEYS. */
bool group_by_key(const char *text, enum group_by *ret_by);

/* Reads the lines with "limit" of a configuration file. Other lines, and invalid ones, have no
 * effect. If there is no file, *ret_limit has no limit. Returns 0 or -errno. */
int group_read_limit(const char *path, struct limit *ret_limit);

/* Prints a table, or with is_json objects, one per line: the name of each group, the number of its
 * connections, and its limit, which "-" or no member stands for if there is none. The group with
 * most connections is the first. */
void group_print(const struct live *live, enum group_by by, const struct limit *limit, bool is_json,
	FILE *to);

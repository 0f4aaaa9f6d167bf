/* SPDX-License-Identifier: ISC */
/* The whole configuration: what is built in, the file, the lines of -o, the users.
 * Knows: their order, and the files. Does not know: what a line means. */
#pragma once

#include "policy/config.h"
#include "policy/rules.h"
#include "stdsocks/options.h"

/* Bytes of the configuration's file, and of the users'. */
#define SETTINGS_FILE_MAX     ((size_t)1024 * 1024)
#define SETTINGS_USERS_MAX    ((size_t)64 * 1024)
/* With --hex a person types: the handshake's time where nothing else is configured. */
#define SETTINGS_HEX_US       (INT64_C(600) * 1000000)
#define SETTINGS_DEFAULT_FILE SYSCONFDIR "/stdsocks/stdsocks.conf"

struct settings {
	struct config config;
	struct rules rules;
	/* With CONFIG_USERS and CONFIG_AUTH_PASSWORD, what policy/users.h reads; else NULL. */
	char *users;
	size_t users_len;
};

/* Reads it all; may be called once in a process's life. False when any line is wrong or a file
 * cannot be read or trusted: then nobody may be served, and every mistake is in problem, a line
 * each, as far as they fit: problem->full tells. */
bool settings_read(
	const struct options *options, struct settings *ret_settings, struct writer *problem);

/* The secrets are needed no more. */
void settings_forget_users(struct settings *settings);

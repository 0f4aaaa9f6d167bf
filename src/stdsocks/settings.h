/* SPDX-License-Identifier: ISC */
/* Reads the configuration: defaults, the file, the options -o, and the file of users. */
#pragma once

#include <sys/stat.h>

#include "policy/config.h"
#include "policy/rules.h"
#include "stdsocks/options.h"

/* Bytes of the configuration file, and of the file of users. */
#define SETTINGS_FILE_MAX     ((size_t)1024 * 1024)
#define SETTINGS_USERS_MAX    ((size_t)64 * 1024)
/* With --hex a person types: the default of the handshake timeout. */
#define SETTINGS_HEX_US       (INT64_C(600) * 1000000)
#define SETTINGS_DEFAULT_FILE SYSCONFDIR "/stdsocks/stdsocks.conf"

/* The reason to refuse service if settings_read() has returned false. */
#define SETTINGS_REFUSAL "invalid configuration; run stdsocks --check to find the errors"

struct settings {
	struct config config;
	struct rules rules;
	/* If passwords are verified with users, their text for users_know(); otherwise NULL. */
	char *users;
	size_t users_len;
	const char *users_path;   /* of their file; NULL: none was read */
	struct stat users_status; /* fstat(2) before it was read */
};

/* Reads the settings; must be called at most once in a process. Returns false if a line is invalid,
 * or if a file cannot be read or is not trusted; then no client may be served. Each error is a line
 * in problem; if there is no space for all of them, problem->full is true. */
bool settings_read(
	const struct options *options, struct settings *ret_settings, struct writer *problem);

/* Erases the users. */
void settings_forget_users(struct settings *settings);

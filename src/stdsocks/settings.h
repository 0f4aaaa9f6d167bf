/* SPDX-License-Identifier: ISC */
/* Reads the settings: the configuration, which comes from defaults, a file and the options -o; and
 * the file of users. */
#pragma once

#include <sys/stat.h>

#include "policy/config.h"
#include "policy/rules.h"
#include "stdsocks/options.h"

/* Upper limits of the bytes of the configuration file, and of the file of users. */
#define SETTINGS_FILE_MAX     ((size_t)1024 * 1024)
#define SETTINGS_USERS_MAX    ((size_t)64 * 1024)
/* The default of "timeout handshake" with --hex, because a person may type the messages. */
#define SETTINGS_HEX_US       (INT64_C(600) * 1000000)
#define SETTINGS_DEFAULT_FILE SYSCONFDIR "/stdsocks/stdsocks.conf"

/* The reason to refuse service if settings_read() has returned false. */
#define SETTINGS_REFUSAL "invalid configuration; run stdsocks --check to find the errors"

/* The end of an error message if memory cannot be mapped: it names the remedy. */
#define SETTINGS_MEMORY_ADVICE                                                                     \
	"; raise the limit of the address space to 24 MB (ulimit -v, LimitAS=)"

struct settings {
	struct config config;
	struct rules rules;
	/* The contents of the file of users, for users_know(). NULL if passwords are not verified
	 * with this file, or if they were erased. */
	char *users;
	size_t users_len;         /* bytes */
	const char *users_path;   /* of the passwords file; NULL: none was read */
	struct stat users_status; /* fstat(2) of it, before it was read */
};

/* Reads the settings. May be called once in a process. Returns false if a line is invalid, or if a
 * file cannot be read or is refused by file_read(). Then no client may be served, and *problem has
 * a line for each error; if it has no space for all errors, problem->full is set. */
bool settings_read(
	const struct options *options, struct settings *ret_settings, struct writer *problem);

/* Erases the contents of the file of users from memory. May be called several times. */
void settings_forget_users(struct settings *settings);

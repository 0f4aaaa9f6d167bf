/* SPDX-License-Identifier: ISC */
/* A file that the administrator wrote, whole. Knows: which files can be trusted. */
#pragma once

#include "wire/writer.h"

/* How long a pipe in the file's place may take for its next bytes. */
#define FILE_PIPE_MS 1000

enum file_kind {
	FILE_OPTIONAL, /* may be missing: then it is empty */
	FILE_NEEDED,
	FILE_SECRET /* needed, and must not be readable by everyone */
};

/* Reads all of the file, or pipe, onto *to, which is empty. False when that cannot be, when it does
 * not fit, when it is a file that everyone could write to, or when it is an empty one: then "PATH:
 * what; what would do" and a newline were put into problem. */
bool file_read(const char *path, enum file_kind kind, struct writer *to, struct writer *problem);

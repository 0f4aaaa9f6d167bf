/* SPDX-License-Identifier: ISC */
/* Reads a file of the administrator, if it can be trusted. */
#pragma once

#include <sys/stat.h>

#include "wire/writer.h"

/* If the file is a pipe, the timeout for more data. */
#define FILE_PIPE_MS 1000

enum file_kind {
	FILE_OPTIONAL, /* may be missing; then it is empty */
	FILE_NEEDED,
	FILE_SECRET /* is needed, and must not be readable by all users */
};

struct file {
	const char *path;
	enum file_kind kind;
	size_t max;          /* bytes */
	struct writer *text; /* a buffer, which is empty */
	/* If it is not NULL, *ret_status is set to the result of fstat(2) before the file is read.
	 */
	struct stat *ret_status;
	/* Called after each read, and with is_last at the end. It removes from text what it has
	 * processed, at least something if text is full. NULL: the file is read into text. */
	void (*process)(void *context, struct writer *text, bool is_last);
	void *context;
};

/* Reads a file or a pipe. Returns false if it cannot be read, is larger than max, is writable by
 * all users, or is a regular file without a byte; then "PATH: MESSAGE" and a newline were appended
 * to problem. A part of the file may have been processed. */
bool file_read(const struct file *file, struct writer *problem);

/* SPDX-License-Identifier: ISC */
/* Reads a file of the administrator: the configuration, or the users. Refuses a file that all users
 * can change. */
#pragma once

#include <sys/stat.h>

#include "wire/writer.h"

/* If the file is a pipe: how long to wait for more data, in milliseconds. */
#define FILE_PIPE_MS 1000

enum file_kind {
	FILE_OPTIONAL, /* the file may be missing, which is not an error */
	FILE_NEEDED,   /* the file must exist */
	FILE_SECRET    /* the file must exist, and must not be readable by all users */
};

/* A file to read, its limits, and the destination of its bytes. */
struct file {
	const char *path;
	enum file_kind kind;
	size_t max;          /* upper limit of the file's size, in bytes */
	struct writer *text; /* the buffer into which the file is read; empty at first */
	/* The result of fstat(2) before the file is read, unless it is NULL. */
	struct stat *ret_status;
	/* Called after each read(2), and with is_last at the end of the file. It removes from *text
	 * the bytes that it has processed; if the buffer is full, it must remove some. NULL: the
	 * whole file is read into *text, which has space for more than max bytes. */
	void (*process)(void *context, struct writer *text, bool is_last);
	void *context; /* the first argument of process() */
};

/* Reads a file or a pipe. Returns false if it cannot be read, has more than max bytes, is an empty
 * file or pipe, can be written by all users, or, with FILE_SECRET, can be read by all users. Then
 * appends "PATH: MESSAGE" and a newline to *problem; process() may have been called for a part of
 * the file. */
bool file_read(const struct file *file, struct writer *problem);

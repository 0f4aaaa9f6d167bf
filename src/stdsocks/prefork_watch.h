/* SPDX-License-Identifier: ISC */
/* Whether files have changed since they were read: by a write, by a rename, or because a symbolic
 * link leads elsewhere. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* Files that are watched. */
#define PREFORK_WATCH_MAX 8

/* More than one tick of the kernel's clock, in microseconds. */
#define PREFORK_WATCH_RECENT_US 20000

/* If all members are zero, except that fd is -1, no file is watched. */
struct prefork_watch {
	unsigned count;
	/* An inotify(7) descriptor, which is readable after a change in the folders of the files,
	 * or -1. */
	int fd;
	struct prefork_watched {
		const char *path;
		struct stat status; /* all zero: there is no file */
	} files[PREFORK_WATCH_MAX];
};

/* Adds a file, which may be missing, before it is read. path must stay valid. */
void prefork_watch_add(struct prefork_watch *w, const char *path);

/* Adds a socket, on which only its replacement is a change. Folders of sockets, such as /dev, may
 * have many writes to other files. */
void prefork_watch_add_socket(struct prefork_watch *w, const char *path);

/* Adds a file that has been read, with its fstat(2) before that. */
void prefork_watch_add_read(struct prefork_watch *w, const char *path, const struct stat *status);

/* Returns true if a file has changed, or cannot be seen any more. Makes a system call for each
 * file.
 */
bool prefork_watch_has_changed(const struct prefork_watch *w);

/* Returns true if a file was changed just before its status was taken. Another change within one
 * tick of the kernel's clock could then leave the status as it is. */
bool prefork_watch_is_recent(const struct prefork_watch *w);

/* To be called when the process has its final user: removes the files that it may not see. Returns
 * true if there are any. */
bool prefork_watch_remove_hidden(struct prefork_watch *w);

/* Reads the events of inotify(7). Returns true if a file has changed. */
bool prefork_watch_read(const struct prefork_watch *w);

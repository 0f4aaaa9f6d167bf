/* SPDX-License-Identifier: ISC */
/* Whether files have changed since they were read: by a write, by a rename, or because a symbolic
 * link leads elsewhere. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* Files that are watched. */
#define PREFORK_WATCH_MAX 8

/* If all members are zero, except that fd is -1, no file is watched. */
struct prefork_watch {
	unsigned count;
	/* An inotify(7) descriptor, which is readable after a change in the folders of the files,
	 * or -1. */
	int fd;
	struct prefork_watched {
		const char *path;
		struct stat status; /* all zero: there is no file */
		int fd;             /* the file (O_PATH) if the final user may not see it, or -1 */
		int folders[2];     /* watches of the path's folder and of the file's, or -1 */
	} files[PREFORK_WATCH_MAX];
};

/* Adds a file, which may be missing, before it is read. path must stay valid. */
void prefork_watch_add(struct prefork_watch *w, const char *path);

/* Adds a socket, on which only its replacement is a change. Folders of sockets, such as /dev, may
 * have many writes to other files. */
void prefork_watch_add_socket(struct prefork_watch *w, const char *path);

/* Adds a file that has been read, with its fstat(2) before that. */
void prefork_watch_add_read(struct prefork_watch *w, const char *path, const struct stat *status);

/* Returns true if a file has changed. Of a file that this process may not see any more, it finds a
 * write, a rename or a removal, but not a link that leads elsewhere. Makes a system call for each
 * file. */
bool prefork_watch_has_changed(const struct prefork_watch *w);

/* To be called when the process has its final user: closes the descriptors of the files that it may
 * see. */
void prefork_watch_close_seen(struct prefork_watch *w);

/* Closes the descriptors of the other files. */
void prefork_watch_close_hidden(const struct prefork_watch *w);

/* Reads the events of inotify(7). Returns true if a file has changed. A file that this process may
 * not see counts as changed if one of its folders has an event. */
bool prefork_watch_read(const struct prefork_watch *w);

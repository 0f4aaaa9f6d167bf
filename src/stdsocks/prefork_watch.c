/* SPDX-License-Identifier: ISC */
/* Whether files have changed since they were read: by a write, by a rename, or because a symbolic
 * link leads elsewhere. */
#include "stdsocks/prefork_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS                                                                                     \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE |        \
		IN_ATTRIB)

/* Returns 0 or -errno. With an empty path, the file is fd. All three architectures have this call,
 * which no C library replaces by another one. */
static int status_of(int fd, const char *path, struct stat *ret_status)
{
	*ret_status = (struct stat){.st_ino = 0};
	return syscall(SYS_newfstatat, fd, path, ret_status, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static void watch_folder(const struct prefork_watch *w, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const size_t len = slash ? (size_t)(slash - path) : 0;

	if (w->fd < 0 || len >= sizeof folder)
		return;
	memcpy(folder, path, len);
	folder[len] = '\0';
	inotify_add_watch(w->fd, len > 0 ? folder : slash ? "/" : ".", EVENTS);
}

/* Watches the folder of the path, and of the file that it leads to. A link between the two is not
 * watched; prefork_watch_has_changed() finds a change of it. */
static void watch_folders(const struct prefork_watch *w, const char *path)
{
	char real[PATH_MAX];

	watch_folder(w, path);
	if (realpath(path, real))
		watch_folder(w, real);
}

void prefork_watch_add_read(struct prefork_watch *w, const char *path, const struct stat *status)
{
	if (w->count == PREFORK_WATCH_MAX)
		return;
	w->files[w->count++] = (struct prefork_watched){
		.path = path, .status = *status, .fd = open(path, O_PATH | O_CLOEXEC)};
	watch_folders(w, path);
}

void prefork_watch_add(struct prefork_watch *w, const char *path)
{
	struct stat status;

	status_of(AT_FDCWD, path, &status);
	prefork_watch_add_read(w, path, &status);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* The access time does not count. */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		is_same_time(&a->st_mtim, &b->st_mtim) && is_same_time(&a->st_ctim, &b->st_ctim);
}

/* Returns true if a file has changed; hidden is the result for one that cannot be seen. */
static bool has_changed(const struct prefork_watch *w, bool hidden)
{
	struct stat now;

	for (unsigned i = 0; i < w->count; i++) {
		const struct prefork_watched *file = &w->files[i];
		int error = status_of(AT_FDCWD, file->path, &now);
		if (error == -EACCES && !hidden && file->fd >= 0)
			error = status_of(file->fd, "", &now);
		if (error == 0 || error == -ENOENT || error == -ENOTDIR
				? !is_same(&now, &file->status)
				: hidden)
			return true;
	}
	return false;
}

bool prefork_watch_has_changed(const struct prefork_watch *w)
{
	return has_changed(w, false);
}

void prefork_watch_close_seen(struct prefork_watch *w)
{
	struct stat status;

	for (unsigned i = 0; i < w->count; i++) {
		struct prefork_watched *file = &w->files[i];
		if (file->fd < 0 || status_of(AT_FDCWD, file->path, &status) == -EACCES)
			continue;
		close(file->fd);
		file->fd = -1;
	}
}

void prefork_watch_close_hidden(const struct prefork_watch *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->files[i].fd >= 0)
			close(w->files[i].fd);
}

bool prefork_watch_read(const struct prefork_watch *w)
{
	char events[4096];
	bool any = false;

	while (read(w->fd, events, sizeof events) > 0)
		any = true;
	return any && has_changed(w, true);
}

/* SPDX-License-Identifier: ISC */
/* Whether files have changed since they were read: by a write, by a rename, or because a symbolic
 * link leads elsewhere. */
#include "stdsocks/prefork_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REPLACED (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define WRITTEN  (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

/* Returns 0, or -errno and an empty status. stat(3) of a C library may use another system call,
 * which the filter denies. All three architectures have this one. */
static int status_of(const char *path, struct stat *ret_status)
{
	*ret_status = (struct stat){.st_ino = 0};
	return syscall(SYS_newfstatat, AT_FDCWD, path, ret_status, 0) < 0 ? -errno : 0;
}

static void watch_folder(const struct prefork_watch *w, const char *path, uint32_t events)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const size_t len = slash ? (size_t)(slash - path) : 0;

	if (w->fd < 0 || len >= sizeof folder)
		return;
	memcpy(folder, path, len);
	folder[len] = '\0';
	inotify_add_watch(w->fd, len > 0 ? folder : slash ? "/" : ".", events | IN_MASK_ADD);
}

/* Watches the folder of the path, and of the file that it leads to. A link between the two is not
 * watched; prefork_watch_has_changed() finds a change of it. */
static void add(
	struct prefork_watch *w, const char *path, const struct stat *status, uint32_t events)
{
	char real[PATH_MAX];

	if (w->count == PREFORK_WATCH_MAX)
		return;
	w->files[w->count++] = (struct prefork_watched){.path = path, .status = *status};
	watch_folder(w, path, events);
	if (realpath(path, real))
		watch_folder(w, real, events);
}

void prefork_watch_add_read(struct prefork_watch *w, const char *path, const struct stat *status)
{
	add(w, path, status, REPLACED | WRITTEN);
}

void prefork_watch_add(struct prefork_watch *w, const char *path)
{
	struct stat status;

	status_of(path, &status);
	add(w, path, &status, REPLACED | WRITTEN);
}

void prefork_watch_add_socket(struct prefork_watch *w, const char *path)
{
	struct stat status;

	status_of(path, &status);
	add(w, path, &status, REPLACED);
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

bool prefork_watch_has_changed(const struct prefork_watch *w)
{
	struct stat now;

	for (unsigned i = 0; i < w->count; i++) {
		status_of(w->files[i].path, &now);
		if (!is_same(&now, &w->files[i].status))
			return true;
	}
	return false;
}

bool prefork_watch_is_recent(const struct prefork_watch *w)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (unsigned i = 0; i < w->count; i++) {
		const struct timespec *then = &w->files[i].status.st_ctim;
		const int64_t age_us = (int64_t)(now.tv_sec - then->tv_sec) * 1000000 +
			(now.tv_nsec - then->tv_nsec) / 1000;
		if (age_us >= 0 && age_us < PREFORK_WATCH_RECENT_US)
			return true;
	}
	return false;
}

bool prefork_watch_remove_hidden(struct prefork_watch *w)
{
	const unsigned before = w->count;
	struct stat status;

	for (unsigned i = w->count; i-- > 0;)
		if (status_of(w->files[i].path, &status) == -EACCES)
			w->files[i] = w->files[--w->count];
	return w->count < before;
}

bool prefork_watch_read(const struct prefork_watch *w)
{
	char events[4096];
	bool any = false;

	while (read(w->fd, events, sizeof events) > 0)
		any = true;
	return any && prefork_watch_has_changed(w);
}

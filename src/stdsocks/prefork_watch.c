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
#include <unistd.h>

#define REPLACED (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define WRITTEN  (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

/* Returns 0 or -errno. With an empty path, the file is fd. stat(3) of a C library may use another
 * system call, which the filter denies. All three architectures have this one. */
static int status_of(int fd, const char *path, struct stat *ret_status)
{
	*ret_status = (struct stat){.st_ino = 0};
	return syscall(SYS_newfstatat, fd, path, ret_status, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Returns the watch, or -1. */
static int watch_folder(const struct prefork_watch *w, const char *path, uint32_t events)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const size_t len = slash ? (size_t)(slash - path) : 0;

	if (w->fd < 0 || len >= sizeof folder)
		return -1;
	memcpy(folder, path, len);
	folder[len] = '\0';
	return inotify_add_watch(w->fd, len > 0 ? folder : slash ? "/" : ".", events | IN_MASK_ADD);
}

/* Watches the folder of the path, and of the file that it leads to. A link between the two is not
 * watched; prefork_watch_has_changed() finds a change of it. */
static void add(
	struct prefork_watch *w, const char *path, const struct stat *status, uint32_t events)
{
	char real[PATH_MAX];

	if (w->count == PREFORK_WATCH_MAX)
		return;
	w->files[w->count++] = (struct prefork_watched){.path = path,
		.status = *status,
		.fd = open(path, O_PATH | O_CLOEXEC),
		.folders = {watch_folder(w, path, events),
			realpath(path, real) ? watch_folder(w, real, events) : -1}};
}

void prefork_watch_add_read(struct prefork_watch *w, const char *path, const struct stat *status)
{
	add(w, path, status, REPLACED | WRITTEN);
}

void prefork_watch_add(struct prefork_watch *w, const char *path)
{
	struct stat status;

	status_of(AT_FDCWD, path, &status);
	add(w, path, &status, REPLACED | WRITTEN);
}

void prefork_watch_add_socket(struct prefork_watch *w, const char *path)
{
	struct stat status;

	status_of(AT_FDCWD, path, &status);
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

/* Returns 0 or -errno; -EACCES if this process may not see the file and has no descriptor of it. */
static int find_status(const struct prefork_watched *file, struct stat *ret_status)
{
	const int error = status_of(AT_FDCWD, file->path, ret_status);

	return error == -EACCES && file->fd >= 0 ? status_of(file->fd, "", ret_status) : error;
}

bool prefork_watch_has_changed(const struct prefork_watch *w)
{
	struct stat now;

	for (unsigned i = 0; i < w->count; i++) {
		const int error = find_status(&w->files[i], &now);
		if ((error == 0 || error == -ENOENT || error == -ENOTDIR) &&
			!is_same(&now, &w->files[i].status))
			return true;
	}
	return false;
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

/* Whether an event is about the folder of a file that this process may not see. */
static bool is_of_hidden(const struct prefork_watch *w, const struct inotify_event *event)
{
	struct stat status;

	for (unsigned i = 0; i < w->count; i++) {
		const struct prefork_watched *file = &w->files[i];
		if ((event->wd == file->folders[0] || event->wd == file->folders[1]) &&
			status_of(AT_FDCWD, file->path, &status) == -EACCES)
			return true;
	}
	return false;
}

bool prefork_watch_read(const struct prefork_watch *w)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} events;
	bool any = false, hidden = false;
	ssize_t n;

	while ((n = read(w->fd, &events, sizeof events)) > 0) {
		any = true;
		for (ssize_t at = 0; at < n && !hidden;) {
			const struct inotify_event *event = (const void *)(events.bytes + at);
			hidden = event->wd < 0 || is_of_hidden(w, event); /* -1: lost events */
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
	return hidden || (any && prefork_watch_has_changed(w));
}

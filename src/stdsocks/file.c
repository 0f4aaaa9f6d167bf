/* SPDX-License-Identifier: ISC */
/* A file that the administrator wrote, whole. Knows: which files can be trusted. */
#include "stdsocks/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/words.h"

static bool mistake(
	struct writer *problem, const char *path, const char *what, const char *would_do)
{
	writer_escaped(problem, path, strlen(path));
	writer_str(problem, ": ");
	words_error(problem, what, NULL, would_do);
	writer_u8(problem, '\n');
	return false;
}

static bool is_trusted(
	const struct stat *file, const char *path, enum file_kind kind, struct writer *problem)
{
	if (!S_ISREG(file->st_mode) && !S_ISFIFO(file->st_mode))
		return true;
	if (file->st_mode & S_IWOTH)
		return mistake(problem, path, "everyone can write to it", "chmod o-w would do");
	if (kind == FILE_SECRET && file->st_mode & S_IROTH)
		return mistake(
			problem, path, "everyone can read its secrets", "chmod o-r would do");
	return true;
}

/* Reads to the end: 0, or -errno. A pipe has FILE_PIPE_MS to say more; one that says nothing at all
 * is no file. */
static int read_all(int fd, struct writer *to)
{
	struct pollfd more = {.fd = fd, .events = POLLIN};

	while (to->len < to->cap) {
		ssize_t n = read(fd, to->bytes + to->len, to->cap - to->len);
		if (n == 0)
			return to->len == 0 && lseek(fd, 0, SEEK_CUR) < 0 ? -ENODATA : 0;
		if (n > 0)
			to->len += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if (errno == EAGAIN && poll(&more, 1, FILE_PIPE_MS) == 0)
			return -ETIMEDOUT;
	}
	return -EFBIG;
}

/* Whether there is nothing, not even a link to what is no more. */
static bool is_missing(const char *path)
{
	struct stat file;
	return lstat(path, &file) < 0 && errno == ENOENT;
}

bool file_read(const char *path, enum file_kind kind, struct writer *to, struct writer *problem)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int open_error = errno;
	if (fd < 0 && kind == FILE_OPTIONAL && is_missing(path))
		return true;
	if (fd < 0)
		return mistake(problem, path, strerror(open_error), "name a file that can be read");

	struct stat file = {0};
	bool right = fstat(fd, &file) == 0 && is_trusted(&file, path, kind, problem);
	int error = right ? read_all(fd, to) : 0;
	close(fd);
	if (error == -EFBIG)
		return mistake(problem, path, "too large",
			kind == FILE_SECRET ? "at most 64K are read" : "at most 1M is read");
	if (error < 0)
		return mistake(problem, path, strerror(-error), "name a file that can be read");
	if (right && to->len == 0 && S_ISREG(file.st_mode)) /* has somebody begun to write it? */
		return mistake(problem, path, "empty", "a comment in it would do");
	return right;
}

/* SPDX-License-Identifier: ISC */
#include "stdsocks/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/words.h"

/* Returns false. */
static bool report(
	const struct file *file, struct writer *problem, const char *what, const char *advice)
{
	writer_escaped(problem, file->path, strlen(file->path));
	writer_str(problem, ": ");
	words_error(problem, what, NULL, advice);
	writer_u8(problem, '\n');
	return false;
}

static bool check_mode(const struct file *file, const struct stat *st, struct writer *problem)
{
	if (!S_ISREG(st->st_mode) && !S_ISFIFO(st->st_mode))
		return true;
	if (st->st_mode & S_IWOTH)
		return report(file, problem, "all users can write to it", "run chmod o-w");
	if (file->kind == FILE_SECRET && st->st_mode & S_IROTH)
		return report(file, problem, "all users can read its secrets", "run chmod o-r");
	return true;
}

/* Reads to the end. Returns the number of bytes, or -errno. A pipe without data is an error. */
static int64_t read_all(const struct file *file, int fd)
{
	struct pollfd more = {.fd = fd, .events = POLLIN};
	struct writer *text = file->text;
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, text->bytes + text->len, text->cap - text->len);
		if (n == 0 && total == 0 && lseek(fd, 0, SEEK_CUR) < 0)
			return -ENODATA;
		if (n < 0 && errno == EAGAIN && poll(&more, 1, FILE_PIPE_MS) == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		total += (size_t)n;
		text->len += (size_t)n;
		if (total > file->max)
			return -EFBIG;
		if (file->process)
			file->process(file->context, text, n == 0);
		if (n == 0)
			return (int64_t)total;
	}
}

static bool read_open(const struct file *file, int fd, struct writer *problem)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return report(file, problem, strerror(errno), "use a file that can be read");
	if (file->ret_status)
		*file->ret_status = st;
	if (!check_mode(file, &st, problem))
		return false;
	const bool is_regular = S_ISREG(st.st_mode);
	int64_t n = is_regular && st.st_size > (off_t)file->max ? -EFBIG : read_all(file, fd);
	if (n == -EFBIG)
		return report(file, problem, "file too large",
			file->kind == FILE_SECRET ? "use at most 64 KB" : "use at most 1 MB");
	if (n < 0)
		return report(file, problem, strerror((int)-n), "use a file that can be read");
	if (n == 0 && is_regular) /* it may be about to be written */
		return report(file, problem, "file is empty", "add at least a comment");
	return true;
}

bool file_read(const struct file *file, struct writer *problem)
{
	struct stat st;
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int open_error = errno;

	/* There is nothing at the path, not even a dangling link. */
	if (fd < 0 && file->kind == FILE_OPTIONAL && lstat(file->path, &st) < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		return report(file, problem, strerror(open_error), "use a file that can be read");
	bool valid = read_open(file, fd, problem);
	close(fd);
	return valid;
}

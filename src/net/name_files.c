/* SPDX-License-Identifier: ISC */
/* The files of the resolver: hosts(5) and resolv.conf(5). */
#include "net/name_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "text/hosts.h"
#include "wire/large.h"

/* Bytes that are read at once. A longer line of resolv.conf is split. */
#define PART_MAX 16384

/* Bytes of the largest file, which takes less than a second. Without a limit, a device that has no
 * end, or a sparse file, would hold up the process beyond every deadline. */
#define FILE_MAX (256 << 20)

struct file {
	int fd; /* or -errno of open(2) */
	off_t at;
};

static struct file hosts_file = {.fd = -ENOENT}, conf_file = {.fd = -ENOENT};

static char part[PART_MAX] LARGE;

static struct file open_file(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return (struct file){.fd = fd < 0 ? -errno : fd};
}

void name_files_open(void)
{
	hosts_file = open_file(NAME_FILES_HOSTS);
	conf_file = open_file(NAME_FILES_RESOLV_CONF);
}

/* Reads the next bytes into part[start] and after it. Returns their number, 0 at the end, or
 * -errno. Processes that were forked share the descriptor, but not the position. */
static ssize_t read_part(struct file *file, size_t start)
{
	ssize_t n = 0;

	if (file->fd < 0) /* no file is an empty file */
		return file->fd == -ENOENT ? 0 : file->fd;
	if (file->at >= FILE_MAX)
		return -EFBIG;
	do
		n = pread(file->fd, part + start, sizeof part - start, file->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	file->at += n;
	return n;
}

/* Appends the results in a part of the file, for an address only the first one. */
static void find_in_part(struct hosts *search, const struct addr *wanted, struct reader *text,
	struct resolve_list *list)
{
	const size_t max = wanted->kind == ADDR_NAME ? RESOLVE_MAX : 1;
	struct addr found;

	while (hosts_next(search, text, &found)) {
		if (list->count >= max)
			continue;
		found = addr_unmapped(&found);
		found.port = wanted->port;
		list->addrs[list->count++] = found;
	}
}

int name_files_find_host(const struct addr *wanted, struct resolve_list *list)
{
	struct hosts search = hosts_search(wanted);
	ssize_t n;

	hosts_file.at = 0;
	while ((n = read_part(&hosts_file, 0)) > 0) {
		struct reader text = reader_of(part, (size_t)n);
		find_in_part(&search, wanted, &text, list);
	}
	struct reader newline = reader_of("\n", 1);
	find_in_part(&search, wanted, &newline, list);
	return (int)n;
}

/* If the file has no search or domain line, adds the domain of this host's name, if it has one. */
static void add_own_domain(struct resolv_conf *conf)
{
	struct utsname host;
	char line[sizeof "domain " + sizeof host.nodename];
	struct writer w = writer_on(line, sizeof line);

	if (conf->domains_count > 0 || uname(&host) < 0)
		return;
	const char *dot = strchr(host.nodename, '.');
	if (!dot)
		return;
	writer_str(&w, "domain ");
	writer_str(&w, dot + 1);
	resolv_conf_line(conf, line, w.len);
}

/* Rotates the list of servers by a random number. */
static void rotate(struct resolv_conf *conf)
{
	const struct resolv_conf given = *conf;
	uint8_t first = 0;

	if (getrandom(&first, sizeof first, 0) < 0)
		return;
	for (unsigned i = 0; i < conf->servers_count; i++)
		conf->servers[i] = given.servers[(first + i) % conf->servers_count];
}

/* Applies the complete lines of part, and at the end the last line. Returns the bytes used. */
static size_t apply_lines(struct resolv_conf *conf, size_t len, bool is_last)
{
	size_t start = 0;

	while (start < len) {
		const char *line = part + start;
		const char *newline = memchr(line, '\n', len - start);
		if (!newline && !is_last && !(start == 0 && len == sizeof part))
			break;
		const size_t line_len = newline ? (size_t)(newline - line) : len - start;
		resolv_conf_line(conf, line, line_len);
		start += line_len + (newline ? 1 : 0);
	}
	return start;
}

static int read_resolv_conf(struct resolv_conf *conf)
{
	size_t len = 0;
	ssize_t n;

	*conf = resolv_conf_default();
	conf_file.at = 0;
	do {
		n = read_part(&conf_file, len);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		const size_t used = apply_lines(conf, len, n == 0);
		memmove(part, part + used, len - used);
		len -= used;
	} while (n > 0);
	return 0;
}

const struct resolv_conf *name_files_resolv_conf(int *ret_error)
{
	static struct resolv_conf conf LARGE;
	static bool is_read;

	if (is_read)
		return &conf;
	int error = read_resolv_conf(&conf);
	if (error < 0) {
		if (ret_error)
			*ret_error = error;
		return NULL;
	}
	add_own_domain(&conf);
	if (conf.rotate)
		rotate(&conf);
	is_read = true;
	return &conf;
}

const char *name_files_unreadable(int *ret_error)
{
	ssize_t n;

	hosts_file.at = 0;
	do
		n = read_part(&hosts_file, 0);
	while (n > 0);
	if (n < 0) {
		*ret_error = (int)n;
		return NAME_FILES_HOSTS;
	}
	return name_files_resolv_conf(ret_error) ? NULL : NAME_FILES_RESOLV_CONF;
}

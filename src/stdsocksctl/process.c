/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = PROCESS_TITLE_MAX };

/* Reads at most FILE_MAX bytes of a file in /proc/PID, and appends a NUL. Returns false if the file
 * is empty or cannot be read; then text is "". */
static bool read_file(pid_t pid, const char *name, char text[FILE_MAX + 1])
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	text[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t len = read(fd, text, FILE_MAX);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

bool process_read(pid_t pid, struct process *ret_process)
{
	static const char format[] = ") %c %d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				     "%*s %*s %ld %*s %" SCNu64;
	struct process p = {.pid = pid};
	char text[FILE_MAX + 1], state;
	long threads;
	uint64_t start;

	/* The second field is the name of the program in parentheses, which may contain some. The
	 * others are the state, the parent, the group, the session and, from number 20 on, the
	 * threads, a zero, and the start in clock ticks. */
	if (!read_file(pid, "stat", text))
		return false;
	const char *end = strrchr(text, ')');
	if (!end ||
		sscanf(end, format, &state, &p.parent, &p.group, &p.session, &threads, &start) !=
			6 ||
		(strchr("ZX", state) && threads <= 1))
		return false;
	p.start_us = start * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	*ret_process = p;
	return true;
}

bool process_is_in(pid_t pid, const char *unit)
{
	char text[FILE_MAX + 1], wanted[NAME_MAX + sizeof "/"];

	snprintf(wanted, sizeof wanted, "/%s", unit);
	if (!read_file(pid, "cgroup", text))
		return false;
	for (const char *at = text; (at = strstr(at, wanted)); at++)
		if (strchr("/\n", at[strlen(wanted)]))
			return true;
	return false;
}

void process_title(pid_t pid, char title[PROCESS_TITLE_MAX + 1])
{
	read_file(pid, "cmdline", title);
}

uint64_t process_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec used;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return PROCESS_UNKNOWN;
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

uint64_t process_memory(pid_t pid)
{
	static const char pss[] = "\nPss:";
	char text[FILE_MAX + 1];
	const char *line = read_file(pid, "smaps_rollup", text) ? strstr(text, pss) : NULL;

	if (line)
		return strtoull(line + sizeof pss - 1, NULL, 10) * 1024;
	if (!read_file(pid, "statm", text))
		return PROCESS_UNKNOWN;
	/* The second number is the resident set size, in pages. */
	return strtoull(text + strcspn(text, " "), NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

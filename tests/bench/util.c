/* SPDX-License-Identifier: ISC */
/* Clocks, percentiles, and what the kernel says about the whole system.
 * Knows /proc; does not know sockets. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

void sleep_us(int64_t us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

void series_add(struct series *s, double value)
{
	if (s->len == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->value = realloc(s->value, s->cap * sizeof *s->value);
		if (!s->value)
			err(1, "realloc");
	}
	s->value[s->len++] = value;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double series_percentile(const struct series *s, double percent)
{
	double *sorted = malloc(s->len * sizeof *sorted);
	double rank = percent / 100 * (double)(s->len - 1);
	size_t below = (size_t)rank;
	double result;

	if (!sorted)
		err(1, "malloc");
	memcpy(sorted, s->value, s->len * sizeof *sorted);
	qsort(sorted, s->len, sizeof *sorted, ascending);
	result = sorted[below];
	if (below + 1 < s->len)
		result += (rank - (double)below) * (sorted[below + 1] - sorted[below]);
	free(sorted);
	return result;
}

/* In its group's time is what the kernel does in its name on the way to the next socket's queue, where
 * nothing else interrupts; see system_busy_us(). */
int64_t group_cpu_us(int group)
{
	DIR *proc = group ? opendir("/proc") : NULL;
	int64_t sum_us = 0;

	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		struct timespec ts;
		clockid_t clock;
		int pid = atoi(entry->d_name);

		if (pid > 0 && getpgid(pid) == group && clock_getcpuclockid(pid, &clock) == 0 &&
			clock_gettime(clock, &ts) == 0)
			sum_us += ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
	}
	if (proc)
		closedir(proc);
	return sum_us;
}

static FILE *proc_open(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		err(1, "%s", path);
	return f;
}

/* Busy is what is not idle. The kernel knows idle time to the microsecond (NO_HZ) but samples who
 * was running only at ticks, which is blind to anything that starts and ends between two; and
 * unlike a sum over the proxy's processes this includes the loopback work that the kernel does in
 * softirq, for whomever it interrupts. The price: a machine that does anything else spoils it. */
int64_t system_busy_us(void)
{
	long long idle, iowait, steal;
	FILE *f = proc_open("/proc/stat");
	int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
	int n = fscanf(f, "cpu %*d %*d %*d %lld %lld %*d %*d %lld", &idle, &iowait, &steal);

	fclose(f);
	if (n != 3)
		errx(1, "/proc/stat: not as expected");
	return sysconf(_SC_NPROCESSORS_ONLN) * now_us() - (idle + iowait + steal) * tick_us;
}

/* Pages on the per-processor lists are free, but MemFree does not count them, and there can be a
 * hundred megabytes of them: more than what is to be measured. */
static int64_t per_cpu_free_pages(void)
{
	char line[256];
	int64_t pages = 0;
	bool in_pagesets = false;
	FILE *f = proc_open("/proc/zoneinfo");

	while (fgets(line, sizeof line, f)) {
		long long count;

		if (strstr(line, "pagesets"))
			in_pagesets = true;
		else if (strncmp(line, "Node", 4) == 0)
			in_pagesets = false;
		else if (in_pagesets && sscanf(line, " count: %lld", &count) == 1)
			pages += count;
	}
	fclose(f);
	return pages;
}

/* MemTotal - (MemFree + Buffers + Cached + SReclaimable + per-processor free lists). */
int64_t system_used_bytes(void)
{
	static const char *const reclaimable[] = {
		"MemFree:", "Buffers:", "Cached:", "SReclaimable:"};
	char line[256], key[64];
	int64_t used_kb = 0;
	FILE *f = proc_open("/proc/meminfo");

	while (fgets(line, sizeof line, f)) {
		long long kb;

		if (sscanf(line, "%63s %lld", key, &kb) != 2)
			continue;
		if (strcmp(key, "MemTotal:") == 0)
			used_kb += kb;
		for (size_t i = 0; i < sizeof reclaimable / sizeof *reclaimable; i++)
			if (strcmp(key, reclaimable[i]) == 0)
				used_kb -= kb;
	}
	fclose(f);
	return used_kb * 1024 - per_cpu_free_pages() * sysconf(_SC_PAGESIZE);
}

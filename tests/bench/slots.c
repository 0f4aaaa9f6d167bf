/* SPDX-License-Identifier: ISC */
/* slots [OPEN] - measure how long a limit of 50, 500 and 2,000 connections of a client takes for
 * one more connection, while OPEN connections (default: 2,000) are open. Those of this client are
 * the last ones, which the kernel finds last. Also measures the time to open the files. The times
 * are CPU times, so that other processes have little influence. Needs root.
 */
#include "stdsocks/slots.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 400, OWN = 0x7f000001 };

static struct settings settings;

static void check(bool is_good, const char *what)
{
	if (is_good)
		return;
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* A connection of this address takes a slot. Returns true if there is one; *ret_ns is the time. */
static bool take(uint32_t address, int64_t *ret_ns)
{
	const uint8_t bytes[] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
		(uint8_t)(address >> 8), (uint8_t)address};
	const struct client client = {
		.kind = CLIENT_INET, .remote = addr_of(ADDR_IPV4, bytes, sizeof bytes, 0)};
	struct session_input input = {.settings = &settings, .client = &client};
	struct session s = {.input = &input, .config = &settings.config};

	input.start_us = now_ns(); /* each connection tries the slots in another order */
	const int64_t start_ns = now_ns();
	slots_take_for_client(&s);
	*ret_ns = now_ns() - start_ns;
	check(s.limit_error == 0, "fcntl");
	return !s.limit;
}

/* Starts processes that have slots until they are killed. */
static void hold(pid_t *pids, unsigned count, uint32_t first_address, uint32_t step)
{
	int ready[2];
	int64_t ns;
	char byte;

	check(pipe(ready) == 0, "pipe");
	for (unsigned i = 0; i < count; i++) {
		if ((pids[i] = fork()) == 0) {
			check(take(first_address + i * step, &ns), "slot");
			check(write(ready[1], "", 1) == 1, "write");
			for (;;)
				pause();
		}
		check(pids[i] > 0 && read(ready[0], &byte, 1) == 1, "fork");
	}
	close(ready[0]);
	close(ready[1]);
}

static void end(const pid_t *pids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
}

static int compare(const void *a, const void *b)
{
	const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Prints the median and the 99th percentile of a function that a new process runs each time. */
static void measure(const char *what, void (*function)(int64_t *ret_ns))
{
	int64_t *ns = mmap(NULL, SAMPLES * sizeof *ns, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(ns != MAP_FAILED, "mmap");
	for (unsigned i = 0; i < SAMPLES; i++) {
		const pid_t pid = fork();
		if (pid == 0) {
			function(&ns[i]);
			_exit(0);
		}
		check(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	}
	qsort(ns, SAMPLES, sizeof *ns, compare);
	printf("%-44s %9.1f %9.1f\n", what, (double)ns[SAMPLES / 2] / 1000,
		(double)ns[SAMPLES * 99 / 100] / 1000);
	munmap(ns, SAMPLES * sizeof *ns);
}

static void grant(int64_t *ret_ns)
{
	check(take(OWN, ret_ns), "no slot");
}

static void refusal(int64_t *ret_ns)
{
	check(!take(OWN, ret_ns), "a slot");
}

static void open_files(int64_t *ret_ns)
{
	const int64_t start_ns = now_ns();

	check(!slots_open(&settings.config).reason, "slots_open");
	*ret_ns = now_ns() - start_ns;
}

/* One row each: half of the limit is in use, all but one connection, and all. */
static void compare_limit(pid_t *pids, unsigned open, unsigned limit)
{
	const unsigned rows[] = {limit / 2, limit - 1, limit};
	char what[80];

	settings.config.limit.from = limit;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const unsigned own = rows[i] < open ? rows[i] : open;
		hold(pids, open - own, 0x0a000000, 1);
		hold(pids + open - own, own, OWN, 0);
		snprintf(what, sizeof what, "limit %u, %u in use of %u open: %s", limit, own, open,
			own == limit ? "refusal" : "grant");
		measure(what, own == limit ? refusal : grant);
		end(pids, open);
	}
}

/* Files in a new /run, as units/stdsocks.tmpfiles creates them. */
static void create_files(void)
{
	char path[] = SLOTS_DIRECTORY "/slots-0";

	check(unshare(CLONE_NEWNS) == 0, "unshare");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount");
	check(mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0, "mount");
	check(mkdir(SLOTS_DIRECTORY, 0755) == 0, "mkdir");
	for (int i = 0; i < SLOTS_FILES; i++, path[sizeof path - 2]++) {
		const int fd = open(path, O_WRONLY | O_CREAT, 0600);
		check(fd >= 0 && write(fd, "0123456789abcdef", 16) == 16, path);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const unsigned limits[] = {50, 500, 2000};
	const unsigned open = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;
	pid_t *pids = calloc(open, sizeof *pids);
	int64_t ns;

	check(pids, "calloc");
	create_files();
	settings.config.limit.from = 1;
	printf("%-44s %9s %9s\n", "", "p50, us", "p99, us");
	measure("opening the files", open_files);
	open_files(&ns);
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		compare_limit(pids, open, limits[i]);
	free(pids);
	return 0;
}

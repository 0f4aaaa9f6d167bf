/* SPDX-License-Identifier: ISC */
/* bench MEASURE [options] LABEL PORT GROUP - measures one server for one slice of time, and prints
 * one figure per line. tests/bench/run starts this program for each server in turn. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define RUN_TIMEOUT_S 60 /* after which SIGALRM ends the program */

static const struct {
	const char *name;
	slice_fn *slice;
} measures[] = {{"setup", setup_slice}, {"rate", rate_slice}, {"burst", burst_slice},
	{"bulk", bulk_slice}, {"pingpong", pingpong_slice}, {"udp", udp_slice},
	{"flood", flood_slice}};

void figure(double value)
{
	printf("%.6f\n", value);
}

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

void thread_start(pthread_t *ret_thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(ret_thread, NULL, run, arg) != 0)
		errx(1, "pthread_create failed");
}

/* The kernel charges loopback work to the sending process unless an interrupt does the work; see
 * system_busy_us(). */
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

/* Busy time is the time that is not idle time. The kernel measures idle time in microseconds
 * (NO_HZ), but samples the busy process only at ticks, so that short processes are not counted.
 * Unlike the sum over the proxy's processes, busy time includes loopback work in softirqs, which is
 * charged to the interrupted process. If the machine does other work, the figure is useless. */
int64_t system_busy_us(void)
{
	long long idle, iowait, steal;
	FILE *f = fopen("/proc/stat", "re");
	int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);

	if (!f || fscanf(f, "cpu %*d %*d %*d %lld %lld %*d %*d %lld", &idle, &iowait, &steal) != 3)
		errx(1, "/proc/stat: unexpected format");
	fclose(f);
	return sysconf(_SC_NPROCESSORS_ONLN) * now_us() - (idle + iowait + steal) * tick_us;
}

static _Noreturn void usage(void)
{
	fputs("usage: bench MEASURE [options] LABEL PORT GROUP\n"
	      "MEASURE: setup, rate, burst, bulk, pingpong, udp, flood.\n"
	      "LABEL: the name of the server in messages.\n"
	      "PORT: the port of the proxy, or 0 to measure without a proxy.\n"
	      "GROUP: the process group of the proxy, or 0 if it is unknown.\n"
	      "  -n N   number of samples              -t MS  duration\n"
	      "  -g US  pause between samples          -u     upload instead of download\n"
	      "  -i US  interval between the starts of samples, instead of a pause\n"
	      "  -s N   parallel streams or connections, or datagrams in flight\n"
	      "  -b N   bytes per message\n"
	      "  -d HOST  request this name of 127.0.0.1\n"
	      "  -G     client and upstream send datagrams in GSO batches\n",
		stderr);
	exit(64);
}

static slice_fn *measure_find(const char *name)
{
	for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
		if (strcmp(measures[i].name, name) == 0)
			return measures[i].slice;
	usage();
}

static void options_parse(int argc, char *argv[], struct plan *plan)
{
	int *const numbers[] = {['n'] = &plan->count,
		['t'] = &plan->slice_ms,
		['g'] = &plan->gap_us,
		['i'] = &plan->interval_us,
		['s'] = &plan->streams,
		['b'] = &plan->message_len};
	bool use_gso = false;
	int option;

	while ((option = getopt(argc, argv, "n:t:g:i:s:b:d:uG")) != -1) {
		if (option == 'u')
			plan->upload = true;
		else if (option == 'd')
			plan->host = optarg;
		else if (option == 'G')
			use_gso = true;
		else if (option == '?')
			usage();
		else
			*numbers[option] = atoi(optarg);
	}
	if (argc - optind != 3 || plan->count < 1 || plan->slice_ms < 1 || plan->streams < 1 ||
		plan->message_len < 1)
		usage();
	plan->upstream.segment_len = use_gso ? plan->message_len : 0;
	plan->label = argv[optind];
	plan->port = (uint16_t)atoi(argv[optind + 1]);
	plan->group = atoi(argv[optind + 2]);
}

int main(int argc, char *argv[])
{
	static struct plan plan = {
		.count = 100, .slice_ms = 500, .gap_us = 2000, .streams = 1, .message_len = 1};
	slice_fn *slice;
	int result;

	if (argc < 2)
		usage();
	slice = measure_find(argv[1]);
	options_parse(argc - 1, argv + 1, &plan);
	alarm(RUN_TIMEOUT_S);
	upstream_start(&plan.upstream, plan.streams);
	result = slice(&plan);
	if (upstream_drain(&plan.upstream) < 0)
		warnx("%s: connections to upstream are still open", plan.label);
	return result < 0;
}

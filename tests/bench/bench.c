/* SPDX-License-Identifier: ISC */
/* bench MEASURE [options] ROLE:LABEL=PORT... : one measure over all contestants, side by side, in
 * interleaved rounds, so that what disturbs the machine disturbs all of them alike.
 * Writes lines of "measure role contestant unit value low high", tabs between; value is the median
 * over the rounds, low and high are their quartiles, or value again where there are none.
 * Knows what is measured, not how. */
#include <err.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

#define CONTESTANTS_MAX 16
#define RUN_TIMEOUT_S   300 /* the whole program, should all else fail */

struct measure {
	const char *name;
	slice_fn *slice;
	bool percentiles; /* of all samples together, not the median of the rounds' */
	struct {
		const char *suffix, *unit;
	} figure[FIGURES_MAX];
};

static const struct measure measures[] = {
	{"setup", setup_slice, true, {{"_p50", "us"}, {"_p90", "us"}, {"_p99", "us"}}},
	{"rate", rate_slice, false, {{"", "1/s"}}},
	{"bulk", bulk_slice, false, {{"", "Gbit/s"}, {"_cpu", "s/GiB"}}},
	{"pingpong", pingpong_slice, false, {{"", "1/s"}}},
	{"udp", udp_slice, false,
		{{"", "1/s"}, {"_lost", "count"}, {"_cpu", "s/million"},
			{"_proxy_cpu", "s/million"}}},
	{"udp-pingpong", udp_pingpong_slice, false, {{"", "1/s"}}},
	{"flood", flood_slice, false, {{"", "1/s"}, {"_arrived", "%"}}},
	{"memory", memory_slice, false, {{"", "KB"}}},
};

static const double percentile[FIGURES_MAX] = {50, 90, 99}; /* setup has three */

static int usage(void)
{
	fputs("usage: bench MEASURE [options] ROLE:LABEL=PORT[:GROUP]...\n"
	      "       bench port | bench ready PORT | bench busy\n"
	      "MEASURE: setup, rate, bulk, pingpong, udp, udp-pingpong, flood, memory.\n"
	      "ROLE: direct (PORT 0), floor, handler, peer. GROUP: of its processes.\n"
	      "  -r N   rounds                         -n N   samples a round, or connections\n"
	      "  -t MS  one contestant's slice         -g US  pause between two samples\n"
	      "  -s N   parallel streams, or datagrams in flight\n"
	      "  -b N   bytes a message\n"
	      "  -u     upload instead of download     -N S   name of the measure in the output\n"
	      "  -G     both ends leave it to the kernel to part many datagrams\n",
		stderr);
	return 64;
}

/* A free port below the ephemeral range, where no client's connect() takes it before the server
 * that it is for has started. */
static int print_port(void)
{
	srandom((unsigned)getpid() ^ (unsigned)now_us());
	for (int i = 0; i < 100; i++) {
		uint16_t port = (uint16_t)(10000 + random() % 20000);
		int fd = client_listen(&port);

		if (fd >= 0) {
			close(fd);
			printf("%u\n", port);
			return 0;
		}
	}
	errx(1, "no free port");
}

static int wait_ready(uint16_t port)
{
	int64_t deadline_us = now_us() + WAIT_TIMEOUT_MS * INT64_C(1000);

	do {
		int fd = client_connect(port);

		if (fd >= 0) {
			close(fd);
			return 0;
		}
		sleep_us(10000);
	} while (now_us() < deadline_us);
	return 1;
}

/* Percent of all processors that others use: what the figures are worth. */
static int print_busy(void)
{
	int64_t start_us = now_us(), busy_us = -system_busy_us();

	sleep_us(1000000);
	busy_us += system_busy_us();
	printf("%.0f\n",
		100.0 * (double)busy_us / (double)(now_us() - start_us) /
			(double)sysconf(_SC_NPROCESSORS_ONLN));
	return 0;
}

/* ROLE:LABEL=PORT[:GROUP], taken apart in place. */
static struct contestant contestant_parse(char *text)
{
	char *colon = strchr(text, ':'), *equals = strrchr(text, '=');
	struct contestant c = {0};

	if (!colon || !equals || equals < colon)
		exit(usage());
	*colon = *equals = '\0';
	c.role = text;
	c.label = colon + 1;
	c.port = (uint16_t)atoi(equals + 1);
	colon = strchr(equals + 1, ':');
	c.group = colon ? atoi(colon + 1) : 0;
	return c;
}

/* The order turns every round, so that nobody always comes after the same neighbour. */
static void run_rounds(struct plan *plan, slice_fn *slice)
{
	for (int round = 0; round < plan->rounds; round++) {
		for (size_t i = 0; i < plan->contestants_len; i++) {
			size_t which = (i + (size_t)round) % plan->contestants_len;
			struct contestant *c = &plan->contestants[which];
			double figure[FIGURES_MAX] = {0};

			upstream_renew(plan->upstream);
			if (slice(plan, c, figure) < 0)
				plan->failures++;
			else
				for (int k = 0; k < FIGURES_MAX; k++)
					series_add(&c->figure[k], figure[k]);
			if (upstream_drain(plan->upstream) < 0)
				warnx("%s: leaves connections open upstream", c->label);
		}
	}
}

static void print_figure(const char *name, const struct measure *m, int k,
	const struct contestant *c, const double value_low_high[3])
{
	printf("%s%s\t%s\t%s\t%s\t%.3f\t%.3f\t%.3f\n", name, m->figure[k].suffix, c->role, c->label,
		m->figure[k].unit, value_low_high[0], value_low_high[1], value_low_high[2]);
}

static void report(const char *name, const struct measure *m, const struct contestant *c)
{
	for (int k = 0; k < FIGURES_MAX && m->figure[k].suffix; k++) {
		const struct series *rounds = &c->figure[k];
		double value;

		if (rounds->len == 0)
			return; /* why has been said already */
		if (isnan(rounds->value[0]))
			continue; /* this contestant has no such figure */
		value = m->percentiles ? series_percentile(&c->samples, percentile[k])
				       : series_percentile(rounds, 50);
		if (m->percentiles && k > 0) /* one round is too short to have a tail of its own */
			print_figure(name, m, k, c, (double[]){value, value, value});
		else
			print_figure(name, m, k, c,
				(double[]){value, series_percentile(rounds, 25),
					series_percentile(rounds, 75)});
	}
}

static const struct measure *measure_find(const char *name)
{
	for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
		if (strcmp(measures[i].name, name) == 0)
			return &measures[i];
	exit(usage());
}

static void options_parse(int argc, char *argv[], struct plan *plan, const char **name)
{
	int option;

	while ((option = getopt(argc, argv, "r:n:t:g:s:b:uGN:")) != -1) {
		int number = optarg ? atoi(optarg) : 0;

		switch (option) {
		case 'r':
			plan->rounds = number;
			break;
		case 'n':
			plan->count = number;
			break;
		case 't':
			plan->slice_ms = number;
			break;
		case 'g':
			plan->gap_us = number;
			break;
		case 's':
			plan->streams = number;
			break;
		case 'b':
			plan->message_len = number;
			break;
		case 'u':
			plan->upload = true;
			break;
		case 'G':
			datagrams_as_trains = true;
			break;
		case 'N':
			*name = optarg;
			break;
		default:
			exit(usage());
		}
	}
	if (plan->rounds < 1 || plan->count < 1 || plan->slice_ms < 1 || plan->streams < 1 ||
		plan->message_len < 1)
		exit(usage());
}

static void files_raise(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char *argv[])
{
	static struct upstream upstream;
	static struct contestant contestants[CONTESTANTS_MAX];
	struct plan plan = {&upstream, contestants, 0, 3, 100, 500, 2000, 1, 1, false, 0};
	const struct measure *measure;
	const char *name;

	if (argc == 2 && strcmp(argv[1], "port") == 0)
		return print_port();
	if (argc == 2 && strcmp(argv[1], "busy") == 0)
		return print_busy();
	if (argc == 3 && strcmp(argv[1], "ready") == 0)
		return wait_ready((uint16_t)atoi(argv[2]));
	if (argc < 3)
		return usage();
	measure = measure_find(argv[1]);
	name = measure->name;
	options_parse(argc - 1, argv + 1, &plan, &name);
	for (int i = optind + 1; i < argc && plan.contestants_len < CONTESTANTS_MAX; i++)
		contestants[plan.contestants_len++] = contestant_parse(argv[i]);

	alarm(RUN_TIMEOUT_S);
	files_raise();
	upstream_start(&upstream);
	run_rounds(&plan, measure->slice);
	for (size_t i = 0; i < plan.contestants_len; i++)
		report(name, measure, &contestants[i]);
	return plan.failures > 0;
}

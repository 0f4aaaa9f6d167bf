/* SPDX-License-Identifier: ISC */
/* Plots of a report, drawn by gnuplot.
 * Knows: gnuplot's commands. Does not know: the page that they stand on. */
#include "stdsocksctl/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdsocksctl/command.h"

/* They differ in brightness, too, and are seen on white and on black. */
const char *const plot_outcome_colours[] = {"#3b8fd1", "#cc79a7", "#e69f00", "#98a2ad", "#d5471e"};
const char *const plot_bytes_colours[] = {"#12a07a", "#3b8fd1"};
const char *const plot_span_colours[] = {"#e69f00", "#3b8fd1"};

static const struct {
	int width, height, tics;
} sizes[PLOT_SIZES] = {{960, 280, 9}, {400, 260, 4}};

/* The right end of the plot of latencies: of the last bin that is not empty, a millisecond at least. */
static double longest_us(const struct figures *f)
{
	unsigned bin = HISTOGRAM_BINS - 2;

	while (bin > 0 && f->spans[FIGURES_RESOLVE].bins[bin] == 0 &&
		f->spans[FIGURES_CONNECT].bins[bin] == 0)
		bin--;
	return fmax(1000, (double)histogram_bin_start(bin + 1));
}

static void put_data(FILE *to, const struct figures *f)
{
	fputs("$time << EOD\n", to);
	for (size_t i = 0; i < f->timeline.count; i++) {
		const struct timeline_stretch *s = &f->timeline.stretches[i];
		/* gnuplot takes all times for UTC: it gets the local ones. */
		fprintf(to, "%.1f",
			((double)f->timeline.first + (double)i + 0.5) *
				(double)f->timeline.width_s);
		for (size_t kind = 0; kind < FIGURES_OUTCOMES_COUNT; kind++)
			fprintf(to, " %llu", (unsigned long long)s->counts[kind]);
		fprintf(to, " %llu %llu\n", (unsigned long long)s->up, (unsigned long long)s->down);
	}
	fputs("EOD\n", to);
	for (size_t span = 0; span < FIGURES_TOTAL; span++) {
		const struct histogram *h = &f->spans[span];
		uint64_t up_to = 0;
		fprintf(to, "$%s << EOD\n1 0\n", figures_span_words[span]);
		for (unsigned bin = 0; bin + 1 < HISTOGRAM_BINS; bin++) {
			up_to += h->bins[bin];
			if (h->bins[bin] > 0)
				fprintf(to, "%lld %.3f\n", (long long)histogram_bin_start(bin + 1),
					100.0 * (double)up_to / (double)h->count);
		}
		/* All took at most that: on to the right end. */
		fprintf(to, "%.0f 100\nEOD\n", longest_us(f));
	}
}

/* Ticks on whole minutes, hours, days, as many as there is room for. */
static void put_time_axis(FILE *to, const struct timeline *t, int tics)
{
	static const int64_t steps_s[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
		7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200, 4838400,
		9676800, 31536000, 315360000, INT64_C(3153600000), INT64_C(31536000000)};
	const char *format = "%d %b\\n%Y";
	long long from = t->first * t->width_s, span = (int64_t)t->count * t->width_s;
	size_t i = 0;

	while (steps_s[i] * tics < span)
		i++;
	long long step = steps_s[i], first = (from + step - 1) / step * step;
	if (step < 60)
		format = "%H:%M:%S";
	else if (span <= 86400)
		format = "%H:%M";
	else if (step < 86400)
		format = "%H:%M\\n%d %b";
	else if (span < INT64_C(300) * 86400)
		format = "%d %b";
	fprintf(to, "set xdata time\nset timefmt '%%s'\nset xrange [%lld:%lld]\n", from,
		from + span);
	fprintf(to, "set xtics %lld,%lld time format \"%s\"\nset boxwidth %.2f absolute\n", first,
		step, format, 0.9 * (double)t->width_s);
}

/* Ticks at round numbers from 0 to `most`, and their labels: "1.5k", where gnuplot would write "2k"; up to
 * "T", as everywhere. */
static void put_amount_axis(FILE *to, uint64_t most, const char *unit)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T"};
	double step = 1, scale = 1;
	size_t prefix = 0;

	while (step * 4 < (double)most) {
		double decade = pow(10, floor(log10(step) + 1e-9));
		step = step < 1.5 * decade  ? 2 * decade
			: step < 3 * decade ? 5 * decade
					    : 10 * decade;
	}
	for (; step * 4 >= scale * 1000 && prefix < 4; prefix++)
		scale *= 1000;
	fputs("set xdata time\nset ytics ('0' 0", to);
	for (int i = 1; i <= 4 && most > 0; i++)
		fprintf(to, ", '%g%s%s%s' %.0f", step * i / scale, *unit ? " " : "",
			prefixes[prefix], unit, step * i);
	fprintf(to, ")\nset yrange [0:%.0f]\n", most > 0 ? fmax((double)most * 1.05, step) : 4.0);
}

/* Boxes on top of each other: the sum of all first, and less in front of it each time. */
static void put_stack(FILE *to, size_t first, size_t count, const char *const *colours)
{
	for (size_t n = count; n > 0; n--) {
		fputs(n == count ? "plot " : ", ", to);
		fputs("$time using ($1):(0", to);
		for (size_t i = 0; i < n; i++)
			fprintf(to, "+$%zu", first + i);
		fprintf(to, ") with boxes lc rgb '%s'", colours[n - 1]);
	}
	fputc('\n', to);
}

/* "0.1 ms", "1 ms", "10 ms", "0.1 s", ...: every so many powers of ten that there is room for them. */
static void put_latency_axis(FILE *to, double end_us, int tics)
{
	int powers = 1;

	while ((log10(end_us) - 2) / powers > tics)
		powers++;
	fprintf(to, "set xrange [100:%.0f]\nset xtics format '%%g' (", end_us);
	for (int power = 2; pow(10, power) <= end_us; power += powers)
		fprintf(to, power < 5 ? "%s'%.10g ms' 1e%d" : "%s'%.10g s' 1e%d",
			power == 2 ? "" : ", ", pow(10, power - (power < 5 ? 3 : 6)), power);
	fputs(")\n", to);
}

static void put_latency(FILE *to, const struct figures *f, int tics)
{
	const char *before = "plot ";

	fputs("set xdata\nset bmargin 2\nset logscale x\nset yrange [0:102]\n"
	      "set ytics ('0%%' 0, '25%%' 25, '50%%' 50, '75%%' 75, '100%%' 100)\n",
		to);
	put_latency_axis(to, longest_us(f), tics);
	for (size_t span = 0; span < FIGURES_TOTAL; span++) {
		if (f->spans[span].count == 0)
			continue;
		/* A point is the end of a bin, and how many took at most that: first to it, then up. */
		fprintf(to, "%s$%s using 1:2 with steps lw 2.5 lc rgb '%s'", before,
			figures_span_words[span], plot_span_colours[span]);
		before = ", ";
	}
	if (before[0] == 'p')
		fputs("plot 1/0 notitle", to);
	fputc('\n', to);
}

static void most_at_once(const struct timeline *t, uint64_t *ret_connections, uint64_t *ret_bytes)
{
	*ret_connections = *ret_bytes = 0;
	for (size_t i = 0; i < t->count; i++) {
		const struct timeline_stretch *s = &t->stretches[i];
		uint64_t connections = 0, bytes = s->up;
		for (size_t kind = 0; kind < FIGURES_OUTCOMES_COUNT; kind++)
			connections += s->counts[kind];
		heavy_sum(&bytes, s->down);
		*ret_connections = connections > *ret_connections ? connections : *ret_connections;
		*ret_bytes = bytes > *ret_bytes ? bytes : *ret_bytes;
	}
}

static void put_script(FILE *to, const struct figures *f)
{
	uint64_t connections, bytes;

	most_at_once(&f->timeline, &connections, &bytes);
	put_data(to, f);
	fputs("set encoding utf8\nunset key\nset border 3 lw 0.5\nset tics nomirror out scale 0.5\n"
	      "set style fill solid 1 noborder\nset grid ytics lw 0.5 lc rgb '#888888' dt 3\n"
	      "set lmargin 8\nset rmargin 3\nset tmargin 1\n",
		to);
	for (size_t size = 0; size < PLOT_SIZES; size++) {
		fprintf(to, "set terminal svg size %d,%d dynamic font 'sans-serif,14' name '%s'\n",
			sizes[size].width, sizes[size].height,
			size == PLOT_WIDE ? "wide" : "narrow");
		fputs("unset logscale\nset bmargin 3.5\n", to);
		put_time_axis(to, &f->timeline, sizes[size].tics);
		put_amount_axis(to, connections, "");
		put_stack(to, 2, FIGURES_OUTCOMES_COUNT, plot_outcome_colours);
		put_amount_axis(to, bytes, "B");
		put_stack(to, 2 + FIGURES_OUTCOMES_COUNT, 2, plot_bytes_colours);
		put_latency(to, f, sizes[size].tics);
	}
}

/* Runs it with these as standard input, output and error. */
static int run_gnuplot(char **argv, const int fds[3])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_adddup2(&actions, fds[fd], fd);
	int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		fputs("stdsocksctl: --html needs gnuplot, on Debian the package gnuplot-nox\n",
			stderr);
	else if (error)
		fprintf(stderr, "stdsocksctl: gnuplot: %s\n", strerror(error));
	if (error)
		return error == ENOENT ? EX_UNAVAILABLE : EX_OSERR;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	return status == 0 ? EX_OK : EX_OSERR;
}

/* Cuts what gnuplot wrote into its plots, without what stands before "<svg". */
static bool cut(struct plots *p)
{
	const char *end, *at = p->memory;

	for (size_t i = 0; i < (size_t)PLOT_SIZES * PLOTS; i++) {
		at = strstr(at, "<svg");
		end = at ? strstr(at, "</svg>") : NULL;
		if (!end)
			return false;
		p->svg[i / PLOTS][i % PLOTS] = at;
		p->len[i / PLOTS][i % PLOTS] = (size_t)(end + strlen("</svg>") - at);
		at = end;
	}
	return true;
}

static char *read_all(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	char *text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
		free(text);
		return NULL;
	}
	text[st.st_size] = '\0';
	return text;
}

int plot_check(void)
{
	static char *argv[] = {"gnuplot", "--version", NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int status = null < 0 ? EX_OSERR : run_gnuplot(argv, (const int[]){null, null, null});

	if (null >= 0)
		close(null);
	if (status == EX_OSERR)
		fputs("stdsocksctl: gnuplot does not run\n", stderr);
	return status;
}

/* What gnuplot said. It also warns of labels that it has no room for: so only when it failed. */
static void show_errors(int fd)
{
	char *said = read_all(fd);

	for (const char *c = said; c && *c; c++)
		fputc((*c >= 0x20 && *c <= 0x7e) || *c == '\n' ? *c : '?', stderr);
	free(said);
}

/* The script is the first of the files; the others are what gnuplot writes, and what it says. */
static int draw(const struct report *r, FILE *script, const int fds[3], struct plots *ret_plots)
{
	static char *argv[] = {"gnuplot", "--default-settings", "-", NULL};

	put_script(script, r->figures);
	if (fflush(script) != 0 || lseek(fds[0], 0, SEEK_SET) != 0)
		return EX_OSERR;
	int status = run_gnuplot(argv, fds);
	if (status == EX_OK)
		ret_plots->memory = read_all(fds[1]);
	else
		show_errors(fds[2]);
	if (status == EX_OK && (!ret_plots->memory || !cut(ret_plots))) {
		free(ret_plots->memory);
		return EX_OSERR;
	}
	return status;
}

int plot_draw(const struct report *r, struct plots *ret_plots)
{
	const int fds[3] = {memfd_create("script", MFD_CLOEXEC), memfd_create("plots", MFD_CLOEXEC),
		memfd_create("errors", MFD_CLOEXEC)};
	FILE *script = fds[0] < 0 ? NULL : fdopen(fds[0], "w");
	int status = EX_OSERR;

	ret_plots->memory = NULL;
	if (script && fds[1] >= 0 && fds[2] >= 0)
		status = draw(r, script, fds, ret_plots);
	if (status == EX_OSERR)
		fputs("stdsocksctl: the plots could not be drawn\n", stderr);
	for (size_t i = script ? 1 : 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (script)
		fclose(script);
	return status;
}

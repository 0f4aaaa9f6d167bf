/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"

/* The colours differ in brightness, too, and are visible on white and on black. */
const char *const plot_outcome_colours[] = {"#3b8fd1", "#cc79a7", "#e69f00", "#98a2ad", "#d5471e"};
const char *const plot_bytes_colours[] = {"#12a07a", "#3b8fd1"};
const char *const plot_span_colours[] = {"#e69f00", "#3b8fd1"};

static const struct {
	int width, height, tics;
} sizes[PLOT_SIZES] = {{960, 280, 9}, {400, 260, 4}};

/* Returns the end of the time axis of the latencies, at least a millisecond. */
static double axis_end_us(const struct statistics *s)
{
	unsigned bin = HISTOGRAM_BINS - 2;

	while (bin > 0 && s->spans[STATISTICS_RESOLVE].bins[bin] == 0 &&
		s->spans[STATISTICS_CONNECT].bins[bin] == 0)
		bin--;
	return fmax(1000, (double)histogram_bin_start(bin + 1));
}

/* Also finds the greatest numbers of connections and bytes in an interval. */
static void put_intervals(
	FILE *to, const struct statistics *s, uint64_t *ret_connections, uint64_t *ret_bytes)
{
	*ret_connections = *ret_bytes = 0;
	fputs("$time << EOD\n", to);
	for (size_t i = 0; i < s->timeline.count; i++) {
		const struct timeline_interval *interval = &s->timeline.intervals[i];
		uint64_t connections = 0, bytes = interval->up;
		/* gnuplot shows times in UTC, so it gets local times. */
		fprintf(to, "%.1f",
			((double)s->timeline.first + (double)i + 0.5) *
				(double)s->timeline.width_s);
		for (size_t kind = 0; kind < STATISTICS_OUTCOMES; kind++) {
			fprintf(to, " %llu", (unsigned long long)interval->counts[kind]);
			connections += interval->counts[kind];
		}
		fprintf(to, " %llu %llu\n", (unsigned long long)interval->up,
			(unsigned long long)interval->down);
		top_k_sum(&bytes, interval->down);
		*ret_connections = connections > *ret_connections ? connections : *ret_connections;
		*ret_bytes = bytes > *ret_bytes ? bytes : *ret_bytes;
	}
	fputs("EOD\n", to);
}

static void put_spans(FILE *to, const struct statistics *s)
{
	for (size_t span = 0; span < STATISTICS_TOTAL; span++) {
		const struct histogram *h = &s->spans[span];
		uint64_t up_to = 0;
		fprintf(to, "$%s << EOD\n1 0\n", statistics_span_words[span]);
		for (unsigned bin = 0; bin + 1 < HISTOGRAM_BINS; bin++) {
			up_to += h->bins[bin];
			if (h->bins[bin] > 0)
				fprintf(to, "%lld %.3f\n", (long long)histogram_bin_start(bin + 1),
					100.0 * (double)up_to / (double)h->count);
		}
		/* The last step continues to the end of the axis. */
		fprintf(to, "%.0f 100\nEOD\n", axis_end_us(s));
	}
}

/* Ticks at whole minutes, hours, days, at most `tics`. */
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

/* Ticks at round numbers from 0 to `most`. gnuplot's own labels would be "2k" instead of "1.5k". */
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

/* Stacked boxes: draws the sum of all first, and in front of it the sum of one less each time. */
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

/* Ticks at powers of ten from 0.1 ms, at most `tics`. */
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

static void put_latency(FILE *to, const struct statistics *s, int tics)
{
	const char *before = "plot ";

	fputs("set xdata\nset bmargin 2\nset logscale x\nset yrange [0:102]\n"
	      "set ytics ('0%%' 0, '25%%' 25, '50%%' 50, '75%%' 75, '100%%' 100)\n",
		to);
	put_latency_axis(to, axis_end_us(s), tics);
	for (size_t span = 0; span < STATISTICS_TOTAL; span++) {
		if (s->spans[span].count == 0)
			continue;
		/* A point is the end of a bin and the share of the values up to it. */
		fprintf(to, "%s$%s using 1:2 with steps lw 2.5 lc rgb '%s'", before,
			statistics_span_words[span], plot_span_colours[span]);
		before = ", ";
	}
	if (before[0] == 'p')
		fputs("plot 1/0 notitle", to);
	fputc('\n', to);
}

static void put_script(FILE *to, const struct statistics *s)
{
	uint64_t connections, bytes;

	put_intervals(to, s, &connections, &bytes);
	put_spans(to, s);
	fputs("set encoding utf8\nunset key\nset border 3 lw 0.5\nset tics nomirror out scale 0.5\n"
	      "set style fill solid 1 noborder\nset grid ytics lw 0.5 lc rgb '#888888' dt 3\n"
	      "set lmargin 8\nset rmargin 3\nset tmargin 1\n",
		to);
	for (size_t size = 0; size < PLOT_SIZES; size++) {
		fprintf(to, "set terminal svg size %d,%d dynamic font 'sans-serif,14' name '%s'\n",
			sizes[size].width, sizes[size].height,
			size == PLOT_WIDE ? "wide" : "narrow");
		fputs("unset logscale\nset bmargin 3.5\n", to);
		put_time_axis(to, &s->timeline, sizes[size].tics);
		put_amount_axis(to, connections, "");
		put_stack(to, 2, STATISTICS_OUTCOMES, plot_outcome_colours);
		put_amount_axis(to, bytes, "B");
		put_stack(to, 2 + STATISTICS_OUTCOMES, 2, plot_bytes_colours);
		put_latency(to, s, sizes[size].tics);
	}
}

/* Finds the plots in the output of gnuplot, without the text before "<svg". */
static bool cut(struct plots *p)
{
	char *at = p->memory;

	for (size_t i = 0; i < (size_t)PLOT_SIZES * PLOTS; i++) {
		char *start = at ? strstr(at, "<svg") : NULL;
		at = start ? strstr(start, "</svg>\n") : NULL;
		if (!at)
			return false;
		p->svg[i / PLOTS][i % PLOTS] = start;
		at += strlen("</svg>");
		*at++ = '\0';
	}
	return true;
}

/* Returns the text in a file from its start, which the caller frees, or NULL. */
static char *read_all(FILE *from)
{
	char *text = NULL;
	size_t cap = 0;

	if (fseek(from, 0, SEEK_SET) == 0 && getdelim(&text, &cap, '\0', from) >= 0)
		return text;
	free(text);
	return NULL;
}

static FILE *memory_file(void)
{
	const int fd = memfd_create("plots", 0); /* gnuplot inherits it */
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file && fd >= 0)
		close(fd);
	return memory_or_exit(file);
}

static int run_gnuplot(const char *arguments)
{
	char command[192];

	snprintf(command, sizeof command, "exec gnuplot %s", arguments);
	/* The command contains no text of a client or a user. */
	/* NOLINTNEXTLINE(cert-env33-c) */
	return system(command);
}

int plot_check(void)
{
	const int status = run_gnuplot("--version >/dev/null 2>&1 </dev/null");
	const bool is_missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;

	if (status == 0)
		return EX_OK;
	fputs(is_missing ? "stdsocksctl: gnuplot not found; install it for --html (Debian: "
			   "gnuplot-nox)\n"
			 : "stdsocksctl: cannot run gnuplot\n",
		stderr);
	return is_missing ? EX_UNAVAILABLE : EX_OSERR;
}

int plot_draw(const struct report *r, struct plots *ret_plots)
{
	static const char fds[] = "/proc/self/fd";
	FILE *const files[] = {memory_file(), memory_file(), memory_file()};
	char arguments[160];

	put_script(files[0], r->statistics);
	fflush(files[0]);
	snprintf(arguments, sizeof arguments, "--default-settings - <%s/%d >%s/%d 2>%s/%d", fds,
		fileno(files[0]), fds, fileno(files[1]), fds, fileno(files[2]));
	ret_plots->memory = run_gnuplot(arguments) == 0 ? read_all(files[1]) : NULL;
	const bool is_drawn = cut(ret_plots);
	if (!is_drawn) {
		/* Printed only now, because gnuplot also warns of labels that do not fit. */
		char *errors = read_all(files[2]);
		fprintf(stderr, "stdsocksctl: gnuplot failed\n%s", errors ? errors : "");
		free(errors);
		free(ret_plots->memory);
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		fclose(files[i]);
	return is_drawn ? EX_OK : EX_OSERR;
}

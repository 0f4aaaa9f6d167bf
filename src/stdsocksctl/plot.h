/* SPDX-License-Identifier: ISC */
/* Plots of a report, drawn by gnuplot.
 * Knows: gnuplot's commands. Does not know: the page that they stand on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "stdsocksctl/report.h"

enum plot_what { PLOT_CONNECTIONS, PLOT_BYTES, PLOT_LATENCY, PLOTS };

/* A screen's, and a telephone's. */
enum plot_size { PLOT_WIDE, PLOT_NARROW, PLOT_SIZES };

/* Colours of outcomes, of bytes up and down, of resolve and connect: "#rrggbb". */
extern const char *const plot_outcome_colours[], *const plot_bytes_colours[],
							 *const plot_span_colours[];

struct plots {
	char *memory; /* free() it */
	const char *svg[PLOT_SIZES][PLOTS];
	size_t len[PLOT_SIZES][PLOTS];
};

/* Whether gnuplot is there: an exit status; what is wrong has been said. */
int plot_check(void);

/* Draws all of them, of a report that is not empty. gnuplot is told numbers and our own words, and never
 * a byte of a client's. Returns an exit status; what is wrong has been said. */
int plot_draw(const struct report *r, struct plots *ret_plots);

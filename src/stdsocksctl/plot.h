/* SPDX-License-Identifier: ISC */
/* Draws the plots of a report as SVG, with gnuplot. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "stdsocksctl/report.h"

enum plot_kind { PLOT_CONNECTIONS, PLOT_BYTES, PLOT_LATENCY, PLOTS };

/* The sizes of a plot: for screens, and for telephones. */
enum plot_size { PLOT_WIDE, PLOT_NARROW, PLOT_SIZES };

/* Colours in the form "#rrggbb": one for each enum statistics_outcome; for bytes up and down; for
 * STATISTICS_RESOLVE and STATISTICS_CONNECT. */
extern const char *const plot_outcome_colours[];
extern const char *const plot_bytes_colours[];
extern const char *const plot_span_colours[];

/* The plots of a report, each in every size. */
struct plots {
	char *memory;                       /* has the strings in svg; the caller frees it */
	const char *svg[PLOT_SIZES][PLOTS]; /* elements "<svg ...>...</svg>" */
};

/* Returns EX_OK if gnuplot can be run. Otherwise prints an error and returns EX_UNAVAILABLE if
 * gnuplot is not installed, or EX_OSERR. */
int plot_check(void);

/* Draws all plots of a report, which must have at least one record. No text that a client has sent
 * is passed to gnuplot. Returns EX_OK, or prints an error and returns EX_OSERR; then *ret_plots is
 * undefined. */
int plot_draw(const struct report *r, struct plots *ret_plots);

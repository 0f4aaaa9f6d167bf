/* SPDX-License-Identifier: ISC */
/* Draws the plots of a report with gnuplot. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "stdsocksctl/report.h"

enum plot_kind { PLOT_CONNECTIONS, PLOT_BYTES, PLOT_LATENCY, PLOTS };

/* For screens and for telephones. */
enum plot_size { PLOT_WIDE, PLOT_NARROW, PLOT_SIZES };

/* "#rrggbb", for the outcomes, for bytes up and down, and for resolve and connect. */
extern const char *const plot_outcome_colours[];
extern const char *const plot_bytes_colours[];
extern const char *const plot_span_colours[];

struct plots {
	char *memory; /* the caller frees it */
	const char *svg[PLOT_SIZES][PLOTS];
};

/* Returns EX_OK if gnuplot can be run; or prints an error and returns EX_UNAVAILABLE if it is
 * missing, else EX_OSERR. */
int plot_check(void);

/* Draws all plots of a report that is not empty. The script for gnuplot contains no text of a
 * client. Returns EX_OK, or prints an error and returns EX_OSERR. */
int plot_draw(const struct report *r, struct plots *ret_plots);

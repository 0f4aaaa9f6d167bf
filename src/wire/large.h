/* SPDX-License-Identifier: ISC */
/* A section of the executable for large variables. */
#pragma once

/* Places a static variable without an initializer behind all variables that are not LARGE. The
 * small variables then share one or two pages. A page of a large variable costs memory only after
 * it was written. (The linker's option --sort-section=name puts this section last.) */
#define LARGE __attribute__((section(".bss.~large")))

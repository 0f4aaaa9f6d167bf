/* SPDX-License-Identifier: ISC */
/* A section for large variables. */
#pragma once

/* Places a static variable behind all small ones, which then share one or two pages. The linker
 * sorts by section name. Only those pages of a large variable that are written cost memory. */
#define LARGE __attribute__((section(".bss.~large")))

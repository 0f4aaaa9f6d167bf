/* SPDX-License-Identifier: ISC */
/* Where large variables go. Knows: that an idle connection is measured in pages. */
#pragma once

/* Behind all small variables, which then share a page or two (the linker sorts by this name). Of a
 * large variable only the touched pages cost memory; on the stack it would also push apart what
 * lies around it. */
#define LARGE __attribute__((section(".bss.~large")))

/* SPDX-License-Identifier: ISC */
/* What of this process others may see: nothing. Knows: core dumps, ptrace. */
#pragma once

/* From now on no core is written and no process of the same user can read this one's memory: it
 * holds passwords. What is forked from here inherits it, until it executes another program. */
void dumps_disable(void);

/* SPDX-License-Identifier: ISC */
/* Memory allocation that succeeds or ends the process. */
#pragma once

/* Returns its argument, which is the result of a memory allocation. If it is NULL, prints an error
 * and exits with EX_OSERR. */
void *memory_or_exit(void *memory);

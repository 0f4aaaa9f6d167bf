/* SPDX-License-Identifier: ISC */
/* Memory allocation that succeeds or ends the process. */
#pragma once

/* Returns the result of an allocation. If it is NULL, prints an error and exits with EX_OSERR. */
void *memory_or_exit(void *memory);

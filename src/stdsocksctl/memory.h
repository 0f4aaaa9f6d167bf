/* SPDX-License-Identifier: ISC */
/* Memory that there is, or the end of the process. */
#pragma once

/* What an allocation gave; where that is NULL, says so and ends the process with EX_OSERR. */
void *memory_or_end(void *memory);

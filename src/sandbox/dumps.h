/* SPDX-License-Identifier: ISC */
/* Protects the memory of the process, which has passwords in it. */
#pragma once

/* Disables core dumps, and access to this process by other processes of the same user (ptrace(2),
 * /proc/PID/mem). Child processes inherit this until they execute another program. */
void dumps_disable(void);

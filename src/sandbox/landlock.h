/* SPDX-License-Identifier: ISC */
/* Forbids the process to open files (landlock(7)). */
#pragma once

#include <stdbool.h>

/* Forbids the process to open files. Files that are already open can still be used.
 * PR_SET_NO_NEW_PRIVS must have been set before. Returns 0; -ENOSYS if the kernel does not have
 * Landlock; -EOPNOTSUPP if Landlock is disabled; or another -errno. On error nothing has changed.
 */
int landlock_limit(void);

/* Returns the version of Landlock that the kernel has, from 1; or -errno as landlock_limit() does.
 */
int landlock_version(void);

/* Returns true if an -errno of these functions means that there is no Landlock, in contrast to one
 * that fails: the kernel has none or has disabled it, or a filter of system calls hides it. */
bool landlock_is_absent(int error);

/* SPDX-License-Identifier: ISC */
/* Denies the process to open files (Landlock). */
#pragma once

/* Denies the process to open files; open ones stay open. The process must have set
 * PR_SET_NO_NEW_PRIVS. Returns 0; -ENOSYS or -EOPNOTSUPP if the kernel has no Landlock; or another
 * -errno. */
int landlock_limit(void);

/* Returns the kernel's version of Landlock, from 1, or -errno as above. */
int landlock_version(void);

/* SPDX-License-Identifier: ISC */
/* Which files a connection may still open: those of the resolver. Knows: Landlock. */
#pragma once

/* From now on only the resolver's files can be opened, to be read. 0; -errno when the kernel has no
 * Landlock (-ENOSYS, -EOPNOTSUPP) or refuses. No new privileges must be in force. */
int landlock_limit(void);

/* The version of Landlock that this kernel has, from 1; or -errno. */
int landlock_version(void);

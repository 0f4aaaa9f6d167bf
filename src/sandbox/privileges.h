/* SPDX-License-Identifier: ISC */
/* Gives up root and capabilities. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* If the process was started as root, changes to the given user, with only the user's primary
 * group, and drops all capabilities. If `marks` is true, keeps one that socket marks (SO_MARK)
 * need: CAP_NET_RAW or, if the process does not have it or the kernel is older than 5.17,
 * CAP_NET_ADMIN. Returns NULL; or, if a step fails, the reason, a static text. The process may then
 * still be root, or have capabilities, or lack that for marks.
 *
 * If the process was not started as root, drops all capabilities, except that for marks if `marks`
 * is true. Then always returns NULL. */
const char *privileges_leave_root(const char *user, bool marks);

/* Writes a line for --check, without a newline: whether the user exists, and can be used if the
 * process is started as root. */
void privileges_put_user(struct writer *w, const char *user);

/* Drops all capabilities. Returns 0, or -errno. */
int privileges_drop_capabilities(void);

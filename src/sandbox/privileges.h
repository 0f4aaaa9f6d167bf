/* SPDX-License-Identifier: ISC */
/* Gives up root and capabilities. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* If the process was started as root, changes to the given user, with only the user's primary
 * group, and drops all capabilities. If net_admin is true, keeps CAP_NET_ADMIN, which socket marks
 * (SO_MARK) need. Returns NULL; or, if a step fails, the reason, a static text. The process may
 * then still be root, or have capabilities, or lack CAP_NET_ADMIN.
 *
 * If the process was not started as root, drops all capabilities, except CAP_NET_ADMIN if net_admin
 * is true. Then always returns NULL. */
const char *privileges_leave_root(const char *user, bool net_admin);

/* Writes a line for --check, without a newline: whether the user exists, and can be used if the
 * process is started as root. */
void privileges_put_user(struct writer *w, const char *user);

/* Drops all capabilities. Returns 0, or -errno. */
int privileges_drop_capabilities(void);

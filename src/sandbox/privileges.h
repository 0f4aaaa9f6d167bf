/* SPDX-License-Identifier: ISC */
/* Who the process is: not root. Knows: users, groups, capabilities. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* Where the process was started as root it becomes the user, with its group and no other; else it
 * stays who it is. It keeps no capability, but CAP_NET_ADMIN, for socket marks, if net_admin is set
 * and it has that. NULL; or, a static text, why it cannot be: then it is still root, without what
 * could be given up. */
const char *privileges_leave_root(const char *user, bool net_admin);

/* Whether a process that is started as root can become this user, as text for people, a line
 * without its newline. */
void privileges_put_user(struct writer *w, const char *user);

/* Gives up every capability that the process may have: 0 or -errno. */
int privileges_drop_capabilities(void);

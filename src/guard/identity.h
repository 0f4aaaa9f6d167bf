/* SPDX-License-Identifier: ISC */
/* Who the process is: not root. Knows: users, groups, capabilities. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* Where the process was started as root it becomes the user, with its group and no other, and keeps no
 * capability; but CAP_NET_ADMIN, for socket marks, if net_admin is set. Else it stays who it is. 0 or -errno;
 * -ESRCH: there is no such user; -EINVAL: it is root by another name. After a failure it may still be root. */
int identity_leave_root(const char *user, bool net_admin);

/* Whether there is such a user, as text for people, a line without its newline. */
void identity_put_user(struct writer *w, const char *user);

/* Gives up every capability that the process may have: 0 or -errno. */
int identity_drop_capabilities(void);

/* SPDX-License-Identifier: ISC */
/* Gives up root and capabilities. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* If the process was started as root, it becomes the user, with the user's primary group and no
 * other; else it keeps its user. It drops every capability, except CAP_NET_ADMIN, which socket
 * marks need, if net_admin is set and the process has it. Returns NULL; or the reason, a static
 * text, if a step fails: then it may still be root, or it is the user but has no CAP_NET_ADMIN. For
 * a process that was not started as root, no step is an error. */
const char *privileges_leave_root(const char *user, bool net_admin);

/* Writes a line, without newline, that says whether a process started as root can become this user.
 */
void privileges_put_user(struct writer *w, const char *user);

/* Drops every capability. Returns 0, or -errno. */
int privileges_drop_capabilities(void);

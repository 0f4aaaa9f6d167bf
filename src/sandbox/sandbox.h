/* SPDX-License-Identifier: ISC */
/* The lock that the process puts itself behind, in stages.
 * Knows: their parts and order. Does not know: what is served, or whether it may be without. */
#pragma once

#include "sandbox/syscalls.h"
#include "wire/writer.h"

/* Enters the first stage, or several that may be the first one, before any byte of the client's is
 * read; there is no way back. stages and checker_pid as in sandbox/syscalls.h. 0; or -errno and in
 * *ret_part, a static text, which part could not be taken: then those that could be are in force.
 */
int sandbox_enter(unsigned stages, int checker_pid, const char **ret_part);

/* Goes on to fewer calls; and without capabilities, but to a stage that makes sockets for a client.
 * In the same way. */
int sandbox_tighten(unsigned stages, const char **ret_part);

/* Closes every descriptor above standard error: whoever started us may have left some open. */
void sandbox_close_inherited(void);

/* What this kernel has, as text for people, a line without its newline. */
void sandbox_put_kernel(struct writer *w);

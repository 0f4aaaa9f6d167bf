/* SPDX-License-Identifier: ISC */
/* The sandbox that the process enters, in stages. */
#pragma once

#include "sandbox/syscalls.h"
#include "wire/writer.h"

/* Enters the sandbox for the rest of the process's life, in the first stage, or in the union of
 * several stages that may be the first (stages and checker_pid as in sandbox/syscalls.h). Returns
 * 0; or -errno, and in *ret_part the name, a static text, of the first part that failed. The other
 * parts are in force then. */
int sandbox_start(unsigned stages, int checker_pid, const char **ret_part);

/* Enters the next stage, which allows fewer system calls. Drops all capabilities as well, unless
 * the stage creates sockets for a client. Returns as sandbox_start(). */
int sandbox_enter_stage(unsigned stages, const char **ret_part);

/* Closes every descriptor above standard error, which a parent process may have left open. */
void sandbox_close_inherited(void);

/* Writes a line, without newline, that says which parts of the sandbox this kernel has. */
void sandbox_put_kernel(struct writer *w);

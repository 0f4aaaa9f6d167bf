/* SPDX-License-Identifier: ISC */
/* The sandbox of the process. Its parts are PR_SET_NO_NEW_PRIVS, Landlock and seccomp. The process
 * enters it in stages (enum syscalls_stage), each of which allows fewer system calls. */
#pragma once

#include "sandbox/syscalls.h"
#include "wire/writer.h"

/* Enters the sandbox, which lasts until the process exits. `stages` has the bits of the stages of
 * which one will be the first: what any of them needs is allowed. The process group checker_pid may
 * be killed, unless that is 0. Returns 0. If a part fails, tries the others nevertheless, returns
 * the -errno of the first failure, and sets *ret_part to the name of that part, a static text. The
 * absence of Landlock is not a failure: then sets *ret_landlock_error to its -errno, otherwise to
 * 0. */
int sandbox_start(unsigned stages, int checker_pid, const char **ret_part, int *ret_landlock_error);

/* Enters the next stage: allows only the system calls that the given stage and all earlier ones
 * allow. Also drops all capabilities, unless the stage is SYSCALLS_CONNECT, SYSCALLS_BIND or
 * SYSCALLS_ASSOCIATE, whose sockets may need CAP_NET_RAW. Returns 0. If a part fails, tries the
 * other nevertheless, returns the -errno of the first failure, and sets *ret_part to the name of
 * that part, a static text. */
int sandbox_enter_stage(unsigned stages, const char **ret_part);

/* Closes all descriptors from the given one on, which a parent process may have left open. */
void sandbox_close_inherited(int first);

/* Writes a line for --check, without a newline: whether the kernel has seccomp, and which version
 * of Landlock it has. */
void sandbox_put_kernel(struct writer *w);

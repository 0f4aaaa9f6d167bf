/* SPDX-License-Identifier: ISC */
/* The steps by which the process gives up rights, and whether it may go on if a step fails: it may
 * if the configuration says "sandbox best-effort". Each function returns a refusal, whose reason is
 * NULL if the process may go on. */
#pragma once

#include "policy/config.h"

/* Why this process refuses service to every client. */
struct refusal {
	const char *reason; /* static text for log and record; NULL: service is not refused */
	int error;          /* the errno behind it, or 0 */
	/* The exit status of the process. 0: it depends on the end of the session. */
	int exit_status;
};

/* Gives up root, if the process was started as root (sandbox/privileges.h). */
struct refusal confine_leave_root(const struct config *config);

/* Enters the sandbox in the stages (bits of enum syscalls_stage) in which a session may begin.
 * checker_pid is a process group that may be killed, or 0. */
struct refusal confine_enter(const struct config *config, unsigned stages, int checker_pid);

/* Goes on to the next stage. */
struct refusal confine_to_stage(const struct config *config, unsigned stage);

/* In a child of the zygote: gives up the calls that only the zygote needs. */
struct refusal confine_leave_zygote(const struct config *config);

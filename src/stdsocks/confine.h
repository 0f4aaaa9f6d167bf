/* SPDX-License-Identifier: ISC */
/* Gives up the rights of the process, step by step. If a step fails, service is refused, unless
 * "sandbox best-effort" is configured. Each function returns a refusal, whose reason is NULL if
 * service is not refused. */
#pragma once

#include "policy/config.h"

/* The reason to refuse service, whatever the client requests. */
struct refusal {
	const char *reason; /* a static text for the record; NULL: service is not refused */
	int error;          /* the errno that belongs to the reason, or 0 */
	/* The exit status of the process; 0: it is determined by the end of the session. */
	int exit_status;
};

/* If the process was started as root, changes to the user of the configuration. Drops the
 * capabilities that are not needed. The reason in the result is NULL unless service is refused. */
struct refusal confine_leave_root(const struct config *config);

/* Enters the sandbox. `stages` has the bits (enum syscalls_stage) of the stages of which one will
 * be the first. The process group checker_pid may be killed, unless that is 0. The reason in the
 * result is NULL unless service is refused. */
struct refusal confine_enter(const struct config *config, unsigned stages, int checker_pid);

/* Enters the next stage of the sandbox (enum syscalls_stage). The reason in the result is NULL
 * unless service is refused. */
struct refusal confine_to_stage(const struct config *config, unsigned stage);

/* Returns the part of the sandbox that the process lacks although it serves the client, the last
 * one if there are several: Landlock, or a part that has failed with "sandbox best-effort". A
 * static text, or NULL. */
const char *confine_missing(void);

/* In a child of the zygote: gives up the calls that only the zygote needs. */
struct refusal confine_leave_zygote(const struct config *config);

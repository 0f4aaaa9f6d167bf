/* SPDX-License-Identifier: ISC */
/* The steps by which the process gives up rights, and whether it may go on if a step fails. */
#include "stdsocks/confine.h"

#include <string.h>

#include "sandbox/privileges.h"
#include "sandbox/sandbox.h"
#include "wire/large.h"

static const struct refusal not_refused = {.reason = NULL};

/* The last part that this process was found to lack, or NULL. */
static const char *missing;

const char *confine_missing(void)
{
	return missing;
}

/* Decides whether a failed step is fatal. Every failed step comes here, except that a kernel
 * without Landlock is not a failure (sandbox/sandbox.c). w has the text so far. */
static struct refusal decide(const struct config *config, struct writer *w, const char *cause,
	int error, const char *advice)
{
	writer_str(w, ": ");
	writer_str(w, cause);
	if (config->sandbox_best_effort) {
		w->bytes[w->len] = '\0'; /* it may be the second text here */
		missing = w->bytes;
		return not_refused;
	}
	writer_str(w, "; ");
	writer_str(w, advice);
	return (struct refusal){.reason = w->bytes, .error = error};
}

struct refusal confine_leave_root(const struct config *config)
{
	static char text[384] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);
	const bool marks = config->mark != 0 && config->commands != COMMAND_RESOLVE;
	const char *cause = privileges_leave_root(config->user, marks);

	if (!cause)
		return not_refused;
	writer_str(&w, "started as root and cannot become ");
	writer_escaped(&w, config->user, strlen(config->user));
	return decide(config, &w, cause, 0,
		"set \"user\" to another user, or \"sandbox best-effort\" to serve nevertheless");
}

static struct refusal decide_on_stage(
	const struct config *config, const char *stage, const char *part, int error)
{
	static char text[192] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);

	if (error == 0)
		return not_refused;
	writer_str(&w, stage);
	writer_str(&w, part);
	return decide(config, &w, strerror(-error), -error,
		"set \"sandbox best-effort\" to serve without");
}

/* A kernel without Landlock is no reason to refuse service. */
static void note_landlock(int error)
{
	static char text[96] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);

	if (error == 0)
		return;
	writer_str(&w, "no Landlock: ");
	writer_str(&w, strerror(-error));
	missing = text;
}

struct refusal confine_enter(const struct config *config, unsigned stages, int checker_pid)
{
	const char *part = "";
	int landlock_error = 0;
	const int error = sandbox_start(stages, checker_pid, &part, &landlock_error);

	note_landlock(landlock_error);
	return decide_on_stage(config, "cannot enter the sandbox: ", part, error);
}

struct refusal confine_to_stage(const struct config *config, unsigned stage)
{
	const char *part = "";
	const int error = sandbox_enter_stage(stage, &part);

	return decide_on_stage(config, "cannot enter the next stage of the sandbox: ", part, error);
}

struct refusal confine_leave_zygote(const struct config *config)
{
	return decide_on_stage(
		config, "cannot leave the zygote: ", "seccomp", syscalls_deny_zygote());
}

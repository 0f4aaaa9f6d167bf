/* SPDX-License-Identifier: ISC */
/* The lock that the process puts itself behind, in stages.
 * Knows: their parts and order. Does not know: what is served, or whether it may be without. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/landlock.h"
#include "sandbox/privileges.h"

/* A kernel without Landlock has none; one that denies it to us is another matter. */
static bool is_absent(int error)
{
	return error == -ENOSYS || error == -EOPNOTSUPP;
}

/* The part that all stages have, after another that came to error. */
static int limit_calls(int error, unsigned stages, int checker_pid, const char **ret_part)
{
	int calls = syscalls_limit(stages, checker_pid);
	if (calls < 0 && error == 0) {
		error = calls;
		*ret_part = "seccomp";
	}
	return error;
}

int sandbox_enter(unsigned stages, int checker_pid, const char **ret_part)
{
	int error = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		error = -errno;
		*ret_part = "no new privileges";
	}
	int files = landlock_limit();
	if (files < 0 && !is_absent(files) && error == 0) {
		error = files;
		*ret_part = "Landlock";
	}
	return limit_calls(error, stages, checker_pid, ret_part);
}

int sandbox_tighten(unsigned stages, const char **ret_part)
{
	/* A lookup takes none, and moving bytes neither. */
	const unsigned capable = SYSCALLS_CONNECT | SYSCALLS_BIND | SYSCALLS_ASSOCIATE;
	int error = stages & capable ? 0 : privileges_drop_capabilities();

	if (error < 0)
		*ret_part = "a process without capabilities";
	return limit_calls(error, stages, 0, ret_part);
}

void sandbox_close_inherited(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == 0 ||
		getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	/* A kernel before 5.9, or a container that does not know it. */
	for (rlim_t fd = STDERR_FILENO + 1; fd < limit.rlim_cur; fd++)
		close((int)fd);
}

void sandbox_put_kernel(struct writer *w)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	int version = landlock_version();

	writer_str(w, "sandbox: seccomp ");
	writer_str(w,
		syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
			? "is there, Landlock "
			: "is not there, Landlock ");
	if (version > 0) {
		writer_str(w, "has version ");
		writer_decimal(w, (uint64_t)version, 1);
	} else if (is_absent(version)) {
		writer_str(w, "is not there");
	} else {
		writer_str(w, "cannot be had: ");
		writer_str(w, strerror(-version));
	}
}

#ifdef __SANITIZE_ADDRESS__
/* At the end the leak detector would start a process to look into this one: what the lock is
 * against. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

/* SPDX-License-Identifier: ISC */
/* The sandbox of the process. Its parts are PR_SET_NO_NEW_PRIVS, Landlock and seccomp. The process
 * enters it in stages (enum syscalls_stage), each of which allows fewer system calls. */
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

/* Returns the first error of two parts, of which the second one returned result. */
static int first_error(int error, int result, const char *part, const char **ret_part)
{
	if (error < 0 || result == 0)
		return error;
	*ret_part = part;
	return result;
}

int sandbox_start(unsigned stages, int checker_pid, const char **ret_part, int *ret_landlock_error)
{
	int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
	int error = first_error(0, result, "PR_SET_NO_NEW_PRIVS", ret_part);

	result = landlock_limit();
	*ret_landlock_error = landlock_is_absent(result) ? result : 0;
	error = first_error(error, *ret_landlock_error ? 0 : result, "Landlock", ret_part);
	return first_error(error, syscalls_limit(stages, checker_pid), "seccomp", ret_part);
}

int sandbox_enter_stage(unsigned stages, const char **ret_part)
{
	/* Sockets with "source mark" need CAP_NET_RAW. */
	const unsigned capable = SYSCALLS_CONNECT | SYSCALLS_BIND | SYSCALLS_ASSOCIATE;
	int result = stages & capable ? 0 : privileges_drop_capabilities();
	int error = first_error(0, result, "dropping capabilities", ret_part);

	return first_error(error, syscalls_limit(stages, 0), "seccomp", ret_part);
}

void sandbox_close_inherited(int first)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, first, ~0U, 0) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	/* A kernel before 5.9, or a container without the call. */
	for (int fd = first; (rlim_t)fd < limit.rlim_cur; fd++)
		close(fd);
}

void sandbox_put_kernel(struct writer *w)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	int version = landlock_version();

	writer_str(w, "sandbox: seccomp ");
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		writer_str(w, "not ");
	writer_str(w, "available, Landlock ");
	if (version > 0) {
		writer_str(w, "version ");
		writer_decimal(w, (uint64_t)version, 1);
	} else {
		writer_str(w, "not available: ");
		writer_str(w, strerror(-version));
		writer_str(w,
			landlock_is_absent(version)
				? "; the kernel or SystemCallFilter= lacks it, and seccomp alone "
				  "protects files"
				: "; no client is served unless \"sandbox best-effort\" is set");
	}
}

#ifdef __SANITIZE_ADDRESS__
/* The leak detector would start a process that traces this one, which the sandbox prevents. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

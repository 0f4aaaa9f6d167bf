/* SPDX-License-Identifier: ISC */
/* Forbids the process to open files (landlock(7)). */
#include "sandbox/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's headers may lack these numbers, which are equal on every architecture. */
enum { CREATE_RULESET = 444, RESTRICT_SELF = 446 };

/* Every right on files, by version. Version 4 added rights on TCP ports, which are not limited:
 * while the process resolves and connects it needs any port, and afterwards connect(2) cannot reach
 * anything (sandbox/syscalls.c). */
static const uint64_t rights[] = {
	0, 0x1fff, 0x3fff /* REFER */, 0x7fff /* TRUNCATE */, 0x7fff, 0xffff /* IOCTL_DEV */};
#define VERSION_MAX (sizeof rights / sizeof rights[0] - 1)

/* struct landlock_ruleset_attr of version 6, for older headers. The kernel accepts a longer struct
 * than it knows if the end is zero. */
struct ruleset {
	uint64_t files, net, scoped;
};
/* Version 6 added scopes. This scope denies abstract AF_UNIX sockets, which rights on files do not
 * limit. */
enum { SCOPES_VERSION = 6, SCOPE_ABSTRACT_SOCKET = 1 };

int landlock_version(void)
{
	long version = syscall(CREATE_RULESET, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return version < 0 ? -errno : (int)version;
}

bool landlock_is_absent(int error)
{
	return error == -ENOSYS || error == -EOPNOTSUPP;
}

int landlock_limit(void)
{
	int version = landlock_version();
	if (version < 0)
		return version;
	const struct ruleset ruleset = {
		.files = rights[version < (int)VERSION_MAX ? version : (int)VERSION_MAX],
		.scoped = version >= SCOPES_VERSION ? SCOPE_ABSTRACT_SOCKET : 0};
	int fd = (int)syscall(CREATE_RULESET, &ruleset, sizeof ruleset, 0);
	if (fd < 0)
		return -errno;
	/* Without a rule, no file can be opened. */
	int error = syscall(RESTRICT_SELF, fd, 0) < 0 ? -errno : 0;
	close(fd);
	return error;
}

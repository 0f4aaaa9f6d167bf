/* SPDX-License-Identifier: ISC */
/* Limits the files that the process can open (Landlock). */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's headers may lack these numbers, which are equal on every architecture. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };

/* Read by getaddrinfo(3). */
static const char *const readable[] = {
	"/etc/hosts",
	"/etc/resolv.conf",
#ifdef __GLIBC__
	/* No library: of the services in nsswitch.conf(5), only files and dns work. */
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
#endif
};

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

/* Returns 0 for a file that is missing or unreachable: it cannot be opened later either. */
static int allow_reading(int ruleset_fd, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = open(path, O_PATH), /* it is closed before any execve(2) */
	};
	if (rule.parent_fd < 0) {
		bool is_nowhere =
			errno == ENOENT || errno == EACCES || errno == ELOOP || errno == ENOTDIR;
		return is_nowhere ? 0 : -errno;
	}
	long result = syscall(ADD_RULE, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	int error = result < 0 ? -errno : 0;
	close(rule.parent_fd);
	return error;
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
	int error = 0;
	for (size_t i = 0; error == 0 && i < sizeof readable / sizeof readable[0]; i++)
		error = allow_reading(fd, readable[i]);
	if (error == 0 && syscall(RESTRICT_SELF, fd, 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* SPDX-License-Identifier: ISC */
/* Gives up root and capabilities. */
#include "sandbox/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/dumps.h"

/* Sets the permitted and effective capabilities; those numbered 32 and above are dropped. */
static int set_capabilities(uint32_t permitted, uint32_t effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{.permitted = permitted, .effective = effective}};
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

static bool can_mark(void)
{
	const int mark = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const bool can = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;

	if (fd >= 0)
		close(fd);
	return can;
}

/* Keeps one capability for socket marks. CAP_NET_RAW is enough since Linux 5.17. CAP_NET_ADMIN
 * would let a compromised process change routes on the netlink socket that the sandbox allows.
 * Returns false if the process has neither. */
static bool keep_for_marks(void)
{
	const uint32_t raw = CAP_TO_MASK(CAP_NET_RAW), admin = CAP_TO_MASK(CAP_NET_ADMIN);

	if (set_capabilities(raw | admin, raw) == 0) {
		const uint32_t kept = can_mark() ? raw : admin;
		return set_capabilities(kept, kept) == 0;
	}
	return set_capabilities(raw, raw) == 0 || set_capabilities(admin, admin) == 0;
}

/* The system manager denies capset(2) to a process that it has given no capabilities. */
static bool never_had_any;

/* The sandbox does not allow this call. */
static bool has_none(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &header, sets) == 0 && sets[0].permitted == 0 &&
		sets[1].permitted == 0;
}

/* Returns the user; or NULL, with the reason in *ret_why. */
static const struct passwd *find(const char *user, const char **ret_why)
{
	const struct passwd *found;
	do { /* a signal may interrupt its read(2) */
		errno = 0;
		found = getpwnam(user);
	} while (!found && errno == EINTR);

	if (!found && errno != 0 && errno != ENOENT)
		*ret_why = strerror(errno);
	else if (!found)
		*ret_why = "no such user";
	/* To setresuid(2) and setresgid(2), -1 means no change. */
	else if (found->pw_uid == 0 || found->pw_uid == (uid_t)-1 || found->pw_gid == 0 ||
		found->pw_gid == (gid_t)-1)
		*ret_why = "its user or group ID is that of root";
	else
		return found;
	return NULL;
}

static const char *become(const struct passwd *to, bool marks)
{
	if (prctl(PR_SET_KEEPCAPS, marks, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(to->pw_gid, to->pw_gid, to->pw_gid) < 0 ||
		setresuid(to->pw_uid, to->pw_uid, to->pw_uid) < 0)
		return strerror(errno);
	dumps_disable(); /* a change of user resets it to fs.suid_dumpable */
	if (marks && keep_for_marks())
		return NULL;
	if (set_capabilities(0, 0) < 0)
		return strerror(errno);
	return marks ? "\"source mark\" needs CAP_NET_RAW (systemd: CapabilityBoundingSet=)" : NULL;
}

const char *privileges_leave_root(const char *user, bool marks)
{
	const char *why = NULL;

	/* The auxiliary vector saves a system call. */
	bool is_root = getauxval(AT_UID) == 0 || getauxval(AT_EUID) == 0;
	const struct passwd *to = is_root ? find(user, &why) : NULL;
	if (to)
		return become(to, marks);
	/* Another user may have been given a capability. */
	const bool keeps = marks && !is_root;
	if (!keeps || !keep_for_marks())
		never_had_any = set_capabilities(0, 0) == -EPERM && has_none();
	return why;
}

void privileges_put_user(struct writer *w, const char *user)
{
	const char *why;
	writer_str(w, "user: ");
	writer_escaped(w, user, strlen(user));
	if (find(user, &why)) {
		writer_str(w, " exists (used if the process is started as root)");
		return;
	}
	writer_str(w, ": ");
	writer_str(w, why);
	writer_str(w,
		"; a process that is started as root refuses service, unless \"sandbox "
		"best-effort\" "
		"is set");
}

int privileges_drop_capabilities(void)
{
	return never_had_any ? 0 : set_capabilities(0, 0);
}

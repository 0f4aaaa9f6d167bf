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
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/dumps.h"

/* Sets the permitted and effective capabilities; those numbered 32 and above are dropped. */
static int set_capabilities(uint32_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{.permitted = wanted, .effective = wanted}};
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
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

static const char *become(const struct passwd *to, bool net_admin)
{
	if (prctl(PR_SET_KEEPCAPS, net_admin, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(to->pw_gid, to->pw_gid, to->pw_gid) < 0 ||
		setresuid(to->pw_uid, to->pw_uid, to->pw_uid) < 0)
		return strerror(errno);
	dumps_disable(); /* a change of user resets it to fs.suid_dumpable */
	if (net_admin && set_capabilities(CAP_TO_MASK(CAP_NET_ADMIN)) == 0)
		return NULL;
	if (set_capabilities(0) < 0)
		return strerror(errno);
	return net_admin ? "\"source mark\" needs CAP_NET_ADMIN (systemd: CapabilityBoundingSet=)"
			 : NULL;
}

const char *privileges_leave_root(const char *user, bool net_admin)
{
	const char *why = NULL;

	/* The auxiliary vector saves a system call. */
	bool is_root = getauxval(AT_UID) == 0 || getauxval(AT_EUID) == 0;
	const struct passwd *to = is_root ? find(user, &why) : NULL;
	if (to)
		return become(to, net_admin);
	/* Another user may have been given CAP_NET_ADMIN. */
	const bool keeps = net_admin && !is_root;
	if (!keeps || set_capabilities(CAP_TO_MASK(CAP_NET_ADMIN)) < 0)
		never_had_any = set_capabilities(0) == -EPERM && has_none();
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
	return never_had_any ? 0 : set_capabilities(0);
}

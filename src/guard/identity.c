/* SPDX-License-Identifier: ISC */
/* Who the process is: not root. Knows: users, groups, capabilities. */
#include "guard/identity.h"

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

/* Sets the permitted and effective capabilities: those below 32, of which none above is wanted. */
static int set_capabilities(uint32_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{.permitted = wanted, .effective = wanted}};
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int identity_leave_root(const char *user, bool net_admin)
{
	if (getauxval(AT_UID) != 0 && getauxval(AT_EUID) != 0)
		return 0; /* what the kernel said at the start costs no call */

	const struct passwd *to;
	do { /* a signal may be in the way of its read(2) */
		errno = 0;
		to = getpwnam(user);
	} while (!to && errno == EINTR);
	if (!to)
		return errno == 0 || errno == ENOENT ? -ESRCH : -errno;
	if (to->pw_uid == 0)
		return -EINVAL;
	if (prctl(PR_SET_KEEPCAPS, net_admin, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(to->pw_gid, to->pw_gid, to->pw_gid) < 0 ||
		setresuid(to->pw_uid, to->pw_uid, to->pw_uid) < 0)
		return -errno;
	/* Another user has made it as dumpable as fs.suid_dumpable says. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return set_capabilities(net_admin ? CAP_TO_MASK(CAP_NET_ADMIN) : 0);
}

void identity_put_user(struct writer *w, const char *user)
{
	writer_str(w, "user: ");
	writer_escaped(w, user, strlen(user));
	writer_str(w,
		getpwnam(user) ? " is there, for a process that is started as root"
			       : " is not there; a process that is started as root serves nobody");
}

int identity_drop_capabilities(void)
{
	return set_capabilities(0);
}

/* SPDX-License-Identifier: ISC */
/* Who the client is: by its password, or because the kernel knows.
 * Knows: the users, the checkpassword program, the system's user names.
 * Does not know: the conversation. */
#pragma once

#include "net/checker.h"
#include "net/client.h"
#include "stdsocks/settings.h"
#include "wire/socks5.h"

struct login {
	struct settings *settings;
	bool splits; /* the checker was split off, and not yet asked */
	struct checker checker;
	const char *system_user; /* whom the kernel knows behind an AF_UNIX socket; NULL: nobody */
};

enum login_verdict {
	LOGIN_RIGHT,
	LOGIN_WRONG,  /* no such user, or not that password: nobody is told which */
	LOGIN_FAILED, /* the program could not tell; *ret_why says why */
	LOGIN_LATE,   /* the deadline is past */
	LOGIN_STOPPED /* a signal that ends the process came */
};

/* Before the client's first byte is read: the checkpassword program, if there is one, gets a
 * process of its own, and the system is asked for the name of the user behind an AF_UNIX socket. 0,
 * or -errno. */
int login_prepare(struct settings *settings, const struct client *client, bool with_stderr,
	struct login *ret_login);

/* Whether the login is right. Once: the secrets are forgotten then. With LOGIN_FAILED, *ret_why is
 * a text that stays. */
enum login_verdict login_ask(struct login *login, const struct socks5_login *offered,
	int64_t deadline_us, const char **ret_why);

/* Nobody will log in any more. */
void login_over(struct login *login);

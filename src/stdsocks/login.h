/* SPDX-License-Identifier: ISC */
/* Verifies a client's name and password, or finds the user who connected to an AF_UNIX socket. */
#pragma once

#include "net/checker.h"
#include "net/client.h"
#include "record/record.h"
#include "stdsocks/settings.h"
#include "wire/socks5.h"

/* All zero but settings, before login_prepare(). */
struct login {
	struct settings *settings;
	/* The process for the checkpassword program exists and was not used yet. */
	bool has_checker;
	struct checker checker;
	const char *system_user; /* the user name of SO_PEERCRED; NULL: none */
};

/* Starts the process for the checkpassword program, if one is configured, and looks up the name of
 * the user who connected to an AF_UNIX socket. Must be called before data of the client is read.
 * Returns 0, or -errno; on error there is no process. */
int login_prepare(struct login *login, const struct client *client, bool with_stderr);

/* Verifies a name and password and then calls login_close(). Returns RECORD_ONGOING if both are
 * right; RECORD_LOGIN_FAILED if the user is unknown or the password is wrong, which is not
 * distinguished; RECORD_FAILED if the checkpassword program failed, and sets *ret_why to the
 * reason, a static string; RECORD_HANDSHAKE_TIMEOUT if the deadline has passed; or
 * RECORD_TERMINATED if a signal ends the process. */
enum record_end login_ask(struct login *login, const struct socks5_login *offered,
	int64_t deadline_us, const char **ret_why);

/* Erases the secrets and ends the process for the checkpassword program. May be called again. */
void login_close(struct login *login);

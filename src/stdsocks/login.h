/* SPDX-License-Identifier: ISC */
/* Authentication: verifies the name and password of a client, or finds the user who connected to an
 * AF_UNIX socket. */
#pragma once

#include "net/checker.h"
#include "net/client.h"
#include "record/record.h"
#include "stdsocks/settings.h"
#include "wire/socks5.h"

/* Before login_prepare(), `settings` is set, and the other members are zero. */
struct login {
	struct settings *settings;
	bool has_checker; /* `checker` is a process to which no password was sent yet */
	struct checker checker;
	/* The name of the user who connected to an AF_UNIX socket (SO_PEERCRED); NULL: not known.
	 */
	const char *system_user;
};

/* Prepares authentication: starts a process for the checkpassword program, if one verifies
 * passwords, and looks up the name of a user who has connected to an AF_UNIX socket. If with_stderr
 * is true, the program inherits standard error. Must be called before data of the client is read.
 * Returns 0; or -errno if the process cannot be started. */
int login_prepare(struct login *login, const struct client *client, bool with_stderr);

/* Verifies a name and a password, and then calls login_close(). Returns one of these:
 * - RECORD_ONGOING if they are right;
 * - RECORD_LOGIN_FAILED if the user is unknown or the password is wrong;
 * - RECORD_FAILED, and in *ret_why the reason, a static string, if the checkpassword program has
 *   failed;
 * - RECORD_HANDSHAKE_TIMEOUT if deadline_us has passed;
 * - RECORD_TERMINATED if a signal that ends the process has arrived;
 * - RECORD_CLIENT_GONE if the client has disconnected. */
enum record_end login_ask(struct login *login, const struct socks5_login *offered,
	int64_t deadline_us, const char **ret_why);

/* Erases the secrets of all users from memory, and ends the process for the checkpassword program.
 * May be called several times. */
void login_close(struct login *login);

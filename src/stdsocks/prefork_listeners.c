/* SPDX-License-Identifier: ISC */
/* The listening sockets that a super-server passes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "stdsocks/prefork.h"
#include "stdsocks/slots.h"
#include "stdsocks/startup.h"
#include "text/words.h"

#define FIRST_FD (STDERR_FILENO + 1)

static bool is_listening(int fd)
{
	return client_on(fd, fd).kind == CLIENT_LISTENING;
}

/* Returns the number in an environment variable, or 0. */
static unsigned number_in(const char *name)
{
	const char *text = getenv(name);
	uint64_t number = 0;

	return text && words_number(text, strlen(text), INT32_MAX, &number) ? (unsigned)number : 0;
}

/* Returns the number of sockets from FIRST_FD on, as in sd_listen_fds(3), or 0. */
static unsigned count_passed(void)
{
	const unsigned count = number_in("LISTEN_FDS");

	if (count == 0 || number_in("LISTEN_PID") != (unsigned)getpid())
		return 0;
	for (unsigned i = 0; i < count; i++)
		if (!is_listening(FIRST_FD + (int)i))
			return 0;
	return count;
}

/* Replaces standard input and output by /dev/null, and standard error if it is a listening socket:
 * inetd passes the socket as all three. After that, standard error is never a client's connection.
 */
static bool replace_standard_descriptors(void)
{
	startup_fill_standard_descriptors();
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const bool are_replaced = null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
		dup2(null_fd, STDOUT_FILENO) >= 0 &&
		(!is_listening(STDERR_FILENO) || dup2(null_fd, STDERR_FILENO) >= 0);
	close(null_fd);
	return are_replaced;
}

static bool is_unix(int fd)
{
	int domain = AF_UNIX;
	socklen_t len = sizeof domain;

	/* After an error, each child enters the sandbox itself, which is always right. */
	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain == AF_UNIX;
}

/* A child blocks in accept4(2) on one socket. With several it waits with poll(2), and another child
 * may be faster. */
static void prepare(struct prefork_listeners *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		const int fd = l->fds[i] = FIRST_FD + (int)i;
		const int flags = fcntl(fd, F_GETFL);
		fcntl(fd, F_SETFL, l->count > 1 ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		l->has_unix |= is_unix(fd);
	}
}

bool prefork_find_listeners(const struct client *client, struct prefork_listeners *ret_listeners)
{
	struct prefork_listeners l = {.count = count_passed()};
	unsigned kept = l.count;

	if (l.count > 0)
		kept += slots_inherit_shared(FIRST_FD + (int)l.count);
	if (l.count == 0) {
		if (client->kind != CLIENT_LISTENING || dup2(STDIN_FILENO, FIRST_FD) < 0)
			return false;
		kept = l.count = 1;
	}
	if (l.count > PREFORK_LISTENERS_MAX) { /* prefork_run() reports it */
		*ret_listeners = l;
		return true;
	}
	if (!replace_standard_descriptors())
		l.count = kept = 0; /* prefork_run() reports it */
	sandbox_close_inherited(FIRST_FD + (int)kept);
	prepare(&l);
	*ret_listeners = l;
	return true;
}

/* SPDX-License-Identifier: ISC */
/* Messages to systemd (sd_notify(3)). Without $NOTIFY_SOCKET, nothing is sent. */
#include "stdsocks/prefork_notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/log_socket.h"

#define VARIABLE "NOTIFY_SOCKET"

void prefork_notify(const char *message)
{
	const char *where = getenv(VARIABLE);
	const int fd = where ? log_socket_open() : -1;

	if (fd < 0)
		return;
	if (log_socket_connect(fd, where))
		send(fd, message, strlen(message), MSG_NOSIGNAL);
	close(fd);
}

void prefork_notify_forget(void)
{
	char *where = getenv(VARIABLE);

	if (where)
		memset(where, 0, strlen(where)); /* /proc/PID/environ shows this memory */
	unsetenv(VARIABLE);
}

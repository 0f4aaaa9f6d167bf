/* SPDX-License-Identifier: ISC */
/* A datagram socket that sends to the journal, to syslog or to systemd (sd_notify(3)). */
#include "record/log_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int log_socket_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return above;
}

bool log_socket_connect(int fd, const char *where)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const size_t len = strlen(where);

	/* unix(7): the length of a path includes its NUL; an abstract name begins with a NUL. */
	if (len < 2 || len >= sizeof to.sun_path || (where[0] != '/' && where[0] != '@'))
		return false;
	memcpy(to.sun_path, where, len);
	if (where[0] == '@')
		to.sun_path[0] = '\0';
	socklen_t to_len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (where[0] == '/'));
	int result;
	do
		result = connect(fd, (const struct sockaddr *)&to, to_len);
	while (result < 0 && errno == EINTR);
	return result == 0;
}

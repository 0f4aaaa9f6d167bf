/* SPDX-License-Identifier: ISC */
/* A handler that only sends the two replies. Its latency is the lower limit for a handler; the
 * difference to a real one is the cost of configuration, sandbox and connect. */
#include <sys/socket.h>
#include <unistd.h>

enum { GREETING_LEN = 3, REQUEST_LEN = 10 }; /* of client.c: one method, IPv4 */

int main(void)
{
	static const unsigned char method[] = {5, 0};
	static const unsigned char reply[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	unsigned char bytes[REQUEST_LEN];

	if (recv(STDIN_FILENO, bytes, GREETING_LEN, MSG_WAITALL) < GREETING_LEN ||
		write(STDOUT_FILENO, method, sizeof method) < 0)
		return 1;
	if (recv(STDIN_FILENO, bytes, REQUEST_LEN, MSG_WAITALL) < REQUEST_LEN ||
		write(STDOUT_FILENO, reply, sizeof reply) < 0)
		return 1;
	return 0;
}

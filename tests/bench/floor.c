/* SPDX-License-Identifier: ISC */
/* The floor under setup latency: a handler that only answers. Whatever a real handler adds to this
 * (configuration, sandbox, dialling) is what the benchmark wants to see, so nothing is checked
 * here. Knows the length of the two messages; does not know their meaning. */
#include <sys/socket.h>
#include <unistd.h>

enum { GREETING_LEN = 3, REQUEST_LEN = 10 }; /* what the bench client sends: one method, IPv4 */

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

/* SPDX-License-Identifier: ISC */
/* A process of its own that looks names up, for a loop that must not wait.
 * Knows: fork, one process a name, messages. Does not know: what the addresses are for. */
#include "net/lookups.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/clock.h"
#include "wire/large.h"

struct question {
	uint32_t id;
	struct addr name;
};

int lookups_split(int *ret_fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = fork();
	int error = errno;
	close(ends[pid == 0 ? 0 : 1]);
	if (pid < 0) {
		close(ends[0]);
		return -error;
	}
	*ret_fd = ends[pid == 0 ? 1 : 0];
	return pid == 0;
}

/* One name, in a process that does nothing else: what a lookup without an answer leaves behind ends
 * with it. */
static void look_up(int fd, const struct question *q, struct resolve_list *list)
{
	static struct lookups_answer a LARGE;

	a.id = q->id;
	a.count = 0;
	if (resolve_name(&q->name, clock_after(clock_now_us(), LOOKUPS_TIMEOUT_US), list) ==
		RESOLVE_DONE)
		a.count = (uint32_t)list->count;
	for (uint32_t i = 0; i < a.count; i++) {
		a.addrs[i].len = list->addrs[i].len;
		memcpy(a.addrs[i].bytes, list->addrs[i].bytes, sizeof a.addrs[i].bytes);
	}
	send(fd, &a, offsetof(struct lookups_answer, addrs) + a.count * sizeof a.addrs[0],
		MSG_NOSIGNAL);
}

_Static_assert(offsetof(struct lookups_answer, addrs) == 2 * sizeof(uint32_t),
	"an answer without an address");

_Noreturn void lookups_serve(int fd, struct resolve_list *list)
{
	static struct question q;
	const struct sigaction leave_none = {.sa_handler = SIG_IGN};
	ssize_t n;

	sigaction(SIGCHLD, &leave_none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((n = recv(fd, &q, sizeof q, 0)) == sizeof q || (n < 0 && errno == EINTR)) {
		pid_t pid = n > 0 ? fork() : 1;
		if (pid > 0)
			continue;
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			look_up(fd, &q, list);
			break;
		}
		const uint32_t none[] = {q.id, 0};
		send(fd, none, sizeof none, MSG_NOSIGNAL);
	}
	_exit(0);
}

bool lookups_ask(int fd, uint32_t id, const struct addr *name)
{
	const struct question q = {.id = id, .name = *name};
	return send(fd, &q, sizeof q, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof q;
}

int lookups_hear(int fd, struct lookups_answer *ret_answer)
{
	ssize_t n = recv(fd, ret_answer, sizeof *ret_answer, MSG_DONTWAIT);
	const size_t head_len = offsetof(struct lookups_answer, addrs);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n < (ssize_t)head_len || ret_answer->count > RESOLVE_MAX ||
		(size_t)n != head_len + ret_answer->count * sizeof ret_answer->addrs[0])
		return 0;
	return 1;
}

struct addr lookups_addr(const struct lookups_answer *answer, uint32_t i, uint16_t port)
{
	const struct lookups_addr *a = &answer->addrs[i];

	if (a->len != 4 && a->len != 16)
		return (struct addr){.kind = ADDR_NONE};
	return addr_of(a->len == 4 ? ADDR_IPV4 : ADDR_IPV6, a->bytes, a->len, port);
}

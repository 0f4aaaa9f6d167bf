/* SPDX-License-Identifier: ISC */
/* Runs a checkpassword program (https://cr.yp.to/checkpwd/interface.html) in a child process. The
 * question to such a program is a name, a password and a timestamp. */
#include "net/checker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/wait.h"

_Static_assert(CHECKER_QUESTION_MAX <= PIPE_BUF, "one write(2) writes all of a question");

/* How long to wait for a killed program. The wait is bounded because a set-user-ID program cannot
 * be killed. */
#define KILLED_NS 200000000

enum { QUESTION_FD = 3, EXIT_NOT_FOUND = 127 };

/* Opens the program's descriptors and closes all others: it must not get the client's. */
static bool arrange_descriptors(int question_fd, bool with_stderr)
{
	int null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
		return false;
	if (!with_stderr && dup2(null_fd, STDERR_FILENO) < 0)
		return false;
	int fd = question_fd == QUESTION_FD ? fcntl(QUESTION_FD, F_SETFD, 0)
					    : dup2(question_fd, QUESTION_FD);
	return fd >= 0 && syscall(SYS_close_range, QUESTION_FD + 1, ~0U, 0) == 0;
}

/* The child: waits for a question and executes the program. */
static _Noreturn void run_child(char *const argv[], int question_fd, bool with_stderr)
{
	struct pollfd question = {.fd = QUESTION_FD, .events = POLLIN};
	sigset_t none;

	setpgid(0, 0); /* a kill ends its children, too */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!arrange_descriptors(question_fd, with_stderr))
		_exit(EXIT_NOT_FOUND);
	while (poll(&question, 1, -1) < 0 && errno == EINTR)
		;
	/* A child of prefork mode blocks signals, without which "wait" of a shell has no end. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (question.revents & POLLIN)
		execv(argv[0], argv);
	_exit(question.revents & POLLIN ? EXIT_NOT_FOUND : 0);
}

int checker_start(char *const argv[], bool with_stderr, struct checker *ret_checker)
{
	int ends[2];
	struct sigaction usual = {.sa_handler = SIG_DFL};

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	sigaction(SIGCHLD, &usual, NULL); /* if SIGCHLD is ignored, there is no exit status */
	pid_t pid = fork();
	if (pid < 0) {
		int error = errno;
		close(ends[0]);
		close(ends[1]);
		return -error;
	}
	if (pid == 0) {
		close(ends[1]); /* else poll(2) would not report the end of the pipe */
		run_child(argv, ends[0], with_stderr);
	}
	setpgid(pid, pid); /* also in the child, because either may run first */
	close(ends[0]);
	*ret_checker = (struct checker){.pid = pid, .question_fd = ends[1]};
	ret_checker->end_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret_checker->end_fd >= 0)
		return 0;
	int error = errno;
	checker_dismiss(ret_checker);
	return -error;
}

static int status_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int checker_ask(struct checker *checker, const void *question, size_t len, int64_t deadline_us)
{
	ssize_t written;
	do
		written = write(checker->question_fd, question, len);
	while (written < 0 && errno == EINTR);
	int error = written < 0 ? errno : 0;
	close(checker->question_fd);

	int ready = error ? -error : wait_for(checker->end_fd, POLLIN, deadline_us);
	struct pollfd end = {.fd = checker->end_fd, .events = POLLIN};
	const struct timespec killed = {.tv_nsec = KILLED_NS};
	if (ready < 0 && kill(-checker->pid, SIGKILL) == 0)
		ppoll(&end, 1, &killed, NULL);
	int status = ready < 0 ? ready : status_of(checker->pid);
	close(checker->end_fd);
	return status;
}

void checker_dismiss(struct checker *checker)
{
	close(checker->question_fd); /* the child then exits */
	status_of(checker->pid);
	if (checker->end_fd >= 0)
		close(checker->end_fd);
}

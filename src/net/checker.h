/* SPDX-License-Identifier: ISC */
/* Runs a checkpassword program (https://cr.yp.to/checkpwd/interface.html) in a child process. The
 * question to such a program is a name, a password and a timestamp. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Upper limit of the bytes of a question. It is at most PIPE_BUF, so that one write(2) writes all
 * of a question. */
#define CHECKER_QUESTION_MAX 1024

struct checker {
	pid_t pid;       /* of the child process, which is the leader of a process group */
	int question_fd; /* write end of a pipe; the program has the read end as descriptor 3 */
	int end_fd;      /* a pidfd: readable when the child has ended */
};

/* Starts a child process. The child waits for the question that checker_ask() sends, and then
 * executes the program. If question_fd is closed without a question, the child exits. argv ends
 * with NULL; argv[0] is the path of the program. The program has /dev/null as descriptors 0 and 1,
 * and also as descriptor 2 if with_stderr is false. Returns 0, or -errno; on error there is no
 * child. Call it before wait_prepare(), because the program would inherit the signals that
 * wait_prepare() blocks. */
int checker_start(char *const argv[], bool with_stderr, struct checker *ret_checker);

/* Sends a question of len bytes and waits until the program ends, at most until deadline_us. Closes
 * the descriptors; call it once. Returns the exit status of the program, or 128 plus the number of
 * the signal that ended it. Kills the program and returns -ETIMEDOUT at the deadline, -ECANCELED if
 * a signal that ends this process arrives (wait_prepare()), -ENOTCONN if a watched connection ends
 * (wait_watch()), or another -errno. */
int checker_ask(struct checker *checker, const void *question, size_t len, int64_t deadline_us);

/* Ends a child to which no question was sent, and closes the descriptors. Waits until it has ended.
 */
void checker_dismiss(struct checker *checker);

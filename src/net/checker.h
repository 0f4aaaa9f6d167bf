/* SPDX-License-Identifier: ISC */
/* The checkpassword program (https://cr.yp.to/checkpwd/interface.html) in a child process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of a question. At most PIPE_BUF, so that one write(2) writes all of it. */
#define CHECKER_QUESTION_MAX 1024

struct checker {
	pid_t pid;
	int question_fd; /* the write end of the pipe on the program's descriptor 3 */
	int end_fd;      /* a pidfd: readable when the child has ended */
};

/* Starts a child process that executes the program when checker_ask() sends a question, and exits
 * if it never does. argv ends in NULL; argv[0] is a path. The program has /dev/null on descriptors
 * 0 and 1 and, if with_stderr is false, on 2. Returns 0 or -errno. Call it before wait_prepare(),
 * because the program would inherit the blocked signals. */
int checker_start(char *const argv[], bool with_stderr, struct checker *ret_checker);

/* Sends the question and waits until the program ends. May be called once. Returns the exit status;
 * 128 plus the number of the signal that ended it; or -errno. After -ETIMEDOUT (deadline_us) and
 * -ECANCELED (wait_for()) the program has been killed. */
int checker_ask(struct checker *checker, const void *question, size_t len, int64_t deadline_us);

/* Ends a child that was not asked. */
void checker_dismiss(struct checker *checker);

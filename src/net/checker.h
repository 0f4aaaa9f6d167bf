/* SPDX-License-Identifier: ISC */
/* A program with the checkpassword interface (https://cr.yp.to/checkpwd/interface.html), in a
 * process of its own. Knows: fork, exec, descriptor 3. Does not know: what it is told, or who asks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of a question: less than a pipe takes at once (PIPE_BUF). */
#define CHECKER_QUESTION_MAX 1024

struct checker {
	pid_t pid;
	int question_fd; /* what is written here comes out of its descriptor 3 */
	int end_fd;      /* of the process: readable once it has ended */
};

/* Splits off a process that becomes the program when it is asked, and is gone when it never is.
 * argv ends in NULL, argv[0] is a path. The program has /dev/null on descriptors 0 and 1, and this
 * process's standard error if with_stderr. 0, or -errno. Before wait_prepare(): what that changes,
 * programs would inherit. */
int checker_start(char *const argv[], bool with_stderr, struct checker *ret_checker);

/* Asks, once, and waits for the end: the exit status; 128 and the signal that ended it; -ETIMEDOUT
 * after deadline_us or -ECANCELED of wait_for(), and it is killed; another -errno. */
int checker_ask(struct checker *checker, const void *question, size_t len, int64_t deadline_us);

/* Lets one go that was not asked. */
void checker_dismiss(struct checker *checker);

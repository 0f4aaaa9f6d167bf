/* SPDX-License-Identifier: ISC */
/* Reads values of a process from the kernel (proc(5)). All users may read them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_TITLE_MAX 4096 /* bytes of a title that are read */

#define PROCESS_UNKNOWN UINT64_MAX

/* The start distinguishes a process from earlier and later ones with the same PID. */
struct process {
	pid_t pid, parent, group, session;
	uint64_t start_us; /* CLOCK_BOOTTIME, rounded down to a clock tick */
};

/* Reads *ret_process. Returns false if the process has ended; then *ret_process is unchanged. A
 * process whose first thread has ended lives on while it has others. */
bool process_read(pid_t pid, struct process *ret_process);

/* Returns true if the process is in the cgroup of this unit or below it. */
bool process_is_in(pid_t pid, const char *unit);

/* Reads the title, the first argument of the command line, which the process can change. It can
 * contain any bytes. If the process has ended, the title is "". */
void process_title(pid_t pid, char title[PROCESS_TITLE_MAX + 1]);

/* Returns the CPU time in nanoseconds, or PROCESS_UNKNOWN. */
uint64_t process_cpu_ns(pid_t pid);

/* Returns the memory in bytes, or PROCESS_UNKNOWN: the proportional set size (PSS) or, if the
 * caller may not read that, the resident set size (RSS). */
uint64_t process_memory(pid_t pid);

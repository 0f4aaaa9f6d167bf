/* SPDX-License-Identifier: ISC */
/* The zygote: reads the configuration, enters the sandbox and forks the children. It reads no byte
 * of a client. */
#pragma once

#include <signal.h>

#include "net/name_files.h"
#include "record/log.h"
#include "stdsocks/prefork.h"
#include "stdsocks/prefork_pool.h"
#include "stdsocks/prefork_watch.h"
#include "stdsocks/session.h"

/* Ends a child that waits for a connection. A child that has accepted one blocks it, whereas
 * SIGTERM ends the connection. */
#define PREFORK_SURPLUS SIGUSR1

/* Memory of the zygote, which its children inherit. Descriptors are -1 if they are not open. */
struct zygote {
	const struct options *options;
	struct prefork_listeners listeners;
	int control; /* to the supervisor: reports, and the number of orphans from it */
	int handoff; /* to the supervisor: connections that children do not serve */
	pid_t supervisor, pid;

	struct settings settings;
	struct refusal refusal;
	struct log log;
	struct prefork_watch watch;
	/* The checkpassword program gets the environment, which a process title overwrites. */
	bool has_checkpassword;
	/* The zygote stays outside the sandbox. Each child enters it after it has accepted a
	 * connection, because it must open files or start a process before it reads the client's
	 * first byte. */
	bool is_outside_sandbox;
	/* Each child passes its connection to the supervisor: it may not see a file, and would not
	 * find a change of it; or the reason to refuse clients may have passed. */
	bool passes_all;
	int64_t renew_us; /* when another zygote reads the files again; 0: when one changes */

	/* Children write their PIDs to accepted[1] after they have accepted a connection. */
	int accepted[2];
	int signals;     /* signalfd(2) of SIGCHLD */
	int oom;         /* /proc/self/oom_score_adj */
	char own_oom[8]; /* its value when the zygote started */
	struct prefork_pool pool;
	struct prefork_report report, reported;
	int64_t report_us, tick_us; /* when the next report and the next tick are due */
	int64_t failure_us;         /* before this time, no failed fork is reported */
	int64_t pause_us, retry_us; /* after a failed fork: the pause, and its end; 0 otherwise */
};

/* Runs the zygote. To be called in a new process. Returns its exit status, when the supervisor has
 * ended, a file has changed, or a signal or an error ends the zygote. */
int prefork_zygote_run(struct zygote *z);

/* Gives this process the OOM score of a child, for a connection that a child has passed on. */
void prefork_zygote_raise_oom(void);

/* Sets what all children need: the signals that end the wait for a connection, after
 * wait_prepare(); and the limit of the address space. */
void prefork_child_catch_signals(void);
void prefork_child_limit_memory(void);

/* Runs a child of the zygote: accepts and serves one connection. Returns its exit status. */
int prefork_child_run(struct zygote *z);

/* SPDX-License-Identifier: ISC */
/* What the measuring programs share: contestants, figures, and the client and upstream sides.
 * Everything is on 127.0.0.1, and every wait ends: sockets carry WAIT_TIMEOUT_MS both ways. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_TIMEOUT_MS 5000
#define FIGURES_MAX     3 /* that one slice of a measure yields, or that are reported of it */

/* A growable list of numbers. Zero-initialised is empty; freed at exit only. */
struct series {
	double *value;
	size_t len, cap;
};

/* One proxy under test. role is direct, floor, handler or peer; direct has port 0: no proxy. */
struct contestant {
	const char *role, *label;
	uint16_t port;
	struct series figure[FIGURES_MAX]; /* one value per round */
	struct series samples;             /* all rounds together, where percentiles are wanted */
};

/* Where the proxies connect to. Three ports: echo, sink (reads), source (writes). */
struct upstream {
	uint16_t echo_port, sink_port, source_port;
	int echo_fd, sink_fd, source_fd, epoll_fd;
	atomic_int open_count;        /* connections accepted and not yet closed */
	atomic_ullong received_bytes; /* by the sink, since the start */
};

/* What to measure and how much of it. */
struct plan {
	struct upstream *upstream;
	struct contestant *contestants;
	size_t contestants_len;
	int rounds;
	int count;    /* samples a round, or connections */
	int slice_ms; /* one contestant's share of one round */
	int gap_us;   /* pause between two samples */
	int streams;  /* parallel streams or workers */
	int message_len;
	bool upload;
	int failures;
};

/* One contestant, one round: puts its figures into ret_figure. 0, or -1 after saying why. */
typedef int slice_fn(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX]);

/* util.c */
int64_t now_us(void);
void sleep_us(int64_t us);
void series_add(struct series *s, double value);
double series_percentile(const struct series *s, double percent); /* of a non-empty series */
/* The system's busy CPU time since boot, all processors. */
int64_t system_busy_us(void);
/* Memory that is in use and could not simply be taken back, system-wide. */
int64_t system_used_bytes(void);

/* client.c */
/* A listening socket on 127.0.0.1; *port 0 means any, and is set. -1 and errno on failure. */
int client_listen(uint16_t *port);
/* A connected socket with TCP_NODELAY and timeouts. -1 and errno on failure. */
int client_connect(uint16_t port);
/* The same, then SOCKS5 through the contestant to upstream_port (or directly, if it is no proxy);
 * returns once the reply has arrived. -1 after saying why. */
int client_open(const struct contestant *c, uint16_t upstream_port);
/* Exactly len bytes out, or in. 0, or -1 with errno (0 at end of file). */
int client_send(int fd, const void *bytes, size_t len);
int client_receive(int fd, void *bytes, size_t len);

/* upstream.c */
void upstream_start(struct upstream *up);
/* A new echo_port. Every connection leaves a TIME_WAIT, and once there are some twenty thousand to
 * one port, connect() spends its time on finding a free local one. */
void upstream_renew(struct upstream *up);
/* Waits until no connection is left; what lingers would disturb the next contestant. 0, or -1. */
int upstream_drain(struct upstream *up);

/* measures: setup.c, stream.c, memory.c */
slice_fn setup_slice;    /* p50 of the round, us; adds to samples */
slice_fn rate_slice;     /* setups a second */
slice_fn bulk_slice;     /* Gbit/s, CPU seconds per GiB */
slice_fn pingpong_slice; /* round trips a second */
slice_fn memory_slice;   /* KB per idle connection, both ends' own sockets included */

#endif

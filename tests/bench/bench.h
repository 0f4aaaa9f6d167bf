/* SPDX-License-Identifier: ISC */
/* What the measuring programs share: contestants, figures, and the client and upstream sides.
 * Everything is on 127.0.0.1, and every wait ends: sockets carry WAIT_TIMEOUT_MS both ways. */
#ifndef BENCH_H
#define BENCH_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define WAIT_TIMEOUT_MS 5000
#define DATAGRAMS_MAX   64   /* that one system call takes or sends */
#define DATAGRAM_CAP    2048 /* bytes of each, headers included */
#define FIGURES_MAX     4    /* that one slice of a measure yields, or that are reported of it */

/* A growable list of numbers. Zero-initialised is empty; freed at exit only. */
struct series {
	double *value;
	size_t len, cap;
};

/* One proxy under test. role is direct, floor, handler or peer; direct has port 0: no proxy. */
struct contestant {
	const char *role, *label;
	uint16_t port;
	int group; /* its processes' group, 0 if there is none or it is not known */
	struct series figure[FIGURES_MAX]; /* one value per round */
	struct series samples;             /* all rounds together, where percentiles are wanted */
};

/* Where the proxies connect to. Three ports: echo, sink (reads), source (writes); and two for datagrams. */
struct upstream {
	uint16_t echo_port, sink_port, source_port;
	int echo_fd, sink_fd, source_fd, epoll_fd;
	atomic_int open_count;        /* connections accepted and not yet closed */
	atomic_ullong received_bytes; /* by the sink, since the start */
	uint16_t udp_echo_port, udp_sink_port;
	int udp_echo_fd, udp_sink_fd;
	atomic_ullong received_datagrams; /* by the sink for datagrams */
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
	int streams;  /* parallel streams or workers, or datagrams in flight */
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
/* The CPU time that the processes of a group have taken so far, those that have ended not among them. */
int64_t group_cpu_us(int group);
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
/* An association (UDP ASSOCIATE) through the contestant, which lasts as long as the connection that is
 * returned, and the port on 127.0.0.1 that it takes datagrams at. -1 after saying why. */
int client_associate(const struct contestant *c, uint16_t *ret_port);
/* A socket for datagrams on 127.0.0.1, with timeouts and room for a burst; connected to a port, or, where
 * that is 0, bound to any, which is set. -1 and errno on failure. */
int client_datagrams(uint16_t *port);
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

/* datagrams.c */
struct datagrams {
	struct mmsghdr message[DATAGRAMS_MAX], departure[DATAGRAMS_MAX];
	struct iovec piece[DATAGRAMS_MAX];
	struct sockaddr_in peer[DATAGRAMS_MAX];
	_Alignas(struct cmsghdr) char control[DATAGRAMS_MAX][CMSG_SPACE(sizeof(uint16_t))];
	char bytes[DATAGRAMS_MAX][DATAGRAM_CAP];
};

/* Whether those to one peer go out as one (UDP_SEGMENT), as QUIC's do; both ends'. */
extern bool datagrams_as_trains;

/* Room for many, to be used again and again; exits if there is none. */
struct datagrams *datagrams_new(void);
/* Waits for one, takes up to max: how many, or -1 and errno. */
int datagrams_receive(int fd, struct datagrams *d, int max);
/* Sends the first count, to where they came from, or (is_connected) to the peer. 0, or -1 and errno. */
int datagrams_send(int fd, struct datagrams *d, int count, bool is_connected);

/* measures: setup.c, stream.c, udp.c, memory.c */
slice_fn setup_slice;    /* p50 of the round, us; adds to samples */
slice_fn rate_slice;     /* setups a second */
slice_fn bulk_slice;     /* Gbit/s, CPU seconds per GiB */
slice_fn pingpong_slice; /* round trips a second */
/* Datagrams passed on a second; lost ones; CPU seconds per million, the system's and the proxy's. */
slice_fn udp_slice;
slice_fn udp_pingpong_slice; /* round trips a second */
slice_fn flood_slice;        /* datagrams arrived a second, percent of those sent */
slice_fn memory_slice;       /* KB per idle connection, both ends' own sockets included */

#endif

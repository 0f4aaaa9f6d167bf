/* SPDX-License-Identifier: ISC */
/* What the files of the measuring program share: the plan of a slice, and the client and upstream
 * sides. Everything is on 127.0.0.1, and every wait ends: the client's sockets carry
 * WAIT_TIMEOUT_MS both ways. */
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
#define BULK_CAP        (256 * 1024) /* bytes that one call of a bulk transfer moves at most */

/* Where the proxies connect to. Three ports: echo, sink (reads), source (writes); and two for
 * datagrams. */
struct upstream {
	uint16_t echo_port, sink_port, source_port;
	atomic_int open_count;        /* connections accepted and not yet closed */
	atomic_ullong received_bytes; /* by the sink */
	uint16_t udp_echo_port, udp_sink_port;
	int udp_echo_fd, udp_sink_fd;
	atomic_ullong received_datagrams; /* by the sink for datagrams */
	int segment_len; /* of the datagrams that both ends send as one (UDP_SEGMENT), like QUIC; or 0 */
};

/* One slice: whom to measure, and how much of it. */
struct plan {
	const char *label;
	uint16_t port; /* of the proxy; 0 measures without a proxy */
	int group;     /* of its processes; 0 if it is not known */
	struct upstream upstream;
	int count;    /* samples */
	int slice_ms; /* how long to measure */
	int gap_us;   /* pause between two samples */
	int streams;  /* parallel streams or workers, or datagrams in flight */
	int message_len;
	bool upload;
};

/* Measures one slice and writes its figures with figure(). Returns 0, or -1 after saying why. */
typedef int slice_fn(struct plan *plan);

/* bench.c */
void figure(double value);
int64_t now_us(void);
void sleep_us(int64_t us);
void thread_start(pthread_t *ret_thread, void *(*run)(void *), void *arg);
/* The system's busy CPU time since boot, all processors. */
int64_t system_busy_us(void);
/* The CPU time that the processes of a group have taken so far, those that have ended not among
 * them. */
int64_t group_cpu_us(int group);

/* client.c */
/* A socket of that type (SOCK_STREAM or SOCK_DGRAM), bound to any port of 127.0.0.1, which is set;
 * a stream's listens. Exits on failure. */
int client_listen(int type, uint16_t *ret_port);
/* A socket of that type, connected to the port, with timeouts; TCP_NODELAY, or room for a burst of
 * datagrams. -1 after saying why, of label. */
int client_connect(const char *label, int type, uint16_t port);
/* A stream through the proxy to upstream_port, or directly, if there is none; returns once the
 * reply has arrived. -1 after saying why. */
int client_open(const struct plan *plan, uint16_t upstream_port);
/* An association (UDP ASSOCIATE) through the proxy, which lasts as long as the connection that is
 * returned, and the port on 127.0.0.1 that it takes datagrams at. -1 after saying why. */
int client_associate(const struct plan *plan, uint16_t *ret_port);
/* Exactly len bytes out, or in. 0, or -1 with errno (0 at end of file). */
int client_send(int fd, const void *bytes, size_t len);
int client_receive(int fd, void *bytes, size_t len);
/* Sends, or receives, as much as goes until the connection ends; adds what was received to the
 * counter. */
void client_pump(int fd, bool sends, atomic_ullong *received_bytes);

/* upstream.c */
/* For so many connections at a time. */
void upstream_start(struct upstream *up, int streams);
/* Waits until no connection is left; what lingers would disturb the next slice. 0, or -1. */
int upstream_drain(struct upstream *up);

/* stream.c */
slice_fn setup_slice;    /* us, of each sample */
slice_fn rate_slice;     /* setups a second */
slice_fn bulk_slice;     /* Gbit/s, CPU seconds per GiB */
slice_fn pingpong_slice; /* round trips a second */

/* udp.c */
/* Starts the echo and the sink for datagrams. */
void udp_start(struct upstream *up);
/* Datagrams passed on a second; lost ones; CPU seconds per million, the system's and the
 * proxy's. */
slice_fn udp_slice;
slice_fn flood_slice; /* datagrams arrived a second, percent of those sent */

#endif

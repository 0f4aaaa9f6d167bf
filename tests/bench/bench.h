/* SPDX-License-Identifier: ISC */
/* Declarations of the program bench: the plan of a slice, the client, and the upstream. All sockets
 * are on 127.0.0.1. Sends and receives of the client time out after WAIT_TIMEOUT_MS. */
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
#define BULK_CAP        (256 * 1024) /* bytes per system call of a bulk transfer */

/* The servers that the proxies connect to: echo, sink (reads) and source (writes) for streams, echo
 * and sink for datagrams. */
struct upstream {
	uint16_t echo_port, sink_port, source_port;
	atomic_int open_count;        /* connections accepted and not yet closed */
	atomic_ullong received_bytes; /* by the sink */
	uint16_t udp_echo_port, udp_sink_port;
	int udp_echo_fd, udp_sink_fd;
	atomic_ullong received_datagrams; /* by the sink for datagrams */
	/* The length of datagrams in GSO batches (UDP_SEGMENT), as QUIC sends them; 0: no batches.
	 */
	int segment_len;
};

/* One slice: the server to measure, and the amount of work. */
struct plan {
	const char *label;
	uint16_t port; /* of the proxy, or 0 to measure without a proxy */
	int group;     /* process group of the proxy, or 0 if it is unknown */
	struct upstream upstream;
	int count;    /* samples */
	int slice_ms; /* duration */
	int gap_us;   /* pause between samples */
	/* Between the starts of samples; 0: gap_us applies. */
	int interval_us;
	int streams; /* parallel streams or workers, or datagrams in flight */
	int message_len;
	bool upload;
	const char *host; /* a name of 127.0.0.1 that is requested in its place, or NULL */
};

/* Measures one slice and prints its figures with figure(). Returns 0, or -1 after a message. */
typedef int slice_fn(struct plan *plan);

/* bench.c */
void figure(double value);
int64_t now_us(void);
void sleep_us(int64_t us);
void thread_start(pthread_t *ret_thread, void *(*run)(void *), void *arg);
/* Returns the busy time of all processors since boot. */
int64_t system_busy_us(void);
/* Returns the CPU time of the running processes of a group. */
int64_t group_cpu_us(int group);

/* client.c */
/* Returns a socket of type SOCK_STREAM, which listens, or SOCK_DGRAM, bound to a free port. Exits
 * on failure. */
int client_listen(int type, uint16_t *ret_port);
/* Connects a socket of this type, with timeouts, and with TCP_NODELAY or large buffers for
 * datagrams. Returns the socket, or -1 after a message that begins with label. */
int client_connect(const char *label, int type, uint16_t port);
/* Connects to upstream_port, through the proxy if there is one, and waits for its reply. If the
 * plan has a host, the proxy resolves it, or without a proxy getaddrinfo(3). Returns the socket, or
 * -1 after a message. */
int client_open(const struct plan *plan, uint16_t upstream_port);
/* Requests UDP ASSOCIATE. Returns the connection, which the association lasts as long as, or -1
 * after a message. *ret_port is the port at which the proxy receives datagrams. */
int client_associate(const struct plan *plan, uint16_t *ret_port);
/* Send or receive exactly len bytes. Return 0, or -1 with errno, which is 0 at the end of file. */
int client_send(int fd, const void *bytes, size_t len);
int client_receive(int fd, void *bytes, size_t len);
/* Sends or receives until the connection ends, and adds received bytes to the counter. */
void client_pump(int fd, bool sends, atomic_ullong *received_bytes);

/* upstream.c */
/* Starts the servers, for this number of parallel connections. */
void upstream_start(struct upstream *up, int streams);
/* Waits for the end of all connections, so that they do not disturb the next slice. Returns 0, or
 * -1 after WAIT_TIMEOUT_MS. */
int upstream_drain(struct upstream *up);

/* stream.c */
slice_fn setup_slice;    /* us, of each sample */
slice_fn rate_slice;     /* connections per second */
slice_fn burst_slice;    /* ms until the last of several connections at once is set up */
slice_fn bulk_slice;     /* Gbit/s, CPU seconds per GiB */
slice_fn pingpong_slice; /* round trips per second */

/* udp.c */
/* Starts the echo and the sink for datagrams. */
void udp_start(struct upstream *up);
/* Datagrams relayed per second, lost datagrams, CPU seconds per million datagrams of the system,
 * and of the proxy. */
slice_fn udp_slice;
slice_fn flood_slice; /* datagrams received per second, and their percentage of those sent */

#endif

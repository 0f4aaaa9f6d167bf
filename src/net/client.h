/* SPDX-License-Identifier: ISC */
/* The client: on standard input and output, as super-servers pass it, or on another socket. */
#pragma once

#include "net/endpoint.h"
#include "wire/addr.h"

enum client_kind {
	CLIENT_GONE,      /* a TCP connection that has already been closed */
	CLIENT_INET,      /* TCP over IPv4 or IPv6 */
	CLIENT_UNIX,      /* a stream socket of AF_UNIX */
	CLIENT_OTHER,     /* a stream socket of another family: AF_VSOCK */
	CLIENT_STDIO,     /* not a socket: pipes or files */
	CLIENT_TERMINAL,  /* a terminal */
	CLIENT_LISTENING, /* a listening socket */
	CLIENT_DATAGRAM,  /* a socket that is not a stream socket */
	CLIENT_CLOSED     /* a descriptor is not open */
};

struct client {
	enum client_kind kind;
	struct addr remote;  /* the client's address; ADDR_NONE unless CLIENT_INET */
	uint16_t local_port; /* the port that it connected to; 0 unless CLIENT_INET */
	/* The user id of the client on a named AF_UNIX socket (SO_PEERCRED), or -1. The user id of
	 * a socketpair(2) is not the client's but that of the process that created the pair (socat,
	 * for example). */
	int64_t uid;
	struct endpoint endpoint;
};

/* Examines the descriptors that the client is read from and written to. For a socket, both may be
 * the same. */
struct client client_on(int in, int out);

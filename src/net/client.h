/* SPDX-License-Identifier: ISC */
/* The client's connection: on standard input and output, where a super-server puts it, or on a
 * socket that was accepted. */
#pragma once

#include "net/endpoint.h"
#include "wire/addr.h"

/* The kind of standard input. */
enum client_kind {
	CLIENT_GONE,      /* a stream socket whose connection has already ended */
	CLIENT_INET,      /* a TCP connection over IPv4 or IPv6 */
	CLIENT_UNIX,      /* a connected stream socket of AF_UNIX */
	CLIENT_OTHER,     /* a connected stream socket of another family, such as AF_VSOCK */
	CLIENT_STDIO,     /* no socket and no terminal: a pipe or a file */
	CLIENT_TERMINAL,  /* a terminal */
	CLIENT_LISTENING, /* a listening socket */
	CLIENT_DATAGRAM,  /* a socket that is not a stream socket */
	CLIENT_CLOSED     /* a descriptor is not open */
};

struct client {
	enum client_kind kind;
	struct addr remote;  /* the client's address; ADDR_NONE unless CLIENT_INET */
	uint16_t local_port; /* the port to which it has connected; 0 unless CLIENT_INET */
	/* Of CLIENT_UNIX: the user ID of the client (SO_PEERCRED); otherwise -1. It is also -1 for
	 * a socketpair(2), whose SO_PEERCRED is the user who created the pair, which may be a proxy
	 * such as socat. */
	int64_t uid;
	struct endpoint endpoint;
};

/* Examines the descriptors that the client is read from and written to; for a socket, both can be
 * equal. Also calls endpoint_set_oob_inline() for a connected socket. */
struct client client_on(int in, int out);

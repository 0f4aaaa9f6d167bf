/* SPDX-License-Identifier: ISC */
/* Who is on standard input and output. Knows: what super-servers hand over. */
#pragma once

#include "net/endpoint.h"
#include "wire/addr.h"

enum client_kind {
	CLIENT_GONE,      /* a connection that had ended before we looked */
	CLIENT_INET,      /* TCP over IPv4 or IPv6 */
	CLIENT_UNIX,      /* a stream socket of AF_UNIX */
	CLIENT_OTHER,     /* a stream socket of another family: AF_VSOCK */
	CLIENT_STDIO,     /* no socket: pipes or files */
	CLIENT_TERMINAL,  /* a person: not to be served */
	CLIENT_LISTENING, /* a socket that was not accepted */
	CLIENT_DATAGRAM,  /* a socket without connections */
	CLIENT_CLOSED     /* descriptor 0 or 1 is not open */
};

struct client {
	enum client_kind kind;
	struct addr remote;  /* where it calls from; ADDR_NONE unless CLIENT_INET */
	uint16_t local_port; /* where it called to; 0 unless CLIENT_INET */
	/* Who connected to the path or the abstract name of an AF_UNIX socket, as the kernel knows
	 * it, or -1. An end of socketpair(2), such as socat's, is nobody's: whoever made the pair
	 * stands before the client. */
	int64_t uid;
	struct endpoint endpoint; /* descriptors 0 and 1 */
};

struct client client_on_stdio(void);

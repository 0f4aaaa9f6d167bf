/* SPDX-License-Identifier: ISC */
/* The status of an open connection: one line for systemctl status (stdsocks(8), STATUS), which is
 * sent to systemd through $NOTIFY_SOCKET (sd_notify(3)). */
#pragma once

#include "record/record.h"

/* The shortest time between two messages to systemd, and before the first one, in microseconds. */
#define STATUS_PAUSE_US INT64_C(1000000)

/* The amounts in a message, rounded down as it shows them: bytes, and bytes per second. */
struct status_amounts {
	uint64_t up, down, rate;
};

/* The socket to systemd, and the last message that was sent. */
struct status {
	int fd;        /* the socket, open until the process exits; -1: no messages are sent */
	bool has_sent; /* a message was sent */
	struct status_amounts sent; /* the amounts in the last message */
	uint64_t sent_moved;        /* bytes moved in both directions before the last message */
	/* When the last message was sent, as total_us of the record. Before the first message, when
	 * the relay began. */
	int64_t sent_us;
};

/* Connects to $NOTIFY_SOCKET. Makes no system call if the variable is not set. Call it before the
 * sandbox is entered, which forbids this. */
struct status status_open(void);

/* Call this at the start of the relay. now_us is the time since the start of the process, as
 * total_us of the record. Returns true if messages are to be sent. */
bool status_begin(struct status *status, int64_t now_us);

/* Sends a message with the status of the record, of which up, down and total_us are current. Sends
 * nothing if the last message had the same amounts. Never blocks. Returns true if the next call is
 * not necessary before bytes have moved. Returns false if it is: the message shows a rate that will
 * change, or it could not be sent because the socket is full. */
bool status_send(struct status *status, const struct record *record);

/* Upper limit of the bytes of a status: a user name, all escaped (765), a destination, all escaped,
 * and its port (1026), an address (45), a command (13), three amounts (9 each), an age (14), and
 * the text between them. */
#define STATUS_MAX 2304

/* Writes the status as one line without a newline. The names that the client has sent are escaped.
 * The rate is in bytes per second; 0: it is not written. */
void status_put(struct writer *w, const struct record *record, uint64_t rate);

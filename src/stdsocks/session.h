/* SPDX-License-Identifier: ISC */
/* The conversation with one client, from its greeting to the record.
 * Knows: the protocol and the sockets; no other file knows both. */
#pragma once

#include "net/client.h"
#include "policy/config.h"
#include "record/record.h"

/* Serves the client on descriptors 0 and 1 until the connection is over and fills *ret_record. With
 * trace, shows each message on standard error. Blocks for as long as it takes; may be called once in
 * a process's life. */
void session_run(const struct config *config, const struct client *client, int64_t start_us,
	bool trace, struct record *ret_record);

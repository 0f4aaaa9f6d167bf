/* SPDX-License-Identifier: ISC */
/* --trace: writes each message with the meaning of its bytes to standard error. */
#pragma once

#include "wire/socks5.h"

/* Writes to standard error a message that the sender ("client", "stdsocks") sent. Standard error
 * must not be the client's connection (struct log). */
void trace_message(
	const char *sender, enum socks5_message message, const uint8_t *bytes, size_t len);

/* SPDX-License-Identifier: ISC */
/* What --trace shows: each message with its meaning. Knows: standard error's form of it. */
#pragma once

#include "wire/socks5.h"

/* Writes a message that `who` ("client", "stdsocks") sent onto standard error, which must be ours
 * (struct log). */
void trace_message(const char *who, enum socks5_message message, const uint8_t *bytes, size_t len);

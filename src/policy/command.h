/* SPDX-License-Identifier: ISC */
/* The commands that can be configured, and their words. */
#pragma once

#include <stdint.h>

/* Bits: what "command" lists and a rule's "command" asks for. */
enum command {
	COMMAND_CONNECT = 1,
	COMMAND_BIND = 2,
	COMMAND_UDP = 4,    /* UDP ASSOCIATE */
	COMMAND_RESOLVE = 8 /* Tor's RESOLVE and RESOLVE_PTR */
};

/* What can be said, for people. */
#define COMMAND_WORDS "there are connect, bind, udp and resolve"

/* The command that a word of the configuration means, or 0; and the number of a request for it, or
 * 0. */
unsigned command_of_word(const char *word);
uint8_t command_number(const char *word);

/* The command that a request's number means (RFC 1928 s4), or 0. */
unsigned command_of_number(uint8_t number);

/* The word of the command that a request's number means; it must be one of them. */
const char *command_word(uint8_t number);

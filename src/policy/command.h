/* SPDX-License-Identifier: ISC */
/* The commands of a request, as the configuration names them. */
#pragma once

#include <stdint.h>

/* Bits: of the keyword "command", and of the clause "command" of a rule. */
enum command {
	COMMAND_CONNECT = 1,
	COMMAND_BIND = 2,
	COMMAND_UDP = 4,    /* UDP ASSOCIATE */
	COMMAND_RESOLVE = 8 /* Tor's RESOLVE and RESOLVE_PTR */
};

/* The advice of an error message. */
#define COMMAND_ADVICE "use connect, bind, udp or resolve"

/* Returns the command of a word, or 0 if there is none. */
unsigned command_of_word(const char *word);

/* Returns the number of a word's command in a request (RFC 1928 s4), or 0 if there is none. */
uint8_t command_number(const char *word);

/* Returns the command of a number in a request, or 0 if there is none. */
unsigned command_of_number(uint8_t number);

/* Returns the word of a number. The number must be that of a command. */
const char *command_word(uint8_t number);

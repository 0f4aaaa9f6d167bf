/* SPDX-License-Identifier: ISC */
/* The commands of a request, as the configuration names them. */
#pragma once

#include <stdint.h>

/* The commands that the configuration distinguishes, as bits. In the configuration they are words:
 * "connect", "bind", "udp" and "resolve". */
enum command {
	COMMAND_CONNECT = 1,
	COMMAND_BIND = 2,
	COMMAND_UDP = 4,    /* UDP ASSOCIATE */
	COMMAND_RESOLVE = 8 /* Tor's RESOLVE and RESOLVE_PTR */
};

/* The end of an error message about an unknown word. */
#define COMMAND_ADVICE "use connect, bind, udp or resolve"

/* Returns the enum command of a word, or 0 if the word is unknown. */
unsigned command_of_word(const char *word);

/* Returns the CMD octet (RFC 1928 s4) for a word, or 0 if the word is unknown. For "resolve" this
 * is the octet of RESOLVE. */
uint8_t command_number(const char *word);

/* Returns the enum command of a CMD octet, or 0 if the octet is unknown. */
unsigned command_of_number(uint8_t number);

/* Returns the word for a CMD octet, which must be known to command_of_number(): a static string. */
const char *command_word(uint8_t number);

/* SPDX-License-Identifier: ISC */
#include "policy/command.h"

#include <stddef.h>
#include <string.h>

#include "wire/socks5.h"

static const struct {
	const char *word;
	uint8_t number;
	unsigned command;
} commands[] = {
	{"connect", SOCKS5_CONNECT, COMMAND_CONNECT},
	{"bind", SOCKS5_BIND, COMMAND_BIND},
	{"udp", SOCKS5_UDP_ASSOCIATE, COMMAND_UDP},
	{"resolve", SOCKS5_RESOLVE, COMMAND_RESOLVE},
	{"resolve", SOCKS5_RESOLVE_PTR, COMMAND_RESOLVE},
};
#define COMMANDS_COUNT (sizeof commands / sizeof commands[0])

uint8_t command_number(const char *word)
{
	for (size_t i = 0; i < COMMANDS_COUNT; i++)
		if (strcmp(commands[i].word, word) == 0)
			return commands[i].number;
	return 0;
}

unsigned command_of_word(const char *word)
{
	return command_of_number(command_number(word));
}

unsigned command_of_number(uint8_t number)
{
	for (size_t i = 0; i < COMMANDS_COUNT; i++)
		if (commands[i].number == number)
			return commands[i].command;
	return 0;
}

const char *command_word(uint8_t number)
{
	size_t i = 0;
	while (commands[i].number != number)
		i++;
	return commands[i].word;
}

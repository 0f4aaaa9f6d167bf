/* SPDX-License-Identifier: ISC */
/* stdsocks/session: every command that can be configured has a stage of the sandbox. */
#include "stdsocks/session.h"

#include "check.h"
#include "policy/command.h"

int main(void)
{
	unsigned all = 0;
	struct config config = {.commands = 0};

	CHECK_NUMBER(session_stages(&config), 0);
	for (unsigned number = 0; number <= UINT8_MAX; number++) {
		config.commands = command_of_number((uint8_t)number);
		if (!config.commands)
			continue;
		check_about = command_word((uint8_t)number);
		CHECK(session_stages(&config) != 0);
		CHECK_NUMBER(command_of_word(check_about), config.commands);
		all |= config.commands;
	}
	CHECK_NUMBER(all, COMMAND_CONNECT | COMMAND_BIND | COMMAND_UDP | COMMAND_RESOLVE);
	return check_end();
}

/* SPDX-License-Identifier: ISC */
/* The steps of main() before the first byte of the client is read. */
#pragma once

#include "record/log.h"
#include "stdsocks/session.h"

/* For --check: changes to the configured user, as a session does, and then reads hosts(5) and
 * resolv.conf(5). Returns false, and appends an error message and a newline to *errors, if one of
 * these files exists but cannot be read. */
bool startup_check_name_files(const struct config *config, struct writer *errors);

/* For --check: changes to the configured user, and then opens the files that count connections. See
 * slots_check(). */
bool startup_check_slots(const struct config *config, struct writer *errors);

/* Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed. Otherwise a file that is
 * opened later could get one of these descriptors. */
void startup_fill_standard_descriptors(void);

/* Returns NULL if a client of this kind can be served. Otherwise returns an error message, a static
 * text, because standard input and output are not the connection of a client. */
const char *startup_client_error(enum client_kind kind);

/* Prepares a session: if standard error is the client's connection, replaces it by /dev/null; and,
 * unless service is refused already, calls login_prepare(). If a step fails, sets input->refusal,
 * unless it is set already. */
void startup_prepare(struct session_input *input, const struct log *log);

/* Maps memory that the configured commands need, and that the sandbox does not allow to map later.
 * If that fails, sets *refusal, unless it is set already. */
void startup_map_memory(const struct config *config, struct refusal *refusal);

/* Maps memory, opens hosts(5), resolv.conf(5) and the files that count connections, and enters the
 * sandbox. If that fails, sets input->refusal, unless it is set already. */
void startup_enter_sandbox(struct session_input *input);

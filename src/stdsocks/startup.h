/* SPDX-License-Identifier: ISC */
/* Preparations before the first byte of the client is read. */
#pragma once

#include "record/log.h"
#include "stdsocks/session.h"

/* For --check: leaves root and reads the files that names come from, as a session does. Returns
 * false and appends an error if one of them exists and cannot be read. */
bool startup_check_name_files(const struct config *config, struct writer *errors);

/* Opens /dev/null on each standard descriptor that is closed, so that no descriptor that is opened
 * later becomes 0, 1 or 2. */
void startup_fill_standard_descriptors(void);

/* Returns an error message if standard input and output are not a client's connection, or NULL. */
const char *startup_client_error(enum client_kind kind);

/* Prepares the login and silences a standard error that is the client's connection; then enters the
 * sandbox. If a step fails, sets input->refusal, unless it is set already. */
void startup_prepare(struct session_input *input, const struct log *log);
void startup_enter_sandbox(struct session_input *input);

/* SPDX-License-Identifier: ISC */
/* Output outside of a session: answers to options, and errors. */
#pragma once

#include "stdsocks/settings.h"

/* Bytes of errors that are reported; more than any configuration file is likely to cause. */
#define OUTPUT_ERRORS_MAX ((size_t)1024 * 1024)

/* Writes len bytes to fd. Returns false if that fails. */
bool output_bytes(int fd, const char *bytes, size_t len);

/* Writes text to fd. Returns status, or EXIT_SYSTEM if the text cannot be written. */
int output_text(int fd, const char *text, int status);

/* Logs each line of errors on standard error; and also in the journal or in syslog, if there is one
 * and standard error is not a terminal. */
void output_errors(const struct writer *errors);

/* Logs one error in the same way. Returns status. */
int output_error(const char *text, int status);

/* --check: writes all errors to standard error and returns EXIT_CONFIG; or, if the settings are
 * valid, writes what this host provides to standard output. */
int output_check(const struct settings *settings, const struct writer *errors, bool is_valid);

/* SPDX-License-Identifier: ISC */
/* Output that is not part of a session: results of options, and errors. */
#pragma once

#include "stdsocks/settings.h"

/* Upper limit of the bytes of all error messages. A configuration file is not likely to cause more.
 */
#define OUTPUT_ERRORS_MAX ((size_t)256 * 1024)

/* Returns a writer for error messages, with OUTPUT_ERRORS_MAX bytes. There is one in a process. */
struct writer output_error_writer(void);

/* Writes len bytes to fd. Returns false if that fails. */
bool output_bytes(int fd, const char *bytes, size_t len);

/* Writes text to fd. Returns status, or EXIT_SYSTEM if the text cannot be written. */
int output_text(int fd, const char *text, int status);

/* Logs error messages, one in each line of *errors, to log_open_for_errors(), which usually is
 * standard error. If that is standard error, but not a terminal, logs them also to the journal or
 * to syslog. */
void output_errors(const struct writer *errors);

/* Logs one error message, without a newline, as output_errors() does. Returns status. */
int output_error(const char *text, int status);

/* The output of --check. If is_valid is true, writes to standard output which parts of the sandbox
 * this host has, and whether the configured user exists, and returns EXIT_OVER; or EXIT_SYSTEM if
 * that cannot be written. Otherwise writes the error messages to standard error and returns
 * EXIT_CONFIG. */
int output_check(const struct settings *settings, const struct writer *errors, bool is_valid);

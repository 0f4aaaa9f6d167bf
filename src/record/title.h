/* SPDX-License-Identifier: ISC */
/* The process title: the line that ps(1), top(1) and systemctl(1) show in place of the command line
 * (stdsocks(8), PROCESS TITLE). It is written to the memory of argv and the environment, without a
 * system call. */
#pragma once

#include "record/record.h"

/* The beginning of each title, and the roles of processes of prefork mode without a connection. */
#define TITLE_PREFIX "stdsocks: "
#define TITLE_READY  "ready"
#define TITLE_ZYGOTE "zygote"

/* The minimum time between two titles while bytes move. */
#define TITLE_PAUSE_US INT64_C(1000000)

/* Determines the memory for titles: the strings of argv and of the environment, as far as they are
 * contiguous. Must be called at the start of main(), because getopt_long(3) permutes argv. If this
 * function is not called, no title is written.
 *
 * The first title overwrites this memory. From then on, pointers to these strings are invalid, and
 * getenv(3) finds no variable. */
void title_use(char *const argv[]);

/* Each of the following functions writes a title. A title that does not fit is cut, and ends in
 * "...". It has only printable ASCII characters, whatever the client has sent. Names are written as
 * writer_quoted() does. */

/* Writes "stdsocks: ready" or "stdsocks: zygote". */
void title_role(const char *role);

/* Write "stdsocks: 192.0.2.7 handshake" and "stdsocks: 192.0.2.7 ended". Only the client is read
 * from the record. */
void title_handshake(const struct record *record);
void title_ended(const struct record *record);

/* Writes "stdsocks: 192.0.2.7 alice -> example.com:443 connecting". */
void title_connecting(const struct record *record);

/* Writes "stdsocks: 192.0.2.7 alice -> example.com:443 3.4K up 12.1M down 1.2M/s", without amounts
 * that are 0. The rate is that of both directions since the last title with a request. Returns true
 * if it is 0: the title is then correct until bytes move. */
bool title_relaying(const struct record *record);

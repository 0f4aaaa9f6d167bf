/* SPDX-License-Identifier: ISC */
/* The file of users and their passwords. Its lines have the form NAME:SECRET. */
#pragma once

#include "text/words.h"
#include "wire/socks5.h"

/* Bytes of a name and of a secret. In RFC 1929 s2 the length of each is one octet. */
#define USERS_NAME_MAX   255
#define USERS_SECRET_MAX 255

/* The number of bytes behind the text that users_know() may read, and that must therefore exist. */
#define USERS_PADDING 255

/* Checks a line, which must be NAME:SECRET, empty, or a comment that begins with '#'. A carriage
 * return at its end is ignored. Sets *ret_is_user to true for NAME:SECRET, and to false for the
 * others. On error returns false and writes a message to *problem; then *ret_is_user is undefined.
 * The message does not quote the line, which may contain a secret. */
bool users_check_line(const struct words_line *line, bool *ret_is_user, struct writer *problem);

/* Returns the length of the name in a line: the number of bytes before the first colon. */
size_t users_name_len(const struct words_line *line);

/* Returns true if a line of the text has the name and the password of *login. The text has len
 * bytes, and USERS_PADDING bytes behind them can be read. If several lines have the name, returns
 * false. The time that this takes depends only on the text and on the lengths of the name and the
 * password. */
bool users_know(const char *text, size_t len, const struct socks5_login *login);

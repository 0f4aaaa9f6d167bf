/* SPDX-License-Identifier: ISC */
/* A file of users: lines NAME:SECRET. */
#pragma once

#include "text/words.h"
#include "wire/socks5.h"

/* Bytes; RFC 1929 s2: each length is one octet. */
#define USERS_NAME_MAX   255
#define USERS_SECRET_MAX 255

/* Bytes after the text that users_know() may read. */
#define USERS_PADDING 255

/* Checks a line: NAME:SECRET, empty, or a comment that begins with '#'. A '\r' at its end is
 * ignored. Sets *ret_is_user to true for NAME:SECRET. On error returns false and writes a message,
 * which quotes nothing of the line, to problem. */
bool users_check_line(const struct words_line *line, bool *ret_is_user, struct writer *problem);

/* Returns the length of the name: the number of bytes before the first colon. */
size_t users_name_len(const struct words_line *line);

/* Returns true if the text, of len bytes and USERS_PADDING more, contains the name and the
 * password. A name with several lines never matches. The time depends only on the text and on the
 * lengths of the name and the password. */
bool users_know(const char *text, size_t len, const struct socks5_login *login);

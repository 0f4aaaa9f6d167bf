/* SPDX-License-Identifier: ISC */
/* Who may log in: NAME:SECRET lines.
 * Knows: their form, and how to compare without telling anything by time.
 * Does not know: files, or what a user may do. */
#pragma once

#include "text/words.h"
#include "wire/socks5.h"

/* Bytes; RFC 1929 s2: each length is one octet. */
#define USERS_NAME_MAX   255
#define USERS_SECRET_MAX 255

/* Bytes of anything that must be readable behind the text. */
#define USERS_PADDING 255

/* Whether one line can stand in the text: it is NAME:SECRET, empty, or begins with '#'. A '\r' at
 * its end is not a part of it. *ret_is_user tells which. False when it is a mistake: then what is
 * wrong, and nothing that stands in the line, was put into problem. */
bool users_check_line(const struct words_line *line, bool *ret_is_user, struct writer *problem);

/* The name before the colon, for those who look for one that stands twice. */
size_t users_name_len(const struct words_line *line);

/* Whether the login is one of the text's, which is len bytes and USERS_PADDING more. A name that
 * stands twice is nobody's. Takes the same time for every name and password of the same lengths. */
bool users_know(const char *text, size_t len, const struct socks5_login *login);

/* SPDX-License-Identifier: ISC */
/* A terminal that is drawn anew again and again, and is left as it was however the process ends.
 * Knows: termios, a few escape sequences, signals. Does not know: what is drawn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a descriptor is a terminal that knows escape sequences. */
bool screen_is_one(int fd);

/* Whether standard output is. */
bool screen_possible(void);

/* Takes the terminal: another page without a cursor, and keys one by one without echo. It is given back by
 * screen_leave(), by exit(3), and by signals that end or stop the process. Once a process. */
void screen_enter(void);
void screen_leave(void);

/* A head line, and lines of text of which the first one is a title: as many and as much of them as there is
 * room for. All of it is printable ASCII and '\n'. False when the terminal is gone. */
bool screen_draw(const char *head, const char *lines);

/* What screen_wait() says when it is no key. */
enum { SCREEN_TIME = 0, SCREEN_CHANGED = -1, SCREEN_GONE = -2 };

/* Waits for a key until the deadline of CLOCK_MONOTONIC. Also ends when the window has another size or the
 * process was stopped: what is there has to be drawn again. What a key sends behind ESC is no key. */
int screen_wait(int64_t deadline_us);

/* CLOCK_MONOTONIC. */
int64_t screen_now_us(void);

/* SPDX-License-Identifier: ISC */
/* Draws on a terminal and reads keys, for the command "top". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns true if a descriptor is a terminal that understands escape sequences: $TERM is not
 * "dumb". */
bool screen_is_terminal(int fd);

/* Switches standard output to the alternate screen, without a cursor, and standard input to single
 * keys, without echo. May be called once. The terminal is restored by screen_leave(), by exit(3),
 * and if a signal, except SIGKILL and SIGSTOP, ends or stops the process. */
void screen_enter(void);

/* Restores the terminal, if screen_enter() was called. May be called several times. */
void screen_leave(void);

/* Draws the heading, which is one line, in the first row of the terminal, and the lines below it.
 * The first of these lines is in reverse video. The texts are printable ASCII; there is a '\n'
 * between two lines. Text that does not fit into the window is cut off. Returns false if the
 * terminal cannot be written. */
bool screen_draw(const char *heading, const char *lines);

/* The results of screen_wait() that are not keys. */
enum { SCREEN_TIMEOUT = 0, SCREEN_REDRAW = -1, SCREEN_GONE = -2 };

/* Waits for a key until deadline_us, a point of CLOCK_MONOTONIC. Returns the byte of the key; for a
 * key that sends an escape sequence, 0x1b for each byte of it. Returns SCREEN_TIMEOUT at the
 * deadline; SCREEN_REDRAW if the window has a new size, or the process continues after a stop;
 * SCREEN_GONE if the terminal cannot be read any more. */
int screen_wait(int64_t deadline_us);

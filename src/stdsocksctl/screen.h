/* SPDX-License-Identifier: ISC */
/* Draws on a terminal and reads keys. The terminal is restored however the process ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns true if a descriptor is a terminal that interprets escape sequences. */
bool screen_is_terminal(int fd);

/* Switches standard output to the alternate screen without a cursor, and standard input to single
 * keys without echo. Called once. screen_leave(), exit(3), and signals that end or stop the process
 * undo it. */
void screen_enter(void);
void screen_leave(void);

/* Draws the heading in the first row and the lines below it, of which the first is in reverse
 * video. What does not fit into the window is cut off. The text is printable ASCII, with '\n'
 * between lines. Returns false if writing to the terminal fails. */
bool screen_draw(const char *heading, const char *lines);

/* Results of screen_wait() that are not keys. */
enum { SCREEN_TIMEOUT = 0, SCREEN_REDRAW = -1, SCREEN_GONE = -2 };

/* Waits for a key until the deadline, of CLOCK_MONOTONIC. Returns SCREEN_REDRAW if the size of the
 * window has changed or the process has continued after a stop. Returns 0x1b for each byte of an
 * escape sequence. */
int screen_wait(int64_t deadline_us);

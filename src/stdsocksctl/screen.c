/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "stdsocksctl/memory.h"
#include "stdsocksctl/when.h"

/* xterm: alternate screen, cursor; ECMA-48: reverse video, cursor home, erase line, erase below.
 * A line is erased before it is written: after a full line, some terminals would erase its last
 * character. */
static const char enter[] = "\033[?1049h\033[?25l", leave[] = "\033[?25h\033[?1049l";
static const char title_start[] = "\033[7m", title_end[] = "\033[0m";
static const char home[] = "\033[H\033[K", next_line[] = "\r\n\033[K", erase_below[] = "\r\n\033[J";

static volatile sig_atomic_t is_entered;
static bool has_keys;         /* standard input is a terminal */
static struct termios before; /* its modes */

bool screen_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && term[0] && strcmp(term, "dumb") != 0;
}

static bool write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		/* Another process that shares the terminal may have set O_NONBLOCK. */
		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		else if (n < 0 && errno != EINTR)
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Also called by signal handlers, even during a call of itself: calls only functions that
 * signal-safety(7) lists, and may be repeated. */
void screen_leave(void)
{
	if (!is_entered)
		return;
	write_all(leave, sizeof leave - 1);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	is_entered = 0;
}

static void enter_again(void)
{
	struct termios modes = before;

	is_entered = 1;
	modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	modes.c_cc[VMIN] = 1;
	modes.c_cc[VTIME] = 0;
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	write_all(enter, sizeof enter - 1);
}

/* SA_RESETHAND has restored the default action, which ends the process. */
static void on_end(int signal_number)
{
	int err = errno;

	screen_leave();
	raise(signal_number);
	errno = err;
}

/* SIGTSTP, SIGCONT and SIGWINCH are blocked except in screen_wait(). */
static const int wakes[] = {SIGTSTP, SIGCONT, SIGWINCH};
static volatile sig_atomic_t woken_by;

static void on_wake(int signal_number)
{
	if (woken_by != SIGTSTP)
		woken_by = signal_number;
}

/* A signal that is ignored remains so, as nohup(1) expects. */
static void handle(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction old, action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	if (sigaction(signal_number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(signal_number, &action, NULL);
}

void screen_enter(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2,
		SIGPIPE, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	sigset_t blocked;

	has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
	atexit(screen_leave);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		handle(ends[i], on_end, (int)SA_RESETHAND);
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof wakes / sizeof wakes[0]; i++)
		sigaddset(&blocked, wakes[i]);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (size_t i = 0; i < sizeof wakes / sizeof wakes[0]; i++)
		handle(wakes[i], on_wake, 0);
	enter_again();
}

/* Stops the process by the default action of SIGTSTP. */
static void stop(void)
{
	sigset_t tstp;

	screen_leave();
	signal(SIGTSTP, SIG_DFL);
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &tstp, NULL);
	handle(SIGTSTP, on_wake, 0);
}

static int wake(void)
{
	if (woken_by == SIGTSTP)
		stop();
	if (woken_by != SIGWINCH) {
		screen_leave();
		enter_again(); /* the shell may have changed the modes */
	}
	woken_by = 0;
	return SCREEN_REDRAW;
}

/* Returns a byte that is a key, or ESC for a byte of an escape sequence, which arrows and function
 * keys send: ESC [ parameters final (ECMA-48 s5.4), ESC O final, and Linux's ESC [ [ final. Any
 * other byte after ESC is a key, so the key after Escape is not lost. */
static int key_of(unsigned char byte)
{
	static enum { PLAIN, ESCAPE, CONTROL_FIRST, CONTROL, LAST } state = PLAIN;
	enum { ESC = 0x1b };
	bool is_final = byte >= 0x40 && byte <= 0x7e;

	if (byte == ESC) {
		state = ESCAPE;
	} else if (state == ESCAPE && (byte == '[' || byte == 'O')) {
		state = byte == '[' ? CONTROL_FIRST : LAST;
	} else if (state == PLAIN || state == ESCAPE) {
		state = PLAIN;
		return byte;
	} else if (state == CONTROL_FIRST && byte == '[') {
		state = LAST;
	} else {
		state = state == LAST || is_final ? PLAIN : CONTROL;
	}
	return ESC;
}

int screen_wait(int64_t deadline_us)
{
	struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	int64_t left_us = deadline_us - when_clock_us(CLOCK_MONOTONIC);
	unsigned char key;
	sigset_t unblocked;

	left_us = left_us > 0 ? left_us : 0;
	const struct timespec left = {
		.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
	sigprocmask(SIG_BLOCK, NULL, &unblocked);
	for (size_t i = 0; i < sizeof wakes / sizeof wakes[0]; i++)
		sigdelset(&unblocked, wakes[i]);
	int n = ppoll(&keys, 1, &left, &unblocked);
	if (n < 0 && errno == EINTR)
		return wake();
	if (n < 0)
		return SCREEN_GONE;
	if (n == 0)
		return SCREEN_TIMEOUT;
	return read(STDIN_FILENO, &key, 1) == 1 ? key_of(key) : SCREEN_GONE;
}

/* Prints the line at *text, cut after some columns, and moves *text to the next line. */
static void draw_line(FILE *to, const char **text, int columns)
{
	int len = (int)strcspn(*text, "\n");

	fprintf(to, "%.*s", len < columns ? len : columns, *text);
	*text += len;
	*text += **text == '\n';
}

bool screen_draw(const char *heading, const char *lines)
{
	struct winsize size = {0};
	char *frame = NULL;
	size_t len = 0;
	FILE *to = memory_or_exit(open_memstream(&frame, &len));

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	fputs(home, to);
	draw_line(to, &heading, size.ws_col);
	int row = 1;
	for (; row < size.ws_row && *lines; row++) {
		fputs(next_line, to);
		fputs(row == 1 ? title_start : "", to);
		draw_line(to, &lines, size.ws_col);
		fputs(row == 1 ? title_end : "", to);
	}
	fputs(row < size.ws_row ? erase_below : "", to);
	if (fclose(to) != 0)
		memory_or_exit(NULL);
	bool drawn = write_all(frame, len);
	free(frame);
	return drawn;
}

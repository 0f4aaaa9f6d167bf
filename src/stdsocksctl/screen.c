/* SPDX-License-Identifier: ISC */
/* A terminal that is drawn anew again and again, and is left as it was however the process ends.
 * Knows: termios, a few escape sequences, signals. Does not know: what is drawn. */
#include "stdsocksctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "stdsocksctl/memory.h"

/* DEC's: the other page of the terminal, a cursor or none; ECMA-48: reverse video, to the start, erase the line,
 * erase what is below. Erased is before a line is written: behind a full one its last character would go. */
static const char take[] = "\033[?1049h\033[?25l", give_back[] = "\033[?25h\033[?1049l";
static const char title_start[] = "\033[7m", title_end[] = "\033[0m";
static const char home[] = "\033[H\033[K", next_line[] = "\r\n\033[K", rest[] = "\r\n\033[J";

static volatile sig_atomic_t taken;
static bool has_keys;            /* standard input is a terminal */
static struct termios as_it_was; /* where it is */

bool screen_is_one(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && term[0] && strcmp(term, "dumb") != 0;
}

bool screen_possible(void)
{
	return screen_is_one(STDOUT_FILENO);
}

static bool write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && errno == EAGAIN) /* who shares the terminal has made it so */
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		else if (n < 0 && errno != EINTR)
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Also called by signal handlers, perhaps in the middle of itself: only what signal-safety(7) has, and what may
 * be done twice. */
void screen_leave(void)
{
	if (!taken)
		return;
	write_all(give_back, sizeof give_back - 1);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
	taken = 0;
}

static void take_it(void)
{
	struct termios mine = as_it_was;

	taken = 1;
	mine.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mine.c_cc[VMIN] = 1;
	mine.c_cc[VTIME] = 0;
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &mine);
	write_all(take, sizeof take - 1);
}

/* SA_RESETHAND has made it a signal that ends the process. */
static void on_end(int signal_number)
{
	int err = errno;

	screen_leave();
	raise(signal_number);
	errno = err;
}

/* SIGTSTP, SIGCONT, SIGWINCH: ppoll(2) ends, which is all. */
static volatile sig_atomic_t told;

static void on_told(int signal_number)
{
	if (told != SIGTSTP)
		told = signal_number;
}

/* A signal that is ignored stays so: nohup(1). */
static void handle(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction before, action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(signal_number, &action, NULL);
}

void screen_enter(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2,
		SIGPIPE, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	sigset_t outside; /* blocked everywhere but in screen_wait() */

	has_keys = tcgetattr(STDIN_FILENO, &as_it_was) == 0;
	atexit(screen_leave);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		handle(ends[i], on_end, (int)SA_RESETHAND);
	sigemptyset(&outside);
	sigaddset(&outside, SIGTSTP);
	sigaddset(&outside, SIGCONT);
	sigaddset(&outside, SIGWINCH);
	sigprocmask(SIG_BLOCK, &outside, NULL);
	handle(SIGTSTP, on_told, 0);
	handle(SIGCONT, on_told, 0);
	handle(SIGWINCH, on_told, 0);
	take_it();
}

/* As if nobody had caught the signal. */
static void stop_here(void)
{
	sigset_t stop;

	screen_leave();
	signal(SIGTSTP, SIG_DFL);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* here it stops, and goes on */
	sigprocmask(SIG_BLOCK, &stop, NULL);
	handle(SIGTSTP, on_told, 0);
}

static int was_told(void)
{
	if (told == SIGTSTP)
		stop_here();
	if (told == SIGTSTP || told == SIGCONT) {
		screen_leave();
		take_it(); /* a shell may have changed the terminal meanwhile */
	}
	told = 0;
	return SCREEN_CHANGED;
}

int64_t screen_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What a byte is as a key; ESC, which is nobody's, inside the sequences that arrows and function keys send:
 * ESC [ parameters final (ECMA-48 s5.4), ESC O final, and Linux' ESC [ [ final. Any other byte behind ESC is a
 * key, so that no ESC swallows the next one, however much later that is. */
static int key_of(unsigned char byte)
{
	static enum { PLAIN, ESCAPE, CONTROL_FIRST, CONTROL, ONE_MORE } state = PLAIN;
	enum { ESC = 0x1b };
	bool is_final = byte >= 0x40 && byte <= 0x7e;

	if (byte == ESC) {
		state = ESCAPE;
	} else if (state == ESCAPE && (byte == '[' || byte == 'O')) {
		state = byte == '[' ? CONTROL_FIRST : ONE_MORE;
	} else if (state == PLAIN || state == ESCAPE) {
		state = PLAIN;
		return byte;
	} else if (state == CONTROL_FIRST && byte == '[') {
		state = ONE_MORE;
	} else {
		state = state == ONE_MORE || is_final ? PLAIN : CONTROL;
	}
	return ESC;
}

int screen_wait(int64_t deadline_us)
{
	struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	int64_t left_us = deadline_us - screen_now_us();
	unsigned char key;
	sigset_t inside;

	left_us = left_us > 0 ? left_us : 0;
	const struct timespec left = {
		.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
	sigprocmask(SIG_BLOCK, NULL, &inside);
	sigdelset(&inside, SIGTSTP);
	sigdelset(&inside, SIGCONT);
	sigdelset(&inside, SIGWINCH);
	int n = ppoll(&keys, 1, &left, &inside);
	if (n < 0 && errno == EINTR)
		return was_told();
	if (n < 0)
		return SCREEN_GONE;
	if (n == 0)
		return SCREEN_TIME;
	return read(STDIN_FILENO, &key, 1) == 1 ? key_of(key) : SCREEN_GONE;
}

/* At most that many columns of the line at *text, which then is the next one. */
static void draw_line(FILE *to, const char **text, int columns)
{
	int len = (int)strcspn(*text, "\n");

	fprintf(to, "%.*s", len < columns ? len : columns, *text);
	*text += len;
	*text += **text == '\n';
}

bool screen_draw(const char *head, const char *lines)
{
	struct winsize size = {0};
	char *frame = NULL;
	size_t len = 0;
	FILE *to = memory_or_end(open_memstream(&frame, &len));

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	fputs(home, to);
	draw_line(to, &head, size.ws_col);
	int row = 1;
	for (; row < size.ws_row && *lines; row++) {
		fputs(next_line, to);
		fputs(row == 1 ? title_start : "", to);
		draw_line(to, &lines, size.ws_col);
		fputs(row == 1 ? title_end : "", to);
	}
	fputs(row < size.ws_row ? rest : "", to);
	if (fclose(to) != 0)
		memory_or_end(NULL);
	bool drawn = write_all(frame, len);
	free(frame);
	return drawn;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's console on standard input and output.
 * Owns the terminal's mode and one thread, which waits for input, for the flush timer and for the
 * time limit. console_lock guards the output buffer; no callback is made under it.
 * Output leaves at the end of a line, when the buffer is full, or CONSOLE_IDLE_MS after its first
 * byte, so neither a pipe sees one write per byte nor a prompt waits for its newline.
 */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "diag.h"
#include "util.h"

#define CONSOLE_ESCAPE 0x01 /* Ctrl-A */
#define CONSOLE_IDLE_MS 5
#define CONSOLE_LINE 160

static const struct console_ops *console_ops;
static void *console_ctx;
static pthread_t console_thread;
static int console_wake_fd;
static int console_flush_fd;
static int console_limit_fd;

static struct termios console_saved;
static atomic_bool console_is_raw; /* lock-free: signal handlers use it */

static pthread_mutex_t console_lock = PTHREAD_MUTEX_INITIALIZER;
static u8 console_buf[4096];
static size_t console_len;
static bool console_timer_armed;

/* Input that the guest has not taken yet; only the console's thread touches these. */
static u8 console_pending[256];
static size_t console_pending_len;

/* The guest's current line; only the thread that calls console_put() touches these. */
static char console_line[CONSOLE_LINE];
static size_t console_line_len;
static unsigned int console_phrases;

void console_restore(void)
{
	if (atomic_exchange(&console_is_raw, false))
		tcsetattr(STDIN_FILENO, TCSANOW, &console_saved);
}

/* Async-signal-safe: tcsetattr() and raise() only. SA_RESETHAND has brought back the default. */
static void console_fatal_signal(int sig)
{
	console_restore();
	raise(sig);
}

static void console_catch_signals(void)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGILL, SIGABRT,
				     SIGFPE, SIGBUS, SIGSEGV, SIGSYS,  SIGALRM };
	struct sigaction sa = { .sa_handler = console_fatal_signal,
				.sa_flags = SA_RESETHAND | SA_NODEFER };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
}

/* Output processing stays on: our own messages keep their line ends. */
static void console_take_terminal(void)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &console_saved) < 0)
		return;
	atexit(console_restore);
	console_catch_signals();
	raw = console_saved;
	raw.c_iflag &= ~(BRKINT | ICRNL | IGNCR | INLCR | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(ECHO | ICANON | IEXTEN | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	console_is_raw = true;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		die(NULL, "cannot set the terminal to raw mode: %s", strerror(errno));
}

static void console_write(const u8 *data, size_t len)
{
	struct pollfd writable = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n >= 0) {
			data += n;
			len -= n;
		} else if (errno == EAGAIN) {
			poll(&writable, 1, -1);
		} else if (errno != EINTR) {
			die(NULL, "cannot write the guest's console: %s", strerror(errno));
		}
	}
}

static void console_flush_locked(void)
{
	size_t len = console_len;

	console_len = 0;
	console_write(console_buf, len);
}

void console_flush(void)
{
	pthread_mutex_lock(&console_lock);
	console_flush_locked();
	pthread_mutex_unlock(&console_lock);
}

static void console_arm_timer_locked(void)
{
	static const struct itimerspec idle = { .it_value.tv_nsec = CONSOLE_IDLE_MS * 1000000L };

	if (console_timer_armed)
		return;
	console_timer_armed = true;
	timerfd_settime(console_flush_fd, 0, &idle, NULL);
}

static void console_watch_line(void)
{
	static const struct {
		const char *text;
		enum console_said said;
	} phrases[] = {
		{ "reboot: System halted", CONSOLE_SAID_HALTED },
		{ "reboot: Restarting system", CONSOLE_SAID_RESTART },
		{ "reboot: machine restart", CONSOLE_SAID_RESTART },
		{ "Kernel panic - not syncing", CONSOLE_SAID_PANIC },
	};
	size_t i;

	console_line[console_line_len] = '\0';
	for (i = 0; i < ARRAY_SIZE(phrases); i++)
		if (strstr(console_line, phrases[i].text))
			console_phrases |= phrases[i].said;
	console_line_len = 0;
}

void console_put(u8 byte)
{
	if (byte == '\n')
		console_watch_line();
	else if (byte && console_line_len < CONSOLE_LINE - 1)
		console_line[console_line_len++] = byte;

	pthread_mutex_lock(&console_lock);
	console_buf[console_len++] = byte;
	if (byte == '\n' || console_len == sizeof(console_buf))
		console_flush_locked();
	else
		console_arm_timer_locked();
	pthread_mutex_unlock(&console_lock);
}

unsigned int console_said(void)
{
	return console_phrases;
}

void console_input_wake(void)
{
	eventfd_write(console_wake_fd, 1);
}

static void console_help(void)
{
	fputs("\n"
	      "Ctrl-A h       this help\n"
	      "Ctrl-A x       end the guest at once\n"
	      "Ctrl-A r       print the guest's registers\n"
	      "Ctrl-A Ctrl-A  send Ctrl-A to the guest\n",
	      stderr);
}

/* Takes the escape sequences out of @data in place; returns what is left for the guest. */
static size_t console_unescape(u8 *data, size_t len)
{
	static bool escaped;
	size_t i, out = 0;

	for (i = 0; i < len; i++) {
		u8 c = data[i];

		if (!escaped && c == CONSOLE_ESCAPE) {
			escaped = true;
			continue;
		}
		if (!escaped || c == CONSOLE_ESCAPE)
			data[out++] = c;
		else if (c == 'x' || c == 'r')
			console_ops->command(console_ctx, c);
		else if (c == 'h')
			console_help();
		escaped = false;
	}
	return out;
}

static void console_deliver(void)
{
	size_t room = console_ops->room(console_ctx);
	size_t n = console_pending_len < room ? console_pending_len : room;

	if (!n)
		return;
	console_ops->input(console_ctx, console_pending, n);
	console_pending_len -= n;
	memmove(console_pending, console_pending + n, console_pending_len);
}

/*
 * Returns false at the end of input. Escapes are for people: a pipe's bytes go through as they are.
 * A terminal is read even while the guest takes nothing, or the escape key would not work in a hung
 * guest; what does not fit into console_pending is dropped then.
 */
static bool console_read(void)
{
	size_t space = sizeof(console_pending) - console_pending_len;
	u8 data[sizeof(console_pending)];
	ssize_t n;

	n = read(STDIN_FILENO, data, sizeof(data));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (console_is_raw)
		n = console_unescape(data, n);
	if ((size_t)n > space)
		n = space;
	memcpy(console_pending + console_pending_len, data, n);
	console_pending_len += n;
	return true;
}

static bool console_fd_expired(const struct pollfd *p)
{
	u64 count;

	return (p->revents & POLLIN) && read(p->fd, &count, sizeof(count)) == sizeof(count);
}

static void console_idle_flush(void)
{
	pthread_mutex_lock(&console_lock);
	console_timer_armed = false;
	console_flush_locked();
	pthread_mutex_unlock(&console_lock);
}

static void *console_loop(void *arg)
{
	bool input_open = true;

	for (;;) {
		bool want = input_open && (console_is_raw || !console_pending_len);
		struct pollfd p[] = {
			{ .fd = console_wake_fd, .events = POLLIN },
			{ .fd = console_flush_fd, .events = POLLIN },
			{ .fd = console_limit_fd, .events = POLLIN },
			{ .fd = want ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		console_fd_expired(&p[0]);
		if (console_fd_expired(&p[1]))
			console_idle_flush();
		if (console_fd_expired(&p[2]))
			console_ops->timeout(console_ctx);
		if (p[3].revents)
			input_open = console_read();
		console_deliver();
	}
	return arg;
}

void console_start(const struct console_ops *ops, void *ctx, unsigned int timeout_s)
{
	struct itimerspec limit = { .it_value.tv_sec = timeout_s };
	int err;

	console_ops = ops;
	console_ctx = ctx;
	console_wake_fd = eventfd(0, EFD_CLOEXEC);
	console_flush_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	console_limit_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (console_wake_fd < 0 || console_flush_fd < 0 || console_limit_fd < 0)
		die(NULL, "cannot set up the console: %s", strerror(errno));
	timerfd_settime(console_limit_fd, 0, &limit, NULL);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is reported by console_write() */
	console_take_terminal();
	err = pthread_create(&console_thread, NULL, console_loop, NULL);
	if (err)
		die(NULL, "cannot start the console's thread: %s", strerror(err));
}

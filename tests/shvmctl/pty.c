// SPDX-License-Identifier: GPL-2.0-only
/*
 * pty COLUMNSxROWS PROGRAM ARGUMENT...: runs a program in a terminal of its own and does what
 * standard input says, line by line:
 *
 *	expect TEXT	wait until it prints that; escape sequences count as nothing
 *	send TEXT	type that; \e is Escape, \n Enter
 *	size CxR	change the size of the terminal
 *	signal N	send the program a signal
 *	hangup		close the terminal
 *	say TEXT	print that, for who waits until it has come so far
 *	status N	wait for its end, with that status; 128 + N for a signal
 *	restored	the terminal has the modes of the beginning, and the cursor shows
 *
 * Status 0 if all came out so; else the first line that did not, and what was printed.
 */
#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>
#include <unistd.h>

#define TIME_LIMIT 15 /* seconds; a program that hangs ends the test */

static char raw[1 << 18];	/* what it has printed */
static size_t raw_len;
static char plain[1 << 18];	/* the same without escape sequences */
static size_t expected;		/* how much of plain has been looked at */
static struct termios before;
static int master = -1, slave = -1;
static pid_t child;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s\nprinted so far: ", what);
	fwrite(plain, 1, strlen(plain), stderr);
	fputc('\n', stderr);
	if (child > 0)
		kill(child, SIGKILL);
	exit(1);
}

static void on_alarm(int sig)
{
	static const char text[] = "hangs\n";

	(void)sig;
	kill(child, SIGKILL);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Where an escape sequence ends: ESC [ parameters letter, or ESC and two letters at most. */
static const char *skip_escape(const char *at, const char *end)
{
	if (++at == end)
		return at;
	if (*at != '[')
		return at + (strchr("()", *at) ? 2 : 1);
	for (at++; at < end && (*at < '@' || *at > '~'); at++)
		;
	return at < end ? at + 1 : at;
}

static void strip(void)
{
	const char *at = raw, *end = raw + raw_len;
	size_t len = 0;

	while (at < end) {
		if (*at == '\033')
			at = skip_escape(at, end);
		else
			plain[len++] = *at++;
	}
	plain[len] = 0;
}

/* False at the end of its output. */
static bool read_more(void)
{
	ssize_t len;

	do {
		len = read(master, raw + raw_len, sizeof(raw) - 1 - raw_len);
	} while (len < 0 && errno == EINTR);
	if (len <= 0)
		return false;
	raw_len += len;
	strip();
	return true;
}

static void do_expect(const char *text)
{
	const char *at;

	strip();
	while (!(at = strstr(plain + expected, text)))
		if (!read_more())
			fail(text);
	expected = at - plain + strlen(text);
}

static void do_send(const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\\' && text[1])
			c = *++text == 'e' ? '\033' : '\n';
		if (write(master, &c, 1) != 1)
			fail("cannot type");
	}
}

static struct winsize parse_size(const char *text)
{
	struct winsize size = { 0 };

	if (sscanf(text, "%hux%hu", &size.ws_col, &size.ws_row) != 2)
		fail("not a size");
	return size;
}

static void do_size(const char *text)
{
	struct winsize size = parse_size(text);

	ioctl(master, TIOCSWINSZ, &size);
}

static void do_hangup(void)
{
	close(slave);
	close(master);
	slave = -1;
	master = -1;
}

static void do_status(int wanted)
{
	int status, got;

	if (waitpid(child, &status, 0) != child)
		fail("it has ended before");
	child = 0;
	got = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (got != wanted) {
		fprintf(stderr, "status %d\n", got);
		fail("another status");
	}
}

static void do_restored(void)
{
	const char *hidden, *shown;
	struct termios now;

	tcgetattr(slave, &now);
	if (now.c_iflag != before.c_iflag || now.c_oflag != before.c_oflag ||
	    now.c_lflag != before.c_lflag || now.c_cflag != before.c_cflag ||
	    memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc)))
		fail("the modes of the terminal are others");
	close(slave);
	slave = -1;
	while (read_more())
		;
	hidden = memmem(raw, raw_len, "\033[?25l", 6);
	shown = hidden ? memmem(hidden, raw + raw_len - hidden, "\033[?25h", 6) : raw;
	if (!shown)
		fail("the cursor is hidden");
}

static void do_line(char *line)
{
	char *argument = strchr(line, ' ');

	line[strcspn(line, "\n")] = 0;
	if (argument)
		*argument++ = 0;
	else
		argument = line + strlen(line);
	if (!strcmp(line, "expect"))
		do_expect(argument);
	else if (!strcmp(line, "send"))
		do_send(argument);
	else if (!strcmp(line, "size"))
		do_size(argument);
	else if (!strcmp(line, "signal"))
		kill(child, atoi(argument));
	else if (!strcmp(line, "hangup"))
		do_hangup();
	else if (!strcmp(line, "status"))
		do_status(atoi(argument));
	else if (!strcmp(line, "say"))
		puts(argument);
	else if (!strcmp(line, "restored"))
		do_restored();
	else
		fail("unknown command");
}

static void start(struct winsize size, char **argv)
{
	if (openpty(&master, &slave, NULL, NULL, &size)) {
		perror("openpty");
		exit(1);
	}
	tcgetattr(slave, &before);
	child = fork();
	if (child)
		return;
	close(master);
	login_tty(slave);
	execv(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	char line[256];

	if (argc < 3)
		return 2;
	setlinebuf(stdout);
	signal(SIGALRM, on_alarm);
	alarm(TIME_LIMIT);
	start(parse_size(argv[1]), argv + 2);
	while (fgets(line, sizeof(line), stdin))
		do_line(line);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen of top. Owns the terminal from screen_begin() to screen_end(), which every way out
 * passes: signals only note that they came, and interrupt the wait for a key.
 */
#include <curses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "top.h"

#define REASONS 8	/* most lines of exit reasons */
#define HEAD 2		/* lines above the VMs */

static volatile sig_atomic_t end_signal;

static void on_end_signal(int sig)
{
	end_signal = sig;
}

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* They come through only while keys are waited for, so none is missed. */
static void block_signals(sigset_t *before)
{
	struct sigaction sa = { .sa_handler = on_end_signal };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(end_signals); i++) {
		sigaddset(&set, end_signals[i]);
		sigaction(end_signals[i], &sa, NULL);
	}
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, before);
}

static SCREEN *screen_begin(void)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		fail(CTL_FAILED, "set TERM to what your terminal is, such as xterm or linux",
		     "the terminal \"%s\" is not known, or cannot place the cursor",
		     getenv("TERM") ?: "");
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	return screen;
}

static void screen_end(SCREEN *screen)
{
	endwin();
	delscreen(screen);
}

/* A line that is cut where the screen ends; what is below the screen is left out. */
static __printf(2, 3) void line(int y, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (y >= LINES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mvaddnstr(y, 0, text, COLS);
}

static void draw_vm(int y, const struct top_vm *one, bool selected)
{
	char shadow[SIZE_TEXT], memory[SIZE_TEXT];

	if (selected)
		attron(A_REVERSE);
	if (one->vm.own)
		line(y, "%5llu %10.0f %10.0f %9s %9s %5u %7u  %-10s",
		     (unsigned long long)one->vm.id, one->rates.exits, one->rates.faults,
		     pages_text(shadow, one->vm.shadow_pages), size_text(memory, one->vm.memory),
		     one->vm.vcpus, one->vm.pid, name_of_vm_state(&one->vm));
	else
		line(y, "%5llu %10s %10s %9s %9s %5s %7s  %-10s", (unsigned long long)one->vm.id,
		     "-", "-", "-", "-", "-", "-", "other user");
	if (selected)
		attroff(A_REVERSE);
}

/* The reason with the highest rate that is not shown yet; NULL: there is none. */
static const double *next_reason(const struct rates *rates, bool *shown)
{
	const double *best = NULL;
	size_t i;

	for (i = 0; i < CTL_EXIT_REASONS; i++)
		if (!shown[i] && rates->exit[i] > (best ? *best : 0))
			best = &rates->exit[i];
	if (best)
		shown[best - rates->exit] = true;
	return best;
}

static void draw_reasons(int y, const struct top_vm *one)
{
	bool shown[CTL_EXIT_REASONS] = { false };
	const double *rate;
	int end = y + REASONS;

	attron(A_BOLD);
	line(y++, "VM %llu: exits/s by reason", (unsigned long long)one->vm.id);
	attroff(A_BOLD);
	while (y < end && y < LINES && (rate = next_reason(&one->rates, shown)))
		line(y++, "%10.0f %3.0f%%  %s", *rate, *rate * 100 / one->rates.exits,
		     name_of_exit(rate - one->rates.exit));
}

/* The first VM shown, such that the selected one is among those that have room. */
static size_t first_shown(const struct top *top, size_t selected, size_t room)
{
	return top->nr > room && selected >= room ? selected - room + 1 : 0;
}

static void draw(const struct top *top)
{
	int room = LINES - HEAD - REASONS - 2, y = HEAD;
	size_t selected = 0, i;

	erase();
	while (selected < top->nr && top->vms[selected].vm.id != top->selected)
		selected++;
	/* A low screen shows VMs rather than reasons. */
	if (room < 3)
		room = LINES - HEAD;
	if (room < 1)
		room = 1;
	line(0, "shvmctl top: %zu VM%s, every %g s; q ends", top->nr, top->nr == 1 ? "" : "s",
	     top->interval);
	attron(A_BOLD);
	line(1, "%5s %10s %10s %9s %9s %5s %7s  %-10s", "VM", "EXITS/S", "FAULTS/S", "SHADOW",
	     "MEMORY", "VCPUS", "PID", "STATE");
	attroff(A_BOLD);
	for (i = first_shown(top, selected, room); i < top->nr && y < HEAD + room; i++, y++)
		draw_vm(y, &top->vms[i], i == selected);
	if (selected < top->nr)
		draw_reasons(y + 1, &top->vms[selected]);
	refresh();
}

/* True if the user wants to end. *now: wants a new reading. */
static bool take_keys(struct top *top, bool *now)
{
	int key;

	while ((key = getch()) != ERR) {
		if (key == 'q' || key == 'Q' || key == 4)
			return true;
		if (key == KEY_UP || key == 'k')
			top_select(top, -1);
		else if (key == KEY_DOWN || key == 'j')
			top_select(top, 1);
		else if (key == ' ')
			*now = true;
	}
	return false;
}

/* Waits until it is time for a new reading. True: end. */
static bool wait(struct top *top, const sigset_t *signals)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec ts;
	bool now = false;
	double rest;

	while (!now && (rest = top->when + top->interval - clock_now()) > 0) {
		ts.tv_sec = rest;
		ts.tv_nsec = (rest - ts.tv_sec) * 1e9;
		ppoll(&input, 1, &ts, signals);
		/* Nobody is at the terminal any more; the signal that says so may come later. */
		if (!end_signal && input.revents & (POLLHUP | POLLERR | POLLNVAL))
			end_signal = SIGHUP;
		if (end_signal)
			return true;
		if (take_keys(top, &now))
			return true;
		draw(top);
	}
	return false;
}

int top_screen(struct top *top, unsigned int count)
{
	sigset_t before;
	SCREEN *screen;
	unsigned int i;
	int err = 0;

	block_signals(&before);
	screen = screen_begin();
	draw(top);
	for (i = 0; !err && (!count || i < count) && !wait(top, &before); i++) {
		err = top_read(top);
		if (!err)
			draw(top);
	}
	screen_end(screen);
	if (end_signal) {
		signal(end_signal, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		raise(end_signal);
	}
	return err;
}

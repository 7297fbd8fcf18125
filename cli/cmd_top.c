/* SPDX-License-Identifier: MIT */
/* cmd_top.c - `ravel top`: the tasks of a program on the whole screen, again and again.
 *
 * Every so often a snapshot is taken and the one before is kept, so that rates can be told. Keys
 * change what is shown of the last one at once. When the program ends, its last snapshot stays, and
 * it is said.
 *
 * The mark lies on a task, not on a line: it stays on it while others come and go, and falls on
 * whoever is at its line when it ends.
 *
 * Built with ncurses (meson option `top`); without it the verb says so.
 *
 * Checked by: tests/look/test_top.py, through a pseudo-terminal */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/look.h"

static const char usage[] =
    "usage: ravel top [--delay SECONDS] PID\n"
    "\n"
    "The tasks of a program that runs on Ravel, which goes on meanwhile, on the whole screen.\n"
    "\n"
    "  --delay SECONDS   between two looks, from 0.1 (1)\n"
    "\n"
    "Keys: arrows, page up and down, home, end: move   enter: look into a task   q: leave\n"
    "      < >: sort by another column   r: the other way round   /: filter   space: stop, go on\n"
    "      + -: look less, more often    x: executors, services, queues    h: help\n"
    "\n"
    "Manual page: ravel-top(1).\n";

#ifdef RVI_HAVE_NCURSES

#include <locale.h>
#include <ncurses.h>
#include <time.h>

#include "cli/top.h"
#include "look/stack.h"

enum {
    ESCAPE = 27,
    DELAY_LEAST_MS = 100,
    DELAY_MOST_MS = 60000,
};

static rv_time time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * RV_SECOND + now.tv_nsec;
}

/* --- what there is --- */

static void keep_mark(struct top *top)
{
    const struct top_row *marked = top_find(&top->rows, top->runtime, top->id);

    if (marked)
        top->line = (size_t)(marked - top->rows.rows);
    if (top->line >= top->rows.count)
        top->line = top->rows.count ? top->rows.count - 1 : 0;
    if (top->view == VIEW_LIST && top->rows.count) {
        top->runtime = top->rows.rows[top->line].task->runtime;
        top->id = top->rows.rows[top->line].task->id;
    }
}

/* By another order, or of another snapshot. */
static int make_rows(struct top *top)
{
    top_rows_fini(&top->rows);
    int r = top_rows_make(&top->rows, top->now, top->before, top->passed, &top->choice);
    keep_mark(top);
    return r;
}

static void take(struct top *top)
{
    struct look_snapshot *made;
    rv_time begin = time_now();
    int r = look_snapshot(top->target, &made, &top->trouble);
    rv_time now = time_now();

    top->cost = now - begin;

    top->is_over = r == -ESRCH;
    if (r < 0)
        return;
    top->trouble.text[0] = '\0';
    top_rows_fini(&top->rows);
    look_snapshot_free(top->before);
    top->before = top->now;
    top->now = made;
    top->passed = now - top->taken;
    top->taken = now;
}

/* --- keys --- */

static void move_by(struct top *top, long lines)
{
    long at = (long)top->line + lines, last = (long)top->rows.count - 1;

    top->line = (size_t)(at < 0 || last < 0 ? 0 : at > last ? last : at);
    if (top->rows.count) {
        top->runtime = top->rows.rows[top->line].task->runtime;
        top->id = top->rows.rows[top->line].task->id;
    }
}

static void sort_by(struct top *top, int step)
{
    top->choice.column = (enum top_column)((int)(top->choice.column + TOP_COLUMNS) + step) %
                         (enum top_column)TOP_COLUMNS;
}

static void change_delay(struct top *top, double factor)
{
    double delay = top->delay_ms * factor;

    if (delay >= DELAY_LEAST_MS && delay <= DELAY_MOST_MS)
        top->delay_ms = (int)delay;
}

static void type(struct top *top, int key)
{
    char *filter = top->choice.filter;
    size_t count = strlen(filter);

    if (key == '\n' || key == KEY_ENTER) {
        top->is_typing = false;
    } else if (key == ESCAPE) {
        top->is_typing = false;
        filter[0] = '\0';
    } else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
        filter[count ? count - 1 : 0] = '\0';
    } else if (key >= ' ' && key < 256 && count + 1 < sizeof top->choice.filter) {
        filter[count] = (char)key;
        filter[count + 1] = '\0';
    }
}

static void scroll_things(struct top *top, long lines)
{
    long at = (long)top->things_first + lines, last = (long)top->things_lines;

    top->things_first = (size_t)(at < 0 ? 0 : at > last ? last : at);
}

static void press_in_things(struct top *top, int key)
{
    switch (key) {
    case KEY_UP:
        return scroll_things(top, -1);
    case KEY_DOWN:
        return scroll_things(top, 1);
    case KEY_PPAGE:
        return scroll_things(top, -top->list_height);
    case KEY_NPAGE:
        return scroll_things(top, top->list_height);
    case KEY_HOME:
        return scroll_things(top, -(long)top->things_lines);
    case KEY_END:
        return scroll_things(top, (long)top->things_lines);
    case 'x':
        top->view = VIEW_LIST;
    }
}

static void press_in_list(struct top *top, int key)
{
    switch (key) {
    case KEY_UP:
        return move_by(top, -1);
    case KEY_DOWN:
        return move_by(top, 1);
    case KEY_PPAGE:
        return move_by(top, -top->list_height);
    case KEY_NPAGE:
        return move_by(top, top->list_height);
    case KEY_HOME:
        return move_by(top, -(long)top->rows.count);
    case KEY_END:
        return move_by(top, (long)top->rows.count);
    case '<':
        return sort_by(top, -1);
    case '>':
        return sort_by(top, 1);
    case 'r':
        top->choice.is_reversed = !top->choice.is_reversed;
        return;
    case '/':
        top->is_typing = true;
        return;
    case 'x':
        top->view = VIEW_THINGS;
        return;
    case '\n':
    case KEY_ENTER:
        top->view = VIEW_TASK;
    }
}

/* Whether to go on. */
static bool press(struct top *top, int key)
{
    if (top->is_typing) {
        type(top, key);
        return true;
    }
    if (key == '+' || key == '-')
        change_delay(top, key == '+' ? 2 : 0.5);
    if (key == ' ')
        top->is_paused = !top->is_paused;
    if (top->view == VIEW_LIST) {
        if (key == 'q')
            return false;
        if (key == 'h' || key == '?')
            top->view = VIEW_HELP;
        else
            press_in_list(top, key);
    } else if (key == 'q' || key == ESCAPE || key == '\n' || key == KEY_ENTER) {
        top->view = VIEW_LIST;
    } else if (top->view == VIEW_THINGS) {
        press_in_things(top, key);
    }
    return true;
}

/* --- the loop --- */

/* Of a million tasks a look takes seconds: then keys are to be heard in between. */
static rv_time pause_of(const struct top *top)
{
    rv_time delay = top->delay_ms * RV_MILLISECOND;

    return delay > top->cost ? delay : top->cost;
}

static int until_next(const struct top *top)
{
    rv_time left = top->taken + pause_of(top) - time_now();

    if (top->is_over || top->is_paused || left > pause_of(top))
        return top->delay_ms;
    return left < 0 ? 0 : (int)(left / RV_MILLISECOND);
}

static bool is_due(const struct top *top)
{
    return !top->is_over && !top->is_paused && time_now() - top->taken >= pause_of(top);
}

static int show(struct top *top)
{
    int key;

    do {
        if (is_due(top))
            take(top);
        if (make_rows(top) < 0)
            return -ENOMEM;
        top_draw(top);
        timeout(until_next(top));
        key = getch();
    } while (key == ERR ? !feof(stdin) : press(top, key));
    return 0;
}

static int with_screen(struct top *top)
{
    SCREEN *screen = newterm(NULL, stdout, stdin);

    if (!screen)
        return cli_unable("this terminal (TERM=%s) is not known", getenv("TERM"));
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    int r = show(top);
    endwin();
    delscreen(screen);
    return r < 0 ? cli_unable("no memory") : CLI_FINE;
}

static void choose_order(struct top *top)
{
    top->choice.column = TOP_SINCE;
    for (size_t i = 0; i < top->now->runtime_count; i++) {
        if (top->now->runtimes[i].has_accounts)
            top->choice.column = TOP_CPU;
    }
}

static int run(const struct cli_look_opts *opts)
{
    struct top top = {.delay_ms = opts->delay_ms};

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return cli_unable("top needs a terminal: `ravel ps` writes to files and pipes");
    int status = cli_look_take(opts, &top.target, &top.now);
    if (status != CLI_FINE)
        return status;
    setlocale(LC_CTYPE, "");
    top.taken = time_now();
    choose_order(&top);
    status = with_screen(&top);
    top_rows_fini(&top.rows);
    rvi_backtracer_free(top.backtracer);
    look_snapshot_free(top.before);
    look_snapshot_free(top.now);
    look_close(top.target);
    return status;
}

#else

static int run(const struct cli_look_opts *opts)
{
    (void)opts;
    return cli_unable("this command was built without ncurses, which top needs: see `ravel ps`");
}

#endif

int cli_top(int argc, char **argv)
{
    struct cli_look_opts opts;
    int status;

    if (!cli_look_opts(&opts, argc, argv, usage, CLI_TAKES_DELAY, &status))
        return status;
    return run(&opts);
}

/* SPDX-License-Identifier: MIT */
/* terminal.c - keys and progress while the work runs behind: the foreground is a loop that polls
 * the terminal and the runtime's descriptor.
 *
 *     fg_terminal [--again] FOLDER
 *
 * Keys: c cancels, s starts again, q or ^C leaves; any other is shown at once. Where standard input
 * is no terminal there are no keys, and only the result is printed. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "survey.h"

enum { BAR_CELLS = 30, PATH_CELLS = 24, CONTROL_C = 3 };

static struct termios before;
static bool has_keys;

static struct {
    rv_fg *fg;
    struct survey survey;
    int64_t task; /* 0: none */
    struct rv_fg_latest progress;
    unsigned keys; /* so far */
    char last_key;
    bool is_over;
} app;

/* --- the terminal --- */

static void restore_terminal(void)
{
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void restore_and_die(int number)
{
    restore_terminal();
    signal(number, SIG_DFL);
    raise(number);
}

/* Each key comes at once, ^C as well; what is printed goes through as before. */
static void take_keys(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    has_keys = true;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    atexit(restore_terminal);
    signal(SIGTERM, restore_and_die);
    signal(SIGHUP, restore_and_die);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* --- what is shown --- */

static const char *tail_of(const char *path)
{
    size_t length = strlen(path);

    return length > PATH_CELLS ? path + length - PATH_CELLS : path;
}

/* One line, written over. */
static void draw(void)
{
    const struct rv_fg_latest *p = &app.progress;
    int cells = p->total ? (int)(p->done * BAR_CELLS / p->total) : 0;
    char bar[BAR_CELLS + 1];

    if (!has_keys)
        return;
    cells = cells > BAR_CELLS ? BAR_CELLS : cells; /* a file may have grown */
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)cells);
    bar[BAR_CELLS] = '\0';
    rv_print("\r[%s] %3d %% keys: %u last: %c %.*s\033[K", bar, cells * 100 / BAR_CELLS, app.keys,
             app.last_key, PATH_CELLS, tail_of(p->text));
}

static void show_progress(void *arg, const struct rv_fg_latest *latest)
{
    (void)arg;
    app.progress = *latest;
    draw();
}

static void show_result(void)
{
    const struct counts *c = &app.survey.counts;

    if (has_keys)
        rv_print("\r\033[K");
    if (app.survey.result == -ECANCELED)
        rv_print("cancelled after %llu rounds\n", (unsigned long long)app.survey.rounds);
    else if (app.survey.result < 0)
        rv_print_error("fg_terminal: %s: %s\n", app.survey.root, strerror(-app.survey.result));
    else
        rv_print("%llu files, %llu unreadable, %llu bytes, %llu lines, %llu words\n",
                 (unsigned long long)c->files, (unsigned long long)c->unreadable,
                 (unsigned long long)c->bytes, (unsigned long long)c->lines,
                 (unsigned long long)c->words);
}

/* --- what happens --- */

static void survey_ended(void *arg)
{
    (void)arg;
    app.task = 0;
    show_result();
    app.is_over = !has_keys || app.survey.result != -ECANCELED;
}

static void start(void)
{
    if (app.task)
        return;
    app.survey.rounds = 0;
    app.task = rv_fg_go(app.fg, survey_run, &app.survey);
    if (app.task < 0) {
        rv_print_error("fg_terminal: %s\n", strerror((int)-app.task));
        app.is_over = true;
    }
}

static void handle_key(char key)
{
    app.keys++;
    app.last_key = key >= ' ' && key <= '~' ? key : '?';
    if (key == 'q' || key == CONTROL_C)
        app.is_over = true;
    else if (key == 's')
        start();
    else if (key == 'c' && app.task)
        rv_fg_cancel(app.fg, app.task);
    draw();
}

static void read_keys(void)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

    if (n <= 0)
        app.is_over = true; /* nobody is there any more */
    for (ssize_t i = 0; i < n; i++)
        handle_key(keys[i]);
}

static void loop(void)
{
    struct pollfd wanted[] = {
        {.fd = rv_fg_fd(app.fg), .events = POLLIN},
        {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN},
    };

    while (!app.is_over) {
        if (poll(wanted, 2, -1) < 0)
            continue; /* a signal came */
        if (wanted[1].revents)
            read_keys();
        if (wanted[0].revents)
            rv_fg_dispatch(app.fg, 0);
    }
}

int main(int argc, char **argv)
{
    struct rv_fg_opts opts = {.size = sizeof opts, .progress = show_progress};
    bool again = argc == 3 && strcmp(argv[1], "--again") == 0;

    if (argc != 2 && !again) {
        rv_print_error("usage: fg_terminal [--again] FOLDER\n");
        return 2;
    }
    app.survey = (struct survey){.root = argv[argc - 1], .again = again, .ended = survey_ended};
    app.last_key = ' ';
    int r = rv_fg_open(&app.fg, &opts);
    if (r < 0) {
        rv_print_error("fg_terminal: %s\n", strerror(-r));
        return 1;
    }
    take_keys();
    app.survey.fg = app.fg;
    start();
    loop();
    restore_terminal(); /* at once: what is still to be printed may wait for whoever reads it */
    bool was_cut = app.task > 0;
    r = rv_fg_close(app.fg);
    return r < 0 || was_cut || app.survey.result < 0 || rv_print_flush(RV_NEVER) < 0;
}

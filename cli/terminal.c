/* SPDX-License-Identifier: MIT */
/* terminal.c - the terminal and its interrupts, as several verbs look at them.
 *
 * Checked by: tests/cli */
#include "cli/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_USUAL = 100 };

unsigned cli_terminal_width(int fd)
{
    struct winsize size;
    const char *said = getenv("COLUMNS");

    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return said && atoi(said) > 0 ? (unsigned)atoi(said) : WIDTH_USUAL;
}

bool cli_has_colours(int fd)
{
    const char *term = getenv("TERM"), *never = getenv("NO_COLOR");

    return isatty(fd) && !(never && never[0]) && term && strcmp(term, "dumb") != 0;
}

static volatile int interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

const volatile int *cli_watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}

/* SPDX-License-Identifier: MIT */
/* known.c - a program whose tasks' states are known, for those who look at it from outside.
 *
 *     known parked        everybody waits, each for something else
 *     known spinning      the same, and one task holds its worker
 *     known busy          tasks begin, wait, are woken and end as fast as they can
 *     known brief         runtimes come and go
 *     known many COUNT    so many wait for one event
 *     known none          no runtime at all
 *     known dying         as `parked`, then it aborts
 *
 * A line on standard output says that the state is reached; the end of standard input ends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

/* Keeps a call from being inlined or turned into a jump: its frame must exist. */
#define FRAME __attribute__((noinline))
#define FRAME_ENDS __asm__ volatile("" ::: "memory")

enum { CROWD = 200, LETTERS = 3 };

static rv_chan *letters;
static struct rv_mutex door;
static const char *mode;
static volatile int is_over;

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* --- tasks that wait --- */

FRAME static int wait_for_letter(void)
{
    int letter, r = rv_chan_recv(letters, &letter, RV_NEVER);
    FRAME_ENDS;
    return r == -EPIPE ? 0 : r;
}

FRAME static int go_to_the_door(void)
{
    int r = wait_for_letter();
    FRAME_ENDS;
    return r;
}

static int recipient(void *arg)
{
    int r = arg ? rv_task_rename(arg) : 0;
    if (r == 0)
        r = go_to_the_door();
    FRAME_ENDS;
    return r;
}

static int sleeper(void *arg)
{
    (void)arg;
    return rv_sleep(3600 * RV_SECOND);
}

static int knocker(void *arg)
{
    (void)arg;
    int r = rv_mutex_lock(&door, RV_NEVER);
    if (r == 0)
        rv_mutex_unlock(&door);
    return r;
}

FRAME static void spin(void)
{
    while (!is_over)
        FRAME_ENDS;
}

static int spinner(void *arg)
{
    (void)arg;
    say_ready();
    spin();
    FRAME_ENDS;
    return 0;
}

static int landlord(void *arg)
{
    int err;

    RV_SCOPE(s, err, .name = "house", .policy = RV_COLLECT_ALL,
             .deadline = rv_after(7200 * RV_SECOND)) {
        if (rv_go_named(s, recipient, arg, "tenant") < 0)
            rv_scope_cancel(s, -ENOMEM);
    }
    return err;
}

static void wait_for_the_end(void)
{
    char byte;

    while (rv_read(STDIN_FILENO, &byte, 1, RV_NEVER) > 0)
        continue;
    is_over = 1;
}

static int town(void *arg)
{
    static char new_name[] = "renamed";
    int err, r = rv_chan_new(&letters, sizeof(int), 1);

    (void)arg;
    if (r < 0)
        return r;
    rv_mutex_init(&door);
    r = rv_mutex_lock(&door, RV_NEVER);
    RV_SCOPE(s, err, .name = "town") {
        r = rv_go_named(s, recipient, new_name, "recipient");
        for (int i = 1; i < LETTERS && r == 0; i++)
            r = rv_go_named(s, recipient, NULL, "recipient");
        if (r == 0)
            r = rv_go(s, sleeper, NULL);
        if (r == 0)
            r = rv_go(s, knocker, NULL);
        if (r == 0)
            r = rv_go(s, landlord, NULL);
        if (r == 0 && strcmp(mode, "spinning") == 0)
            r = rv_go(s, spinner, NULL);
        /* until the others have come to where they wait */
        if (r == 0)
            r = rv_sleep(20 * RV_MILLISECOND);
        if (strcmp(mode, "dying") == 0)
            abort();
        if (strcmp(mode, "spinning") != 0)
            say_ready();
        wait_for_the_end();
        rv_scope_cancel(s, -ECANCELED);
    }
    rv_mutex_unlock(&door);
    rv_chan_free(letters);
    return r;
}

/* --- tasks that do not hold still --- */

static int passer_by(void *arg)
{
    (void)arg;
    rv_yield();
    return rv_sleep(RV_MICROSECOND);
}

static int generation(void *arg)
{
    int err;

    while (!is_over) {
        RV_SCOPE(s, err, .name = "street") {
            for (int i = 0; i < CROWD; i++) {
                if (rv_go(s, passer_by, arg) < 0)
                    break;
            }
        }
    }
    return 0;
}

static int crowd(void *arg)
{
    int err;

    RV_SCOPE(s, err, .name = "crowd") {
        for (int i = 0; i < 4; i++) {
            if (rv_go(s, generation, arg) < 0)
                rv_scope_cancel(s, -ENOMEM);
        }
        say_ready();
        wait_for_the_end();
    }
    return err;
}

/* --- many tasks --- */

static struct rv_event bell;

static int listener(void *arg)
{
    (void)arg;
    return rv_event_wait(&bell, RV_NEVER);
}

static int many(void *count)
{
    int err, r = 0;

    rv_event_init(&bell);
    RV_SCOPE(s, err, .name = "choir") {
        for (long left = *(long *)count; left > 0 && r == 0; left--)
            r = rv_go(s, listener, NULL);
        say_ready();
        wait_for_the_end();
        rv_event_set(&bell);
    }
    return r == 0 ? err : r;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int brief(const struct rv_run_opts *opts)
{
    int r = 0;

    say_ready();
    for (int i = 0; i < 300 && r == 0; i++)
        r = rv_run(nothing, NULL, opts);
    return r;
}

/* Few stacks, as a core file has the addresses of all. */
int main(int argc, char **argv)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};
    char byte;

    mode = argc > 1 ? argv[1] : "parked";
    if (strcmp(mode, "none") == 0) {
        int r = rv_run(nothing, NULL, &opts); /* so that the library is there */
        say_ready();
        return r == 0 && read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
    }
    if (strcmp(mode, "brief") == 0)
        return brief(&opts) == 0 ? 0 : 1;
    if (strcmp(mode, "busy") == 0)
        return rv_run(crowd, NULL, &opts) == 0 ? 0 : 1;
    if (strcmp(mode, "many") == 0) {
        long count = argc > 2 ? atol(argv[2]) : 1000;
        opts.max_tasks = (size_t)(count + count / 8 + 16); /* workers keep stacks that are free */
        return rv_run(many, &count, &opts) == 0 ? 0 : 1;
    }
    opts.max_tasks = 16;
    return rv_run(town, NULL, &opts) == 0 ? 0 : 1;
}

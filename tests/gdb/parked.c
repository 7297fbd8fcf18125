/* SPDX-License-Identifier: MIT */
/* parked.c - what the test of tools/rv_gdb.py debugs: tasks that wait three calls deep, one that
 * runs, and a place to stop; with an argument it dies there. */
#include <stddef.h>
#include <stdlib.h>

#include <ravel.h>

/* Keeps a call from being inlined or turned into a jump: its frame must exist. */
#define FRAME __attribute__((noinline))
#define FRAME_ENDS __asm__ volatile("" ::: "memory")

static rv_chan *letters;

FRAME static int wait_for_letter(int number)
{
    int letter, r = rv_chan_recv(letters, &letter, RV_NEVER);
    FRAME_ENDS;
    return r == -1 ? number : 0;
}

FRAME static int go_to_the_door(int number)
{
    int r = wait_for_letter(number);
    FRAME_ENDS;
    return r;
}

static int recipient(void *arg)
{
    int r = go_to_the_door(*(int *)arg);
    FRAME_ENDS;
    return r;
}

FRAME static void stop_here(const void *dies)
{
    if (dies)
        abort();
    FRAME_ENDS;
}

static int post_office(void *arg)
{
    static int number = 4711;
    int err, r = rv_chan_new(&letters, sizeof(int), 1);
    if (r < 0)
        return r;
    RV_SCOPE(s, err, .name = "street") {
        r = rv_go_named(s, recipient, &number, "first");
        if (r == 0)
            r = rv_go_named(s, recipient, &number, "second");
        for (int i = 0; i < 8; i++)
            rv_yield();
        stop_here(arg);
        rv_chan_close(letters);
    }
    rv_chan_free(letters);
    return r < 0 ? r : err;
}

/* Few stacks, as the core file has the addresses of all. */
int main(int argc, char **argv)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1, .max_tasks = 16};
    return rv_run(post_office, argc > 1 ? argv[1] : NULL, &opts) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/* switching_batches.c - a channel's room decides how often two tasks have to change. */
#include <ravel.h>
#include <stdio.h>

enum { ITEMS = 1000 };

static int produce(void *ch)
{
    int r = 0;
    for (int n = 0; n < ITEMS && r == 0; n++)
        r = rv_chan_send(ch, &n, RV_NEVER);
    return r;
}

static int consume(rv_chan *ch)
{
    int n, r = 0;
    for (int i = 0; i < ITEMS && r == 0; i++)
        r = rv_chan_recv(ch, &n, RV_NEVER);
    return r;
}

static int hand_over(size_t room)
{
    struct rv_run_stats before = {.size = sizeof(before)};
    struct rv_run_stats after = {.size = sizeof(after)};
    rv_chan *ch;
    int err, r = rv_chan_new(&ch, sizeof(int), room);
    if (r == 0)
        r = rv_run_stats_read(&before);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, produce, ch);
        if (r == 0)
            r = consume(ch);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    if (err == 0 && (err = rv_run_stats_read(&after)) == 0)
        printf("room for %2zu: %4d switches for %d items\n", room,
               (int)(after.switches - before.switches), ITEMS);
    rv_chan_free(ch);
    return err;
}

static int entry(void *arg)
{
    static const size_t rooms[] = {0, 1, 8, 64};
    int r = 0;
    for (int i = 0; i < 4 && r == 0; i++)
        r = hand_over(rooms[i]);
    return r;
}

int main(void)
{
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    return rv_run(entry, NULL, &one_thread) < 0;
}

/* SPDX-License-Identifier: MIT */
/* locks_full_queue.c - room for eight between a fast producer and a slow consumer. */
#include <errno.h>
#include <ravel.h>
#include <stdio.h>

enum { ROOM = 8, ITEMS = 40 };

static size_t most;

static int produce(void *arg)
{
    rv_chan *ch = arg;
    int r = 0;
    for (int n = 1; n <= ITEMS && r == 0; n++) {
        r = rv_chan_send(ch, &n, RV_NEVER); /* waits while it is full */
        if (rv_chan_count(ch) > most)
            most = rv_chan_count(ch);
    }
    rv_chan_close(ch); /* that was all */
    return r;
}

static int consume(rv_chan *ch)
{
    int n, r, got = 0;
    while ((r = rv_chan_recv(ch, &n, RV_NEVER)) == 0) {
        r = rv_sleep(RV_MILLISECOND); /* the slow part */
        if (r < 0)
            break;
        got++;
    }
    printf("%d items, never more than %zu waiting\n", got, most);
    return r == -EPIPE ? 0 : r;
}

static int entry(void *arg)
{
    rv_chan *ch;
    int err, r = rv_chan_new(&ch, sizeof(int), ROOM);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, produce, ch);
        if (r == 0)
            r = consume(ch);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_chan_free(ch);
    return err;
}

int main(void)
{
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    return rv_run(entry, NULL, &one_thread) < 0;
}

/* SPDX-License-Identifier: MIT */
/* locks_owner.c - a table without a lock: one task has it, the others send to it. */
#include <errno.h>
#include <ravel.h>
#include <stdio.h>

enum { SENDERS = 4, EACH = 250, BINS = 5 };

static rv_chan *found;

static int look(void *arg)
{
    int r = 0;
    for (int n = 0; n < EACH && r == 0; n++)
        r = rv_chan_send(found, &n, RV_NEVER);
    return r;
}

static int all_senders(void)
{
    int err;
    RV_SCOPE(s, err) {
        int r = 0;
        for (int i = 0; i < SENDERS && r == 0; i++)
            r = rv_go(s, look, NULL);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_chan_close(found);
    return err;
}

static int own_the_table(void *arg)
{
    int bins[BINS] = {0}, n, r; /* on the stack: nobody else can even see it */
    while ((r = rv_chan_recv(found, &n, RV_NEVER)) == 0)
        bins[n % BINS]++;
    for (int i = 0; i < BINS; i++)
        printf("%d%s", bins[i], i < BINS - 1 ? " " : "\n");
    return r == -EPIPE ? 0 : r;
}

static int entry(void *arg)
{
    int err, r = rv_chan_new(&found, sizeof(int), 64);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, own_the_table, NULL);
        if (r == 0)
            r = all_senders();
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_chan_free(found);
    return err;
}

int main(void)
{
    return rv_run(entry, NULL, NULL) < 0;
}

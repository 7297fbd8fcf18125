/* SPDX-License-Identifier: MIT */
/* named.c - naming channels and queues.
 *
 * A name is never written over: another one is made, put on the roll, and what was there taken off
 * and freed, so that who reads from outside reads one or the other. That two name one channel at a
 * time is kept in order by a lock, which nobody else takes.
 *
 * Apart from chan_life.c, because the table of what lies where brings queues with it, which a
 * program that is linked statically may not want.
 *
 * Checked by: tests/unit/task/test_named.c */
#include "task/named.h"

#include <errno.h>
#include <string.h>

#include <ravel/queue.h>

#include "base/alloc.h"
#include "base/seam.h"
#include "sys/lock.h"

static struct rvi_lock naming = RVI_LOCK_INIT;

static struct rvi_named *named_new(const char *name)
{
    struct rvi_named *named = rvi_calloc(1, sizeof *named);

    if (named)
        strncpy(named->name, name, sizeof named->name - 1);
    return named;
}

int rvi_named_set(struct rv_chan *ch, enum rvi_roll_kind kind, const void *waited_at,
                  const char *name)
{
    struct rvi_named *named = name ? named_new(name) : NULL;

    if (name && !named)
        return -ENOMEM;
    if (named) {
        named->enrolled.waited_at = waited_at;
        named->enrolled.name = named->name;
        rvi_roll_add(&named->enrolled, kind, &rvi_queue_layout, ch);
    }
    struct rvi_seam *seam = rvi_seam_leave();
    rvi_lock_acquire(&naming);
    struct rvi_named *before = ch->named;
    ch->named = named;
    rvi_lock_release(&naming);
    rvi_seam_return(seam);
    rvi_named_drop(before);
    return 0;
}

int rv_chan_rename(rv_chan *ch, const char *name)
{
    return rvi_named_set(ch, RVI_ROLL_CHAN, &ch->lock, name);
}

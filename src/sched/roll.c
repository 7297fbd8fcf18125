/* SPDX-License-Identifier: MIT */
#include "sched/roll.h"

#include "base/seam.h"
#include "sched/probe.h"
#include "sys/lock.h"

struct rvi_list rvi_roll = {{&rvi_roll.head, &rvi_roll.head}};

static struct rvi_lock lock = RVI_LOCK_INIT;
static uint64_t last_number; /* under it */

static void tell(const struct rvi_enrolled *place, const char *name)
{
    if (place->waited_at)
        rvi_probe_name(place->waited_at, name, place->number);
}

void rvi_roll_add(struct rvi_enrolled *place, enum rvi_roll_kind kind,
                  const struct rvi_layout_part *part, const void *thing)
{
    if (rvi_seam)
        return;
    place->kind = kind;
    place->part = part;
    place->thing = thing;
    rvi_lock_acquire(&lock);
    place->number = ++last_number;
    rvi_list_push_back(&rvi_roll, &place->link);
    rvi_lock_release(&lock);
    tell(place, place->name);
}

void rvi_roll_remove(struct rvi_enrolled *place)
{
    if (!place->thing) /* not the link, which is its neighbours' as well */
        return;
    struct rvi_seam *seam = rvi_seam_leave();
    rvi_lock_acquire(&lock);
    rvi_link_remove(&place->link);
    rvi_lock_release(&lock);
    rvi_seam_return(seam);
    place->thing = NULL;
    tell(place, NULL);
}

/* Under the lock: what is on the roll meanwhile is told that it is gone later than that it is
 * there. */
void rvi_roll_tell(void)
{
    rvi_lock_acquire(&lock);
    RVI_LIST_FOREACH(link, &rvi_roll) {
        const struct rvi_enrolled *place = rvi_container_of(link, struct rvi_enrolled, link);
        tell(place, place->name);
    }
    rvi_lock_release(&lock);
}

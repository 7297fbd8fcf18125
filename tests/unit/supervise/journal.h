/* SPDX-License-Identifier: MIT */
/* journal.h - what supervisors report, in short, to be compared:
 *
 *     +b started   !b ended   -b stopped   ~b late   X gave up */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <ravel.h>

#include "base/check.h"
#include "sys/lock.h"

enum { JOURNAL_MOST = 128 };

static struct {
    struct rvi_lock lock; /* guards the next two */
    char text[JOURNAL_MOST];
    size_t count;
    struct rv_event more;
    void (*on_late)(const char *service);
    struct rv_service_end last; /* end reported; to be read when all is over */
} journal;

static inline void note(void *arg, const struct rv_supervisor_event *event)
{
    static const char signs[] = {'+', '!', '-', '~', 'X'};
    bool has_end = event->news == RV_SUPERVISOR_ENDED || event->news == RV_SUPERVISOR_STOPPED;

    (void)arg;
    RV_CHECK(event->text[0] && event->supervisor[0] && journal.count + 3 < JOURNAL_MOST);
    RV_CHECK(!event->end == !has_end);
    rvi_lock_acquire(&journal.lock);
    journal.text[journal.count++] = signs[event->news];
    if (event->service)
        journal.text[journal.count++] = event->service[0];
    if (has_end)
        journal.last = *event->end;
    rvi_lock_release(&journal.lock);
    rv_event_set(&journal.more);
    if (event->news == RV_SUPERVISOR_LATE && journal.on_late)
        journal.on_late(event->service);
}

/* Until it is as long as this. */
static inline void await_journal(const char *expected)
{
    for (;;) {
        rv_event_reset(&journal.more);
        rvi_lock_acquire(&journal.lock);
        bool done = journal.count >= strlen(expected);
        rvi_lock_release(&journal.lock);
        if (done)
            break;
        RV_CHECK(rv_event_wait(&journal.more, RV_NEVER) == 0);
    }
}

static inline void expect_journal(const char *expected)
{
    if (strcmp(journal.text, expected) != 0)
        rvi_panic("the journal is %s, not %s; last: %s", journal.text, expected, journal.last.text);
}

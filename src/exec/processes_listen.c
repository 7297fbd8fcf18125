/* SPDX-License-Identifier: MIT */
/* processes_listen.c - what a job in a worker process says of its progress.
 *
 * It says so in the note of its slot (shm/note.h), which nobody looks at until somebody asks, or
 * waits, or the job ends. Who waits has set the note's bell before: the worker then calls the
 * service, which takes in what has been said to anybody who waits.
 *
 *   N2  a slot whose has_note is not set has a note of an earlier job, or none; it is cleared when
 *       the slot is sent
 *
 * Checked by: tests/unit/exec/test_progress.c */
#include "exec/processes.h"

static struct rvi_note *note_of(const struct rvi_entry *entry)
{
    return &entry->member->notes[entry->index % RVI_PROCESSES_SLOTS];
}

/* Without memory for it a note goes unheard. */
void rvi_entry_hear(struct rvi_entry *entry, struct rvi_link **wakes)
{
    struct rvi_slot *slot = rvi_ring_slot(&entry->member->ring, entry->index);
    unsigned char bytes[RVI_NOTE_BYTES];
    size_t count;

    if (!rvi_load_acquire(&slot->has_note)) /* pairs: slot-note */
        return;
    uint64_t heard = rvi_note_read(note_of(entry), entry->heard, bytes, &count);
    if (heard == entry->heard)
        return;
    entry->heard = heard;
    (void)rvi_future_note(entry->future, bytes, count, wakes);
}

void rvi_processes_listen(struct rv_future *f, struct rvi_link **wakes)
{
    struct rvi_entry *entry = f->context;

    rvi_note_await(note_of(entry));
    rvi_entry_hear(entry, wakes);
}

void rvi_processes_hear_notes(struct rvi_processes *pool, struct rvi_link **wakes)
{
    if (pool->ex.listening == 0)
        return;
    RVI_LIST_FOREACH(link, &pool->ex.running) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        if (rvi_future_is_listened_to(f))
            rvi_processes_listen(f, wakes);
    }
}

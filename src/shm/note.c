/* SPDX-License-Identifier: MIT */
/* note.c - writing and reading notes: see note.h.
 *
 * A page is copied as plain bytes while it may be written, and the copy is thrown away if it was:
 * Boehm 2012, "Can seqlocks get along with programming language memory models?". The writer's first
 * fence keeps what it writes into a page behind the `told` by which it left that page.
 *
 * Checked by: tests/unit/shm/test_note.c, tests/unit/exec/test_progress.c */
#include "shm/note.h"

#include <string.h>

#include "base/check.h"

enum { TRIES = 16 }; /* for a copy that nobody has written into */

void rvi_note_write(struct rvi_note *note, const void *bytes, size_t count)
{
    uint64_t told = rvi_load_relaxed(&note->told) + 1;
    struct rvi_note_page *page = &note->pages[told % 2];

    RV_DCHECK(count <= RVI_NOTE_BYTES);
    rvi_fence_release(); /* pairs: note-page */
    page->count = count;
    if (count > 0)
        memcpy(page->bytes, bytes, count);
    rvi_store_release(&note->told, told); /* pairs: note */
}

bool rvi_note_calls(struct rvi_note *note)
{
    rvi_fence_seq_cst(); /* pairs: note-awaited */
    return rvi_load_relaxed(&note->is_awaited) && rvi_exchange_relaxed(&note->is_awaited, 0) != 0;
}

void rvi_note_await(struct rvi_note *note)
{
    rvi_store_relaxed(&note->is_awaited, 1);
    rvi_fence_seq_cst(); /* pairs: note-awaited */
}

uint64_t rvi_note_read(const struct rvi_note *note, uint64_t seen, void *ret_bytes,
                       size_t *ret_count)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t told = rvi_load_acquire(&note->told); /* pairs: note */
        const struct rvi_note_page *page = &note->pages[told % 2];
        if (told == seen)
            break;
        uint64_t count = *(const volatile uint64_t *)&page->count; /* once: it may change */
        if (count > RVI_NOTE_BYTES)
            count = RVI_NOTE_BYTES;
        memcpy(ret_bytes, page->bytes, count);
        rvi_fence_acquire(); /* pairs: note-page */
        if (rvi_load_relaxed(&note->told) == told) {
            *ret_count = count;
            return told;
        }
    }
    return seen;
}

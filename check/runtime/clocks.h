/* SPDX-License-Identifier: MIT */
/* clocks.h - happens-before between threads: vector clocks (Mattern 1989), and what C11 makes of
 * fences and release sequences. Values are sequentially consistent all the same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ck_thread;

/* What a synchronisation object carries from those that release it to those that acquire it. All
 * zeros is empty; ck_sync_fini gives its memory back. */
struct ck_sync {
    uint32_t *clock;
    uint32_t count;
};

void ck_sync_fini(struct ck_sync *sync);

/** The current thread. Both: release, and then everything after is later. */
void ck_acquire(const struct ck_sync *sync);
void ck_release(struct ck_sync *sync);       /* joins what is there: a semaphore, a barrier */
void ck_release_store(struct ck_sync *sync); /* replaces what is there: a mutex */

/** A thread begins: after all that its creator did. NULL: the main thread. */
void ck_hb_begin(struct ck_thread *child, const struct ck_thread *creator);

/** The current thread has joined with one that ended. */
void ck_hb_join(const struct ck_thread *ended);

/** `to` becomes what `from` is. */
void ck_sync_copy(struct ck_sync *to, const struct ck_sync *from);

/** What the current thread knows of all others, now; its own time does not pass by this. */
void ck_hb_snapshot(struct ck_sync *ret);

/** The current thread's own time: `snapshot` knows of this moment if ck_hb_knows(snapshot, id,
 * time). */
uint32_t ck_hb_time(void);
bool ck_hb_knows(const struct ck_sync *snapshot, uint32_t thread, uint32_t time);

/** Memory is fresh (allocated, a thread's stack) or gone: what was done there before is
 * forgotten. */
void ck_hb_forget(uintptr_t address, size_t bytes);

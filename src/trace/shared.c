/* SPDX-License-Identifier: MIT */
/* shared.c - one program writes, one other reads.
 *
 *     runtime                                   reader
 *     place: FREE -> TAKEN by compare-and-swap
 *     sizes, rings empty
 *     place: NOTES (release)                    acquire; rings as in ring.c
 *     place: ENDED (release)                    acquire; the rest of the rings; FREE (release)
 *     text: key by compare-and-swap, name
 *     is_there = 1 (release)                    is_there (acquire), then the name
 *
 * A text's place is its key's, or one of the next few after it; nothing is ever taken out. Of two
 * threads that put the same one at a time whoever has set the key fills it in, and the other gives
 * its number as well, for the reader looks late.
 *
 * Checked by: tests/unit/trace/test_shared.c */
#include "trace/shared.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

enum { LEAST_EVENTS = 64, TEXT_TRIES = 32 };

#define MAGIC UINT64_C(0x3464726f63657276) /* "vrecord4" */

size_t rvi_trace_shared_head(void)
{
    enum { PAGE = 65536 };

    return (sizeof(struct rvi_trace_shared) + PAGE - 1) & ~(size_t)(PAGE - 1);
}

size_t rvi_trace_shared_bytes(size_t place_bytes)
{
    return rvi_trace_shared_head() + RVI_TRACE_PLACES * place_bytes;
}

void rvi_trace_shared_init(struct rvi_trace_shared *shared, size_t place_bytes)
{
    shared->bytes = rvi_trace_shared_bytes(place_bytes);
    shared->place_bytes = place_bytes;
    shared->clock = rvi_ticks_clock();
    shared->magic = MAGIC;
}

bool rvi_trace_shared_is_sound(const struct rvi_trace_shared *shared, size_t bytes)
{
    return bytes > rvi_trace_shared_head() && shared->magic == MAGIC && shared->bytes == bytes &&
           shared->place_bytes == (bytes - rvi_trace_shared_head()) / RVI_TRACE_PLACES;
}

/* The largest power of two whose rings fit; 0: none. */
static uint64_t events_of(size_t room)
{
    uint64_t events = LEAST_EVENTS;

    if (rvi_trace_bytes(events) > room)
        return 0;
    while (rvi_trace_bytes(events * 2) <= room)
        events *= 2;
    return events;
}

/* The reader's, where this process can note it; whose times are nanoseconds everybody can read. */
static enum rvi_ticks_clock clock_of(const struct rvi_trace_shared *shared)
{
    enum rvi_ticks_clock own = rvi_ticks_clock();

    return own == shared->clock ? own : RVI_TICKS_NS;
}

static int find_free(struct rvi_trace_shared *shared)
{
    for (int i = 0; i < RVI_TRACE_PLACES; i++) {
        _Atomic(uint32_t) *state = &shared->places[i].state;
        uint32_t expected = RVI_TRACE_FREE;
        if (rvi_cas_acquire(state, &expected, RVI_TRACE_TAKEN)) /* pairs: trace-place */
            return i;
    }
    return -EBUSY;
}

int rvi_trace_shared_take(struct rvi_trace_shared *shared, unsigned rings, const void *runtime,
                          unsigned pid)
{
    size_t room = shared->place_bytes / rings & ~(size_t)(RVI_CACHE_LINE - 1);
    uint64_t events = events_of(room);
    int place = events ? find_free(shared) : -ENOSPC;

    if (place < 0)
        return place;
    struct rvi_trace_place *at = &shared->places[place];
    at->rings = rings;
    at->pid = pid;
    at->runtime = (uintptr_t)runtime;
    at->ring_bytes = room;
    enum rvi_ticks_clock clock = runtime ? clock_of(shared) : RVI_TICKS_NS;
    for (unsigned i = 0; i < rings; i++) {
        struct rvi_trace *ring = rvi_trace_shared_ring(shared, place, i);
        memset(ring, 0, sizeof *ring); /* another has had it before */
        rvi_trace_init(ring, events, clock);
    }
    rvi_store_release(&at->state, RVI_TRACE_NOTES); /* pairs: trace-place */
    return place;
}

void rvi_trace_shared_end(struct rvi_trace_shared *shared, int place)
{
    rvi_store_release(&shared->places[place].state, RVI_TRACE_ENDED); /* pairs: trace-place */
}

void rvi_trace_shared_reuse(struct rvi_trace_shared *shared, int place)
{
    rvi_store_release(&shared->places[place].state, RVI_TRACE_FREE); /* pairs: trace-place */
}

struct rvi_trace *rvi_trace_shared_ring(struct rvi_trace_shared *shared, int place, unsigned ring)
{
    char *start = (char *)shared + rvi_trace_shared_head() + (size_t)place * shared->place_bytes;

    return (struct rvi_trace *)(void *)(start + ring * shared->places[place].ring_bytes);
}

static void copy(char *to, const char *text, size_t room)
{
    size_t count = strnlen(text, room - 1);

    memcpy(to, text, count);
    to[count] = '\0';
}

unsigned rvi_trace_shared_text(struct rvi_trace_shared *shared, uint64_t key, const char *name,
                               const char *file, unsigned line)
{
    unsigned at = (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40);

    for (unsigned i = 0; i < TEXT_TRIES; i++, at++) {
        struct rvi_trace_text *text = &shared->texts[at % RVI_TRACE_TEXTS];
        uint64_t known = rvi_load_relaxed(&text->key);
        if (known == 0 && rvi_cas_relaxed(&text->key, &known, key)) {
            copy(text->name, name, sizeof text->name);
            copy(text->file, file, sizeof text->file);
            text->line = line;
            rvi_store_release(&text->is_there, 1); /* pairs: trace-text */
            known = key;
        }
        if (known == key)
            return at % RVI_TRACE_TEXTS + 1;
    }
    return 0;
}

/* FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), with the topmost bit, which no address has. */
uint64_t rvi_trace_text_key(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash | (uint64_t)1 << 63;
}

const struct rvi_trace_text *rvi_trace_shared_find(const struct rvi_trace_shared *shared,
                                                   uint64_t number)
{
    const struct rvi_trace_text *text =
        number >= 1 && number <= RVI_TRACE_TEXTS ? &shared->texts[number - 1] : NULL;

    return text && rvi_load_acquire(&text->is_there) ? text : NULL; /* pairs: trace-text */
}

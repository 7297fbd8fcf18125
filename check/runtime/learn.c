/* SPDX-License-Identifier: MIT */
/* learn.c - locations that matter.
 *
 * Of some hundred thousand accesses of a small program some dozen can be seen by another thread. A
 * point at each of them would drown these. So an execution that is told to learn notes for each
 * granule which places came to it; where two threads met, one of them writing, both places go into
 * the result, and the driver gives them to the executions after it.
 *
 *   L1  what only creation and join order is not a meeting: an initialisation before the threads
 *       are created happens before them in every schedule
 *   L2  what locks order is one: another schedule has it the other way round
 *
 *   L3  a place that touches several bytes of a granule is noted once, with all of them, at the
 *       latest time: an array of bytes would make long lists else
 *   L4  the latest touch is the first of the list, so one that repeats it met nobody new
 *
 * The table of the plan's places is by return address, open addressing, a quarter full.
 *
 * Checked by: tests/unit/check/test_learn.c */
#include "check/runtime/learn.h"

#include "check/runtime/arena.h"
#include "check/runtime/hb.h"
#include "check/runtime/places.h"
#include "check/runtime/sched.h"
#include "check/runtime/shadow.h"

enum { TOUCHES_MOST = 64, SEEN_BITS = 15, SEEN_ROOM = 1 << SEEN_BITS };

const uintptr_t *ck_learned_places;
unsigned ck_learned_shift;

static uintptr_t seen[SEEN_ROOM];

static void insert(uintptr_t *places, unsigned shift, uintptr_t pc)
{
    size_t i = ck_learn_hash(pc) >> shift;

    while (places[i] && places[i] != pc)
        i = (i + 1) & (SIZE_MAX >> shift);
    places[i] = pc;
}

void ck_learn_begin(void)
{
    uint32_t count = ck_shared->plan.location_count;
    unsigned bits = 4;
    uintptr_t *places;

    if (ck_shared->plan.granularity != CK_LEARNED || count == 0 || count > CK_LOCATIONS_MOST)
        return;
    while ((1U << bits) < 4 * count)
        bits++;
    places = ck_alloc(sizeof *places << bits);
    ck_learned_shift = 64 - bits;
    for (uint32_t i = 0; i < count; i++) {
        struct ck_place place = ck_shared->locations[i];
        if (place.module < ck_shared->module_count && place.module < CK_MODULES_MOST)
            insert(places, ck_learned_shift,
                   ck_shared->modules[place.module].base + place.offset + 1);
    }
    ck_learned_places = places;
}

/* --- learning --- */

static void mark(uintptr_t pc)
{
    struct ck_result *result = &ck_shared->result;
    size_t i = ck_learn_hash(pc) >> (64 - SEEN_BITS);

    for (; seen[i]; i = (i + 1) % SEEN_ROOM) {
        if (seen[i] == pc)
            return;
    }
    if (result->seen_count >= CK_LOCATIONS_MOST)
        return;
    seen[i] = pc;
    ck_shared->seen[result->seen_count++] = ck_place_of(pc);
}

/* The touch as a record, for its fields. */
static struct ck_record as_record(const struct ck_touch *touch)
{
    return (struct ck_record){touch->who, 0};
}

/* L1, L2 */
static bool is_meeting(const struct ck_touch *before, unsigned bytes, bool is_write)
{
    const struct ck_hb *hb = ck_self->hb;
    struct ck_record record = as_record(before);
    uint32_t thread = ck_record_thread(&record);

    if (thread == hb->thread || !(ck_record_bytes(&record) & bytes) ||
        !(is_write || ck_record_kind(&record) & CK_WRITES))
        return false;
    return ck_record_clock(&record) > ck_clock_of(&hb->forks, thread);
}

#define ALL_BYTES (UINT64_C(0xff) << CK_BYTES_SHIFT)

/* L3 */
static bool is_same(const struct ck_touch *touch, uint64_t who, uintptr_t pc)
{
    uint64_t ignored = ALL_BYTES | UINT32_MAX;

    return touch->pc == pc && ((touch->who ^ who) & ~ignored) == 0;
}

/* L4 */
static bool is_latest(const struct ck_touch *touch, uint64_t who, uintptr_t pc)
{
    return touch && is_same(touch, who, pc) && (uint32_t)touch->who == (uint32_t)who &&
           (who & ~touch->who) == 0;
}

static void put_first(struct ck_more *more, struct ck_touch **link)
{
    struct ck_touch *touch = *link;

    *link = touch->next;
    touch->next = more->touches;
    more->touches = touch;
}

static uint64_t who_of(unsigned bytes, bool is_write)
{
    return ck_self->hb->id | (uint64_t)bytes << CK_BYTES_SHIFT |
           (uint64_t)(is_write ? CK_WRITES : 0) << CK_KIND_SHIFT;
}

static struct ck_touch *add(struct ck_more *more, uintptr_t pc)
{
    struct ck_touch *touch = ck_alloc(sizeof *touch);

    *touch = (struct ck_touch){more->touches, 0, pc};
    more->touches = touch;
    return touch;
}

void ck_learn_touch(uintptr_t granule, unsigned bytes, bool is_write, uintptr_t pc)
{
    struct ck_more *more = ck_shadow_more(granule);
    uint64_t who = who_of(bytes, is_write);
    struct ck_touch **same = NULL;
    unsigned count = 0;

    if (is_latest(more->touches, who, pc))
        return;
    for (struct ck_touch **link = &more->touches; *link; link = &(*link)->next, count++) {
        if (is_meeting(*link, bytes, is_write)) {
            mark((*link)->pc);
            mark(pc);
        }
        same = is_same(*link, who, pc) ? link : same;
    }
    if (same)
        put_first(more, same);
    else if (count < TOUCHES_MOST)
        add(more, pc);
    else
        return;
    more->touches->who = who | (more->touches->who & ALL_BYTES);
}

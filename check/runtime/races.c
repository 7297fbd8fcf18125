/* SPDX-License-Identifier: MIT */
/* races.c - FastTrack (Flanagan and Freund, "FastTrack: efficient and precise dynamic race
 * detection", 2009) on cells of eight bytes, exact to the byte, with atomics besides plain
 * accesses.
 *
 * Two accesses race if they touch a byte in common, are of two threads, at least one writes, at
 * least one is not atomic, and neither happened before the other. So of what was done to a byte
 * only that has to be kept which could still race when all later ones do not:
 *
 *   R1  a record is dropped, byte by byte, when an access that it happened before is at least as
 *       strong: writes if the record writes, is plain if the record is plain. Who races with the
 *       record races with that access too
 *   R2  a reported pair is dropped in the same way: one report, not one a loop iteration
 *   R3  a cell's own records are of the latest reader and the latest writer, so that what one
 *       thread does again and again in one epoch is seen to be known by one comparison (access.c)
 *   R4  equal epochs and kinds share a record if the places that it would name stay exact: one for
 *       each half of the granule
 *
 *   R5  memory that is freed while another thread uses it, in whichever order it came this time, is
 *       a failure and not only a race: no program means that
 *
 * The earlier party is known by its program counter alone: keeping stacks would double the cost of
 * each access. The later one has its backtrace.
 *
 * Checked by: tests/unit/check/test_races.c */
#include "check/runtime/races.h"

#include "check/runtime/fail.h"
#include "check/runtime/hb.h"
#include "check/runtime/modules.h"
#include "check/runtime/sched.h"

enum { PAIRS = 256 /* told apart; a power of two */ };

/* An access to one granule. */
struct access {
    struct ck_hb *hb;
    uintptr_t granule;
    uintptr_t pc;
    unsigned bytes; /* a bit each */
    unsigned kind;
};

/* --- reports --- */

static uint64_t told[PAIRS];
static unsigned told_count;

static uint64_t pair_of(uintptr_t one, uintptr_t other)
{
    uint64_t low = one < other ? one : other, high = one < other ? other : one;

    return (low * UINT64_C(0x9e3779b97f4a7c15) ^ high) | 1;
}

/* Also when there are more than anybody will read. */
static bool is_told(uint64_t pair)
{
    size_t i = pair * UINT64_C(0x9e3779b97f4a7c15) >> 56;

    for (; told[i % PAIRS]; i++) {
        if (told[i % PAIRS] == pair)
            return true;
    }
    if (told_count >= PAIRS / 2)
        return true;
    told_count++;
    told[i % PAIRS] = pair;
    return false;
}

static const char *verb(unsigned kind)
{
    if (kind & CK_FREES)
        return "frees";
    if (kind & CK_ATOMIC_ACCESS)
        return kind & CK_WRITES ? "atomically writes" : "atomically reads";
    return kind & CK_WRITES ? "writes" : "reads";
}

/* R5. What an uninstrumented library frees may be ordered by what is not seen. */
static enum ck_kind kind_of(const struct access *now, const struct ck_record *before)
{
    bool is_heap = now->kind & CK_FREES && !(ck_record_kind(before) & CK_ATOMIC_ACCESS) &&
                   ck_module_is_instrumented(now->pc);

    return is_heap ? CK_HEAP : CK_RACE;
}

static void tell(const struct access *now, const struct ck_record *before)
{
    unsigned common = now->bytes & ck_record_bytes(before);
    uintptr_t address = now->granule + (unsigned)__builtin_ctz(common);
    uintptr_t pc = ck_record_pc(before, common);
    uint32_t thread = ck_record_thread(before);
    enum ck_kind kind = kind_of(now, before);
    struct ck_report *report;
    struct ck_party *party;

    if (is_told(pair_of(pc, now->pc)))
        return;
    report =
        ck_report_begin(kind, "thread %u %s what thread %u %s, and nothing orders the two",
                        now->hb->thread, verb(now->kind), thread, verb(ck_record_kind(before)));
    report->bytes = (unsigned)__builtin_popcount(common);
    party = ck_report_party(report, now->hb->thread, address);
    if (party)
        party->is_write = (now->kind & CK_WRITES) != 0;
    party = ck_report_past(report, thread, address, pc);
    if (party) {
        party->is_write = (ck_record_kind(before) & CK_WRITES) != 0;
        party->is_access = true;
    }
    if (kind == CK_HEAP)
        ck_report_fail(report);
    ck_report_end(report);
}

/* --- one granule --- */

static bool is_foreign(const struct access *now, const struct ck_record *before)
{
    return ck_record_bytes(before) && ck_record_thread(before) != now->hb->thread;
}

static bool is_before(const struct access *now, const struct ck_record *before)
{
    uint32_t thread = ck_record_thread(before);

    return thread == now->hb->thread ||
           ck_record_clock(before) <= ck_clock_of(&now->hb->clock, thread);
}

static bool conflicts(const struct access *now, const struct ck_record *before)
{
    unsigned kind = ck_record_kind(before);

    return ((now->kind | kind) & CK_WRITES) && !(now->kind & kind & CK_ATOMIC_ACCESS);
}

/* R1. */
static bool is_as_strong(const struct access *now, const struct ck_record *before)
{
    unsigned kind = ck_record_kind(before);

    return !(kind & ~now->kind & CK_WRITES) && !(now->kind & ~kind & CK_ATOMIC_ACCESS);
}

static void meet(const struct access *now, struct ck_record *before)
{
    bool is_ordered;

    if (!(ck_record_bytes(before) & now->bytes))
        return;
    is_ordered = is_before(now, before);
    if (!is_ordered && conflicts(now, before)) {
        tell(now, before);
        is_ordered = true;
    }
    if (is_ordered && is_as_strong(now, before))
        before->who &= ~((uint64_t)now->bytes << CK_BYTES_SHIFT);
}

static void meet_more(const struct access *now, struct ck_more *more, bool *is_shared)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < more->count; i++) {
        struct ck_record *before = &more->records[i];
        *is_shared |= is_foreign(now, before);
        meet(now, before);
        if (ck_record_bytes(before))
            more->records[kept++] = *before;
    }
    more->count = kept;
}

static uint64_t who_of(const struct access *now)
{
    return now->hb->id | (uint64_t)now->bytes << CK_BYTES_SHIFT |
           (uint64_t)(now->kind & CK_RECORD_KINDS) << CK_KIND_SHIFT;
}

static bool fits(int64_t distance)
{
    return distance >= INT16_MIN && distance <= INT16_MAX;
}

static uint64_t where(uintptr_t low, uintptr_t high)
{
    return (low & ((UINT64_C(1) << 48) - 1)) | (uint64_t)(high - low) << 48;
}

/* R4. Within a half the bytes must be the same, or come from the same place. */
static bool merge(const struct access *now, struct ck_record *into)
{
    unsigned had = ck_record_bytes(into), all = had | now->bytes;
    uintptr_t low = ck_record_pc(into, 0x0f), high = ck_record_pc(into, 0xf0);

    if (had & 0x0f & ~now->bytes && now->bytes & 0x0f && low != now->pc)
        return false;
    if (had & 0xf0 & ~now->bytes && now->bytes & 0xf0 && high != now->pc)
        return false;
    low = now->bytes & 0x0f ? now->pc : low;
    high = now->bytes & 0xf0 ? now->pc : high;
    if (!(all & 0x0f))
        low = high;
    if (!(all & 0xf0))
        high = low;
    if (!fits((int64_t)(high - low)))
        return false;
    into->who |= (uint64_t)all << CK_BYTES_SHIFT;
    into->where = where(low, high);
    return true;
}

static bool is_same_epoch(const struct access *now, const struct ck_record *record)
{
    uint64_t relevant = CK_ID_MASK | (uint64_t)CK_RECORD_KINDS << CK_KIND_SHIFT;

    return ((record->who ^ who_of(now)) & relevant) == 0;
}

/* R3. */
static void insert(const struct access *now, struct ck_record *slot)
{
    uint64_t marks = slot->who & (uint64_t)(CK_HAS_MORE | CK_IS_SHARED) << CK_KIND_SHIFT;

    if (ck_record_bytes(slot) && is_same_epoch(now, slot) && merge(now, slot))
        return;
    if (ck_record_bytes(slot)) {
        struct ck_record old = {slot->who & ~marks, slot->where};
        ck_more_add(ck_shadow_more(now->granule), old);
        marks |= slot->who & (uint64_t)CK_HAS_MORE << CK_KIND_SHIFT;
    }
    slot->who = who_of(now) | marks;
    slot->where = where(now->pc, now->pc);
}

static void on_granule(const struct access *now)
{
    struct ck_cell *cell = ck_shadow_cell(now->granule);
    struct ck_more *more = ck_shadow_more_find(now->granule);
    bool is_shared = is_foreign(now, &cell->read) || is_foreign(now, &cell->write);

    meet(now, &cell->read);
    meet(now, &cell->write);
    if (more)
        meet_more(now, more, &is_shared);
    if (is_shared)
        cell->read.who |= (uint64_t)CK_IS_SHARED << CK_KIND_SHIFT;
    if (!(now->kind & CK_FREES))
        insert(now, now->kind & CK_WRITES ? &cell->write : &cell->read);
}

unsigned ck_race_bytes_in(uintptr_t granule, uintptr_t address, uintptr_t end)
{
    unsigned from = address > granule ? (unsigned)(address - granule) : 0;
    unsigned to = end - granule < CK_GRANULE_BYTES ? (unsigned)(end - granule) : CK_GRANULE_BYTES;

    return (0xffU << from) & ((1U << to) - 1);
}

void ck_race_access(uintptr_t address, size_t bytes, unsigned kind, uintptr_t pc)
{
    uintptr_t end = address + bytes, granule = address & ~(uintptr_t)(CK_GRANULE_BYTES - 1);
    struct access now = {ck_self->hb, 0, pc, 0, kind};

    for (; granule < end; granule += CK_GRANULE_BYTES) {
        if (kind & CK_FREES)
            granule = ck_shadow_next(granule, end);
        if (granule >= end)
            return;
        now.granule = granule;
        now.bytes = ck_race_bytes_in(granule, address, end);
        on_granule(&now);
    }
}

bool ck_race_is_shared(uintptr_t address, size_t bytes)
{
    uintptr_t end = address + bytes, granule = address & ~(uintptr_t)(CK_GRANULE_BYTES - 1);

    for (; (granule = ck_shadow_next(granule, end)) < end; granule += CK_GRANULE_BYTES) {
        const struct ck_cell *cell = ck_shadow_find(granule);
        struct access now = {ck_self->hb, granule, 0, 0xff, 0};
        if (ck_record_kind(&cell->read) & CK_IS_SHARED || is_foreign(&now, &cell->read) ||
            is_foreign(&now, &cell->write))
            return true;
    }
    return false;
}

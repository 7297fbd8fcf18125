/* SPDX-License-Identifier: MIT */
/* access.c - the entry points of -fsanitize=thread for plain accesses.
 *
 * The compiler calls one before each access that it cannot prove private. What an entry does, in
 * this order:
 *
 *   A1  under no control: nothing
 *   A2  this thread has done the same to these bytes since its last release, and the plan wants no
 *       point here: nothing more. This is nearly every access, and takes some nanoseconds
 *   A3  the plan wants a point (all accesses, or this place is one of those learned): others run.
 *       The own stack is none, except bytes there that another thread has touched
 *   A4  the heap is asked whether the bytes may be touched; then the race detector
 *
 * The access itself comes after the entry returns. So whether a write has brought a new value,
 * which is what tells a livelock from work, is looked at when the next entry of anybody is reached;
 * and only in memory that cannot have gone by then (`stays`), elsewhere a write is taken for new.
 *
 * Functions' entries and exits are told as well and ignored: the unwinder finds the stack when a
 * report wants it, which costs nothing until then.
 *
 * Checked by: tests/check */
#include "check/runtime/access.h"

#include <string.h>

#include "base/check.h"
#include "check/runtime/hb.h"
#include "check/runtime/heap.h"
#include "check/runtime/learn.h"
#include "check/runtime/modules.h"
#include "check/runtime/races.h"
#include "check/runtime/sched.h"
#include "check/runtime/shadow.h"
#include "check/runtime/watch.h"

enum wants {
    WANTS_RACES = 1,
    WANTS_POINTS = 2, /* at all accesses */
    WANTS_LEARNING = 4,
    WATCHES = 8,
    IS_CONTROLLED = 16,
    SLOW = WANTS_POINTS | WANTS_LEARNING | WATCHES,
};

enum {
    WATCH_EVERY = 2048,       /* accesses: a stretch */
    REST_EVERY = 512,         /* stretches without a step */
    STRETCHES_MOST = 1 << 18, /* without a step; some seconds */
};

/* Whether an access that is known is all that there is to it. */
enum speed { OFF, FAST, OTHER };

static unsigned wants; /* 0: no execution */
static enum speed speed;
static uint64_t left;  /* accesses until something is due: a stretch */
static uint64_t count; /* of the stretches that are over, and of the one that goes on as a whole */
static bool is_watch_due, is_rest_due;
static uint64_t rests; /* points that are nothing but that */

/* A write that has passed its entry: see the top. */
static struct {
    uintptr_t address;
    unsigned bytes; /* 0: none */
    uint64_t before;
    struct ck_event *event; /* NULL: none is written */
} pending;

void ck_access_prepare(void)
{
    ck_shadow_prepare();
}

static void set_speed(void)
{
    speed = (wants & (SLOW | WANTS_RACES)) == WANTS_RACES && !ck_learned_places ? FAST : OTHER;
}

void ck_access_begin(void)
{
    const struct ck_plan *plan = &ck_shared->plan;

    ck_learn_begin();
    count = left = WATCH_EVERY;
    wants = IS_CONTROLLED;
    wants |= plan->flags & CK_FIND_RACES ? WANTS_RACES : 0;
    wants |= plan->flags & CK_LEARN ? WANTS_LEARNING : 0;
    wants |= plan->granularity == CK_ALL ? WANTS_POINTS : 0;
    set_speed();
}

void ck_access_finish(void)
{
    ck_shared->result.accesses = count - left;
}

/* --- whether writes change anything --- */

static uint64_t load(uintptr_t address, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)address, bytes);
    return value;
}

static void settle(void)
{
    uint64_t after;

    if (pending.bytes == 0)
        return;
    after = load(pending.address, pending.bytes);
    if (after != pending.before)
        ck_made_progress();
    if (pending.event)
        pending.event->value = after;
    pending.bytes = 0;
}

/* Memory that stays mapped. */
static bool stays(uintptr_t address)
{
    return ck_heap_owns(address) || ck_module_is_instrumented(address);
}

static struct ck_event *log_event(const struct ck_op *op)
{
    const struct ck_result *result = &ck_shared->result;
    uint32_t before = result->event_count;

    if (!(ck_shared->plan.flags & CK_LOG_EVENTS))
        return NULL;
    ck_event(op, op->bytes <= 8 ? load(op->object, op->bytes) : 0, 0);
    return result->event_count > before ? &ck_shared->events[before] : NULL;
}

static void expect(const struct ck_op *op)
{
    struct ck_event *event = log_event(op);

    if (!op->is_write)
        return;
    if (op->bytes > 8 || !stays(op->object)) {
        ck_made_progress();
        return;
    }
    pending.address = op->object;
    pending.bytes = op->bytes;
    pending.before = load(op->object, op->bytes);
    pending.event = event;
}

/* --- an access that is not known --- */

static bool is_own_stack(const struct ck_hb *hb, uintptr_t address)
{
    return address - hb->stack_low < hb->stack_bytes;
}

static bool is_private(const struct ck_hb *hb, uintptr_t address, size_t bytes)
{
    return is_own_stack(hb, address) && !ck_race_is_shared(address, bytes);
}

static bool wants_point(const struct ck_hb *hb, uintptr_t address, size_t bytes, uintptr_t pc)
{
    bool wanted = wants & WANTS_POINTS || (ck_learned_places && ck_learned(pc));

    return wanted && !is_private(hb, address, bytes);
}

static void learn(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc)
{
    uintptr_t end = address + bytes, granule = address & ~(uintptr_t)7;

    for (; granule < end; granule += CK_GRANULE_BYTES)
        ck_learn_touch(granule, ck_race_bytes_in(granule, address, end), is_write, pc);
}

static void record(uintptr_t address, size_t bytes, unsigned kind, uintptr_t pc)
{
    ck_heap_touch(address, bytes, (kind & CK_WRITES) != 0);
    if (wants & WANTS_LEARNING)
        learn(address, bytes, (kind & CK_WRITES) != 0, pc);
    if (wants & WANTS_RACES)
        ck_race_access(address, bytes, kind, pc);
}

/* A long computation is progress for the watchdog; one without end is not. Now and then it gives
 * way, as it may be waiting for others in a way that is not seen. */
static void count_stretch(void)
{
    static uint64_t steps_then, stretches;
    uint64_t steps = ck_shared->result.steps - rests;

    if (steps != steps_then)
        stretches = 0;
    steps_then = steps;
    if (++stretches >= STRETCHES_MOST)
        return;
    ck_shared->result.progress++;
    is_rest_due = stretches % REST_EVERY == 0;
}

/* From here to the next one is a new stretch; and the accesses that come now are watched. */
static void end_stretch(void)
{
    left = WATCH_EVERY;
    count += WATCH_EVERY;
    is_watch_due = true;
    count_stretch();
}

static void rest(uintptr_t pc)
{
    is_rest_due = false;
    rests++;
    ck_made_progress();
    ck_yield(pc);
}

static void watch(const struct ck_hb *hb, uintptr_t address, size_t bytes, bool is_write,
                  uintptr_t pc)
{
    bool spins;

    if (is_own_stack(hb, address))
        return;
    is_watch_due = false;
    if (!(wants & WATCHES))
        ck_watch_open();
    if (ck_watch(address, (unsigned)bytes, is_write, pc, &spins))
        wants |= WATCHES;
    else
        wants &= ~(unsigned)WATCHES;
    set_speed();
    if (spins)
        ck_yield(pc);
}

static void point(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc)
{
    struct ck_op op = {is_write ? CK_OP_WRITE : CK_OP_READ, is_write, (uint32_t)bytes, address, pc};

    ck_point(&op);
    settle();
    expect(&op);
}

__attribute__((noinline)) static void slow(uintptr_t address, size_t bytes, unsigned kind,
                                           uintptr_t pc)
{
    struct ck_thread *self = ck_self;
    bool is_write = (kind & CK_WRITES) != 0;

    if (!self || self->inside)
        return;
    self->inside++;
    settle();
    if (wants_point(self->hb, address, bytes, pc))
        point(address, bytes, is_write, pc);
    else if (is_rest_due)
        rest(pc);
    else if (wants & WATCHES || is_watch_due)
        watch(self->hb, address, bytes, is_write, pc);
    record(address, bytes, kind, pc);
    self->inside--;
}

/* --- an access that is known: A2 --- */

/* The record says that this thread has touched all these bytes in this epoch. `but` are bits that
 * do not matter. */
static inline bool says(const struct ck_record *record, uint64_t id, uint64_t bytes, uint64_t but)
{
    uint64_t matters = bytes | CK_ID_MASK | (uint64_t)CK_RECORD_KINDS << CK_KIND_SHIFT;

    return ((record->who ^ (id | bytes)) & (matters & ~but)) == 0;
}

/* A write by the same thread is known to any access. `is_whole`: it lies in one granule for
 * certain. */
static inline bool is_known(const struct ck_hb *hb, uintptr_t address, unsigned bytes,
                            unsigned kind, bool is_whole)
{
    const struct ck_chunk *chunk = ck_shadow_chunk(address);
    unsigned at = is_whole && bytes == CK_GRANULE_BYTES ? 0 : address % CK_GRANULE_BYTES;
    uint64_t mask = (uint64_t)((1U << bytes) - 1) << CK_BYTES_SHIFT << at;
    const struct ck_cell *cell;

    if (rvi_unlikely(!chunk) || (!is_whole && at + bytes > CK_GRANULE_BYTES))
        return false;
    cell = &chunk->cells[ck_shadow_index(address)];
    return says(&cell->write, hb->id, mask, (uint64_t)CK_WRITES << CK_KIND_SHIFT) ||
           (!(kind & CK_WRITES) && says(&cell->read, hb->id, mask, 0));
}

/* Each thing that some accesses want beyond that is asked for here, so that the rest do not ask. */
__attribute__((noinline)) static void other(uintptr_t address, unsigned bytes, unsigned kind,
                                            uintptr_t pc)
{
    const struct ck_thread *self = ck_self;

    if (!self)
        return;
    if (left == 0)
        end_stretch();
    if (!(wants & SLOW) && !is_watch_due && !(ck_learned_places && ck_learned(pc)) &&
        wants & WANTS_RACES && bytes <= 8 && is_known(self->hb, address, bytes, kind, false))
        return;
    slow(address, bytes, kind, pc);
}

RVI_INLINE void on_access(uintptr_t address, unsigned bytes, unsigned kind, bool is_whole,
                          uintptr_t pc)
{
    if (speed == OFF)
        return;
    if (rvi_likely(--left != 0 && speed == FAST)) {
        const struct ck_hb *hb = ck_self->hb;
        if (is_known(hb, address, bytes < 8 ? bytes : 8, kind, is_whole) &&
            (bytes <= 8 || is_known(hb, address + 8, 8, kind, is_whole)))
            return;
    }
    other(address, bytes, kind, pc);
}

/* --- the entry points --- */

void ck_access_range(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc)
{
    struct ck_thread *self = ck_self;
    unsigned kind = is_write ? CK_WRITES : 0;

    if (!wants || !self || bytes == 0)
        return;
    if (--left == 0)
        end_stretch();
    if (!self->inside) {
        slow(address, bytes, kind, pc);
        return;
    }
    settle();
    record(address, bytes, kind, pc);
}

bool ck_access_is_on(void)
{
    return wants != 0;
}

void ck_access_point(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc)
{
    struct ck_thread *self = ck_self;

    self->inside++;
    settle();
    if (wants_point(self->hb, address, bytes, pc))
        point(address, bytes, is_write, pc);
    self->inside--;
}

bool ck_access_wants_races(void)
{
    return (wants & WANTS_RACES) != 0;
}

void ck_access_settle(void)
{
    settle();
}

#define ENTRY(name, bytes, kind, is_whole)                                                         \
    CK_EXPORT void name(const void *address);                                                      \
    void name(const void *address)                                                                 \
    {                                                                                              \
        on_access((uintptr_t)address, bytes, kind, is_whole, CK_CALLER);                           \
    }

#define ENTRIES(bytes)                                                                             \
    ENTRY(__tsan_read##bytes, bytes, 0, true)                                                      \
    ENTRY(__tsan_write##bytes, bytes, CK_WRITES, true)                                             \
    ENTRY(__tsan_read_write##bytes, bytes, CK_WRITES, true)                                        \
    ENTRY(__tsan_unaligned_read##bytes, bytes, 0, false)                                           \
    ENTRY(__tsan_unaligned_write##bytes, bytes, CK_WRITES, false)                                  \
    ENTRY(__tsan_unaligned_read_write##bytes, bytes, CK_WRITES, false)                             \
    ENTRY(__tsan_volatile_read##bytes, bytes, 0, true)                                             \
    ENTRY(__tsan_volatile_write##bytes, bytes, CK_WRITES, true)                                    \
    ENTRY(__tsan_unaligned_volatile_read##bytes, bytes, 0, false)                                  \
    ENTRY(__tsan_unaligned_volatile_write##bytes, bytes, CK_WRITES, false)

ENTRIES(1)
ENTRIES(2)
ENTRIES(4)
ENTRIES(8)
ENTRIES(16)
ENTRY(__tsan_vptr_read, 8, 0, true)

CK_EXPORT void __tsan_vptr_update(void *const *object, const void *value);
CK_EXPORT void __tsan_read_range(const void *address, unsigned long bytes);
CK_EXPORT void __tsan_write_range(const void *address, unsigned long bytes);
CK_EXPORT void __tsan_func_entry(const void *pc);
CK_EXPORT void __tsan_func_exit(void);
CK_EXPORT void __tsan_init(void);

/* A constructor writes what the one of its base wrote, often the same. */
void __tsan_vptr_update(void *const *object, const void *value)
{
    if (wants && *object != value)
        on_access((uintptr_t)object, sizeof *object, CK_WRITES, true, CK_CALLER);
}

void __tsan_read_range(const void *address, unsigned long bytes)
{
    ck_access_range((uintptr_t)address, bytes, false, CK_CALLER);
}

void __tsan_write_range(const void *address, unsigned long bytes)
{
    ck_access_range((uintptr_t)address, bytes, true, CK_CALLER);
}

void __tsan_func_entry(const void *pc)
{
    (void)pc;
}

void __tsan_func_exit(void)
{
}

/* Each instrumented object file has a constructor that calls this. */
void __tsan_init(void)
{
    ck_is_instrumented = true;
    ck_module_note(CK_CALLER);
}

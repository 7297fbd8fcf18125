/* SPDX-License-Identifier: MIT */
/* atomics.c - the entry points of -fsanitize=thread for C11 atomics.
 *
 * Each is a scheduling point, then the operation itself, sequentially consistent whatever order the
 * program asked for, then what the order asked for means for happens-before (clocks.c). So a
 * program that only fails when the processor reorders does not fail here; but what it forgot to
 * order is found as a race.
 *
 *   T1  a compare-and-swap that fails is a load, with its order for failure
 *   T2  atomics and plain accesses to the same bytes race as C11 says; atomics among each other do
 *       not
 *   T3  the record is made before the release: it belongs to what is released
 *   T4  under no control the operation is atomic all the same: there are real threads
 *
 * A fence is no point: nothing that another thread could see happens at it.
 *
 * Checked by: tests/check; clocks.c by tests/unit/check/test_races.c */
#include <stdatomic.h>
#include <stdint.h>

#include "base/check.h"
#include "check/runtime/access.h"
#include "check/runtime/hb.h"
#include "check/runtime/heap.h"
#include "check/runtime/races.h"
#include "check/runtime/sched.h"
#include "check/runtime/shadow.h"

typedef unsigned __int128 wide;

static bool is_acquire(int order)
{
    order &= 7;
    return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool is_release(int order)
{
    order &= 7;
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* --- before and after --- */

static void begin(const struct ck_op *op)
{
    ck_access_settle();
    ck_point(op);
    ck_access_settle();
    ck_heap_touch(op->object, op->bytes, op->is_write);
}

/* T3 */
static void record(const struct ck_op *op, bool is_write)
{
    if (ck_access_wants_races())
        ck_race_access(op->object, op->bytes,
                       (unsigned)(CK_ATOMIC_ACCESS | (is_write ? CK_WRITES : 0)), op->pc);
}

static void end_load(const struct ck_op *op, int order, uint64_t value)
{
    record(op, false);
    ck_hb_load(ck_shadow_sync_find(op->object), is_acquire(order));
    ck_event(op, value, 0);
    ck_leave();
}

static void end_store(const struct ck_op *op, int order, bool is_new, uint64_t value)
{
    record(op, true);
    ck_hb_store(ck_shadow_sync(op->object), is_release(order));
    if (is_new)
        ck_made_progress();
    ck_event(op, value, 0);
    ck_leave();
}

static void end_modify(const struct ck_op *op, int order, bool is_new, uint64_t value)
{
    record(op, true);
    ck_hb_modify(ck_shadow_sync(op->object), is_acquire(order), is_release(order));
    if (is_new)
        ck_made_progress();
    ck_event(op, value, 0);
    ck_leave();
}

/* --- 16 bytes: compilers have no instructions for all of these --- */

static atomic_flag wide_lock = ATOMIC_FLAG_INIT;

static void lock_wide(void)
{
    while (atomic_flag_test_and_set_explicit(&wide_lock, memory_order_acquire)) /* pairs: wide */
        continue;
}

static void unlock_wide(void)
{
    atomic_flag_clear_explicit(&wide_lock, memory_order_release); /* pairs: wide */
}

#define WIDE(change)                                                                               \
    lock_wide();                                                                                   \
    wide old = *at;                                                                                \
    change;                                                                                        \
    unlock_wide();                                                                                 \
    return old

static wide load_128(const volatile wide *at)
{
    WIDE((void)0);
}
static wide exchange_128(volatile wide *at, wide v)
{
    WIDE(*at = v);
}
static wide add_128(volatile wide *at, wide v)
{
    WIDE(*at = old + v);
}
static wide sub_128(volatile wide *at, wide v)
{
    WIDE(*at = old - v);
}
static wide and_128(volatile wide *at, wide v)
{
    WIDE(*at = old & v);
}
static wide or_128(volatile wide *at, wide v)
{
    WIDE(*at = old | v);
}
static wide xor_128(volatile wide *at, wide v)
{
    WIDE(*at = old ^ v);
}
static wide nand_128(volatile wide *at, wide v)
{
    WIDE(*at = ~(old & v));
}
static wide swap_128(volatile wide *at, wide expected, wide v)
{
    WIDE(*at = old == expected ? v : old);
}

/* --- the others: the compiler's --- */

#define NARROW_FETCH(T, bits, op)                                                                  \
    static T op##_##bits(volatile T *at, T v)                                                      \
    {                                                                                              \
        return __atomic_fetch_##op(at, v, __ATOMIC_SEQ_CST);                                       \
    }

#define NARROW(T, bits)                                                                            \
    static T load_##bits(const volatile T *at)                                                     \
    {                                                                                              \
        return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                              \
    }                                                                                              \
    static T exchange_##bits(volatile T *at, T v)                                                  \
    {                                                                                              \
        return __atomic_exchange_n(at, v, __ATOMIC_SEQ_CST);                                       \
    }                                                                                              \
    static T swap_##bits(volatile T *at, T expected, T v)                                          \
    {                                                                                              \
        __atomic_compare_exchange_n(at, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
        return expected;                                                                           \
    }                                                                                              \
    NARROW_FETCH(T, bits, add)                                                                     \
    NARROW_FETCH(T, bits, sub)                                                                     \
    NARROW_FETCH(T, bits, and)                                                                     \
    NARROW_FETCH(T, bits, or)                                                                      \
    NARROW_FETCH(T, bits, xor)                                                                     \
    NARROW_FETCH(T, bits, nand)

NARROW(uint8_t, 8)
NARROW(uint16_t, 16)
NARROW(uint32_t, 32)
NARROW(uint64_t, 64)

/* --- the entry points --- */

#define OP(kind, is_write) struct ck_op op = {kind, is_write, sizeof *at, (uintptr_t)at, CK_CALLER}

#define MODIFY(T, bits, name, how, after)                                                          \
    CK_EXPORT T __tsan_atomic##bits##_##name(volatile T *at, T v, int order);                      \
    T __tsan_atomic##bits##_##name(volatile T *at, T v, int order)                                 \
    {                                                                                              \
        OP(CK_OP_ATOMIC_RMW, true);                                                                \
        if (!ck_enter())                                                                           \
            return how##_##bits(at, v);                                                            \
        begin(&op);                                                                                \
        T old = how##_##bits(at, v);                                                               \
        T now = (T)(after);                                                                        \
        end_modify(&op, order, now != old, (uint64_t)now);                                         \
        return old;                                                                                \
    }

/* One swap for the three forms. */
#define SWAP(T, bits)                                                                              \
    static T compare_and_swap_##bits(struct ck_op op, volatile T *at, T expected, T v, int order,  \
                                     int failure_order)                                            \
    {                                                                                              \
        if (!ck_enter())                                                                           \
            return swap_##bits(at, expected, v);                                                   \
        begin(&op);                                                                                \
        T old = swap_##bits(at, expected, v);                                                      \
        op.is_write = old == expected;                                                             \
        if (old == expected)                                                                       \
            end_modify(&op, order, v != old, (uint64_t)v);                                         \
        else                                                                                       \
            end_load(&op, failure_order, (uint64_t)old);                                           \
        return old;                                                                                \
    }

#define COMPARE(T, bits, name)                                                                     \
    CK_EXPORT int __tsan_atomic##bits##_##name(volatile T *at, T *expected, T v, int order,        \
                                               int failure_order);                                 \
    int __tsan_atomic##bits##_##name(volatile T *at, T *expected, T v, int order,                  \
                                     int failure_order)                                            \
    {                                                                                              \
        OP(CK_OP_ATOMIC_RMW, true);                                                                \
        T wanted = *expected;                                                                      \
        T old = compare_and_swap_##bits(op, at, wanted, v, order, failure_order);                  \
        if (old != wanted)                                                                         \
            *expected = old;                                                                       \
        return old == wanted;                                                                      \
    }

#define ENTRIES(T, bits)                                                                           \
    CK_EXPORT T __tsan_atomic##bits##_load(const volatile T *at, int order);                       \
    T __tsan_atomic##bits##_load(const volatile T *at, int order)                                  \
    {                                                                                              \
        OP(CK_OP_ATOMIC_LOAD, false);                                                              \
        if (!ck_enter())                                                                           \
            return load_##bits(at);                                                                \
        begin(&op);                                                                                \
        T value = load_##bits(at);                                                                 \
        end_load(&op, order, (uint64_t)value);                                                     \
        return value;                                                                              \
    }                                                                                              \
    CK_EXPORT void __tsan_atomic##bits##_store(volatile T *at, T v, int order);                    \
    void __tsan_atomic##bits##_store(volatile T *at, T v, int order)                               \
    {                                                                                              \
        OP(CK_OP_ATOMIC_STORE, true);                                                              \
        if (!ck_enter()) {                                                                         \
            exchange_##bits(at, v);                                                                \
            return;                                                                                \
        }                                                                                          \
        begin(&op);                                                                                \
        end_store(&op, order, exchange_##bits(at, v) != v, (uint64_t)v);                           \
    }                                                                                              \
    MODIFY(T, bits, exchange, exchange, v)                                                         \
    MODIFY(T, bits, fetch_add, add, old + v)                                                       \
    MODIFY(T, bits, fetch_sub, sub, old - v)                                                       \
    MODIFY(T, bits, fetch_and, and, old &v)                                                        \
    MODIFY(T, bits, fetch_or, or, old | v)                                                         \
    MODIFY(T, bits, fetch_xor, xor, old ^ v)                                                       \
    MODIFY(T, bits, fetch_nand, nand, ~(old & v))                                                  \
    SWAP(T, bits)                                                                                  \
    COMPARE(T, bits, compare_exchange_strong)                                                      \
    COMPARE(T, bits, compare_exchange_weak)                                                        \
    CK_EXPORT T __tsan_atomic##bits##_compare_exchange_val(volatile T *at, T expected, T v,        \
                                                           int order, int failure_order);          \
    T __tsan_atomic##bits##_compare_exchange_val(volatile T *at, T expected, T v, int order,       \
                                                 int failure_order)                                \
    {                                                                                              \
        OP(CK_OP_ATOMIC_RMW, true);                                                                \
        return compare_and_swap_##bits(op, at, expected, v, order, failure_order);                 \
    }

ENTRIES(uint8_t, 8)
ENTRIES(uint16_t, 16)
ENTRIES(uint32_t, 32)
ENTRIES(uint64_t, 64)
ENTRIES(wide, 128)

CK_EXPORT void __tsan_atomic_thread_fence(int order);
CK_EXPORT void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_thread_fence(int order)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!ck_enter())
        return;
    ck_hb_fence(is_acquire(order), is_release(order));
    ck_leave();
}

/* Between a thread and its own signal handlers, which are of one thread here too. */
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

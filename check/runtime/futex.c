/* SPDX-License-Identifier: MIT */
/* futex.c - a model of futex(2) by way of syscall(3), and of giving way.
 *
 *   F1  a waiter is on its word's list from the comparison on, which is one step with it, until a
 *       wake takes it off, or moves it to another word's list
 *   F2  a wake of fewer than all takes those off that the choice says, as programs may not rely on
 *       the kernel's order
 *   F3  a wake that found nobody is remembered, as with condition variables
 *
 * The call itself orders nothing in memory; the atomics around it do. PI futexes are the kernel's,
 * and block the process.
 *
 * Checked by: tests/check */
#include <linux/futex.h>

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/raw.h"

struct word {
    struct rvi_list waiters;
    struct ck_wasted wasted;
};

/* On the stack of the thread that waits. */
struct waiter {
    struct rvi_link link;
    struct ck_thread *thread;
    struct ck_wait wait; /* its object changes when it is moved */
    uint32_t mask;
    bool is_woken;
};

static struct word *model_of(const void *address)
{
    bool is_new;
    struct word *model = ck_object(CK_FUTEX, address, sizeof *model, &is_new);

    if (is_new)
        rvi_list_init(&model->waiters);
    return model;
}

const struct ck_wasted *ck_futex_wasted(const void *address)
{
    const struct word *model = ck_object_find(CK_FUTEX, address);

    return model && model->wasted.count ? &model->wasted : NULL;
}

static uint32_t count_matching(const struct word *model, uint32_t mask)
{
    uint32_t n = 0;

    for (struct rvi_link *l = model->waiters.head.next; l != &model->waiters.head; l = l->next)
        n += (rvi_container_of(l, struct waiter, link)->mask & mask) != 0;
    return n;
}

static struct waiter *nth_matching(const struct word *model, uint32_t mask, uint32_t nth)
{
    for (struct rvi_link *l = model->waiters.head.next;; l = l->next) {
        struct waiter *waiter = rvi_container_of(l, struct waiter, link);

        if ((waiter->mask & mask) && nth-- == 0)
            return waiter;
    }
}

static uint32_t wake(const uint32_t *address, uint32_t most, uint32_t mask, const struct ck_op *op)
{
    struct word *model = model_of(address);
    uint32_t there = count_matching(model, mask), woken = 0;

    if (there == 0)
        ck_wasted_note(&model->wasted, op->pc);
    for (; woken < most && there > 0; woken++, there--) {
        uint32_t nth = most - woken < there ? ck_choose(there) : 0;
        struct waiter *waiter = nth_matching(model, mask, nth);

        rvi_link_remove(&waiter->link);
        waiter->is_woken = true;
        ck_made_progress();
        ck_wake(waiter->thread);
    }
    ck_event(op, woken, 0);
    return woken;
}

static long wait_on(uint32_t *address, uint32_t expected, uint32_t mask, int64_t deadline,
                    const struct ck_op *op)
{
    struct waiter waiter = {.thread = ck_self, .mask = mask};
    int r = 0;

    if (__atomic_load_n(address, __ATOMIC_SEQ_CST) != expected) {
        ck_event(op, *address, 0);
        return -EAGAIN;
    }
    waiter.wait = (struct ck_wait){op->kind, address, CK_NOBODY, deadline, .fd = -1, .events = 0};
    rvi_list_push_back(&model_of(address)->waiters, &waiter.link);
    ck_event(op, expected, CK_EVENT_BLOCKED);
    while (!waiter.is_woken && r == 0)
        r = ck_block(&waiter.wait, false);
    if (waiter.is_woken)
        return 0;
    rvi_link_remove(&waiter.link);
    return r;
}

static uint32_t move(const uint32_t *from, const uint32_t *to, uint32_t most)
{
    struct word *source = model_of(from), *target = model_of(to);
    uint32_t moved = 0;

    for (; moved < most && !rvi_list_is_empty(&source->waiters); moved++) {
        struct rvi_link *link = rvi_list_pop_front(&source->waiters);
        struct waiter *waiter = rvi_container_of(link, struct waiter, link);

        rvi_list_push_back(&target->waiters, link);
        waiter->wait.object = to;
        waiter->thread->wait.object = to;
    }
    return moved;
}

static int64_t deadline_of(int op, const struct timespec *at)
{
    int64_t deadline;
    clockid_t clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

    if (!at)
        return CK_NEVER;
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
        return ck_time_after(at);
    return ck_time_deadline(clock, at, &deadline) == 0 ? deadline : -EINVAL;
}

static long begin_wait(const long *args, uint32_t mask, uintptr_t pc)
{
    uint32_t *address = (uint32_t *)args[0];
    const struct ck_op op = {CK_OP_FUTEX_WAIT, false, sizeof *address, (uintptr_t)address, pc};
    int64_t deadline = deadline_of((int)args[1], (const struct timespec *)args[3]);

    if (deadline < 0 || mask == 0)
        return -EINVAL;
    ck_point(&op);
    return wait_on(address, (uint32_t)args[2], mask, deadline, &op);
}

static long begin_wake(const long *args, uint32_t mask, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_FUTEX_WAKE, true, sizeof(uint32_t), (uintptr_t)args[0], pc};

    ck_point(&op);
    return wake((const uint32_t *)args[0], (uint32_t)args[2], mask, &op);
}

static long begin_requeue(const long *args, bool compares, uintptr_t pc)
{
    const uint32_t *from = (const uint32_t *)args[0], *to = (const uint32_t *)args[4];
    const struct ck_op op = {CK_OP_FUTEX_WAKE, true, sizeof *from, (uintptr_t)from, pc};

    ck_point(&op);
    if (compares && __atomic_load_n(from, __ATOMIC_SEQ_CST) != (uint32_t)args[5])
        return -EAGAIN;
    uint32_t woken = wake(from, (uint32_t)args[2], FUTEX_BITSET_MATCH_ANY, &op);
    uint32_t moved = move(from, to, (uint32_t)args[3]);
    return compares ? woken + moved : woken;
}

long ck_futex(const long *args, uintptr_t pc)
{
    switch ((int)args[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return begin_wait(args, FUTEX_BITSET_MATCH_ANY, pc);
    case FUTEX_WAIT_BITSET:
        return begin_wait(args, (uint32_t)args[5], pc);
    case FUTEX_WAKE:
        return begin_wake(args, FUTEX_BITSET_MATCH_ANY, pc);
    case FUTEX_WAKE_BITSET:
        return begin_wake(args, (uint32_t)args[5], pc);
    case FUTEX_REQUEUE:
        return begin_requeue(args, false, pc);
    case FUTEX_CMP_REQUEUE:
        return begin_requeue(args, true, pc);
    default:
        return -ENOSYS;
    }
}

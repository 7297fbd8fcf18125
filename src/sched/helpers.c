/* SPDX-License-Identifier: MIT */
#include "sched/helpers.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/sched.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/thread.h"

#define IDLE_NS (2 * RV_SECOND)

/* With the lock held, which is free meanwhile. -ETIME at the deadline. */
static int wait_for_work(struct rvi_helpers *h, rv_time deadline)
{
    uint32_t seen = rvi_load_relaxed(&h->work);

    rvi_lock_release(&h->lock);
    int r = rvi_futex_wait(&h->work, seen, deadline);
    rvi_lock_acquire(&h->lock);
    return r;
}

/* With the lock held: whoever has looked before will look again. The wake comes after the lock. */
static void work_changed(struct rvi_helpers *h)
{
    rvi_store_relaxed(&h->work, rvi_load_relaxed(&h->work) + 1);
}

/* With the lock held; NULL when the helper should leave. */
static struct rvi_helper_call *next_call(struct rvi_helpers *h)
{
    rv_time leave_at = rvi_clock_now() + h->idle_ns;
    int r = 0;

    h->idle++;
    while (rvi_fifo_is_empty(&h->calls) && !h->stopping && r != -ETIME)
        r = wait_for_work(h, leave_at);
    h->idle--;
    struct rvi_qlink *link = rvi_fifo_pop(&h->calls);
    h->call_count -= link != NULL;
    return link ? rvi_container_of(link, struct rvi_helper_call, link) : NULL;
}

struct helper {
    struct rvi_link link;
    struct rvi_helpers *helpers;
    pthread_t thread;
};

static void *helper_thread(void *arg)
{
    struct helper *self = arg;
    struct rvi_helpers *h = self->helpers;
    struct rvi_helper_call *call;

    rvi_lock_acquire(&h->lock);
    while ((call = next_call(h))) {
        rvi_lock_release(&h->lock);
        call->result = call->fn(call->arg);
        rvi_wake(&call->waiter);
        rvi_lock_acquire(&h->lock);
    }
    rvi_link_remove(&self->link);
    rvi_list_push_back(&h->leaving, &self->link);
    rvi_lock_release(&h->lock);
    return NULL;
}

/* Join a list of helpers, which is the caller's. */
static void join_all(struct rvi_list *list)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(list))) {
        struct helper *helper = rvi_container_of(link, struct helper, link);
        rvi_thread_join(helper->thread);
        rvi_free(helper);
    }
}

/* With the lock held. */
static int add_helper(struct rvi_helpers *h)
{
    struct helper *helper = rvi_calloc(1, sizeof *helper);

    if (!helper)
        return -ENOMEM;
    helper->helpers = h;
    int r = rvi_thread_start(&helper->thread, "ravel-helper", helper_thread, helper);
    if (r < 0) {
        rvi_free(helper);
        return r;
    }
    rvi_list_push_back(&h->here, &helper->link);
    return 0;
}

/* Queue the call for an idle helper, or a new one, or at worst for one that is busy now. */
static int submit(struct rvi_helpers *h, struct rvi_helper_call *call)
{
    struct rvi_list left;
    int r = 0;

    rvi_list_init(&left);
    rvi_lock_acquire(&h->lock);
    rvi_list_concat(&left, &h->leaving);
    if (h->idle <= h->call_count && (r = add_helper(h)) < 0 && !rvi_list_is_empty(&h->here))
        r = 0;
    if (r == 0) {
        rvi_fifo_push(&h->calls, &call->link);
        h->call_count++;
        work_changed(h);
    }
    rvi_lock_release(&h->lock);
    if (r == 0)
        rvi_futex_wake(&h->work, 1);
    join_all(&left);
    return r < 0 ? -EAGAIN : 0;
}

int rvi_helpers_call(struct rvi_helpers *helpers, rv_fn *fn, void *arg)
{
    struct rvi_helper_call call = {.fn = fn, .arg = arg};

    rvi_waiter_init(&call.waiter);
    int r = submit(helpers, &call);
    if (r < 0)
        return r;
    rvi_wait_always(&call.waiter, RVI_WHY_BLOCKING);
    return call.result;
}

void rvi_helpers_init(struct rvi_helpers *h)
{
    rvi_lock_init(&h->lock);
    rvi_fifo_init(&h->calls);
    rvi_list_init(&h->here);
    rvi_list_init(&h->leaving);
    h->idle_ns = IDLE_NS;
}

void rvi_helpers_fini(struct rvi_helpers *h)
{
    struct rvi_link *link;

    rvi_lock_acquire(&h->lock);
    RV_CHECK(rvi_fifo_is_empty(&h->calls));
    h->stopping = true;
    work_changed(h);
    rvi_futex_wake(&h->work, INT_MAX);
    while ((link = rvi_list_first(&h->here))) {
        struct helper *helper = rvi_container_of(link, struct helper, link);
        rvi_lock_release(&h->lock);
        rvi_thread_join(helper->thread);
        rvi_lock_acquire(&h->lock);
        rvi_link_remove(&helper->link); /* from `leaving`, where it put itself */
        rvi_free(helper);
    }
    rvi_lock_release(&h->lock);
    join_all(&h->leaving);
}

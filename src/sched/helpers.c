/* SPDX-License-Identifier: MIT */
#include "sched/helpers.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/sched.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define IDLE_NS (2 * RV_SECOND)

static struct timespec timespec_of(rv_time t)
{
    return (struct timespec){.tv_sec = t / RV_SECOND, .tv_nsec = t % RV_SECOND};
}

/* With the lock held; NULL when the helper should leave. */
static struct rvi_call *next_call(struct rvi_helpers *h)
{
    struct timespec leave_at = timespec_of(rvi_clock_now() + h->idle_ns);
    int r = 0;

    h->idle++;
    while (rvi_fifo_is_empty(&h->calls) && !h->stopping && r != ETIMEDOUT)
        r = pthread_cond_clockwait(&h->work, &h->lock, CLOCK_MONOTONIC, &leave_at);
    h->idle--;
    struct rvi_qlink *link = rvi_fifo_pop(&h->calls);
    return link ? rvi_container_of(link, struct rvi_call, link) : NULL;
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
    struct rvi_call *call;

    pthread_mutex_lock(&h->lock);
    while ((call = next_call(h))) {
        pthread_mutex_unlock(&h->lock);
        call->result = call->fn(call->arg);
        rvi_wake(&call->waiter);
        pthread_mutex_lock(&h->lock);
    }
    rvi_link_remove(&self->link);
    rvi_list_push_back(&h->leaving, &self->link);
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* Join a list of helpers, which is the caller's. */
static void join_all(struct rvi_list *list)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(list))) {
        struct helper *helper = rvi_container_of(link, struct helper, link);
        pthread_join(helper->thread, NULL);
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
static int submit(struct rvi_helpers *h, struct rvi_call *call)
{
    struct rvi_list left;
    int r = 0;

    rvi_list_init(&left);
    pthread_mutex_lock(&h->lock);
    rvi_list_concat(&left, &h->leaving);
    if (h->idle <= h->calls.count && (r = add_helper(h)) < 0 && !rvi_list_is_empty(&h->here))
        r = 0;
    if (r == 0) {
        rvi_fifo_push(&h->calls, &call->link);
        pthread_cond_signal(&h->work);
    }
    pthread_mutex_unlock(&h->lock);
    join_all(&left);
    return r < 0 ? -EAGAIN : 0;
}

int rvi_helpers_call(struct rvi_helpers *helpers, rv_fn *fn, void *arg)
{
    struct rvi_call call = {.fn = fn, .arg = arg};

    rvi_waiter_init(&call.waiter);
    int r = submit(helpers, &call);
    if (r < 0)
        return r;
    rvi_wait_always(&call.waiter, RVI_WHY_BLOCKING);
    return call.result;
}

int rvi_helpers_init(struct rvi_helpers *h)
{
    rvi_fifo_init(&h->calls);
    rvi_list_init(&h->here);
    rvi_list_init(&h->leaving);
    h->idle_ns = IDLE_NS;
    int r = pthread_mutex_init(&h->lock, NULL);
    if (r != 0)
        return -r;
    r = pthread_cond_init(&h->work, NULL);
    if (r != 0)
        pthread_mutex_destroy(&h->lock);
    return -r;
}

void rvi_helpers_fini(struct rvi_helpers *h)
{
    struct rvi_link *link;

    pthread_mutex_lock(&h->lock);
    RV_CHECK(rvi_fifo_is_empty(&h->calls));
    h->stopping = true;
    pthread_cond_broadcast(&h->work);
    while ((link = rvi_list_first(&h->here))) {
        struct helper *helper = rvi_container_of(link, struct helper, link);
        pthread_mutex_unlock(&h->lock);
        pthread_join(helper->thread, NULL);
        pthread_mutex_lock(&h->lock);
        rvi_link_remove(&helper->link); /* from `leaving`, where it put itself */
        rvi_free(helper);
    }
    pthread_mutex_unlock(&h->lock);
    join_all(&h->leaving);
    pthread_cond_destroy(&h->work);
    pthread_mutex_destroy(&h->lock);
}

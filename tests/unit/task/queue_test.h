/* SPDX-License-Identifier: MIT */
/* queue_test.h - what holds of every queue of work, whether processes share it or not. */
#pragma once

#include <errno.h>

#include <ravel/queue.h>

#include "stage.h"

enum { LINE = 4, ITEMS = 200 };

static inline void put_int(rv_queue *q, int item)
{
    RV_CHECK(rv_queue_put(q, &item, RV_NEVER) == 0);
}

static inline int get_int(rv_queue *q)
{
    int item = -1;
    RV_CHECK(rv_queue_get(q, &item, RV_NEVER) == 0);
    return item;
}

static inline bool stats_are(rv_queue *q, size_t waiting, size_t unfinished)
{
    struct rv_queue_stats stats = {.size = sizeof(stats)};
    RV_CHECK(rv_queue_stats_read(q, &stats) == 0);
    struct rv_queue_stats short_of_one = {.size = sizeof(stats) - 1};
    RV_CHECK(rv_queue_stats_read(q, &short_of_one) == -EINVAL);
    return stats.waiting == waiting && stats.unfinished == unfinished;
}

/* --- parties --- */

static inline int join(void *q)
{
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    return 0;
}

static inline int put_two(void *q)
{
    put_int(q, 2);
    return 0;
}

static inline int serve_for_ever(void *q)
{
    int item, err;
    while ((err = rv_queue_get(q, &item, RV_NEVER)) == 0)
        RV_CHECK(rv_queue_done(q) == 0); /* never before it was counted */
    return err;
}

static inline int serve_until_closed(void *q)
{
    RV_CHECK(serve_for_ever(q) == -EPIPE);
    return 0;
}

/* --- checks; those of a queue free it --- */

static inline void check_new_refuses_what_makes_no_sense(int (*make)(rv_queue **, size_t, size_t))
{
    rv_queue *q = NULL;
    assert_int_equal(make(&q, 0, 1), -EINVAL);
    assert_int_equal(make(&q, 1, 0), -EINVAL);
    assert_int_equal(make(&q, SIZE_MAX, 2), -EOVERFLOW);
    assert_int_equal(make(&q, 1, SIZE_MAX), -EOVERFLOW);
    assert_null(q);
}

static inline void check_joining_gives_up_at_its_deadline(rv_queue *q)
{
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    put_int(q, 1);
    RV_CHECK(rv_queue_join(q, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(rv_queue_done(q) == 0);
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    rv_queue_free(q);
}

static inline void check_daemons_are_cancelled_once_joined(rv_queue *q)
{
    for (int i = 0; i < LINE; i++)
        RV_CHECK(rv_go(now_on.scope, serve_for_ever, q) == 0);
    for (int i = 0; i < ITEMS; i++)
        put_int(q, i);
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    rv_scope_cancel(now_on.scope, -ECANCELED);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(stats_are(q, 0, 0));
    rv_queue_free(q);
}

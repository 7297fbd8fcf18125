/* SPDX-License-Identifier: MIT */
/* explore_queue_shared.c - a shared queue of one or two places, used through several handles, under
 * every order that seeds can think of: each item is done once, whoever is cancelled or lets go, and
 * nobody who waits is forgotten. To let go of a handle is what a death is to the others. */
#include "explore.h"

#include <string.h>

#include "task/queue_shared.h"

enum { ITEMS = 3, MOST = 32 };

static struct {
    rv_queue *q;
    struct rv_queue_ref ref;
    _Atomic(unsigned) next;
    _Atomic(unsigned) put[MOST], done[MOST];
} on;

static rv_queue *another_handle(void)
{
    rv_queue *q;
    RV_CHECK(rv_queue_attach(&q, on.ref) == 0);
    return q;
}

static int put_some(void *arg)
{
    rv_queue *q = arg ? arg : another_handle();
    int r = 0;
    for (int i = 0; i < ITEMS && r == 0; i++) {
        unsigned number = rvi_fetch_add_relaxed(&on.next, 1);
        r = rv_queue_put(q, &number, RV_NEVER);
        if (r == 0)
            rvi_fetch_add_relaxed(&on.put[number], 1);
    }
    if (!arg)
        rv_queue_free(q);
    return r == -EPIPE ? 0 : r;
}

static int serve(rv_queue *q, int most)
{
    unsigned number;
    int r = 0;
    while (most-- > 0 && (r = rv_queue_get(q, &number, RV_NEVER)) == 0) {
        rv_yield();
        rvi_fetch_add_relaxed(&on.done[number], 1);
        RV_CHECK(rv_queue_done(q) == 0);
    }
    return r;
}

static int serve_all(void *arg)
{
    rv_queue *q = arg ? arg : another_handle();
    int r = serve(q, MOST);
    if (!arg)
        rv_queue_free(q);
    return r == -EPIPE ? 0 : r;
}

/* Let go with an item in hand, and come again. */
static int serve_badly(void *arg)
{
    unsigned number;
    int r = 0;
    (void)arg;
    for (int i = 0; i < 2 && r == 0; i++) {
        rv_queue *q = another_handle();
        r = serve(q, 1);
        if (r == 0)
            r = rv_queue_get(q, &number, rv_after(RV_MICROSECOND));
        rv_queue_free(q);
        r = r == -ETIME ? 0 : r;
    }
    return r == -EPIPE ? 0 : r;
}

static int serve_on_a_helper(void *arg)
{
    return rv_blocking(serve_all, arg, NULL);
}

static void begin(size_t capacity)
{
    memset(&on, 0, sizeof(on));
    RV_CHECK(rv_queue_new_shared(&on.q, sizeof(unsigned), capacity) == 0);
    RV_CHECK(rv_queue_ref_of(on.q, &on.ref) == 0);
}

/* What is still inside counts as done. */
static void end(void)
{
    unsigned number;
    while (rv_queue_try_get(on.q, &number) == 0) {
        rvi_fetch_add_relaxed(&on.done[number], 1);
        RV_CHECK(rv_queue_done(on.q) == 0);
    }
    RV_CHECK(rv_queue_join(on.q, 0) == 0);
    for (size_t i = 0; i < MOST; i++)
        RV_CHECK(rvi_load_relaxed(&on.put[i]) == rvi_load_relaxed(&on.done[i]));
    rv_queue_free(on.q);
}

static int join_and_close(void *arg)
{
    int r = rv_queue_join(arg, RV_NEVER);
    rv_queue_close(arg);
    return r;
}

/* Nobody is left asleep. */
static int all_is_done_and_joined(void *arg)
{
    int err, r = 0;
    (void)arg;
    begin(1);
    RV_SCOPE(servers, err) {
        go(servers, serve_all, on.q);
        go(servers, serve_all, NULL);
        RV_SCOPE(putters, r) {
            go(putters, put_some, on.q);
            go(putters, put_some, NULL);
        }
        RV_CHECK(join_and_close(on.q) == 0);
    }
    end();
    return r < 0 ? r : err;
}

/* As few steps as there can be, so that seeds meet each of them; and again, because a listener that
 * has just been started looks by itself. */
static int single_items_reach_the_one_who_waits(void *arg)
{
    int err;
    (void)arg;
    begin(1);
    RV_SCOPE(servers, err) {
        go(servers, serve_all, NULL);
        for (unsigned number = 0; number < 4; number++) {
            RV_CHECK(rv_queue_put(on.q, &number, RV_NEVER) == 0);
            rvi_fetch_add_relaxed(&on.put[number], 1);
            RV_CHECK(rv_queue_join(on.q, RV_NEVER) == 0);
        }
        rv_queue_close(on.q);
    }
    end();
    return err;
}

/* The first item makes the second before it is done. */
static int serve_and_put_more(void *arg)
{
    rv_queue *q = another_handle();
    unsigned number;
    int r;
    (void)arg;
    while ((r = rv_queue_get(q, &number, RV_NEVER)) == 0) {
        unsigned more = number + 1;
        if (number < 2)
            RV_CHECK(rv_queue_put(q, &more, RV_NEVER) == 0);
        rvi_fetch_add_relaxed(&on.done[number], 1);
        RV_CHECK(rv_queue_done(q) == 0);
    }
    rv_queue_free(q);
    return r == -EPIPE ? 0 : r;
}

static int join_sees_what_work_makes(void *arg)
{
    unsigned number = 0;
    int err;
    (void)arg;
    begin(3);
    RV_SCOPE(servers, err) {
        go(servers, serve_and_put_more, NULL);
        go(servers, serve_and_put_more, NULL);
        RV_CHECK(rv_queue_put(on.q, &number, RV_NEVER) == 0);
        int r = -ETIME;
        for (int i = 0; i < 8 && r == -ETIME; i++) { /* it looks each time */
            rv_yield();
            r = rv_queue_join(on.q, 0);
        }
        if (r == -ETIME)
            r = rv_queue_join(on.q, RV_NEVER);
        RV_CHECK(r == 0);
        for (number = 0; number <= 2; number++) {
            RV_CHECK(rvi_load_relaxed(&on.done[number]) == 1);
            rvi_fetch_add_relaxed(&on.put[number], 1);
        }
        rv_queue_close(on.q);
    }
    end();
    return err;
}

/* Got, and let go. */
static int let_one_go(void *arg)
{
    rv_queue *q = another_handle();
    unsigned number;
    int r = rv_queue_get(q, &number, rv_after(RV_MILLISECOND));
    (void)arg;
    rv_queue_free(q);
    return r == -ETIME ? 0 : r;
}

static int two_that_go_back_at_a_time(void *arg)
{
    int err, r = 0;
    (void)arg;
    begin(2);
    RV_SCOPE(others, r) {
        go(others, let_one_go, NULL);
        go(others, let_one_go, NULL);
        for (unsigned number = 0; number < 2; number++) {
            RV_CHECK(rv_queue_put(on.q, &number, RV_NEVER) == 0);
            rvi_fetch_add_relaxed(&on.put[number], 1);
        }
        RV_SCOPE(server, err)
            RV_CHECK(serve(on.q, 2) == 0);
    }
    RV_CHECK(rv_queue_join(on.q, RV_NEVER) == 0);
    end();
    return r < 0 ? r : err;
}

/* Who serves first has a handle of its own, who serves second has ours; who puts has `putter`, or
 * one of its own if that is NULL. */
static int serve_what_is_put(rv_fn *first, rv_fn *second, rv_queue *putter)
{
    int err, r = 0;
    RV_SCOPE(servers, err) {
        go(servers, first, NULL);
        go(servers, second, on.q);
        RV_SCOPE(putters, r)
            go(putters, put_some, putter);
        RV_CHECK(join_and_close(on.q) == 0);
    }
    end();
    return r < 0 ? r : err;
}

static int what_is_let_go_is_done_by_others(void *arg)
{
    (void)arg;
    begin(2);
    return serve_what_is_put(serve_badly, serve_all, NULL);
}

static int threads_take_part(void *arg)
{
    (void)arg;
    begin(1);
    return serve_what_is_put(serve_on_a_helper, serve_on_a_helper, on.q);
}

static int close_soon(void *arg)
{
    rv_yield();
    rv_queue_close(arg);
    return 0;
}

static int close_under_everybody(void *arg)
{
    int err;
    (void)arg;
    begin(1);
    RV_SCOPE(s, err) {
        go(s, serve_all, NULL);
        go(s, put_some, NULL);
        go(s, put_some, on.q);
        go(s, close_soon, on.q);
    }
    end();
    return err;
}

static int cancel_under_everybody(void *arg)
{
    int err;
    (void)arg;
    begin(1);
    RV_SCOPE(s, err) {
        go(s, serve_all, NULL);
        go(s, put_some, NULL);
        go(s, put_some, on.q);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    end();
    return err == -ECANCELED ? 0 : err;
}

EXPLORATION(all_is_done_and_joined)
EXPLORATION(single_items_reach_the_one_who_waits)
EXPLORATION(join_sees_what_work_makes)
EXPLORATION(two_that_go_back_at_a_time)
EXPLORATION(what_is_let_go_is_done_by_others)
EXPLORATION(threads_take_part)
EXPLORATION(close_under_everybody)
EXPLORATION(cancel_under_everybody)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(all_is_done_and_joined),
        EXPLORED(single_items_reach_the_one_who_waits),
        EXPLORED(join_sees_what_work_makes),
        EXPLORED(two_that_go_back_at_a_time),
        EXPLORED(what_is_let_go_is_done_by_others),
        EXPLORED(threads_take_part),
        EXPLORED(close_under_everybody),
        EXPLORED(cancel_under_everybody),
    };
    rvi_queue_look_ns = RV_NEVER / 2; /* a ring that is lost stays lost */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

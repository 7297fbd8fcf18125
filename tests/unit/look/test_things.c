/* SPDX-License-Identifier: MIT */
/* test_things.c - executors, services and queues of this very process, read as another one would,
 * through reads that fail and lie. */
#include "look/things.h"

#include <errno.h>
#include <string.h>

#include <ravel.h>

#include "base/alloc.h"
#include "look/index.h"
#include "scene.h"

static struct rv_event bell;

/* --- reads that are watched --- */

static struct {
    long reads;            /* so far */
    long fails_at, error;  /* the read that fails, and how */
    long lies_at;          /* the one that brings something else, */
    unsigned char instead; /* these bytes */
} meddling;

static int watched(struct look_target *of, uint64_t address, void *to, size_t bytes)
{
    long read = ++meddling.reads;

    if (read == meddling.fails_at)
        return (int)meddling.error;
    int r = honest(of, address, to, bytes);
    if (r == 0 && read == meddling.lies_at)
        memset(to, meddling.instead, bytes);
    return r;
}

static int take(struct look_things *ret)
{
    meddling.reads = 0;
    return look_things(target, 1, ret);
}

/* --- the scene, which is looked at by a helper thread: hence RV_CHECK --- */

static int stay(const int *in, int *out)
{
    (void)in;
    (void)out;
    return rv_event_wait(&bell, RV_NEVER);
}
RV_JOB(stay, int, int);

static int serve(void *arg)
{
    (void)arg;
    return rv_sleep(3600 * RV_SECOND);
}

static int with_executor(rv_scope *scope)
{
    rv_executor *ex;
    rv_future *f;
    int in = 1, out;
    struct rv_outcome outcome;

    (void)scope;
    RV_CHECK(rv_executor_open(&ex, "threads:1", NULL) == 0);
    RV_CHECK(rv_submit(ex, &f, stay, &in, RV_NEVER) == 0);
    while (rv_executor_width(ex) == 1) {
        struct rv_executor_stats stats = {.size = sizeof stats};
        RV_CHECK(rv_executor_stats_read(ex, &stats) == 0);
        if (stats.running == 1)
            break;
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    }
    int r = scene_look();
    rv_event_set(&bell);
    RV_CHECK(rv_future_get(f, &out, &outcome, RV_NEVER) == 0);
    rv_future_free(f);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    return r;
}

static int play(void *arg)
{
    static const struct rv_service services[] = {
        {.size = sizeof(struct rv_service), .name = "door", .run = serve}};
    static const struct rv_supervisor_opts below = {
        .size = sizeof below, .name = "inn", .services = services, .count = 1};
    static const struct rv_service above[] = {
        {.size = sizeof(struct rv_service), .name = "inn", .supervisor = &below}};
    static const struct rv_supervisor_opts opts = {
        .size = sizeof opts, .name = "village", .services = above, .count = 1};
    int err, r = 0, item = 1;
    rv_supervisor *sup;
    rv_queue *q;

    (void)arg;
    rv_event_init(&bell);
    RV_CHECK(rv_queue_new(&q, sizeof item, 4) == 0 && rv_queue_rename(q, "to do") == 0);
    RV_CHECK(rv_queue_put(q, &item, RV_NEVER) == 0);
    RV_SCOPE(s, err, .name = "scene") {
        RV_CHECK(rv_supervisor_start(&sup, s, &opts, RV_NEVER) == 0);
        r = with_executor(s);
        rv_supervisor_close(sup);
    }
    rv_queue_free(q);
    return err < 0 ? err : r;
}

static void meddle_with_nothing(void)
{
    memset(&meddling, 0, sizeof meddling);
}

static const struct scene scene = {.play = play, .read = watched, .begin = meddle_with_nothing};

/* --- what is seen --- */

static void see_all(void)
{
    struct look_things things;

    RV_CHECK(take(&things) == 0);
    RV_CHECK(things.missed == 0);
    RV_CHECK(things.executor_count == 1);
    RV_CHECK(strcmp(things.executors[0].choice, "threads:1") == 0);
    RV_CHECK(things.executors[0].busy == 1);
    RV_CHECK(strcmp(things.executors[0].jobs[0].name, "stay") == 0);
    RV_CHECK(things.supervisor_count == 2);
    RV_CHECK(strcmp(things.supervisors[1].services[0].name, "door") == 0);
    RV_CHECK(things.supervisors[0].services[0].below == 1);
    RV_CHECK(things.supervisors[1].services[0].below == LOOK_NONE);
    RV_CHECK(things.flow_count == 1);
    RV_CHECK(strcmp(things.flows[0].name, "to do") == 0);
    RV_CHECK(things.flows[0].items == 1);
    look_things_fini(&things);
}

static void all_there_is_is_seen(void **state)
{
    (void)state;
    show(&scene, see_all);
}

static long count_reads(void)
{
    struct look_things things;

    RV_CHECK(take(&things) == 0);
    look_things_fini(&things);
    return meddling.reads;
}

static void see_with_failures(void)
{
    long reads = count_reads(), live = rvi_alloc_live();
    struct look_things things;

    for (meddling.fails_at = 1; meddling.fails_at <= reads; meddling.fails_at++) {
        meddling.error = -ESRCH;
        RV_CHECK(take(&things) == -ESRCH);
        look_things_fini(&things);
        meddling.error = -EFAULT;
        RV_CHECK(take(&things) == 0);
        look_things_fini(&things);
        RV_CHECK(rvi_alloc_live() == live);
    }
}

static void at_each_read_it_may_have_ended_or_be_gone(void **state)
{
    (void)state;
    show(&scene, see_with_failures);
}

static void see_lies(void)
{
    static const unsigned char bytes[] = {0, 1, 0x55, 0xff};
    long reads = count_reads(), live = rvi_alloc_live();
    struct look_things things;

    for (size_t i = 0; i < sizeof bytes; i++) {
        meddling.instead = bytes[i];
        for (meddling.lies_at = 1; meddling.lies_at <= reads; meddling.lies_at++) {
            RV_CHECK(take(&things) == 0);
            look_things_fini(&things);
        }
    }
    RV_CHECK(rvi_alloc_live() == live);
}

static void what_lies_harms_nobody(void **state)
{
    (void)state;
    show(&scene, see_lies);
}

static void see_without_memory(void)
{
    struct look_things things;
    long n = 1, live = rvi_alloc_live();

    for (;; n++) {
        rvi_alloc_fail_after(n);
        int r = take(&things);
        rvi_alloc_fail_after(-1);
        look_things_fini(&things);
        if (r == 0)
            break;
        RV_CHECK(r == -ENOMEM);
    }
    RV_CHECK(n > 5);
    RV_CHECK(rvi_alloc_live() == live);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    show(&scene, see_without_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_there_is_is_seen),
        cmocka_unit_test(at_each_read_it_may_have_ended_or_be_gone),
        cmocka_unit_test(what_lies_harms_nobody),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

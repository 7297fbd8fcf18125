/* SPDX-License-Identifier: MIT */
/* test_snapshot.c - a snapshot of this very process, by a thread that reads its memory as another
 * process would, through reads that fail, lie and change. */
#include "look/snapshot.h"

#include <errno.h>
#include <string.h>

#include <ravel/scope.h>
#include <ravel/sync.h>

#include "base/alloc.h"
#include "look/tree.h"
#include "scene.h"
#include "sched/sched.h"

enum { TASKS = 3 };

static struct rv_event bell;

/* --- reads that are watched --- */

/* What happens to reads. */
static struct {
    long fails_after; /* so many; negative: none fails */
    int error;
    uint64_t place;      /* of a byte that is told as another one, */
    long lies;           /* so many times */
    long reads;          /* of it */
    const void *instead; /* of eight bytes there */
} meddling;

/* The byte is another one at each read. */
static void meddle(uint64_t address, unsigned char *to, size_t bytes)
{
    if (meddling.place < address || meddling.place >= address + bytes || meddling.lies == 0)
        return;
    meddling.lies--;
    meddling.reads++;
    if (meddling.instead)
        memcpy(to + (meddling.place - address), meddling.instead, sizeof(uint64_t));
    else
        to[meddling.place - address] = (unsigned char)meddling.reads;
}

static int watched(struct look_target *of, uint64_t address, void *to, size_t bytes)
{
    if (meddling.fails_after == 0)
        return meddling.error;
    if (meddling.fails_after > 0)
        meddling.fails_after--;
    int r = honest(of, address, to, bytes);
    if (r == 0)
        meddle(address, to, bytes);
    return r;
}

/* --- the scene --- */

static int wait_for_bell(void *arg)
{
    (void)arg;
    return rv_event_wait(&bell, RV_NEVER);
}

static struct look_snapshot *taken(void)
{
    struct look_snapshot *snapshot;
    struct look_trouble trouble = {""};

    if (look_snapshot(target, &snapshot, &trouble) < 0)
        fail_msg("%s", trouble.text);
    return snapshot;
}

/* This thread is called a moment before its caller waits for it. */
static bool do_all_wait(void)
{
    struct look_snapshot *snapshot = taken();
    size_t count = 0;

    for (size_t i = 0; i < snapshot->task_count; i++)
        count += !snapshot->tasks[i].is_torn && snapshot->tasks[i].state == RVI_TASK_PARKED;
    look_snapshot_free(snapshot);
    return count == TASKS + 1;
}

static void begin(void)
{
    meddling.fails_after = -1;
    meddling.place = 0;
    meddling.instead = NULL;
    while (!do_all_wait())
        usleep(100);
}

static int play(void *arg)
{
    int err, looked = 0;

    (void)arg;
    rv_event_init(&bell);
    RV_SCOPE(s, err, .name = "scene") {
        for (int i = 0; i < TASKS; i++)
            RV_CHECK(rv_go(s, wait_for_bell, NULL) == 0);
        looked = scene_look();
        rv_event_set(&bell);
    }
    return err < 0 ? err : looked;
}

static const struct scene scene = {.play = play, .read = watched, .begin = begin};

static uint64_t place_of(uint64_t record, enum rvi_layout_field field)
{
    return record + rvi_layout.fields[field].offset;
}

/* The descriptor of one that waits for the bell. */
static uint64_t some_waiter(void)
{
    struct look_snapshot *snapshot = taken();
    size_t found[TASKS];

    assert_int_equal(look_find_tasks(snapshot, "wait_for_bell", found, TASKS), TASKS);
    uint64_t address = snapshot->tasks[found[1]].address;
    look_snapshot_free(snapshot);
    return address;
}

/* --- what is --- */

static void see_all(void)
{
    struct look_snapshot *snapshot = taken();
    struct look_tree tree;

    assert_int_equal(snapshot->runtime_count, 1);
    assert_int_equal(snapshot->task_count, TASKS + 1);
    assert_int_equal(snapshot->torn + snapshot->lost, 0);
    assert_int_equal(snapshot->scope_count, 1);
    assert_string_equal(snapshot->scopes[0].name, "scene");
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct look_task *task = &snapshot->tasks[i];
        assert_int_equal(task->state, RVI_TASK_PARKED);
        assert_int_equal(task->why, task->is_first ? RVI_WHY_BLOCKING : RVI_WHY_EVENT);
        assert_int_equal(task->scope, task->is_first ? LOOK_NONE : 0);
        assert_int_equal(task->scopes, task->is_first ? 0 : LOOK_NONE);
    }
    assert_int_equal(look_tree_init(&tree, snapshot), 0);
    assert_int_equal(look_tree_inner(&tree, snapshot->scopes[0].owner, LOOK_NONE), 0);
    assert_int_equal(look_tree_inner(&tree, snapshot->scopes[0].owner, 0), LOOK_NONE);
    look_tree_fini(&tree);
    look_snapshot_free(snapshot);
}

static void a_snapshot_has_what_there_is(void **state)
{
    (void)state;
    show(&scene, see_all);
}

/* --- what changes --- */

static void see_torn(void)
{
    uint64_t place = place_of(some_waiter(), RVI_AT_TASK_PARKED_MS);
    size_t torn = 0;

    meddling.place = place;
    meddling.lies = -1;
    struct look_snapshot *snapshot = taken();
    assert_int_equal(snapshot->task_count, TASKS + 1);
    assert_int_equal(snapshot->torn, 1);
    assert_int_equal(snapshot->lost, 0);
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct look_task *task = &snapshot->tasks[i];
        if (!task->is_torn)
            continue;
        torn++;
        assert_string_equal(look_state_word(task), "torn");
        assert_string_equal(task->name, "wait_for_bell");
        assert_false(task->has_age);
    }
    assert_int_equal(torn, 1);
    look_snapshot_free(snapshot);
}

static void a_task_that_never_holds_still_is_said_to_be_torn(void **state)
{
    (void)state;
    show(&scene, see_torn);
}

static void see_settled(void)
{
    meddling.place = place_of(some_waiter(), RVI_AT_TASK_PARKED_MS);
    meddling.lies = 5;
    struct look_snapshot *snapshot = taken();
    assert_int_equal(snapshot->torn + snapshot->lost, 0);
    assert_int_equal(snapshot->task_count, TASKS + 1);
    assert_int_equal(meddling.lies, 0);
    look_snapshot_free(snapshot);
}

static void one_that_settles_is_seen_as_it_is_then(void **state)
{
    (void)state;
    show(&scene, see_settled);
}

static void see_lost(void)
{
    meddling.place = place_of(some_waiter(), RVI_AT_TASK_ID);
    meddling.lies = -1;
    struct look_snapshot *snapshot = taken();
    assert_int_equal(snapshot->lost, 1);
    assert_int_equal(snapshot->task_count, TASKS);
    look_snapshot_free(snapshot);
}

static void descriptors_that_serve_one_after_the_other_are_counted(void **state)
{
    (void)state;
    show(&scene, see_lost);
}

/* --- what is not --- */

static uint64_t lie;

static void lie_at(uint64_t place, uint64_t value)
{
    lie = value;
    meddling.place = place;
    meddling.lies = -1;
    meddling.instead = &lie;
}

static void see_ring(void)
{
    uint64_t sched = (uintptr_t)rvi_scheds;

    lie_at(place_of(sched, RVI_AT_SCHED_NEXT), sched);
    struct look_snapshot *snapshot = taken();
    assert_true(snapshot->runtime_count > 1);
    look_snapshot_free(snapshot);
}

static void a_list_that_is_a_ring_has_an_end(void **state)
{
    (void)state;
    show(&scene, see_ring);
}

static void refuse_to_see(uint64_t place, uint64_t value)
{
    struct look_snapshot *snapshot;
    struct look_trouble trouble = {""};

    lie_at(place, value);
    assert_int_equal(look_snapshot(target, &snapshot, &trouble), -EAGAIN);
    assert_non_null(strstr(trouble.text, "try again"));
}

static void see_nonsense(void)
{
    uint64_t sched = (uintptr_t)rvi_scheds, worker = (uintptr_t)rvi_scheds->workers;

    refuse_to_see(place_of(sched, RVI_AT_SCHED_WORKERS), 0);
    refuse_to_see(place_of(sched, RVI_AT_SCHED_WORKERS), 4096);
    refuse_to_see(place_of(sched, RVI_AT_SCHED_NEXT), 4096);
    refuse_to_see(place_of(worker, RVI_AT_WORKER_SCHED), 0);
    refuse_to_see(place_of(worker, RVI_AT_WORKER_STRIDE), 1);
    refuse_to_see(place_of(worker, RVI_AT_WORKER_STRIDE), UINT64_MAX);
    refuse_to_see(place_of(worker, RVI_AT_WORKER_CHUNKS), 4096);
}

static void what_cannot_be_is_not_believed(void **state)
{
    (void)state;
    show(&scene, see_nonsense);
}

/* Each field of each task says in turn what it cannot. */
static void see_any_field(void)
{
    uint64_t waiter = some_waiter();

    for (int field = RVI_AT_TASK_ID; field <= RVI_AT_TASK_OWN_NAME; field++) {
        lie_at(place_of(waiter, (enum rvi_layout_field)field), UINT64_MAX / 3);
        struct look_snapshot *snapshot = taken();
        assert_true(snapshot->task_count >= TASKS);
        look_snapshot_free(snapshot);
    }
}

static void a_field_that_lies_harms_nobody(void **state)
{
    (void)state;
    show(&scene, see_any_field);
}

/* --- what fails --- */

/* Whether every read went well. */
static bool look_with_failure(long n, int error)
{
    struct look_snapshot *snapshot = NULL;
    struct look_trouble trouble = {""};

    meddling.fails_after = n;
    meddling.error = error;
    int r = look_snapshot(target, &snapshot, &trouble);
    bool is_whole = meddling.fails_after != 0;
    if (r < 0) {
        assert_null(snapshot);
        assert_int_equal(r, error == -ESRCH ? -ESRCH : -EAGAIN);
        assert_true(trouble.text[0]);
    }
    look_snapshot_free(snapshot);
    return is_whole;
}

static void see_until_it_ends(void)
{
    long n = 0;

    while (!look_with_failure(n, -ESRCH))
        n++;
    assert_true(n > TASKS);
    for (long i = 0; i < n; i += n / 16 + 1)
        look_with_failure(i, -EFAULT);
}

static void at_each_read_it_may_have_ended(void **state)
{
    (void)state;
    show(&scene, see_until_it_ends);
}

static void see_without_memory(void)
{
    struct look_snapshot *snapshot;
    struct look_trouble trouble;
    long n = 1;

    for (;; n++) {
        rvi_alloc_fail_after(n);
        int r = look_snapshot(target, &snapshot, &trouble);
        rvi_alloc_fail_after(-1);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
    }
    assert_true(n > 5);
    look_snapshot_free(snapshot);
}

static void without_memory_there_is_no_snapshot(void **state)
{
    (void)state;
    show(&scene, see_without_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_has_what_there_is),
        cmocka_unit_test(a_task_that_never_holds_still_is_said_to_be_torn),
        cmocka_unit_test(one_that_settles_is_seen_as_it_is_then),
        cmocka_unit_test(descriptors_that_serve_one_after_the_other_are_counted),
        cmocka_unit_test(a_list_that_is_a_ring_has_an_end),
        cmocka_unit_test(what_cannot_be_is_not_believed),
        cmocka_unit_test(a_field_that_lies_harms_nobody),
        cmocka_unit_test(at_each_read_it_may_have_ended),
        cmocka_unit_test(without_memory_there_is_no_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

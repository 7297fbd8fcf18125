/* SPDX-License-Identifier: MIT */
/* test_recorder.c - who asks is answered once, and what it was given goes when it is over or gone.
 * Whole processes are asked by tests/look/test_deeds.py. */
#include "trace/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "sys/memfd.h"

/* One that asks for a recording of this process, as `ravel trace PID` does. */
struct reader {
    int fd;
    size_t bytes;
    struct rvi_trace_shared *shared;
};

/* A worker that has been told of the answer. */
struct worker {
    struct rvi_recording *held;
    uint64_t seen;
    struct rvi_trace *ring;
};

static const int runtime; /* its address stands for one */

static void ask(void)
{
    uint64_t before = rvi_load_relaxed(&rvi_trace_door.wanted);

    rvi_store_relaxed(&rvi_trace_door.wanted, ((before >> 32) + 1) << 32 | 1);
}

static void look(struct worker *w, unsigned index)
{
    w->ring = rvi_recorder_follow(&w->held, &w->seen, &runtime, 2, index);
}

static void enter(struct reader *ret)
{
    char path[64];
    void *memory;

    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)rvi_load_relaxed(&rvi_trace_door.answer));
    ret->fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(ret->fd >= 0);
    assert_int_equal(rvi_memfd_claim(ret->fd), 0);
    assert_int_equal(rvi_memfd_bytes(ret->fd, &ret->bytes), 0);
    assert_int_equal(rvi_memfd_map(ret->fd, ret->bytes, &memory), 0);
    ret->shared = memory;
    assert_true(rvi_trace_shared_is_sound(ret->shared, ret->bytes));
}

static void leave(struct reader *reader, bool says_so)
{
    if (says_so)
        rvi_store_relaxed(&reader->shared->is_over, 1);
    rvi_memfd_unmap(reader->shared, reader->bytes);
    close(reader->fd);
}

/* The descriptor that was answered is closed again. */
static void assert_gone(int64_t answer)
{
    assert_true(answer >= 0);
    assert_int_equal(fcntl((int)answer, F_GETFD), -1);
    assert_false(rvi_load_relaxed(&rvi_recorder_is_on));
}

static void without_a_reader_there_is_nothing(void **state)
{
    struct worker w = {.seen = rvi_load_relaxed(&rvi_trace_door.wanted)};

    (void)state;
    assert_false(rvi_recorder_calls(NULL, w.seen));
    assert_false(rvi_recorder_listens());
    look(&w, 0);
    assert_null(w.ring);
    rvi_recorder_leave(&w.held, &runtime);
}

static void a_reader_gets_what_workers_note_until_it_says_so(void **state)
{
    struct worker workers[2] = {{0}};
    struct rvi_trace_event event;
    struct reader reader;
    uint64_t next;

    (void)state;
    ask();
    assert_true(rvi_recorder_calls(NULL, workers[0].seen));
    for (unsigned i = 0; i < 2; i++)
        look(&workers[i], i);
    enter(&reader);
    assert_int_equal(rvi_load_relaxed(&reader.shared->writers), 2);
    assert_int_equal(rvi_trace_shared_state(reader.shared, 0), RVI_TRACE_NOTES);
    for (unsigned i = 0; i < 2; i++) {
        rvi_trace_add(workers[i].ring, 5, i + 10, RVI_TRACE_BEGIN, 0);
        assert_int_equal(
            rvi_trace_read(rvi_trace_shared_ring(reader.shared, 0, i), 0, &event, 1, &next), 1);
        assert_int_equal(event.task, i + 10);
    }
    int64_t answer = rvi_load_relaxed(&rvi_trace_door.answer);
    assert_false(rvi_recorder_calls(reader.shared, workers[0].seen));
    rvi_store_relaxed(&reader.shared->is_over, 1);
    assert_true(rvi_recorder_calls(reader.shared, workers[0].seen));
    look(&workers[0], 0);
    assert_null(workers[0].ring);
    assert_int_equal(rvi_trace_shared_state(reader.shared, 0), RVI_TRACE_NOTES);
    look(&workers[1], 1);
    assert_int_equal(rvi_trace_shared_state(reader.shared, 0), RVI_TRACE_ENDED);
    assert_int_equal(rvi_load_relaxed(&reader.shared->writers), 0);
    leave(&reader, true);
    assert_gone(answer);
    assert_false(rvi_recorder_calls(NULL, workers[0].seen));
}

static void a_second_reader_is_refused(void **state)
{
    struct worker w = {0};
    struct reader reader;

    (void)state;
    ask();
    look(&w, 0);
    enter(&reader);
    int64_t answer = rvi_load_relaxed(&rvi_trace_door.answer);
    ask();
    look(&w, 0);
    assert_int_equal(rvi_load_relaxed(&rvi_trace_door.answer), -EBUSY);
    assert_non_null(w.ring);
    leave(&reader, true);
    look(&w, 0);
    assert_gone(answer);
}

static void the_memory_of_one_that_is_gone_is_not_handed_on(void **state)
{
    struct worker w = {0};
    struct reader reader;

    (void)state;
    ask();
    look(&w, 0);
    enter(&reader);
    rvi_trace_add(w.ring, 5, 1, RVI_TRACE_BEGIN, 0);
    leave(&reader, false);
    ask();
    look(&w, 0);
    enter(&reader);
    assert_int_equal(rvi_load_relaxed(&w.ring->done), 0);
    int64_t answer = rvi_load_relaxed(&rvi_trace_door.answer);
    leave(&reader, true);
    look(&w, 0);
    assert_gone(answer);
}

static void what_other_threads_do_has_lanes_with_names(void **state)
{
    static const enum rvi_trace_kind kinds[] = {RVI_TRACE_LANE, RVI_TRACE_JOB_BEGIN,
                                                RVI_TRACE_JOB_END, RVI_TRACE_JOB_BEGIN};
    static const int64_t times[] = {50, 50, 70, 60};
    struct rvi_trace_event events[5];
    struct reader reader;
    uint64_t next;

    (void)state;
    rvi_recorder_end_job(7, "lane", 10, 1, 0);
    ask();
    assert_true(rvi_recorder_listens());
    rvi_recorder_begin_job(7, "lane", 50, "job");
    rvi_recorder_end_job(7, "lane", 70, 3, 0);
    rvi_recorder_begin_job(7, "lane", 60, "job");
    enter(&reader);
    assert_int_equal(reader.shared->places[0].runtime, 0);
    const struct rvi_trace *ring = rvi_trace_shared_ring(reader.shared, 0, 0);
    assert_int_equal(ring->clock, RVI_TICKS_NS);
    assert_int_equal(rvi_trace_read(ring, 0, events, 5, &next), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rvi_trace_kind(&events[i]), kinds[i]);
        assert_int_equal(events[i].task, 7);
        assert_int_equal(events[i].time_ns, times[i]);
    }
    assert_string_equal(rvi_trace_shared_find(reader.shared, rvi_trace_arg(&events[0]))->name,
                        "lane 7");
    assert_string_equal(rvi_trace_shared_find(reader.shared, rvi_trace_arg(&events[1]))->name,
                        "job");
    assert_int_equal(rvi_trace_arg(&events[2]), 3);
    int64_t answer = rvi_load_relaxed(&rvi_trace_door.answer);
    leave(&reader, true);
    rvi_recorder_end_job(7, "lane", 80, 1, 0);
    assert_gone(answer);
}

static void a_place_elsewhere_is_a_lane_counted_from_one(void **state)
{
    int lane = rvi_recorder_place(3, 0), other = rvi_recorder_place(4, 0);
    struct rvi_trace_event events[4];
    struct reader reader;
    uint64_t next;

    (void)state;
    assert_int_not_equal(lane, other);
    ask();
    rvi_recorder_begin_job(lane, "cluster", 50, "job");
    rvi_recorder_end_job(lane, "cluster", 70, 3, 15);
    enter(&reader);
    const struct rvi_trace *ring = rvi_trace_shared_ring(reader.shared, 0, 0);
    assert_int_equal(rvi_trace_read(ring, 0, events, 4, &next), 3);
    assert_int_equal(events[0].task, lane);
    assert_string_equal(rvi_trace_shared_find(reader.shared, rvi_trace_arg(&events[0]))->name,
                        "cluster 1");
    assert_int_equal(rvi_trace_low(&events[2]), 3);
    assert_int_equal(rvi_trace_object(&events[2]), 15);
    leave(&reader, true);
    rvi_recorder_end_job(lane, "cluster", 80, 1, 0);
}

static void what_is_waited_for_has_a_name_until_that_is_gone(void **state)
{
    struct rvi_trace_event events[3];
    struct worker w = {0};
    struct reader reader;
    uint64_t next;
    static const int thing;

    (void)state;
    rvi_recorder_name(&thing, "unheard", 1);
    ask();
    look(&w, 0);
    enter(&reader);
    assert_true(rvi_recorder_wants_names(w.held));
    assert_false(rvi_recorder_wants_names(w.held));
    rvi_recorder_name(&thing, "orders", 2);
    rvi_recorder_name(&thing, NULL, 2);
    const struct rvi_trace *ring = rvi_trace_shared_ring(reader.shared, 1, 0);
    assert_int_equal(rvi_trace_read(ring, 0, events, 3, &next), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rvi_trace_kind(&events[i]), RVI_TRACE_THING);
        assert_int_equal(events[i].task, (uintptr_t)&thing);
        assert_int_equal(rvi_trace_thing_number(&events[i]), 2);
    }
    assert_string_equal(
        rvi_trace_shared_find(reader.shared, rvi_trace_thing_text(&events[0]))->name, "orders");
    assert_int_equal(rvi_trace_thing_text(&events[1]), 0);
    leave(&reader, true);
    look(&w, 0);
    assert_null(w.ring);
}

static void why_there_is_no_memory_is_answered(void **state)
{
    struct worker w = {0};

    (void)state;
    ask();
    rvi_alloc_fail_after(1);
    look(&w, 0);
    rvi_alloc_fail_after(-1);
    assert_null(w.ring);
    assert_int_equal(rvi_load_relaxed(&rvi_trace_door.answer), -ENOMEM);
    assert_false(rvi_recorder_calls(NULL, w.seen));
    rvi_store_relaxed(&rvi_trace_door.wanted, w.seen + ((uint64_t)1 << 32) + UINT32_MAX - 1);
    look(&w, 0);
    assert_int_equal(rvi_load_relaxed(&rvi_trace_door.answer), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_reader_there_is_nothing),
        cmocka_unit_test(a_reader_gets_what_workers_note_until_it_says_so),
        cmocka_unit_test(a_second_reader_is_refused),
        cmocka_unit_test(the_memory_of_one_that_is_gone_is_not_handed_on),
        cmocka_unit_test(what_other_threads_do_has_lanes_with_names),
        cmocka_unit_test(a_place_elsewhere_is_a_lane_counted_from_one),
        cmocka_unit_test(what_is_waited_for_has_a_name_until_that_is_gone),
        cmocka_unit_test(why_there_is_no_memory_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* test_ring.c - events come out as they went in, the oldest go first, and a reader knows what it
 * has missed. Reading while it is written is tests/stress/stress_trace.c's. */
#include "trace/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

static struct rvi_trace *filled(uint64_t size, uint64_t events)
{
    struct rvi_trace *ring = rvi_trace_new(size);
    assert_non_null(ring);
    for (uint64_t i = 0; i < events; i++)
        rvi_trace_add(ring, i * 10, i, RVI_TRACE_PARK, i * 3);
    return ring;
}

static void events_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct rvi_trace_event events[8];
    uint64_t next, most = ((uint64_t)1 << RVI_TRACE_ARG_BITS) - 1;
    struct rvi_trace *ring = rvi_trace_new(8);
    rvi_trace_add(ring, UINT64_MAX, UINT64_MAX, RVI_TRACE_SCOPE_CANCEL, most);
    rvi_trace_add(ring, 1, 2, RVI_TRACE_SPAWN, 0);
    assert_int_equal(rvi_trace_read(ring, 0, events, 8, &next), 2);
    assert_int_equal(next, 2);
    assert_int_equal(events[0].ticks, UINT64_MAX);
    assert_int_equal(events[0].task, UINT64_MAX);
    assert_int_equal(rvi_trace_kind(&events[0]), RVI_TRACE_SCOPE_CANCEL);
    assert_int_equal(rvi_trace_arg(&events[0]), most);
    assert_int_equal(rvi_trace_kind(&events[1]), RVI_TRACE_SPAWN);
    assert_int_equal(rvi_trace_arg(&events[1]), 0);
    rvi_trace_free(ring);
}

static void the_oldest_are_overwritten_and_counted_as_lost(void **state)
{
    (void)state;
    struct rvi_trace_event events[16];
    uint64_t next;
    struct rvi_trace *ring = filled(8, 21);
    assert_int_equal(rvi_trace_read(ring, 0, events, 16, &next), 8);
    assert_int_equal(next, 21);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(events[i].task, 13 + i);
    rvi_trace_free(ring);
}

static void a_reader_goes_on_where_it_was(void **state)
{
    (void)state;
    struct rvi_trace_event events[3];
    uint64_t next = 0, seen = 0;
    size_t count;
    struct rvi_trace *ring = filled(8, 8);
    while ((count = rvi_trace_read(ring, next, events, 3, &next)) > 0) {
        for (size_t i = 0; i < count; i++)
            assert_int_equal(events[i].task, seen++);
    }
    assert_int_equal(seen, 8);
    assert_int_equal(rvi_trace_read(ring, next, events, 3, &next), 0);
    rvi_trace_add(ring, 0, 99, RVI_TRACE_END, 0);
    assert_int_equal(rvi_trace_read(ring, next, events, 3, &next), 1);
    assert_int_equal(events[0].task, 99);
    rvi_trace_free(ring);
}

/* A counter of 2 ticks a nanosecond, and one that is nanoseconds itself. */
static void times_become_nanoseconds(void **state)
{
    (void)state;
    static const struct rvi_ticks_mark first = {1000, 50}, last = {3000, 1050};
    static const uint64_t ticks[] = {1000, 1001, 2500, 2400, 3000, 3001, 998};
    static const int64_t ns[] = {50, 50, 800, 800, 1050, 1050, 1050};
    enum { COUNT = sizeof ticks / sizeof ticks[0] };
    struct rvi_trace_event events[COUNT];
    uint64_t next;
    struct rvi_trace *ring = rvi_trace_new(8);
    for (int i = 0; i < COUNT; i++)
        rvi_trace_add(ring, ticks[i], 0, RVI_TRACE_END, 0);
    ring->clock = RVI_TICKS_COUNTER;
    assert_int_equal(rvi_trace_read(ring, 0, events, COUNT, &next), COUNT);
    rvi_trace_to_ns((enum rvi_ticks_clock)ring->clock, &first, &last, events, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(events[i].time_ns, ns[i]);
    ring->clock = RVI_TICKS_NS;
    assert_int_equal(rvi_trace_read(ring, 0, events, 3, &next), 3);
    rvi_trace_to_ns((enum rvi_ticks_clock)ring->clock, &first, &last, events, 3);
    assert_int_equal(events[2].time_ns, 2500);
    rvi_trace_free(ring);
}

static uint64_t call_of(uint32_t took, int32_t result)
{
    return (uint64_t)took << 32 | (uint32_t)result;
}

static void check_event(const struct rvi_trace_event *event, uint64_t ticks, uint64_t task,
                        enum rvi_trace_kind kind)
{
    assert_int_equal(event->ticks, ticks);
    assert_int_equal(event->task, task);
    assert_int_equal(rvi_trace_kind(event), kind);
}

/* The second part begins where the first ended; the third after a loss. */
static void a_call_is_unfolded_for_who_runs(void **state)
{
    (void)state;
    struct rvi_trace_event noted[8], made[16];
    uint64_t next, task = 0, lost = 0, op = rvi_trace_op_arg(3, 1 << 20);
    struct rvi_trace *ring = rvi_trace_new(8);
    rvi_trace_add(ring, 100, call_of(10, 1), RVI_TRACE_CALL, op); /* nobody knows whose */
    rvi_trace_add(ring, 200, 77, RVI_TRACE_RESUME, 0);
    rvi_trace_add(ring, 300, call_of(40, INT32_MIN), RVI_TRACE_CALL, op);
    rvi_trace_add(ring, 400, call_of(UINT32_MAX, INT32_MAX), RVI_TRACE_CALL, op);
    rvi_trace_add(ring, 500, 77, RVI_TRACE_YIELD, 0);
    assert_int_equal(rvi_trace_read(ring, 0, noted, 8, &next), 5);
    assert_int_equal(rvi_trace_unfold(made, noted, 3, &task, &lost), 3);
    assert_int_equal(lost, 1);
    check_event(&made[0], 200, 77, RVI_TRACE_RESUME);
    check_event(&made[1], 260, 77, RVI_TRACE_OP);
    check_event(&made[2], 300, 77, RVI_TRACE_OP_END);
    assert_int_equal(rvi_trace_low(&made[1]), 3);
    assert_int_equal(rvi_trace_fd(&made[1]), 1 << 20);
    assert_int_equal(rvi_trace_result(&made[2]), INT32_MIN);
    assert_int_equal(rvi_trace_unfold(made, noted + 3, 2, &task, &lost), 3);
    check_event(&made[0], 400 - (uint64_t)UINT32_MAX, 77, RVI_TRACE_OP);
    assert_int_equal(rvi_trace_result(&made[1]), INT32_MAX);
    check_event(&made[2], 500, 77, RVI_TRACE_YIELD);
    assert_int_equal(task, 0);
    assert_int_equal(rvi_trace_unfold(made, noted + 2, 2, &task, &lost), 0);
    assert_int_equal(lost, 3);
    rvi_trace_free(ring);
}

static void any_size_is_rounded_up(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 1000};
    struct rvi_trace_event event;
    uint64_t next;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rvi_trace *ring = filled(sizes[i], 3000);
        assert_in_range(ring->mask + 1, sizes[i] ? sizes[i] : 1, sizes[i] ? 2 * sizes[i] : 1);
        assert_int_equal(rvi_trace_read(ring, 2999, &event, 1, &next), 1);
        assert_int_equal(event.task, 2999);
        rvi_trace_free(ring);
    }
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    rvi_alloc_fail_after(1);
    assert_null(rvi_trace_new(8));
    assert_null(rvi_trace_new(UINT64_MAX));
    assert_null(rvi_trace_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_as_they_went_in),
        cmocka_unit_test(the_oldest_are_overwritten_and_counted_as_lost),
        cmocka_unit_test(a_reader_goes_on_where_it_was),
        cmocka_unit_test(times_become_nanoseconds),
        cmocka_unit_test(a_call_is_unfolded_for_who_runs),
        cmocka_unit_test(any_size_is_rounded_up),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

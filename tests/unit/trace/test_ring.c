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
        rvi_trace_add(ring, (int64_t)i * 10, i, RVI_TRACE_PARK, i * 3);
    return ring;
}

static void events_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct rvi_trace_event events[8];
    uint64_t next, most = ((uint64_t)1 << RVI_TRACE_ARG_BITS) - 1;
    struct rvi_trace *ring = rvi_trace_new(8);
    rvi_trace_add(ring, INT64_MAX, UINT64_MAX, RVI_TRACE_SCOPE_CANCEL, most);
    rvi_trace_add(ring, 1, 2, RVI_TRACE_SPAWN, 0);
    assert_int_equal(rvi_trace_read(ring, 0, events, 8, &next), 2);
    assert_int_equal(next, 2);
    assert_int_equal(events[0].time_ns, INT64_MAX);
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
        cmocka_unit_test(any_size_is_rounded_up),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

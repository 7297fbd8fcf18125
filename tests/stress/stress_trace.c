/* SPDX-License-Identifier: MIT */
/* stress_trace.c - readers of a ring that is being written get whole events, in order, or none. */
#include "trace/ring.h"

#include "stress.h"

enum { RING = 64, READERS = 2, AT_A_TIME = 40 };

static struct rvi_trace *ring;
static _Atomic(bool) is_over;

/* Each word of an event follows from its number. */
static void add(uint64_t i)
{
    rvi_trace_add(ring, i * 7, i, RVI_TRACE_WAKE, i * 13);
}

static void check(const struct rvi_trace_event *event)
{
    RV_CHECK(event->ticks == event->task * 7);
    RV_CHECK(rvi_trace_arg(event) == event->task * 13);
    RV_CHECK(rvi_trace_kind(event) == RVI_TRACE_WAKE);
}

static void *read_on(void *arg)
{
    struct rvi_trace_event events[AT_A_TIME];
    uint64_t next = 0, least = 0;
    size_t *total = arg;
    bool is_last;
    do {
        is_last = rvi_load_acquire(&is_over); /* pairs: test-over */
        uint64_t from = next;
        size_t count = rvi_trace_read(ring, from, events, AT_A_TIME, &next);
        RV_CHECK(next - from >= count);
        for (size_t i = 0; i < count; i++) {
            check(&events[i]);
            RV_CHECK(events[i].task >= least);
            least = events[i].task + 1;
        }
        *total += count;
    } while (!is_last);
    return NULL;
}

static void an_event_is_read_whole_or_not_at_all(void **state)
{
    pthread_t readers[READERS];
    size_t totals[READERS] = {0};
    (void)state;
    ring = rvi_trace_new(RING);
    assert_non_null(ring);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &totals[i]), 0);
    for (uint64_t i = 0; i < scaled(5000000, 20000); i++)
        add(i);
    rvi_store_release(&is_over, true); /* pairs: test-over */
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
        assert_true(totals[i] > 0);
    }
    rvi_trace_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_event_is_read_whole_or_not_at_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

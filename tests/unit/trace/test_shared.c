/* SPDX-License-Identifier: MIT */
/* test_shared.c - rings and names in memory of somebody else's. */
#include "trace/shared.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"

enum { PLACE = 1 << 20, WORKERS = 3, THREADS = 4, NUMBERS = RVI_TRACE_TEXTS / 4 };

static struct rvi_trace_shared *memory(size_t place_bytes)
{
    size_t bytes = rvi_trace_shared_bytes(place_bytes);
    struct rvi_trace_shared *shared = rvi_alloc_aligned(RVI_CACHE_LINE, bytes);

    assert_non_null(shared);
    memset(shared, 0, bytes);
    rvi_trace_shared_init(shared, place_bytes);
    return shared;
}

static void fill(struct rvi_trace_shared *shared, int place, unsigned ring)
{
    struct rvi_trace *at = rvi_trace_shared_ring(shared, place, ring);

    for (uint64_t n = 0; n <= at->mask + 3; n++)
        rvi_trace_add(at, n, ring, RVI_TRACE_RESUME, 0);
    assert_true((char *)at + rvi_trace_bytes(at->mask + 1) <=
                (char *)shared + rvi_trace_shared_head() + (size_t)(place + 1) * PLACE);
}

static void each_worker_of_each_place_has_a_ring_of_its_own(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);
    struct rvi_trace_event events[8];
    uint64_t next;
    int places[2];

    (void)state;
    for (int p = 0; p < 2; p++) {
        places[p] = rvi_trace_shared_take(shared, WORKERS, &places[p], 42);
        assert_int_equal(rvi_trace_shared_state(shared, places[p]), RVI_TRACE_NOTES);
        assert_int_equal(shared->places[places[p]].pid, 42);
        assert_int_equal(shared->places[places[p]].rings, WORKERS);
        for (unsigned i = 0; i < WORKERS; i++)
            fill(shared, places[p], i);
    }
    assert_int_not_equal(places[0], places[1]);
    for (unsigned i = 0; i < 2 * WORKERS; i++) {
        const struct rvi_trace *ring =
            rvi_trace_shared_ring(shared, places[i / WORKERS], i % WORKERS);
        assert_int_equal(rvi_trace_read(ring, 0, events, 8, &next), 8);
        assert_int_equal(events[0].ticks, 3);
        assert_int_equal(events[0].task, i % WORKERS);
    }
    rvi_free(shared);
}

static void a_place_comes_back_empty_when_it_was_read(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);
    struct rvi_trace_event event;
    uint64_t next;

    (void)state;
    for (int i = 0; i < RVI_TRACE_PLACES; i++)
        assert_int_equal(rvi_trace_shared_take(shared, 1, shared, 1), i);
    assert_int_equal(rvi_trace_shared_take(shared, 1, shared, 1), -EBUSY);
    fill(shared, 7, 0);
    rvi_trace_shared_end(shared, 7);
    assert_int_equal(rvi_trace_shared_state(shared, 7), RVI_TRACE_ENDED);
    assert_int_equal(rvi_trace_shared_take(shared, 1, shared, 1), -EBUSY);
    rvi_trace_shared_reuse(shared, 7);
    assert_int_equal(rvi_trace_shared_take(shared, 2, shared, 1), 7);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(rvi_trace_read(rvi_trace_shared_ring(shared, 7, i), 0, &event, 1, &next),
                         0);
    rvi_free(shared);
}

static void its_clock_is_one_that_both_sides_have(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);

    (void)state;
    for (unsigned mine = RVI_TICKS_NS; mine <= RVI_TICKS_COUNTER; mine++) {
        shared->clock = mine;
        int place = rvi_trace_shared_take(shared, 1, shared, 1);
        enum rvi_ticks_clock both =
            mine == rvi_ticks_clock() ? (enum rvi_ticks_clock)mine : RVI_TICKS_NS;
        assert_int_equal(rvi_trace_shared_ring(shared, place, 0)->clock, both);
    }
    rvi_free(shared);
}

static void other_memory_is_told(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);
    size_t bytes = rvi_trace_shared_bytes(PLACE);

    (void)state;
    assert_true(rvi_trace_shared_is_sound(shared, bytes));
    assert_false(rvi_trace_shared_is_sound(shared, bytes - 4096));
    assert_false(rvi_trace_shared_is_sound(shared, 4096));
    assert_int_equal(rvi_trace_shared_take(shared, 1 << 12, shared, 1), -ENOSPC);
    shared->magic ^= 1;
    assert_false(rvi_trace_shared_is_sound(shared, bytes));
    rvi_free(shared);
}

static void a_text_has_one_number(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);
    char longest[300];

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    unsigned one = rvi_trace_shared_text(shared, 17, "one", "file.c", 5);
    unsigned other = rvi_trace_shared_text(shared, 18, longest, longest, 6);
    assert_true(one > 0 && other > 0 && one != other);
    assert_int_equal(rvi_trace_shared_text(shared, 17, "else", "", 0), one);
    assert_string_equal(rvi_trace_shared_find(shared, one)->name, "one");
    assert_string_equal(rvi_trace_shared_find(shared, one)->file, "file.c");
    assert_int_equal(rvi_trace_shared_find(shared, one)->line, 5);
    assert_int_equal(strlen(rvi_trace_shared_find(shared, other)->name), RVI_TRACE_NAME_BYTES - 1);
    assert_null(rvi_trace_shared_find(shared, 0));
    assert_null(rvi_trace_shared_find(shared, RVI_TRACE_TEXTS + 1));
    rvi_free(shared);
}

static void when_it_is_full_there_is_no_number(void **state)
{
    struct rvi_trace_shared *shared = memory(PLACE);

    (void)state;
    unsigned first = rvi_trace_shared_text(shared, 1, "name", "file", 1), told = 0;
    for (uint64_t key = 1; key <= 2 * RVI_TRACE_TEXTS; key++)
        told += rvi_trace_shared_text(shared, key, "name", "file", 1) != 0;
    assert_in_range(told, RVI_TRACE_TEXTS / 2, RVI_TRACE_TEXTS);
    assert_int_equal(rvi_trace_shared_text(shared, 1, "name", "file", 1), first);
    rvi_free(shared);
}

struct party {
    struct rvi_trace_shared *shared;
    unsigned numbers[NUMBERS];
};

static void *put_all(void *arg)
{
    struct party *party = arg;
    char name[16];

    for (unsigned i = 0; i < NUMBERS; i++) {
        snprintf(name, sizeof name, "text %u", i);
        party->numbers[i] = rvi_trace_shared_text(party->shared, i + 1, name, "file", i);
    }
    return NULL;
}

static void threads_agree_on_numbers(void **state)
{
    static struct party parties[THREADS];
    pthread_t threads[THREADS];
    struct rvi_trace_shared *shared = memory(PLACE);

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        parties[i].shared = shared;
        assert_int_equal(pthread_create(&threads[i], NULL, put_all, &parties[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < NUMBERS; i++) {
        const struct rvi_trace_text *text = rvi_trace_shared_find(shared, parties[0].numbers[i]);
        assert_non_null(text);
        assert_int_equal(text->line, i);
        for (int k = 1; k < THREADS; k++)
            assert_int_equal(parties[k].numbers[i], parties[0].numbers[i]);
    }
    rvi_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_worker_of_each_place_has_a_ring_of_its_own),
        cmocka_unit_test(a_place_comes_back_empty_when_it_was_read),
        cmocka_unit_test(its_clock_is_one_that_both_sides_have),
        cmocka_unit_test(other_memory_is_told),
        cmocka_unit_test(a_text_has_one_number),
        cmocka_unit_test(when_it_is_full_there_is_no_number),
        cmocka_unit_test(threads_agree_on_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

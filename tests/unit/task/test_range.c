/* SPDX-License-Identifier: MIT */
/* test_range.c - parallel loops and reductions. */
#include <ravel/fork.h>

#include <errno.h>
#include <string.h>

#include "../../support/crowd.h"
#include "../../support/every_point.h"
#include "stage.h"

enum { COUNT = 1000, FIRST = 17 };

/* --- loops --- */

struct visits {
    size_t most; /* indexes of a call */
    _Atomic(int) seen[COUNT];
    _Atomic(int) calls;
    size_t fail_at; /* the index whose range fails; COUNT: none */
};

static int visit(size_t begin, size_t end, void *arg)
{
    struct visits *visits = arg;
    RV_CHECK(begin < end && end <= FIRST + COUNT && end - begin <= visits->most);
    rvi_fetch_add_relaxed(&visits->calls, 1);
    for (size_t i = begin; i < end; i++)
        rvi_fetch_add_relaxed(&visits->seen[i - FIRST], 1);
    return begin - FIRST <= visits->fail_at && visits->fail_at < end - FIRST ? -EIO : 0;
}

static void check_all_visited(size_t count, size_t grain, size_t most)
{
    static struct visits visits;
    memset(&visits, 0, sizeof(visits));
    visits.most = most;
    visits.fail_at = COUNT;
    RV_CHECK(rv_for(FIRST, FIRST + count, grain, visit, &visits) == 0);
    for (size_t i = 0; i < COUNT; i++)
        RV_CHECK(rvi_load_relaxed(&visits.seen[i]) == (i < count));
    if (grain)
        RV_CHECK((size_t)rvi_load_relaxed(&visits.calls) == (count + grain - 1) / grain);
}

static void a_loop_visits_each_index_once(void)
{
    const size_t counts[] = {0, 1, 2, 3, 63, 64, 65, 128, 129, COUNT};
    const size_t grains[] = {1, 2, 7, 64, COUNT, SIZE_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_all_visited(counts[i], 0, COUNT);
        for (size_t k = 0; k < sizeof(grains) / sizeof(grains[0]); k++)
            check_all_visited(counts[i], grains[k] == SIZE_MAX ? COUNT : grains[k], grains[k]);
    }
    RV_CHECK(rv_for(5, 5, 1, visit, NULL) == 0 && rv_for(6, 5, 1, visit, NULL) == 0);
}

static int count_indexes(size_t begin, size_t end, void *arg)
{
    rvi_fetch_add_relaxed((_Atomic(size_t) *)arg, end - begin);
    return 0;
}

static void a_loop_may_go_to_the_last_index(void)
{
    _Atomic(size_t) count = 0;
    RV_CHECK(rv_for(SIZE_MAX - 100, SIZE_MAX, 33, count_indexes, &count) == 0);
    RV_CHECK(rvi_load_relaxed(&count) == 100);
    rvi_store_relaxed(&count, 0);
    RV_CHECK(rv_for(0, SIZE_MAX, SIZE_MAX, count_indexes, &count) == 0);
    RV_CHECK(rv_for(0, SIZE_MAX, 0, count_indexes, &count) == 0);
    RV_CHECK(rvi_load_relaxed(&count) == SIZE_MAX - 1); /* twice, modulo its range */
}

static void the_first_failure_ends_a_loop(void)
{
    static struct visits visits;
    memset(&visits, 0, sizeof(visits));
    visits.most = 1;
    visits.fail_at = 3;
    RV_CHECK(rv_for(FIRST, FIRST + COUNT, 1, visit, &visits) == -EIO);
    RV_CHECK(rvi_load_relaxed(&visits.seen[3]) == 1);
    if (rv_run_workers() == 1)
        RV_CHECK(rvi_load_relaxed(&visits.calls) == 4);
}

struct cancelling {
    rv_scope *scope;
    _Atomic(int) calls;
};

static int cancel_at_the_third(size_t begin, size_t end, void *arg)
{
    struct cancelling *c = arg;
    (void)end;
    rvi_fetch_add_relaxed(&c->calls, 1);
    if (begin == 2)
        rv_scope_cancel(c->scope, -ESTALE);
    return 0;
}

static void a_cancelled_scope_ends_a_loop_between_two_ranges(void)
{
    struct cancelling c = {0};
    int err, r = 0;
    RV_SCOPE(scope, err) {
        c.scope = scope;
        r = rv_for(0, COUNT, 1, cancel_at_the_third, &c);
    }
    RV_CHECK(err == -ESTALE && r == -ECANCELED);
    if (rv_run_workers() == 1)
        RV_CHECK(rvi_load_relaxed(&c.calls) == 3);
}

/* --- reductions --- */

static int sum_indexes(size_t begin, size_t end, void *accumulator, void *arg)
{
    long *sum = accumulator;
    (void)arg;
    for (size_t i = begin; i < end; i++)
        *sum += (long)i;
    return 0;
}

static void add_sums(void *into, const void *from, void *arg)
{
    (void)arg;
    *(long *)into += *(const long *)from;
}

static void a_reduction_folds_each_index_once(void)
{
    for (size_t grain = 0; grain < 70; grain += 23) {
        long sum = 0;
        RV_CHECK(rv_reduce(0, COUNT, grain, sum_indexes, add_sums, NULL, &sum, sizeof(sum)) == 0);
        RV_CHECK(sum == COUNT * (COUNT - 1) / 2);
        RV_CHECK(rv_reduce(4, 4, grain, sum_indexes, add_sums, NULL, &sum, sizeof(sum)) == 0);
        RV_CHECK(sum == COUNT * (COUNT - 1) / 2);
    }
}

/* A text: order shows, and it is larger than what lies in a frame. */
struct text {
    size_t length;
    char chars[COUNT];
};

static int append_letters(size_t begin, size_t end, void *accumulator, void *arg)
{
    struct text *text = accumulator;
    (void)arg;
    for (size_t i = begin; i < end; i++)
        text->chars[text->length++] = (char)('a' + i % 26);
    return 0;
}

static void append_text(void *into, const void *from, void *arg)
{
    struct text *text = into;
    const struct text *right = from;
    (void)arg;
    memcpy(text->chars + text->length, right->chars, right->length);
    text->length += right->length;
}

static void a_reduction_combines_from_left_to_right(void)
{
    static struct text text;
    for (size_t grain = 1; grain < 40; grain *= 3) {
        text.length = 0;
        RV_CHECK(rv_reduce(0, 500, grain, append_letters, append_text, NULL, &text, sizeof(text)) ==
                 0);
        RV_CHECK(text.length == 500);
        for (size_t i = 0; i < text.length; i++)
            RV_CHECK(text.chars[i] == (char)('a' + i % 26));
    }
}

static int sum_inverses(size_t begin, size_t end, void *accumulator, void *arg)
{
    float *sum = accumulator;
    (void)arg;
    for (size_t i = begin; i < end; i++)
        *sum += 1 / ((float)i + 1);
    return 0;
}

static void add_floats(void *into, const void *from, void *arg)
{
    (void)arg;
    *(float *)into += *(const float *)from;
}

static void with_a_grain_the_sum_of_floats_is_always_the_same(void)
{
    static _Atomic(uint32_t) first;
    for (int i = 0; i < 20; i++) {
        float sum = 0;
        uint32_t bits, none = 0;
        RV_CHECK(rv_reduce(0, 20000, 50, sum_inverses, add_floats, NULL, &sum, sizeof(sum)) == 0);
        memcpy(&bits, &sum, sizeof(bits));
        rvi_cas_relaxed(&first, &none, bits); /* on every stage the same */
        RV_CHECK(bits == rvi_load_relaxed(&first));
    }
}

static int fail_in_the_middle(size_t begin, size_t end, void *accumulator, void *arg)
{
    (void)end;
    (void)arg;
    *(long *)accumulator += 1;
    return begin == 40 ? -EIO : 0;
}

static void a_failed_reduction_leaves_the_result_as_it_was(void)
{
    long sum = 99;
    RV_CHECK(rv_reduce(0, 100, 10, fail_in_the_middle, add_sums, NULL, &sum, sizeof(sum)) == -EIO);
    RV_CHECK(sum == 99);
    RV_CHECK(rv_reduce(0, 100, 10, fail_in_the_middle, add_sums, NULL, &sum, 0) == -EINVAL);
}

/* --- short of memory, cancelled --- */

static int reduce_text(void *unused)
{
    struct text *text = calloc(1, sizeof(*text));
    (void)unused;
    RV_CHECK(text != NULL);
    int r = rv_reduce(0, 200, 20, append_letters, append_text, NULL, text, sizeof(*text));
    RV_CHECK(text->length == (r < 0 ? 0 : 200));
    free(text);
    return r;
}

static int sleep_each(size_t begin, size_t end, void *arg)
{
    (void)begin;
    (void)end;
    (void)arg;
    return rv_sleep(10 * RV_MICROSECOND);
}

static int sleepy_loop(void *unused)
{
    (void)unused;
    return rv_for(0, 12, 1, sleep_each, NULL);
}

static void cancelled(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++)
        cancel_at_every_point((rv_fn *)*state, workers);
}

static void starved(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++)
        fail_every_allocation((rv_fn *)*state, workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(a_loop_visits_each_index_once),
        ON_EVERY_STAGE(a_loop_may_go_to_the_last_index),
        ON_EVERY_STAGE(the_first_failure_ends_a_loop),
        ON_TASKS(a_cancelled_scope_ends_a_loop_between_two_ranges),
        ON_EVERY_STAGE(a_reduction_folds_each_index_once),
        ON_EVERY_STAGE(a_reduction_combines_from_left_to_right),
        ON_EVERY_STAGE(with_a_grain_the_sum_of_floats_is_always_the_same),
        ON_EVERY_STAGE(a_failed_reduction_leaves_the_result_as_it_was),
        {"reduction_starved", starved, NULL, NULL, (void *)reduce_text},
        {"loop_cancelled", cancelled, NULL, NULL, (void *)sleepy_loop},
        {"loop_starved", starved, NULL, NULL, (void *)sleepy_loop},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

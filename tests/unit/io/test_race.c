/* SPDX-License-Identifier: MIT */
/* test_race.c - races whose runners and clock are a script. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "io/race.h"

enum { MOST = 8 };

/* What an attempt comes to, and how long it takes: 0, at once. */
struct runner {
    int result;
    rv_time takes;
    rv_time begun;
    bool is_under_way;
};

struct script {
    struct rvi_race race;
    struct runner runners[MOST];
    rv_time time;
    int why_not_awaited;
    char log[256]; /* who began when */
};

static struct script *script_of(struct rvi_race *race)
{
    return rvi_container_of(race, struct script, race);
}

static rv_time now(struct rvi_race *race)
{
    return script_of(race)->time;
}

static int begin(struct rvi_race *race, size_t which)
{
    struct script *s = script_of(race);
    struct runner *r = &s->runners[which];
    size_t used = strlen(s->log);

    snprintf(s->log + used, sizeof s->log - used, "%zu@%lld ", which, (long long)s->time);
    r->begun = s->time;
    r->is_under_way = r->takes > 0;
    return r->is_under_way ? -EINPROGRESS : r->result;
}

static struct runner *first_to_end(struct script *s)
{
    struct runner *first = NULL;

    for (size_t i = 0; i < s->race.count; i++) {
        struct runner *r = &s->runners[i];
        if (r->is_under_way && (!first || r->begun + r->takes < first->begun + first->takes))
            first = r;
    }
    return first;
}

static int await(struct rvi_race *race, rv_time until, size_t *ret_which, int *ret_result)
{
    struct script *s = script_of(race);
    struct runner *r = first_to_end(s);

    assert_non_null(r);
    if (s->why_not_awaited < 0)
        return s->why_not_awaited;
    if (r->begun + r->takes > until) {
        s->time = until;
        return -ETIME;
    }
    s->time = r->begun + r->takes;
    r->is_under_way = false;
    *ret_which = (size_t)(r - s->runners);
    *ret_result = r->result;
    return 0;
}

static struct script script(size_t count)
{
    return (struct script){.race = {begin, await, now, count, 250}, .time = 1000};
}

static int run(struct script *s, rv_time deadline)
{
    size_t winner;
    int r = rvi_race_run(&s->race, deadline, &winner);
    return r == 0 ? (int)winner : r;
}

static void the_best_address_wins_where_it_answers(void **state)
{
    struct script s = script(3);
    (void)state;
    s.runners[0].takes = 249;
    assert_int_equal(run(&s, RV_NEVER), 0);
    assert_string_equal(s.log, "0@1000 ");
}

static void one_that_connects_at_once_wins_without_waiting(void **state)
{
    struct script s = script(2);
    (void)state;
    assert_int_equal(run(&s, RV_NEVER), 0);
    assert_string_equal(s.log, "0@1000 ");
}

static void a_slow_attempt_gets_company_and_may_still_win(void **state)
{
    struct script s = script(4);
    (void)state;
    s.runners[0].takes = 600;
    s.runners[1].takes = s.runners[2].takes = s.runners[3].takes = 10000;
    assert_int_equal(run(&s, RV_NEVER), 0);
    assert_string_equal(s.log, "0@1000 1@1250 2@1500 ");
}

static void the_first_to_connect_wins(void **state)
{
    struct script s = script(3);
    (void)state;
    s.runners[0].takes = 10000;
    s.runners[1].takes = 100;
    assert_int_equal(run(&s, RV_NEVER), 1);
    assert_string_equal(s.log, "0@1000 1@1250 ");
}

static void a_failure_begins_the_next_at_once(void **state)
{
    struct script s = script(3);
    (void)state;
    s.runners[0] = (struct runner){.result = -ECONNREFUSED, .takes = 10};
    s.runners[1] = (struct runner){.result = -ENETUNREACH};
    s.runners[2].takes = 1;
    assert_int_equal(run(&s, RV_NEVER), 2);
    assert_string_equal(s.log, "0@1000 1@1010 2@1010 ");
}

static void a_failure_of_company_begins_the_next_while_the_first_goes_on(void **state)
{
    struct script s = script(3);
    (void)state;
    s.runners[0].takes = 300;
    s.runners[1] = (struct runner){.result = -ECONNREFUSED, .takes = 20};
    s.runners[2].takes = 5000;
    assert_int_equal(run(&s, RV_NEVER), 0);
    assert_string_equal(s.log, "0@1000 1@1250 2@1270 ");
}

static void the_delay_counts_from_the_latest_attempt(void **state)
{
    struct script s = script(3);
    (void)state;
    s.runners[0] = (struct runner){.result = -ECONNREFUSED, .takes = 200};
    s.runners[1].takes = 251;
    s.runners[2].takes = 10000;
    assert_int_equal(run(&s, RV_NEVER), 1);
    assert_string_equal(s.log, "0@1000 1@1200 2@1450 ");
}

static void where_all_fail_the_most_telling_error_is_given(void **state)
{
    static const struct {
        int errors[3], told;
    } cases[] = {
        {{-ENETUNREACH, -ECONNREFUSED, -EHOSTUNREACH}, -ECONNREFUSED},
        {{-ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT}, -ECONNREFUSED},
        {{-EAFNOSUPPORT, -ETIMEDOUT, -ENETUNREACH}, -ETIMEDOUT},
        {{-EHOSTUNREACH, -ENETUNREACH, -EADDRNOTAVAIL}, -EHOSTUNREACH},
        {{-EACCES, -ECONNREFUSED, -EMFILE}, -EACCES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script s = script(3);
        for (size_t k = 0; k < 3; k++)
            s.runners[k] = (struct runner){.result = cases[i].errors[k], .takes = (rv_time)k};
        assert_int_equal(run(&s, RV_NEVER), cases[i].told);
    }
}

static void the_deadline_ends_it_with_attempts_under_way(void **state)
{
    struct script s = script(4);
    (void)state;
    for (size_t i = 0; i < 4; i++)
        s.runners[i].takes = 10000;
    assert_int_equal(run(&s, 1600), -ETIME);
    assert_string_equal(s.log, "0@1000 1@1250 2@1500 ");
    assert_int_equal(s.time, 1600);
}

static void a_deadline_at_the_moment_of_the_next_attempt_ends_it(void **state)
{
    struct script s = script(2);
    (void)state;
    s.runners[0].takes = 10000;
    assert_int_equal(run(&s, 1250), -ETIME);
    assert_string_equal(s.log, "0@1000 ");
}

static void what_ends_the_wait_ends_the_race(void **state)
{
    struct script s = script(2);
    (void)state;
    s.runners[0].takes = 10;
    s.why_not_awaited = -ECANCELED;
    assert_int_equal(run(&s, RV_NEVER), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_address_wins_where_it_answers),
        cmocka_unit_test(one_that_connects_at_once_wins_without_waiting),
        cmocka_unit_test(a_slow_attempt_gets_company_and_may_still_win),
        cmocka_unit_test(the_first_to_connect_wins),
        cmocka_unit_test(a_failure_begins_the_next_at_once),
        cmocka_unit_test(a_failure_of_company_begins_the_next_while_the_first_goes_on),
        cmocka_unit_test(the_delay_counts_from_the_latest_attempt),
        cmocka_unit_test(where_all_fail_the_most_telling_error_is_given),
        cmocka_unit_test(the_deadline_ends_it_with_attempts_under_way),
        cmocka_unit_test(a_deadline_at_the_moment_of_the_next_attempt_ends_it),
        cmocka_unit_test(what_ends_the_wait_ends_the_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

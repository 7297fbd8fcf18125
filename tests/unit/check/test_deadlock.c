/* SPDX-License-Identifier: MIT */
/* test_deadlock.c - which waits can never end, and what is said of them. The threads are only
 * records here; a failure jumps back into the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/fail.h"
#include "check/runtime/locks.h"

enum { THREADS = 6 };

struct ck_thread *ck_self;
struct ck_thread *ck_threads[CK_THREADS_MOST];
uint32_t ck_thread_count;
struct ck_shared *ck_shared;

static struct ck_shared shared;
static struct ck_thread threads[THREADS];
static struct ck_report report;
static jmp_buf failed;
static struct ck_wasted wasted;
static uint32_t readers[THREADS], reader_count;
static int lock, rwlock, cond;

/* ---- fakes ----------------------------------------------------------------------------------- */

struct ck_report *ck_report_begin(enum ck_kind kind, const char *text, ...)
{
    (void)text;
    memset(&report, 0, sizeof report);
    report.kind = kind;
    return &report;
}

struct ck_party *ck_report_party(struct ck_report *to, uint32_t thread, uint64_t address)
{
    struct ck_party *party = &to->parties[to->party_count++];

    *party = (struct ck_party){.thread = thread, .address = address};
    return party;
}

struct ck_party *ck_report_past(struct ck_report *to, uint32_t thread, uint64_t address,
                                uintptr_t pc)
{
    (void)pc;
    return ck_report_party(to, thread, address);
}

void ck_report_fail(struct ck_report *ignored)
{
    (void)ignored;
    longjmp(failed, 1);
}

int ck_block(const struct ck_wait *wait, bool is_cancellable)
{
    (void)is_cancellable;
    ck_self->wait = *wait;
    ck_self->state = CK_BLOCKED;
    return 0;
}

uint32_t ck_rwlock_holder(const void *ignored, uint32_t i)
{
    (void)ignored;
    return i < reader_count ? readers[i] : CK_NOBODY;
}

const struct ck_wasted *ck_cond_wasted(const void *ignored)
{
    (void)ignored;
    return wasted.count > 0 ? &wasted : NULL;
}

const struct ck_wasted *ck_futex_wasted(const void *ignored)
{
    (void)ignored;
    return NULL;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int begin(void **state)
{
    (void)state;
    memset(threads, 0, sizeof threads);
    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i].id = i;
        ck_threads[i] = &threads[i];
    }
    ck_thread_count = THREADS;
    ck_shared = &shared;
    wasted = (struct ck_wasted){0};
    reader_count = 0;
    report = (struct ck_report){0};
    return 0;
}

/* False: the execution ended by a report. */
static bool waits(uint32_t id, enum ck_op_kind kind, const void *object, uint32_t holder,
                  int64_t deadline)
{
    if (setjmp(failed) != 0)
        return false;
    ck_self = &threads[id];
    ck_wait_for(&(struct ck_wait){kind, object, holder, deadline, .fd = -1, .events = 0});
    return true;
}

static bool locks(uint32_t id, uint32_t holder)
{
    return waits(id, CK_OP_LOCK, &lock, holder, CK_NEVER);
}

static void a_wait_for_one_that_runs_is_none(void **state)
{
    (void)state;
    assert_true(locks(1, 2));
    assert_true(locks(3, 1));
    assert_true(locks(4, CK_NOBODY));
}

static void the_last_wait_of_a_cycle_closes_it(void **state)
{
    (void)state;
    assert_true(locks(1, 2));
    assert_true(locks(2, 3));
    assert_true(locks(4, 1));
    assert_false(locks(3, 1));
    assert_int_equal(report.kind, CK_DEADLOCK);
    assert_int_equal(report.party_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(report.parties[i].waits_for_thread, report.parties[(i + 1) % 3].thread);
}

static void a_thread_may_wait_for_itself(void **state)
{
    (void)state;
    assert_false(locks(1, 1));
    assert_int_equal(report.party_count, 1);
}

static void a_deadline_opens_the_cycle(void **state)
{
    (void)state;
    assert_true(waits(1, CK_OP_LOCK, &lock, 2, 1000));
    assert_true(locks(2, 1));
    assert_true(waits(3, CK_OP_LOCK, &lock, 3, 1000));
}

static void one_that_was_woken_looks_again(void **state)
{
    (void)state;
    assert_true(locks(1, 2));
    threads[1].state = CK_READY_TO_RUN;
    assert_true(locks(2, 1));
    assert_false(locks(1, 2));
}

static void a_writer_needs_each_reader(void **state)
{
    (void)state;
    readers[0] = 4;
    readers[1] = 2;
    reader_count = 2;
    assert_true(waits(1, CK_OP_WRLOCK, &rwlock, 4, CK_NEVER));
    assert_false(locks(2, 1));
    assert_int_equal(report.party_count, 2);
}

static void joining_takes_part(void **state)
{
    (void)state;
    assert_true(waits(0, CK_OP_JOIN, &threads[1], 1, CK_NEVER));
    assert_false(locks(1, 0));
}

/* Everybody who is named waits so; the others have ended. What is said then. */
static enum ck_kind nobody_runs(void)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        if (threads[i].state != CK_BLOCKED)
            threads[i].state = CK_ENDED;
    }
    if (setjmp(failed) == 0)
        ck_nobody_can_run();
    return (enum ck_kind)report.kind;
}

static void a_signal_that_nobody_heard_is_named(void **state)
{
    (void)state;
    ck_self = &threads[3];
    ck_wasted_note(&wasted, 0x1234);
    assert_true(waits(0, CK_OP_JOIN, &threads[1], 1, CK_NEVER));
    assert_true(waits(1, CK_OP_WAIT, &cond, CK_NOBODY, CK_NEVER));
    assert_int_equal(nobody_runs(), CK_LOST_WAKEUP);
    assert_int_equal(report.party_count, 3);
    assert_int_equal(report.parties[0].thread, 1);
    assert_int_equal(report.parties[1].thread, 3);
    assert_int_equal(report.parties[2].thread, 0);
}

static void without_a_signal_it_is_a_deadlock(void **state)
{
    (void)state;
    assert_true(waits(1, CK_OP_WAIT, &cond, CK_NOBODY, CK_NEVER));
    assert_int_equal(nobody_runs(), CK_DEADLOCK);
}

static void a_lock_whose_holder_waits_comes_first(void **state)
{
    (void)state;
    ck_self = &threads[3];
    ck_wasted_note(&wasted, 0x1234);
    assert_true(waits(1, CK_OP_WAIT, &cond, CK_NOBODY, CK_NEVER));
    assert_true(locks(2, 1));
    assert_int_equal(nobody_runs(), CK_DEADLOCK);
    assert_int_equal(report.parties[0].thread, 2);
}

static void a_lock_of_one_that_ended_comes_before_that(void **state)
{
    (void)state;
    assert_true(locks(1, 2));
    assert_true(locks(4, 5));
    assert_true(waits(2, CK_OP_SEM_WAIT, &cond, CK_NOBODY, CK_NEVER));
    assert_int_equal(nobody_runs(), CK_DEADLOCK);
    assert_int_equal(report.parties[0].thread, 4);
    assert_int_equal(report.party_count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_wait_for_one_that_runs_is_none, begin),
        cmocka_unit_test_setup(the_last_wait_of_a_cycle_closes_it, begin),
        cmocka_unit_test_setup(a_thread_may_wait_for_itself, begin),
        cmocka_unit_test_setup(a_deadline_opens_the_cycle, begin),
        cmocka_unit_test_setup(one_that_was_woken_looks_again, begin),
        cmocka_unit_test_setup(a_writer_needs_each_reader, begin),
        cmocka_unit_test_setup(joining_takes_part, begin),
        cmocka_unit_test_setup(a_signal_that_nobody_heard_is_named, begin),
        cmocka_unit_test_setup(without_a_signal_it_is_a_deadlock, begin),
        cmocka_unit_test_setup(a_lock_whose_holder_waits_comes_first, begin),
        cmocka_unit_test_setup(a_lock_of_one_that_ended_comes_before_that, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

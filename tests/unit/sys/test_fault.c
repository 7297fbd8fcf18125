/* SPDX-License-Identifier: MIT */
/* test_fault.c - stack overflows named, other faults left alone. Whatever dies does so in a
 * child. */
#include "sys/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "sys/call.h"
#include "sys/fiber_hooks.h"
#include "sys_test.h"

static struct rvi_stack_pool *pool;
static struct rvi_stack_cache cache;
static struct rvi_stack thread_stack;
static struct rvi_fault_thread alternate;

static int describe(const struct rvi_stack *stack, char *buf, size_t n)
{
    int length = snprintf(buf, n, "%s", (const char *)stack->user);
    return length;
}

static void open_all(const struct rvi_stack_pool_opts *opts)
{
    RV_CHECK(rvi_stack_pool_open(&pool, opts) == 0);
    rvi_stack_cache_init(&cache, pool);
    RV_CHECK(rvi_stack_adopt_thread(&thread_stack) == 0);
    RV_CHECK(rvi_fault_thread_enter(&alternate) == 0);
    RV_CHECK(rvi_fault_install(pool, describe) == 0);
}

static void close_all(void)
{
    rvi_fault_uninstall(pool);
    rvi_fault_thread_leave(&alternate);
    rvi_stack_cache_fini(&cache);
    pool = rvi_stack_pool_close(pool);
}

static struct rvi_stack *fiber_named(const char *name, void (*entry)(void *))
{
    struct rvi_stack *stack;
    RV_CHECK(rvi_stack_cache_take(&cache, &stack) == 0);
    stack->user = (void *)(uintptr_t)name;
    rvi_stack_prepare(stack, entry);
    return stack;
}

static void overflow_entry(void *pass)
{
    volatile char first = 0;
    rvi_stack_entered(pass);
    (void)recurse(&first, 1000000);
    rvi_stack_switch_final(&thread_stack, NULL);
}

static void overflow_a_fiber(void *opts)
{
    open_all(opts);
    /* Not the first: its neighbours exist. */
    (void)fiber_named("task 'below'", overflow_entry);
    struct rvi_stack *stack = fiber_named("task 'parse' spawned at main.c:12", overflow_entry);
    (void)fiber_named("task 'above'", overflow_entry);
    rvi_stack_switch(&thread_stack, stack, stack);
}

static const char parse_overflowed[] =
    "ravel: stack overflow in task 'parse' spawned at main.c:12: its stack of 64 KiB is used up; "
    "raise stack_bytes in struct rv_run_opts (or RAVEL_STACK), or keep large arrays on the heap\n";

/* The tools may end the process in their own way, and add lines of their own. */
static void check_killed(const struct ending *ending)
{
    assert_false(WIFEXITED(ending->status) && WEXITSTATUS(ending->status) == 0);
    if (!is_under_a_tool()) {
        assert_true(WIFSIGNALED(ending->status));
        assert_int_equal(WTERMSIG(ending->status), SIGSEGV);
    }
}

/* Memcheck's own exit status wins over the program's once it has seen an error, as it has here. */
static void check_exit(const struct ending *ending, int status)
{
    assert_true(WIFEXITED(ending->status));
    if (!is_under_valgrind())
        assert_int_equal(WEXITSTATUS(ending->status), status);
}

static void check_message(const struct ending *ending, const char *message)
{
    if (is_under_a_tool())
        assert_non_null(strstr(ending->text, message));
    else
        assert_string_equal(ending->text, message);
}

static void an_overflow_names_the_task_and_kills(void **state)
{
    (void)state;
    struct ending ending = run_child(overflow_a_fiber, NULL);
    check_message(&ending, parse_overflowed);
    check_killed(&ending);
}

static void an_overflow_is_seen_with_guards_by_mprotect(void **state)
{
    (void)state;
    struct rvi_stack_pool_opts opts = {.force_mprotect = true};
    struct ending ending = run_child(overflow_a_fiber, &opts);
    check_message(&ending, parse_overflowed);
    check_killed(&ending);
}

static void *overflow_in_a_thread(void *arg)
{
    overflow_a_fiber(arg);
    return NULL;
}

static void overflow_on_a_worker(void *arg)
{
    pthread_t worker;
    RV_CHECK(pthread_create(&worker, NULL, overflow_in_a_thread, arg) == 0);
    pthread_join(worker, NULL);
}

static void an_overflow_is_seen_on_any_thread(void **state)
{
    (void)state;
    struct ending ending = run_child(overflow_on_a_worker, NULL);
    check_message(&ending, parse_overflowed);
    check_killed(&ending);
}

static void overflow_without_description(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_stack_pool_open(&pool, &(struct rvi_stack_pool_opts){.usable_bytes = 32 << 10}) ==
             0);
    rvi_stack_cache_init(&cache, pool);
    RV_CHECK(rvi_stack_adopt_thread(&thread_stack) == 0);
    RV_CHECK(rvi_fault_thread_enter(&alternate) == 0);
    RV_CHECK(rvi_fault_install(pool, NULL) == 0);
    struct rvi_stack *stack = fiber_named(NULL, overflow_entry);
    rvi_stack_switch(&thread_stack, stack, stack);
}

static void an_overflow_is_told_without_a_description_too(void **state)
{
    (void)state;
    struct ending ending = run_child(overflow_without_description, NULL);
    assert_non_null(
        strstr(ending.text, "ravel: stack overflow in a task: its stack of 32 KiB is used up"));
    check_killed(&ending);
}

/* ---- faults that are not ours ---- */

/* A member of a structure at NULL, which the compilers' own checks let pass. */
static char *volatile nowhere = (char *)16;

static void null_entry(void *pass)
{
    rvi_stack_entered(pass);
    *nowhere = 1;
    rvi_stack_switch_final(&thread_stack, NULL);
}

static void dereference_null(void *arg)
{
    (void)arg;
    open_all(NULL);
    struct rvi_stack *stack = fiber_named("task 'null'", null_entry);
    rvi_stack_switch(&thread_stack, stack, stack);
}

/* Upwards out of a stack lies the next one's guard: not an overflow of either. */
static void overrun_entry(void *pass)
{
    struct rvi_stack *self = pass;
    rvi_stack_entered(self);
    nowhere = self->low + (64 << 10) + 100;
    *nowhere = 1;
    rvi_stack_switch_final(&thread_stack, NULL);
}

static void overrun_upwards(void *arg)
{
    (void)arg;
    open_all(NULL);
    struct rvi_stack *stacks[3];
    for (int i = 0; i < 3; i++)
        stacks[i] = fiber_named("task 'overrun'", overrun_entry);
    struct rvi_stack *lowest = stacks[0];
    for (int i = 1; i < 3; i++)
        lowest = stacks[i] < lowest ? stacks[i] : lowest;
    rvi_stack_switch(&thread_stack, lowest, lowest);
}

static void touch_nothing(void *arg)
{
    (void)arg;
    open_all(NULL);
    close_all();
    *nowhere = 1;
}

static void send_segv(void *arg)
{
    (void)arg;
    open_all(NULL);
    kill(getpid(), SIGSEGV);
    pause();
}

static void check_plain_death(void (*fn)(void *))
{
    struct ending ending = run_child(fn, NULL);
    assert_null(strstr(ending.text, "stack overflow in"));
    check_killed(&ending);
}

static void a_null_dereference_dies_plainly(void **state)
{
    (void)state;
    check_plain_death(dereference_null);
}

static void an_overrun_from_the_neighbour_is_no_overflow(void **state)
{
    (void)state;
    check_plain_death(overrun_upwards);
}

static void after_uninstall_faults_die_plainly(void **state)
{
    (void)state;
    check_plain_death(touch_nothing);
}

static void a_signal_sent_by_kill_kills(void **state)
{
    (void)state;
    check_plain_death(send_segv);
}

/* ---- handlers of the program ---- */

static void exit_seven(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    _exit(info->si_addr == nowhere ? 7 : 8);
}

static void exit_nine(int number)
{
    (void)number;
    _exit(9);
}

static void own_siginfo_handler(void *arg)
{
    (void)arg;
    struct sigaction own = {.sa_sigaction = exit_seven, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &own, NULL);
    dereference_null(NULL);
}

static void own_plain_handler(void *arg)
{
    (void)arg;
    struct sigaction own = {.sa_handler = exit_nine, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &own, NULL);
    dereference_null(NULL);
}

static void own_handler_and_overflow(void *arg)
{
    struct sigaction own = {.sa_handler = exit_nine, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &own, NULL);
    overflow_a_fiber(arg);
}

static void other_faults_reach_the_programs_handler(void **state)
{
    (void)state;
    struct ending ending = run_child(own_siginfo_handler, NULL);
    check_exit(&ending, 7);
    ending = run_child(own_plain_handler, NULL);
    check_exit(&ending, 9);
}

static void an_overflow_reaches_the_programs_handler_after_the_message(void **state)
{
    (void)state;
    struct ending ending = run_child(own_handler_and_overflow, NULL);
    check_message(&ending, parse_overflowed);
    check_exit(&ending, 9);
}

static void ignored_kill(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_IGN);
    open_all(NULL);
    kill(getpid(), SIGSEGV);
    _exit(5);
}

static void an_ignored_signal_stays_ignored(void **state)
{
    (void)state;
    struct ending ending = run_child(ignored_kill, NULL);
    check_exit(&ending, 5);
}

/* ---- install and uninstall ---- */

static bool same_handler(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_sigaction == b->sa_sigaction;
}

static void the_last_uninstall_puts_the_old_handlers_back(void **state)
{
    (void)state;
    struct sigaction before, during, after;
    struct rvi_stack_pool *other;
    sigaction(SIGSEGV, NULL, &before);
    open_all(NULL);
    assert_int_equal(rvi_stack_pool_open(&other, NULL), 0);
    assert_int_equal(rvi_fault_install(other, NULL), 0);
    sigaction(SIGSEGV, NULL, &during);
    assert_false(same_handler(&before, &during));
    close_all();
    sigaction(SIGSEGV, NULL, &after);
    assert_true(same_handler(&during, &after));
    rvi_fault_uninstall(other);
    sigaction(SIGSEGV, NULL, &after);
    assert_true(same_handler(&before, &after));
    rvi_stack_pool_close(other);
    rvi_fault_uninstall(NULL);
}

static void a_handler_put_on_top_is_left_in_place(void **state)
{
    (void)state;
    struct sigaction before, ours, top = {.sa_handler = exit_nine}, now;
    sigaction(SIGSEGV, NULL, &before);
    open_all(NULL);
    sigaction(SIGSEGV, &top, &ours);
    close_all();
    sigaction(SIGSEGV, NULL, &now);
    assert_true(same_handler(&now, &top));
    sigaction(SIGSEGV, &ours, NULL);
    open_all(NULL);
    close_all();
    sigaction(SIGSEGV, NULL, &now);
    assert_true(same_handler(&now, &before));
}

static void too_many_pools_are_refused(void **state)
{
    (void)state;
    enum { TOO_MANY = 17 };
    struct rvi_stack_pool *pools[TOO_MANY];
    for (int i = 0; i < TOO_MANY; i++) {
        struct rvi_stack_pool_opts opts = {.max = 16};
        assert_int_equal(rvi_stack_pool_open(&pools[i], &opts), 0);
        assert_int_equal(rvi_fault_install(pools[i], NULL), i < 16 ? 0 : -ENOSPC);
    }
    for (int i = 0; i < TOO_MANY; i++) {
        rvi_fault_uninstall(pools[i]);
        rvi_stack_pool_close(pools[i]);
    }
}

static void leaving_removes_the_alternate_stack(void **state)
{
    (void)state;
    struct rvi_fault_thread mine;
    stack_t before, during, after;
    sigaltstack(NULL, &before);
    assert_int_equal(rvi_fault_thread_enter(&mine), 0);
    sigaltstack(NULL, &during);
    assert_false(during.ss_flags & SS_DISABLE);
    assert_true(during.ss_size >= 16 << 10);
    rvi_fault_thread_leave(&mine);
    sigaltstack(NULL, &after);
    assert_int_equal(after.ss_flags & SS_DISABLE, before.ss_flags & SS_DISABLE);
    rvi_fault_thread_leave(&mine);
}

static void an_alternate_stack_that_exists_is_kept(void **state)
{
    (void)state;
    static char bytes[64 << 10];
    struct rvi_fault_thread mine;
    stack_t own = {.ss_sp = bytes, .ss_size = sizeof(bytes)}, before, now;
    sigaltstack(&own, &before);
    assert_int_equal(rvi_fault_thread_enter(&mine), 0);
    sigaltstack(NULL, &now);
    assert_ptr_equal(now.ss_sp, bytes);
    rvi_fault_thread_leave(&mine);
    sigaltstack(NULL, &now);
    assert_ptr_equal(now.ss_sp, bytes);
    sigaltstack(&before, NULL);
}

/* It was unmapped, and the next signal would have been delivered to nowhere. */
static void regress_a_signal_stack_that_stays_keeps_its_memory(void **state)
{
    (void)state;
    stack_t now, none = {.ss_flags = SS_DISABLE};
    struct rvi_fault_thread mine;
    unsigned char present;
    if (RVI_DEBUG_CHECKS < 1 || RVI_ASAN || RVI_TSAN) /* those have signal stacks of their own */
        skip();
    for (long n = 1; n <= 2; n++) { /* to ask for it, to withdraw it */
        assert_int_equal(rvi_fault_thread_enter(&mine), 0);
        rvi_call_fail_after(n, 0, false);
        rvi_fault_thread_leave(&mine);
        assert_false(rvi_call_fail_pending());
        sigaltstack(NULL, &now);
        assert_int_equal(now.ss_flags & SS_DISABLE, 0);
        assert_int_equal(mincore(now.ss_sp, 1, &present), 0);
        sigaltstack(&none, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_names_the_task_and_kills),
        cmocka_unit_test(an_overflow_is_seen_with_guards_by_mprotect),
        cmocka_unit_test(an_overflow_is_seen_on_any_thread),
        cmocka_unit_test(an_overflow_is_told_without_a_description_too),
        cmocka_unit_test(a_null_dereference_dies_plainly),
        cmocka_unit_test(an_overrun_from_the_neighbour_is_no_overflow),
        cmocka_unit_test(after_uninstall_faults_die_plainly),
        cmocka_unit_test(a_signal_sent_by_kill_kills),
        cmocka_unit_test(other_faults_reach_the_programs_handler),
        cmocka_unit_test(an_overflow_reaches_the_programs_handler_after_the_message),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
        cmocka_unit_test(the_last_uninstall_puts_the_old_handlers_back),
        cmocka_unit_test(a_handler_put_on_top_is_left_in_place),
        cmocka_unit_test(too_many_pools_are_refused),
        cmocka_unit_test(leaving_removes_the_alternate_stack),
        cmocka_unit_test(an_alternate_stack_that_exists_is_kept),
        cmocka_unit_test(regress_a_signal_stack_that_stays_keeps_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

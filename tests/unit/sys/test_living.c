/* SPDX-License-Identifier: MIT */
/* test_living.c - whether another process still lives. */
#include "sys/living.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys_test.h"

/* A child that sleeps until it is killed. */
static struct rvi_living start_child(void)
{
    int pipe_fds[2];
    struct rvi_living living;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        living = rvi_living_self();
        _exit(write(pipe_fds[1], &living, sizeof living) == sizeof living && pause() < 0);
    }
    assert_int_equal(read(pipe_fds[0], &living, sizeof living), sizeof living);
    assert_int_equal(living.pid, pid);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return living;
}

static void this_process_lives(void **state)
{
    (void)state;
    struct rvi_living self = rvi_living_self();
    assert_int_equal(self.pid, getpid());
    assert_int_not_equal(self.start, 0);
    assert_false(rvi_living_has_ended(self));
}

static void see_a_child_end(void)
{
    siginfo_t info;
    struct rvi_living child = start_child();
    assert_int_not_equal(child.start, 0);
    assert_false(rvi_living_has_ended(child));
    kill((pid_t)child.pid, SIGKILL);
    assert_int_equal(waitid(P_PID, child.pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(rvi_living_has_ended(child));
    assert_int_equal(waitpid((pid_t)child.pid, NULL, 0), child.pid);
    assert_true(rvi_living_has_ended(child));
}

static void a_child_has_ended_before_and_after_it_is_reaped(void **state)
{
    (void)state;
    see_a_child_end();
}

static void the_same_is_known_without_pidfds(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS, true);
    see_a_child_end();
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS, false);
}

static void another_with_the_same_number_is_not_taken_for_it(void **state)
{
    (void)state;
    struct rvi_living earlier = rvi_living_self();
    earlier.start -= 1;
    assert_true(rvi_living_has_ended(earlier));
    earlier.start = 0; /* not known: it may be this one */
    assert_false(rvi_living_has_ended(earlier));
}

static void without_an_answer_it_counts_as_alive(void **state)
{
    (void)state;
#if RVI_DEBUG_CHECKS >= 1
    struct rvi_living earlier = rvi_living_self();
    earlier.start -= 1;
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS, true);
    assert_true(rvi_living_has_ended(earlier));
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS_STAT, true);
    assert_false(rvi_living_has_ended(earlier));
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS, false);
    rvi_call_lacks(RVI_CALL_ASK_PROCESS, true);
    assert_false(rvi_living_has_ended(earlier));
    rvi_call_lacks(RVI_CALL_ASK_PROCESS, false);
    rvi_call_lacks(RVI_CALL_OPEN_PROCESS_STAT, false);
    rvi_call_lacks(RVI_CALL_READ_PROCESS_STAT, true);
    assert_false(rvi_living_has_ended(earlier));
    rvi_call_lacks(RVI_CALL_READ_PROCESS_STAT, false);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_lives),
        cmocka_unit_test(a_child_has_ended_before_and_after_it_is_reaped),
        cmocka_unit_test(the_same_is_known_without_pidfds),
        cmocka_unit_test(another_with_the_same_number_is_not_taken_for_it),
        cmocka_unit_test(without_an_answer_it_counts_as_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

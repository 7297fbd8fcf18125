/* SPDX-License-Identifier: MIT */
/* test_resident.c - what counts as a process's own memory, and what does not. */
#include "sys/resident.h"

#include <errno.h>
#include <sys/mman.h>

#include "sys/call.h"
#include "sys_test.h"

enum { MUCH = 64 << 20, SLACK = 8 << 20 }; /* the kernel counts in batches */

static char *map(int flags)
{
    char *memory = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static uint64_t own(void)
{
    uint64_t bytes;
    assert_int_equal(rvi_resident_own(getpid(), &bytes), 0);
    return bytes;
}

static void what_is_written_to_counts(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip(); /* it keeps books on each byte, in memory of its own */
    uint64_t before = own();
    char *memory = map(MAP_PRIVATE);
    assert_true(own() < before + SLACK);
    memset(memory, 1, MUCH);
    assert_true(own() + SLACK > before + MUCH);
    munmap(memory, MUCH);
    assert_true(own() < before + SLACK);
}

static void what_is_shared_does_not_count(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip();
    uint64_t before = own();
    char *memory = map(MAP_SHARED);
    memset(memory, 1, MUCH);
    assert_true(own() < before + SLACK);
    munmap(memory, MUCH);
}

static void one_that_has_ended_is_an_error(void **state)
{
    uint64_t bytes;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(rvi_resident_own(child, &bytes), -ESRCH); /* a zombie */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rvi_resident_own(child, &bytes), -ENOENT);
}

static void what_fails_is_told(void **state)
{
    uint64_t bytes;
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_fail_after(1, 1, false);
    assert_int_equal(rvi_resident_own(getpid(), &bytes), -EMFILE);
    rvi_call_fail_after(2, 0, false);
    assert_int_equal(rvi_resident_own(getpid(), &bytes), -ESRCH);
    rvi_call_fail_after(-1, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_to_counts),
        cmocka_unit_test(what_is_shared_does_not_count),
        cmocka_unit_test(one_that_has_ended_is_an_error),
        cmocka_unit_test(what_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

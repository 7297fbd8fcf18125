/* SPDX-License-Identifier: MIT */
/* test_segment.c - one memory in two processes. */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "sys/call.h"
#include "sys/thread.h"

static void it_is_of_whole_pages_of_zeros(void **state)
{
    (void)state;
    struct rvi_segment segment;
    assert_int_equal(rvi_segment_make(&segment, "test", 5, 5), 0);
    assert_int_equal(segment.bytes, rvi_page_bytes());
    for (size_t i = 0; i < segment.bytes; i++)
        assert_int_equal(segment.base[i], 0);
    rvi_segment_fini(&segment);
    assert_int_equal(segment.fd, -1);
    assert_null(segment.base);
}

static void what_one_process_writes_another_reads(void **state)
{
    (void)state;
    struct rvi_segment segment;
    assert_int_equal(rvi_segment_make(&segment, "test", 3 * rvi_page_bytes(), 0), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rvi_segment theirs;
        int r = rvi_segment_map(&theirs, dup(segment.fd));
        munmap(segment.base, segment.bytes);
        if (r < 0 || theirs.bytes != 3 * rvi_page_bytes())
            _exit(1);
        strcpy((char *)theirs.base + rvi_page_bytes(), "from the child");
        rvi_segment_fini(&theirs);
        _exit(0);
    }
    int status;
    rvi_segment_close(&segment);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal((char *)segment.base + rvi_page_bytes(), "from the child");
    rvi_segment_fini(&segment);
}

static void memory_of_unknown_make_is_refused(void **state)
{
    (void)state;
    struct rvi_segment segment = {.fd = 77};
    int fd = memfd_create("stranger", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(rvi_segment_map(&segment, fd), -EINVAL);
    assert_int_equal(segment.fd, 77);
    assert_int_equal(close(fd), 0);
}

static void sizes_beyond_all_memory_are_refused(void **state)
{
    (void)state;
    struct rvi_segment segment;
    assert_int_equal(rvi_segment_make(&segment, "test", SIZE_MAX, 0), -ENOMEM);
    assert_int_equal(rvi_segment_make(&segment, "test", (size_t)1 << 63, 0), -ENOMEM);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_call_that_fails_leaves_no_descriptor(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    int before = open_descriptors();
    for (long n = 1;; n++) {
        struct rvi_segment segment = {.fd = 77};
        bool is_optional;
        rvi_call_fail_after(n, 0, false);
        int r = rvi_segment_make(&segment, "test", 5, 5);
        if (rvi_call_fail_pending()) {
            rvi_segment_fini(&segment);
            break;
        }
        rvi_call_failed(&is_optional);
        assert_int_equal(r < 0, !is_optional);
        if (r == 0)
            rvi_segment_fini(&segment);
        else
            assert_int_equal(segment.fd, 77);
        assert_int_equal(open_descriptors(), before);
    }
    rvi_call_fail_after(-1, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_of_whole_pages_of_zeros),
        cmocka_unit_test(what_one_process_writes_another_reads),
        cmocka_unit_test(memory_of_unknown_make_is_refused),
        cmocka_unit_test(sizes_beyond_all_memory_are_refused),
        cmocka_unit_test(a_call_that_fails_leaves_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

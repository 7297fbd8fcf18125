/* SPDX-License-Identifier: MIT */
/* test_memfd.c - memory behind a descriptor: its size holds, and so do its bytes, for all who map
 * it. */
#include "sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sys/call.h"
#include "sys/fd.h"
#include "sys/thread.h"
#include "sys_test.h"

static int make(size_t pages)
{
    int fd = rvi_memfd_make("test", pages * rvi_page_bytes());
    assert_true(fd >= 0);
    return fd;
}

static unsigned char *map(int fd, size_t pages)
{
    void *memory;
    assert_int_equal(rvi_memfd_map(fd, pages * rvi_page_bytes(), &memory), 0);
    return memory;
}

static void two_mappings_are_one_memory_of_zeros(void **state)
{
    (void)state;
    int fd = make(2);
    unsigned char *one = map(fd, 2), *other = map(fd, 2);
    size_t last = 2 * rvi_page_bytes() - 1;
    assert_ptr_not_equal(one, other);
    assert_int_equal(other[last], 0);
    one[last] = 7;
    assert_int_equal(other[last], 7);
    rvi_memfd_unmap(one, last + 1);
    rvi_fd_close(fd);
    assert_int_equal(other[last], 7);
    rvi_memfd_unmap(other, last + 1);
    rvi_memfd_unmap(NULL, 1);
}

static void nobody_changes_its_size_nor_seals_more(void **state)
{
    (void)state;
    int fd = make(2);
    assert_int_equal(ftruncate(fd, (off_t)rvi_page_bytes()), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, (off_t)(3 * rvi_page_bytes())), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    rvi_fd_close(fd);
}

static void its_bytes_are_known_and_those_of_strangers_are_not(void **state)
{
    (void)state;
    size_t bytes = 0;
    int fd = make(3), stranger = memfd_create("stranger", MFD_CLOEXEC);
    assert_true(stranger >= 0);
    assert_int_equal(rvi_memfd_bytes(fd, &bytes), 0);
    assert_int_equal(bytes, 3 * rvi_page_bytes());
    assert_int_equal(rvi_memfd_bytes(stranger, &bytes), -EINVAL);
    assert_int_equal(rvi_memfd_bytes(-1, &bytes), -EBADF);
    assert_int_equal(bytes, 3 * rvi_page_bytes());
    rvi_fd_close(fd);
    rvi_fd_close(stranger);
}

static void what_is_filled_is_there_and_goes_when_dropped(void **state)
{
    (void)state;
    struct stat status;
    int fd = make(4);
    assert_int_equal(rvi_memfd_fill(fd, 2 * rvi_page_bytes()), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true((size_t)status.st_blocks * 512 >= 2 * rvi_page_bytes());
    unsigned char *memory = map(fd, 4);
    memory[0] = 7;
    rvi_memfd_drop(fd, 4 * rvi_page_bytes());
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_blocks, 0);
    assert_int_equal(memory[0], 0);
    rvi_memfd_unmap(memory, 4 * rvi_page_bytes());
    rvi_fd_close(fd);
    assert_int_equal(rvi_memfd_fill(-1, 1), -EBADF);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Whether it failed, or one of those calls that it can do without. */
static int try_all(void)
{
    void *memory;
    int r, fd = rvi_memfd_make("test", rvi_page_bytes());
    if (fd < 0)
        return fd;
    r = rvi_memfd_fill(fd, rvi_page_bytes());
    if (r == 0 && (r = rvi_memfd_map(fd, rvi_page_bytes(), &memory)) == 0)
        rvi_memfd_unmap(memory, rvi_page_bytes());
    rvi_fd_close(fd);
    return r;
}

static void each_call_that_fails_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    int before = open_descriptors();
    for (unsigned variant = 0; variant < RVI_CALL_VARIANTS; variant++) {
        for (long n = 1;; n++) {
            bool is_optional = false;
            rvi_call_fail_after(n, variant, false);
            int r = try_all();
            if (rvi_call_fail_pending())
                break;
            const char *failed = rvi_call_failed(&is_optional);
            bool is_made_again = strcmp(failed, "FILL_MEMORY") == 0 && variant == 1;
            bool is_close = strcmp(failed, "CLOSE") == 0;
            assert_int_equal(r < 0, !is_optional && !is_made_again && !is_close);
            assert_int_equal(open_descriptors(), before);
        }
    }
    rvi_call_fail_after(-1, 0, false);
}

static void kernels_without_the_seal_on_execution_will_do(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_MAKE_MEMORY_NOEXEC, true);
    int r = try_all();
    rvi_call_lacks(RVI_CALL_MAKE_MEMORY_NOEXEC, false);
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_mappings_are_one_memory_of_zeros),
        cmocka_unit_test(nobody_changes_its_size_nor_seals_more),
        cmocka_unit_test(its_bytes_are_known_and_those_of_strangers_are_not),
        cmocka_unit_test(what_is_filled_is_there_and_goes_when_dropped),
        cmocka_unit_test(each_call_that_fails_is_told_and_leaves_nothing),
        cmocka_unit_test(kernels_without_the_seal_on_execution_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

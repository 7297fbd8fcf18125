/* SPDX-License-Identifier: MIT */
#include "file_test.h"

#include <sys/resource.h>

#include "../../support/every_point.h"
#include "sys/call.h"

enum { LARGE = 20 << 20, MIDDLE = 400000 };

static void put_numbers(const char *name, size_t bytes)
{
    unsigned *text = malloc(bytes);
    RV_CHECK(text);
    for (unsigned i = 0; i < bytes / sizeof(*text); i++)
        text[i] = i;
    put(name, (char *)text, bytes);
    free(text);
}

static void check_same(const char *a, const char *b)
{
    char *text_a, *text_b;
    size_t bytes_a, bytes_b;
    RV_CHECK(rv_file_load(&text_a, &bytes_a, folder, a, SIZE_MAX, RV_NEVER) == 0);
    RV_CHECK(rv_file_load(&text_b, &bytes_b, folder, b, SIZE_MAX, RV_NEVER) == 0);
    RV_CHECK(bytes_a == bytes_b && memcmp(text_a, text_b, bytes_a) == 0);
    rv_file_free(text_a);
    rv_file_free(text_b);
}

static int copy_files(void *unused)
{
    struct stat status;
    (void)unused;
    put_numbers("large", scaled(LARGE, LARGE / 2));
    RV_CHECK(fchmodat(folder, "large", 0640, 0) == 0);
    mode_t mask = umask(022);
    RV_CHECK(rv_file_copy(folder, "large", folder, "copy", RV_NEVER) == 0);
    umask(mask);
    check_same("large", "copy");
    RV_CHECK(fstatat(folder, "copy", &status, 0) == 0 && (status.st_mode & 0777) == 0640);
    put("small", "text", 4);
    RV_CHECK(rv_file_copy(folder, "small", folder, "copy", RV_NEVER) == 0);
    check_content("copy", "text", 4);
    put("empty", "", 0);
    RV_CHECK(rv_file_copy(folder, "empty", folder, "copy", RV_NEVER) == 0);
    check_content("copy", "", 0);
    return rv_unlinkat(folder, "large", 0, RV_NEVER);
}

static void a_copy_has_content_and_permissions(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    run_everywhere(copy_files);
    assert_nothing_is_left(&before);
    assert_int_equal(count_names(), 3);
}

static void without_the_kernels_copy_bytes_are_read_and_written(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_COPY, true);
    run_everywhere(copy_files);
    rvi_call_lacks(RVI_CALL_COPY, false);
}

static int refuse_what_is_no_file(void *unused)
{
    (void)unused;
    RV_CHECK(mkfifoat(folder, "fifo", 0600) == 0 || errno == EEXIST);
    put("old", "old", 3);
    RV_CHECK(rv_file_copy(folder, "fifo", folder, "old", RV_NEVER) == -EINVAL);
    RV_CHECK(rv_file_copy(folder, ".", folder, "old", RV_NEVER) == -EINVAL);
    RV_CHECK(rv_file_copy(folder, "nothing", folder, "old", RV_NEVER) == -ENOENT);
    RV_CHECK(rv_file_copy(folder, "old", folder, "nothing/new", RV_NEVER) == -ENOENT);
    check_content("old", "old", 3);
    RV_CHECK(rv_unlinkat(folder, "old", 0, RV_NEVER) == 0);
    return rv_unlinkat(folder, "fifo", 0, RV_NEVER);
}

static void what_is_no_regular_file_is_not_copied(void **state)
{
    (void)state;
    run_everywhere(refuse_what_is_no_file);
}

static int copy_pieces(void *unused)
{
    char got[32];
    uint64_t done;
    (void)unused;
    put("from", "0123456789", 10);
    put("to", "..........", 10);
    int from = openat(folder, "from", O_RDONLY | O_CLOEXEC);
    int to = openat(folder, "to", O_RDWR | O_CLOEXEC);
    RV_CHECK(from >= 0 && to >= 0);
    RV_CHECK(rv_copy_range(from, 2, to, 5, 3, &done, RV_NEVER) == 0 && done == 3);
    RV_CHECK(rv_copy_range(from, 8, to, 9, 100, &done, RV_NEVER) == 0 && done == 2);
    RV_CHECK(rv_copy_range(from, 80, to, 0, 1, &done, RV_NEVER) == 0 && done == 0);
    RV_CHECK(rv_copy_range(from, 0, to, 0, 0, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_copy_range(from, -1, to, 0, 1, &done, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_copy_range(from, 0, to, -1, 1, &done, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_copy_range(from, 0, from, 20, 1, &done, RV_NEVER) == -EBADF && done == 0);
    RV_CHECK(pread(to, got, sizeof(got), 0) == 11 && memcmp(got, ".....234.89", 11) == 0);
    RV_CHECK(lseek(from, 0, SEEK_CUR) == 0 && lseek(to, 0, SEEK_CUR) == 0);
    close(from);
    close(to);
    return 0;
}

static void pieces_are_copied_to_their_place(void **state)
{
    (void)state;
    run_everywhere(copy_pieces);
    rvi_call_lacks(RVI_CALL_COPY, true);
    run_everywhere(copy_pieces);
    rvi_call_lacks(RVI_CALL_COPY, false);
}

static int copy_from_proc(void *unused)
{
    uint64_t done;
    struct stat status;
    (void)unused;
    int from = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    int to = openat(folder, "maps", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    RV_CHECK(from >= 0 && to >= 0);
    RV_CHECK(rv_copy_range(from, 0, to, 0, UINT64_MAX, &done, RV_NEVER) == 0);
    RV_CHECK(fstat(to, &status) == 0 && done > 100 && (uint64_t)status.st_size == done);
    close(from);
    close(to);
    return 0;
}

static void a_file_without_length_is_copied_to_its_end(void **state)
{
    (void)state;
    run_everywhere(copy_from_proc);
}

static int copy_beyond_the_limit(void *unused)
{
    struct rlimit old, little;
    uint64_t done;
    (void)unused;
    put_numbers("from", MIDDLE);
    int from = openat(folder, "from", O_RDONLY | O_CLOEXEC);
    int to = openat(folder, "to", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    RV_CHECK(from >= 0 && to >= 0 && getrlimit(RLIMIT_FSIZE, &old) == 0);
    little = (struct rlimit){MIDDLE / 3, old.rlim_max};
    RV_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &little) == 0);
    int r = rv_copy_range(from, 0, to, 0, MIDDLE, &done, RV_NEVER);
    RV_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    RV_CHECK(r == -EFBIG && done == MIDDLE / 3);
    RV_CHECK(lseek(to, 0, SEEK_END) == MIDDLE / 3);
    close(from);
    close(to);
    return 0;
}

static void a_copy_that_fails_tells_how_far_it_came(void **state)
{
    (void)state;
    run_everywhere(copy_beyond_the_limit);
    rvi_call_lacks(RVI_CALL_COPY, true);
    run_everywhere(copy_beyond_the_limit);
    rvi_call_lacks(RVI_CALL_COPY, false);
}

/* --- each way --- */

static int copy_one(void *unused)
{
    (void)unused;
    return rv_file_copy(folder, "from", folder, "to", RV_NEVER);
}

static void copies_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    put_numbers("from", MIDDLE);
    put_numbers("to", MIDDLE);
    struct holdings before = holdings_now();
    size_t names = count_names();
    cancel_at_every_point(copy_one, 1);
    assert_int_equal(count_names(), names);
    check_same("from", "to");
    assert_nothing_is_left(&before);
}

static void copies_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    put_numbers("from", MIDDLE);
    struct holdings before = holdings_now();
    size_t names = count_names();
    fail_every_allocation(copy_one, 1);
    assert_int_equal(count_names(), names);
    rvi_call_lacks(RVI_CALL_COPY, true);
    fail_every_allocation(copy_one, 1);
    rvi_call_lacks(RVI_CALL_COPY, false);
    assert_int_equal(count_names(), names);
    assert_nothing_is_left(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_content_and_permissions),
        cmocka_unit_test(without_the_kernels_copy_bytes_are_read_and_written),
        cmocka_unit_test(what_is_no_regular_file_is_not_copied),
        cmocka_unit_test(pieces_are_copied_to_their_place),
        cmocka_unit_test(a_file_without_length_is_copied_to_its_end),
        cmocka_unit_test(a_copy_that_fails_tells_how_far_it_came),
        cmocka_unit_test(copies_can_be_cancelled_at_every_point),
        cmocka_unit_test(copies_survive_every_allocation_that_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

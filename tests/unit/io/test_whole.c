/* SPDX-License-Identifier: MIT */
#include "file_test.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include "../../support/every_point.h"
#include "sys/call.h"

enum { LARGE = 300000 };

static char *large(void)
{
    static char text[LARGE];
    for (size_t i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i % 23);
    return text;
}

static void check_read(const char *name, const char *text, size_t bytes)
{
    char *got = malloc(bytes + 1), *loaded;
    size_t count;
    RV_CHECK(got && rv_file_read(folder, name, got, bytes, RV_NEVER) == (ssize_t)bytes);
    RV_CHECK(memcmp(got, text, bytes) == 0);
    RV_CHECK(rv_file_read(folder, name, got, bytes + 1, RV_NEVER) == (ssize_t)bytes);
    RV_CHECK(rv_file_load(&loaded, &count, folder, name, bytes, RV_NEVER) == 0);
    RV_CHECK(count == bytes && memcmp(loaded, text, bytes) == 0 && loaded[bytes] == '\0');
    rv_file_free(loaded);
    RV_CHECK(rv_file_load(&loaded, &count, folder, name, SIZE_MAX, RV_NEVER) == 0);
    RV_CHECK(count == bytes);
    rv_file_free(loaded);
    if (bytes > 0) {
        RV_CHECK(rv_file_read(folder, name, got, bytes - 1, RV_NEVER) == -EFBIG);
        RV_CHECK(rv_file_load(&loaded, &count, folder, name, bytes - 1, RV_NEVER) == -EFBIG);
    }
    free(got);
}

static int read_sizes(void *unused)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, LARGE};
    (void)unused;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        put("f", large(), sizes[i]);
        check_read("f", large(), sizes[i]);
        int fd = openat(folder, "f", O_RDONLY | O_CLOEXEC);
        RV_CHECK(fd >= 0);
        forget_cache(fd);
        close(fd);
        check_read("f", large(), sizes[i]);
    }
    return 0;
}

static void a_file_of_any_size_is_read_whole(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    run_everywhere(read_sizes);
    assert_nothing_is_left(&before);
}

/* Files of /proc have no length. */
static int read_without_length(void *unused)
{
    char *text, c;
    size_t bytes;
    (void)unused;
    RV_CHECK(rv_file_load(&text, &bytes, AT_FDCWD, "/proc/self/maps", SIZE_MAX, RV_NEVER) == 0);
    RV_CHECK(bytes > 100 && text[bytes - 1] == '\n');
    rv_file_free(text);
    RV_CHECK(rv_file_read(AT_FDCWD, "/proc/self/maps", &c, 1, RV_NEVER) == -EFBIG);
    RV_CHECK(rv_file_read(AT_FDCWD, "/dev/null", &c, 1, RV_NEVER) == 0);
    RV_CHECK(rv_file_read(AT_FDCWD, "/dev/zero", &c, 1, RV_NEVER) == -EFBIG);
    RV_CHECK(rv_file_read(folder, ".", &c, 1, RV_NEVER) == -EISDIR);
    RV_CHECK(rv_file_read(folder, "nothing", &c, 1, RV_NEVER) == -ENOENT);
    return 0;
}

static void a_file_without_length_is_read_to_its_end(void **state)
{
    (void)state;
    run_everywhere(read_without_length);
}

static int write_anew(void *unused)
{
    struct stat status;
    (void)unused;
    mode_t mask = umask(022);
    RV_CHECK(rv_file_write(folder, "w", "one", 3, 0666, RV_NEVER) == 0);
    RV_CHECK(rv_file_write(folder, "w", large(), LARGE, 0600, RV_NEVER) == 0);
    umask(mask);
    check_content("w", large(), LARGE);
    RV_CHECK(fstatat(folder, "w", &status, 0) == 0 && (status.st_mode & 0777) == 0600);
    RV_CHECK(rv_file_write(folder, "w", "", 0, 0666, RV_NEVER) == 0);
    check_content("w", "", 0);
    RV_CHECK(rv_mkdirat(folder, "d", 0700, RV_NEVER) == 0);
    RV_CHECK(rv_file_write(folder, "d/w", "two", 3, 0666, RV_NEVER) == 0);
    check_content("d/w", "two", 3);
    RV_CHECK(rv_file_write(folder, "d", "x", 1, 0666, RV_NEVER) == -EISDIR);
    RV_CHECK(rv_file_write(folder, "nothing/w", "x", 1, 0666, RV_NEVER) == -ENOENT);
    RV_CHECK(rv_unlinkat(folder, "w", 0, RV_NEVER) == 0);
    return rv_remove_all(folder, "d", RV_NEVER);
}

static void a_file_is_written_all_or_nothing(void **state)
{
    struct holdings before = holdings_now();
    size_t names = count_names();
    (void)state;
    run_everywhere(write_anew);
    assert_int_equal(count_names(), names);
    assert_nothing_is_left(&before);
}

/* The limit on a file's length stands for a disk that is full half-way. */
static int write_too_much(void *unused)
{
    struct rlimit old, little = {LARGE / 2, RLIM_INFINITY};
    (void)unused;
    put("w", "old", 3);
    size_t names = count_names();
    RV_CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    little.rlim_max = old.rlim_max;
    RV_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &little) == 0);
    int r = rv_file_write(folder, "w", large(), LARGE, 0600, RV_NEVER);
    RV_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    RV_CHECK(r == -EFBIG && count_names() == names);
    check_content("w", "old", 3);
    return 0;
}

static void a_write_that_fails_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    run_everywhere(write_too_much);
}

static int fill_a_small_disk(void *unused)
{
    (void)unused;
    RV_CHECK(rv_file_write(folder, "disk/w", "old", 3, 0600, RV_NEVER) == 0);
    RV_CHECK(rv_file_write(folder, "disk/w", large(), LARGE, 0600, RV_NEVER) == -ENOSPC);
    check_content("disk/w", "old", 3);
    put("source", large(), LARGE);
    RV_CHECK(rv_file_copy(folder, "source", folder, "disk/w", RV_NEVER) == -ENOSPC);
    check_content("disk/w", "old", 3);
    int from = openat(folder, "source", O_RDONLY | O_CLOEXEC);
    int to = openat(folder, "disk/part", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    uint64_t done;
    RV_CHECK(from >= 0 && to >= 0);
    RV_CHECK(rv_copy_range(from, 0, to, 0, LARGE, &done, RV_NEVER) == -ENOSPC);
    RV_CHECK(done > 0 && done < LARGE && lseek(to, 0, SEEK_END) == (off_t)done);
    close(from);
    close(to);
    return rv_unlinkat(folder, "disk/part", 0, RV_NEVER);
}

static void a_small_disk_that_is_full_leaves_what_was_there(void **state)
{
    char path[80];
    (void)state;
    snprintf(path, sizeof(path), "%s/disk", folder_path);
    assert_int_equal(mkdir(path, 0700), 0);
    if (mount("tmpfs", path, "tmpfs", 0, "size=128k") < 0)
        skip();
    int r = run_on(1, fill_a_small_disk, NULL);
    int alone = fill_a_small_disk(NULL);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    assert_int_equal(r, 0);
    assert_int_equal(alone, 0);
}

/* --- lines --- */

static int read_lines(void *unused)
{
    char path[100];
    struct rv_line line;
    rv_lines *lines;
    (void)unused;
    put("lines", "one\n\ntoo long\nlast", 18);
    snprintf(path, sizeof(path), "%s/lines", folder_path);
    RV_CHECK(rv_lines_open(&lines, AT_FDCWD, path, 4, RV_NEVER) == 0);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == 1 && line.bytes == 3);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == 1 && line.bytes == 0);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == -EMSGSIZE);
    RV_CHECK(rv_reader_skip_until(rv_lines_reader(lines), '\n', RV_NEVER) == 1);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == 1 && line.bytes == 4 && !line.is_ended);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == 0);
    RV_CHECK(!rv_lines_close(lines) && !rv_lines_close(NULL));
    RV_CHECK(rv_lines_open(&lines, folder, ".", 0, RV_NEVER) == 0);
    RV_CHECK(rv_lines_next(lines, &line, RV_NEVER) == -EISDIR);
    rv_lines_close(lines);
    RV_CHECK(rv_lines_open(&lines, folder, "nothing", 0, RV_NEVER) == -ENOENT);
    RV_CHECK(rv_lines_open(&lines, AT_FDCWD, "/proc/self/maps", SIZE_MAX, RV_NEVER) == 0);
    rv_lines_close(lines);
    return 0;
}

static void lines_of_a_file_come_one_after_another(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    run_everywhere(read_lines);
    assert_nothing_is_left(&before);
}

/* --- each way --- */

static int write_and_read(void *unused)
{
    struct rv_line line;
    rv_lines *lines;
    char *text, room[16];
    size_t bytes;
    (void)unused;
    int r = rv_file_write(folder, "x", "some\nlines", 10, 0600, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_file_load(&text, &bytes, folder, "x", 100, RV_NEVER);
    if (r < 0)
        return r;
    rv_file_free(text);
    r = (int)rv_file_read(folder, "x", room, sizeof(room), RV_NEVER);
    if (r < 0 || (r = rv_lines_open(&lines, folder, "x", 0, RV_NEVER)) < 0)
        return r;
    while ((r = rv_lines_next(lines, &line, RV_NEVER)) > 0)
        continue;
    rv_lines_close(lines);
    return r;
}

/* Either content, whole, and no other name. */
static void check_whole(size_t names)
{
    assert_int_equal(count_names(), names);
    if (is_there("x"))
        check_content("x", "some\nlines", 10);
}

static void whole_files_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    put("x", "some\nlines", 10);
    struct holdings before = holdings_now();
    size_t names = count_names();
    cancel_at_every_point(write_and_read, 1);
    check_whole(names);
    assert_nothing_is_left(&before);
}

static void whole_files_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    put("x", "some\nlines", 10);
    struct holdings before = holdings_now();
    size_t names = count_names();
    fail_every_allocation(write_and_read, 1);
    check_whole(names);
    assert_nothing_is_left(&before);
}

static void whole_files_survive_every_call_that_fails(void **state)
{
    bool all_tried = false, is_optional;
    (void)state;
    put("x", "some\nlines", 10);
    struct holdings before = holdings_now();
    size_t names = count_names();
    for (long n = 1; !all_tried; n = next_point(n)) {
        rvi_call_fail_after(n, 0, false);
        int r = run_on(1, write_and_read, NULL);
        all_tried = rvi_call_fail_pending();
        const char *failed = rvi_call_failed(&is_optional);
        rvi_call_fail_after(-1, 0, false);
        assert_true(r <= 0 && (r == 0 || failed));
        check_whole(names);
    }
    assert_nothing_is_left(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_any_size_is_read_whole),
        cmocka_unit_test(a_file_without_length_is_read_to_its_end),
        cmocka_unit_test(a_file_is_written_all_or_nothing),
        cmocka_unit_test(a_write_that_fails_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(a_small_disk_that_is_full_leaves_what_was_there),
        cmocka_unit_test(lines_of_a_file_come_one_after_another),
        cmocka_unit_test(whole_files_can_be_cancelled_at_every_point),
        cmocka_unit_test(whole_files_survive_every_allocation_that_fails),
        cmocka_unit_test(whole_files_survive_every_call_that_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

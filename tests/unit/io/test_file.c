/* SPDX-License-Identifier: MIT */
#include "file_test.h"

#include <sys/ioctl.h>
#include <sys/resource.h>

#include "../../support/every_point.h"
#include "sys/call.h"

static int flags_of(int fd)
{
    return fcntl(fd, F_GETFL);
}

static int open_all_kinds(void *unused)
{
    (void)unused;
    put("a", "text", 4);
    int fd = rv_openat(folder, "a", O_RDWR | O_APPEND, 0, RV_NEVER);
    RV_CHECK(fd >= 0);
    RV_CHECK((flags_of(fd) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND));
    RV_CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    RV_CHECK(rv_close(fd) == 0);
    fd = rv_openat(folder, "a", O_RDONLY | O_NONBLOCK, 0, RV_NEVER);
    RV_CHECK(fd >= 0 && (flags_of(fd) & O_NONBLOCK));
    RV_CHECK(rv_close(fd) == 0);
    fd = rv_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0, RV_NEVER);
    RV_CHECK(fd >= 0 && !(flags_of(fd) & O_NONBLOCK));
    RV_CHECK(rv_close(fd) == 0);
    fd = rv_openat(folder, "a", O_PATH, 0, RV_NEVER);
    RV_CHECK(fd >= 0 && (flags_of(fd) & O_PATH));
    RV_CHECK(rv_close(fd) == 0);
    fd = rv_open("/dev/null", O_WRONLY, 0, RV_NEVER);
    RV_CHECK(fd >= 0 && !(flags_of(fd) & O_NONBLOCK));
    return rv_close(fd);
}

static void what_is_opened_has_the_flags_that_were_asked_for(void **state)
{
    (void)state;
    run_everywhere(open_all_kinds);
}

static int open_what_is_not_there(void *unused)
{
    (void)unused;
    for (int again = 0; again < 2; again++)
        RV_CHECK(rv_openat(folder, "nothing", O_RDONLY, 0, RV_NEVER) == -ENOENT);
    put("a", "", 0);
    RV_CHECK(rv_openat(folder, "a/b", O_RDONLY, 0, RV_NEVER) == -ENOTDIR);
    RV_CHECK(rv_openat(folder, "a", O_WRONLY | O_CREAT | O_EXCL, 0600, RV_NEVER) == -EEXIST);
    RV_CHECK(rv_openat(folder, ".", O_WRONLY, 0, RV_NEVER) == -EISDIR);
    RV_CHECK(rv_openat(-1, "a", O_RDONLY, 0, RV_NEVER) == -EBADF);
    return 0;
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    run_everywhere(open_what_is_not_there);
}

static int read_and_write_at(void *unused)
{
    char got[16] = "";
    size_t done;
    char text[] = "abcde";
    struct iovec out[] = {{text, 2}, {text + 2, 3}}, in[] = {{got, 1}, {got + 1, 9}};
    (void)unused;
    int fd = rv_openat(folder, "f", O_RDWR | O_CREAT | O_TRUNC, 0600, RV_NEVER);
    RV_CHECK(fd >= 0);
    RV_CHECK(rv_pwrite(fd, "12345", 5, 3, RV_NEVER) == 5);
    RV_CHECK(rv_pread(fd, got, sizeof(got), 0, RV_NEVER) == 8);
    RV_CHECK(memcmp(got, "\0\0\00012345", 8) == 0);
    RV_CHECK(rv_pwritev(fd, out, 2, 1, RV_NEVER) == 5);
    RV_CHECK(rv_preadv(fd, in, 2, 1, RV_NEVER) == 7);
    RV_CHECK(memcmp(got, "abcde45", 7) == 0);
    RV_CHECK(lseek(fd, 0, SEEK_CUR) == 0);
    RV_CHECK(rv_pwrite_all(fd, "xyz", 3, 10, &done, RV_NEVER) == 0 && done == 3);
    RV_CHECK(rv_pread_full(fd, got, 5, 8, &done, RV_NEVER) == 0 && done == 5);
    RV_CHECK(rv_pread_full(fd, got, 9, 8, &done, RV_NEVER) == -ENODATA && done == 5);
    RV_CHECK(rv_pread(fd, got, 1, 99, RV_NEVER) == 0);
    RV_CHECK(rv_pread(fd, got, 1, -1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_pwrite(fd, got, 1, -1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_preadv(fd, in, 2, -1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_pwritev(fd, out, 2, -1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_ftruncate(fd, 2, RV_NEVER) == 0);
    RV_CHECK(rv_fsync(fd, RV_NEVER) == 0 && rv_fdatasync(fd, RV_NEVER) == 0);
    RV_CHECK(lseek(fd, 0, SEEK_END) == 2);
    RV_CHECK(rv_pread(-1, got, 1, 0, RV_NEVER) == -EBADF);
    return rv_close(fd);
}

static void files_are_read_and_written_at_offsets(void **state)
{
    (void)state;
    run_everywhere(read_and_write_at);
}

static int change_names(void *unused)
{
    struct stat got, wanted;
    (void)unused;
    put("old", "text", 4);
    RV_CHECK(fstatat(folder, "old", &wanted, 0) == 0);
    RV_CHECK(rv_fstatat(folder, "old", &got, 0, RV_NEVER) == 0);
    RV_CHECK(got.st_dev == wanted.st_dev && got.st_ino == wanted.st_ino);
    RV_CHECK(got.st_mode == wanted.st_mode && got.st_size == 4 && got.st_nlink == 1);
    RV_CHECK(got.st_mtim.tv_sec == wanted.st_mtim.tv_sec);
    RV_CHECK(got.st_mtim.tv_nsec == wanted.st_mtim.tv_nsec);
    RV_CHECK(rv_renameat(folder, "old", folder, "new", 0, RV_NEVER) == 0);
    RV_CHECK(rv_fstatat(folder, "old", &got, 0, RV_NEVER) == -ENOENT);
    put("old", "", 0);
    RV_CHECK(rv_renameat(folder, "old", folder, "new", RENAME_NOREPLACE, RV_NEVER) == -EEXIST);
    RV_CHECK(rv_mkdirat(folder, "d", 0700, RV_NEVER) == 0);
    RV_CHECK(rv_mkdirat(folder, "d", 0700, RV_NEVER) == -EEXIST);
    RV_CHECK(rv_unlinkat(folder, "d", 0, RV_NEVER) == -EISDIR);
    RV_CHECK(rv_unlinkat(folder, "d", AT_REMOVEDIR, RV_NEVER) == 0);
    RV_CHECK(rv_unlinkat(folder, "new", 0, RV_NEVER) == 0);
    RV_CHECK(rv_unlinkat(folder, "new", 0, RV_NEVER) == -ENOENT);
    RV_CHECK(symlinkat("old", folder, "link") == 0);
    RV_CHECK(rv_fstatat(folder, "link", &got, AT_SYMLINK_NOFOLLOW, RV_NEVER) == 0);
    RV_CHECK(S_ISLNK(got.st_mode));
    RV_CHECK(rv_unlinkat(folder, "link", 0, RV_NEVER) == 0);
    RV_CHECK(rv_fstat(folder, &got, RV_NEVER) == 0 && S_ISDIR(got.st_mode));
    return rv_unlinkat(folder, "old", 0, RV_NEVER);
}

static void names_are_changed_and_looked_up(void **state)
{
    (void)state;
    run_everywhere(change_names);
}

/* By paths alone. */
static int use_paths(void *unused)
{
    char a[100], b[100];
    struct stat got;
    (void)unused;
    snprintf(a, sizeof(a), "%s/first", folder_path);
    snprintf(b, sizeof(b), "%s/second", folder_path);
    RV_CHECK(rv_mkdir(a, 0700, RV_NEVER) == 0 && rv_rename(a, b, RV_NEVER) == 0);
    RV_CHECK(rv_stat(b, &got, RV_NEVER) == 0 && S_ISDIR(got.st_mode));
    RV_CHECK(rv_rmdir(b, RV_NEVER) == 0);
    int fd = rv_open(a, O_WRONLY | O_CREAT, 0600, RV_NEVER);
    RV_CHECK(fd >= 0 && rv_close(fd) == 0);
    return rv_unlink(a, RV_NEVER);
}

static void paths_start_from_the_working_directory(void **state)
{
    (void)state;
    run_everywhere(use_paths);
}

static int use_what_is_full(void *unused)
{
    char bytes[4096] = {0};
    (void)unused;
    int fd = rv_open("/dev/full", O_WRONLY, 0, RV_NEVER);
    RV_CHECK(fd >= 0);
    RV_CHECK(rv_pwrite(fd, bytes, sizeof(bytes), 0, RV_NEVER) == -ENOSPC);
    return rv_close(fd);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    run_everywhere(use_what_is_full);
}

static int read_what_is_not_in_memory(void *unused)
{
    static char page[64 << 10];
    size_t done;
    (void)unused;
    memset(page, 'x', sizeof(page));
    put("cold", page, sizeof(page));
    int fd = rv_openat(folder, "cold", O_RDONLY, 0, RV_NEVER);
    RV_CHECK(fd >= 0);
    forget_cache(fd);
    memset(page, 0, sizeof(page));
    RV_CHECK(rv_pread_full(fd, page, sizeof(page), 0, &done, RV_NEVER) == 0);
    RV_CHECK(page[0] == 'x' && page[sizeof(page) - 1] == 'x');
    return rv_close(fd);
}

static void what_is_not_in_memory_is_fetched(void **state)
{
    (void)state;
    run_everywhere(read_what_is_not_in_memory);
}

static int open_beyond_the_limit(void *unused)
{
    struct rlimit old, none;
    (void)unused;
    put("a", "", 0);
    int least = rv_openat(folder, "a", O_RDONLY, 0, RV_NEVER);
    RV_CHECK(least >= 0 && getrlimit(RLIMIT_NOFILE, &old) == 0);
    rv_close(least);
    none = (struct rlimit){(rlim_t)least, old.rlim_max};
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int r = rv_openat(folder, "a", O_RDONLY, 0, RV_NEVER);
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    RV_CHECK(r == -EMFILE);
    r = rv_openat(folder, "a", O_RDONLY, 0, RV_NEVER);
    return r < 0 ? r : rv_close(r);
}

static void without_descriptors_opening_fails_and_recovers(void **state)
{
    (void)state;
    run_everywhere(open_beyond_the_limit);
}

enum { MUCH = 300000 };

/* The limit on a file's length stands for a disk that is full half-way. */
static int write_beyond_the_limit(void *unused)
{
    static char much[MUCH];
    struct rlimit old, little;
    (void)unused;
    int fd = rv_openat(folder, "f", O_RDWR | O_CREAT | O_TRUNC, 0600, RV_NEVER);
    RV_CHECK(fd >= 0 && getrlimit(RLIMIT_FSIZE, &old) == 0);
    little = (struct rlimit){MUCH / 2, old.rlim_max};
    RV_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &little) == 0);
    ssize_t n = rv_write(fd, much, MUCH, RV_NEVER);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t more = rv_write(fd, much, MUCH, RV_NEVER);
    RV_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    RV_CHECK(n == MUCH / 2 && at == n && more == -EFBIG);
    return rv_close(fd);
}

static void regress_a_short_write_moves_the_position(void **state)
{
    (void)state;
    run_everywhere(write_beyond_the_limit);
}

/* --- FIFOs --- */

static int write_to_fifo(void *arg)
{
    (void)arg;
    int fd = rv_openat(folder, "fifo", O_WRONLY, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    RV_CHECK(!(flags_of(fd) & O_NONBLOCK));
    int r = rv_write_all(fd, "hello", 5, NULL, RV_NEVER);
    rv_close(fd);
    return r;
}

static int read_from_fifo(void *arg)
{
    char got[8];
    (void)arg;
    int fd = rv_openat(folder, "fifo", O_RDONLY, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    RV_CHECK(!(flags_of(fd) & O_NONBLOCK));
    ssize_t n = rv_read(fd, got, sizeof(got), RV_NEVER);
    rv_close(fd);
    RV_CHECK(n < 0 || n == 5);
    return n < 0 ? (int)n : 0;
}

static int meet(rv_fn *first, rv_fn *second)
{
    int err;
    RV_CHECK(mkfifoat(folder, "fifo", 0600) == 0 || errno == EEXIST);
    RV_SCOPE(s, err) {
        int r = rv_go(s, first, NULL);
        if (r == 0)
            r = rv_sleep(300 * RV_MICROSECOND);
        if (r == 0)
            r = rv_go(s, second, NULL);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err;
}

static int reader_comes_first(void *unused)
{
    (void)unused;
    return meet(read_from_fifo, write_to_fifo);
}

static int writer_comes_first(void *unused)
{
    (void)unused;
    return meet(write_to_fifo, read_from_fifo);
}

static void a_fifo_waits_for_its_other_end_and_for_nobody_else(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        assert_int_equal(run_on(workers, reader_comes_first, NULL), 0);
        assert_int_equal(run_on(workers, writer_comes_first, NULL), 0);
    }
}

static int open_a_lonely_fifo(void *unused)
{
    (void)unused;
    RV_CHECK(mkfifoat(folder, "fifo", 0600) == 0 || errno == EEXIST);
    rv_time soon = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_openat(folder, "fifo", O_RDONLY, 0, soon) == -ETIME);
    RV_CHECK(rv_openat(folder, "fifo", O_WRONLY, 0, rv_after(2 * RV_MILLISECOND)) == -ETIME);
    int both = rv_openat(folder, "fifo", O_RDWR, 0, RV_NEVER);
    RV_CHECK(both >= 0 && rv_close(both) == 0);
    int fd = rv_openat(folder, "fifo", O_RDONLY | O_NONBLOCK, 0, RV_NEVER);
    RV_CHECK(fd >= 0 && (flags_of(fd) & O_NONBLOCK));
    RV_CHECK(rv_close(fd) == 0);
    RV_CHECK(rv_openat(folder, "fifo", O_WRONLY | O_NONBLOCK, 0, RV_NEVER) == -ENXIO);
    return 0;
}

static void a_fifo_without_its_other_end_keeps_to_the_deadline(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    run_everywhere(open_a_lonely_fifo);
    assert_nothing_is_left(&before);
}

/* A writer that comes, writes nothing and goes has been there. */
static int writer_goes_at_once(void *unused)
{
    (void)unused;
    int fd = rv_openat(folder, "fifo", O_WRONLY, 0, RV_NEVER);
    return fd < 0 ? fd : rv_close(fd);
}

static int reader_sees_the_end(void *unused)
{
    char c;
    (void)unused;
    int fd = rv_openat(folder, "fifo", O_RDONLY, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    ssize_t n = rv_read(fd, &c, 1, RV_NEVER);
    rv_close(fd);
    return (int)n;
}

static int writer_is_gone(void *unused)
{
    (void)unused;
    return meet(reader_sees_the_end, writer_goes_at_once);
}

static void a_writer_that_has_gone_already_has_been_there(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, writer_is_gone, NULL), 0);
}

/* --- each way --- */

static void opening_works_without_openat2(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_OPEN_CACHED, true);
    run_everywhere(open_all_kinds);
    run_everywhere(open_what_is_not_there);
    run_everywhere(open_a_lonely_fifo);
    rvi_call_lacks(RVI_CALL_OPEN_CACHED, false);
}

static int all_of_it(void *unused)
{
    int r = reader_comes_first(unused);
    char got[4];
    int fd = r < 0 ? r : rv_openat(folder, "f", O_RDWR | O_CREAT, 0600, RV_NEVER);
    if (fd < 0)
        return fd;
    r = rv_pwrite_all(fd, "1234", 4, 0, NULL, RV_NEVER);
    if (r == 0)
        r = rv_fsync(fd, RV_NEVER);
    if (r == 0)
        r = rv_pread_full(fd, got, 4, 0, NULL, RV_NEVER);
    rv_close(fd);
    return r;
}

static void files_can_be_cancelled_at_every_point(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    cancel_at_every_point(all_of_it, 1);
    assert_nothing_is_left(&before);
}

static void files_survive_every_allocation_that_fails(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    fail_every_allocation(all_of_it, 1);
    assert_nothing_is_left(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_opened_has_the_flags_that_were_asked_for),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(files_are_read_and_written_at_offsets),
        cmocka_unit_test(names_are_changed_and_looked_up),
        cmocka_unit_test(paths_start_from_the_working_directory),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(what_is_not_in_memory_is_fetched),
        cmocka_unit_test(without_descriptors_opening_fails_and_recovers),
        cmocka_unit_test(regress_a_short_write_moves_the_position),
        cmocka_unit_test(a_fifo_waits_for_its_other_end_and_for_nobody_else),
        cmocka_unit_test(a_fifo_without_its_other_end_keeps_to_the_deadline),
        cmocka_unit_test(a_writer_that_has_gone_already_has_been_there),
        cmocka_unit_test(opening_works_without_openat2),
        cmocka_unit_test(files_can_be_cancelled_at_every_point),
        cmocka_unit_test(files_survive_every_allocation_that_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

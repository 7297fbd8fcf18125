/* SPDX-License-Identifier: MIT */
/* file_test.h - a folder for a test's files, and ways to run a scene as a task and as a thread. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "../sched/sched_test.h"

static inline int run_nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* The tests' folder, and its descriptor: made before them, removed with all in it after. The tools
 * start threads of their own with the first one. */
static int folder = -1;
static char folder_path[64];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder_path, sizeof(folder_path), "/tmp/ravel-test-XXXXXX");
    if (!mkdtemp(folder_path))
        return -1;
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : run_on(2, run_nothing, NULL);
}

static inline int remove_folder(void **state)
{
    (void)state;
    close(folder);
    return rv_remove_all(AT_FDCWD, folder_path, RV_NEVER);
}

static inline void put(const char *name, const char *text, size_t bytes)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    RV_CHECK(fd >= 0);
    RV_CHECK(write(fd, text, bytes) == (ssize_t)bytes);
    close(fd);
}

static inline void check_content(const char *name, const char *text, size_t bytes)
{
    char *got = malloc(bytes + 1);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    RV_CHECK(fd >= 0 && got);
    RV_CHECK(read(fd, got, bytes + 1) == (ssize_t)bytes && memcmp(got, text, bytes) == 0);
    close(fd);
    free(got);
}

static inline bool is_there(const char *name)
{
    return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Names in the test's folder. */
static inline size_t count_names(void)
{
    return count_entries(folder_path) - 2;
}

static inline void forget_cache(int fd)
{
    RV_CHECK(fsync(fd) == 0);
    RV_CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
}

/* But for mappings: malloc keeps some for each helper thread that has used it. */
static inline void assert_nothing_is_left(const struct holdings *before)
{
    assert_int_equal(count_threads_above(before->threads), 0);
    assert_int_equal(holdings_now().files, before->files);
    assert_int_equal(holdings_now().memory, before->memory);
}

/* On one worker, on two, and on a plain thread. */
static inline void run_everywhere(rv_fn *scene)
{
    assert_int_equal(run_on(1, scene, NULL), 0);
    assert_int_equal(run_on(2, scene, NULL), 0);
    assert_int_equal(scene(NULL), 0);
}

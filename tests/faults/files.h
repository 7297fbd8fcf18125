/* SPDX-License-Identifier: MIT */
/* files.h - of scenario.h: a folder of files, made, changed, read, and removed. */
#pragma once

#include <sys/stat.h>

#include "scenario.h"

/* In memory where that can be had: each play syncs. Removed when all is done, whatever a play could
 * not remove. */
static char files_path[] = "/dev/shm/ravel-faults-XXXXXX";
static int files = -1;

static int make_files_folder(void)
{
    if (!mkdtemp(files_path)) {
        strcpy(files_path, "/tmp/ravel-faults-XXXXXX");
        RV_CHECK(mkdtemp(files_path));
    }
    files = open(files_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return files < 0 ? -errno : 0;
}

static int remove_files_folder(void)
{
    close(files);
    return rv_remove_all(AT_FDCWD, files_path, RV_NEVER);
}

static int change_a_file(void)
{
    char got[8];
    size_t done;
    struct stat status;
    int fd = rv_openat(files, "a/b/f", O_RDWR, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    int r = rv_pwrite_all(fd, "xy", 2, 1, NULL, RV_NEVER);
    if (r == 0)
        r = rv_ftruncate(fd, 4, RV_NEVER);
    if (r == 0)
        r = rv_fdatasync(fd, RV_NEVER);
    if (r == 0)
        r = rv_fstat(fd, &status, RV_NEVER);
    if (r == 0)
        r = rv_pread_full(fd, got, 4, 0, &done, RV_NEVER);
    RV_CHECK(r < 0 || (status.st_size == 4 && memcmp(got, "oxy\n", 4) == 0));
    int closed = rv_close(fd);
    return r < 0 ? r : closed;
}

static int read_lines(void)
{
    struct rv_line line;
    rv_lines *lines;
    int count = 0, r = rv_lines_open(&lines, files, "a/c", 0, RV_NEVER);
    if (r < 0)
        return r;
    while ((r = rv_lines_next(lines, &line, RV_NEVER)) > 0)
        count++;
    rv_lines_close(lines);
    RV_CHECK(r < 0 || count == 2);
    return r;
}

/* Nobody comes. */
static int open_fifo(void)
{
    RV_CHECK(mkfifoat(files, "fifo", 0600) == 0 || errno == EEXIST);
    int r = rv_openat(files, "fifo", O_RDONLY, 0, rv_after(200 * RV_MICROSECOND));
    RV_CHECK(r < 0);
    return r == -ETIME ? 0 : r;
}

static int list_folder(void)
{
    struct rv_dir_entry entry;
    rv_dir *list;
    int count = 0, r = rv_dir_open(&list, files, "a", 0, RV_NEVER);
    if (r < 0)
        return r;
    while ((r = rv_dir_next(list, &entry, RV_NEVER)) > 0)
        count++;
    rv_dir_close(list);
    RV_CHECK(r < 0 || count >= 2);
    return r;
}

/* What an earlier play could not remove may be there. */
static int use_files(void *arg)
{
    char *text;
    size_t bytes;
    int r;
    (void)arg;
    if ((r = rv_remove_all(files, "a", RV_NEVER)) < 0 ||
        (r = rv_mkdir_all(files, "a/b", 0700, RV_NEVER)) < 0 ||
        (r = rv_file_write(files, "a/b/f", "one\ntwo\n", 8, 0600, RV_NEVER)) < 0 ||
        (r = rv_file_copy(files, "a/b/f", files, "a/copy", RV_NEVER)) < 0 ||
        (r = rv_renameat(files, "a/copy", files, "a/c", 0, RV_NEVER)) < 0 ||
        (r = read_lines()) < 0 || (r = change_a_file()) < 0 || (r = open_fifo()) < 0 ||
        (r = list_folder()) < 0 ||
        (r = rv_file_load(&text, &bytes, files, "a/b/f", 100, RV_NEVER)) < 0)
        return r;
    RV_CHECK(bytes == 4);
    rv_file_free(text);
    return rv_remove_all(files, "a", RV_NEVER);
}

static int run_files(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    return rv_run(use_files, NULL, &opts);
}

static int open_places(void **state)
{
    int r = open_null_device(state);
    return r < 0 ? r : make_files_folder();
}

static int close_places(void **state)
{
    int r = close_null_device(state);
    return r < 0 ? r : remove_files_folder();
}

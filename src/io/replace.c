/* SPDX-License-Identifier: MIT */
/* replace.c - files that appear whole or not at all.
 *
 * The new file gets a name of its own in the old one's folder, as rename(2) needs it there. When
 * its bytes are on the disk it is renamed, and then its folder is brought to the disk too: a file
 * system may write a name before what it names, and forget it until its folder is synced.
 *
 * The removal of a new file that is not wanted, and the sync that follows a rename, are done
 * whatever is cancelled meanwhile: the first leaves nothing behind, the second belongs to a
 * success.
 *
 * Rejected: O_TMPFILE, which would leave nothing behind after a crash either: linkat(2) gives such
 * a file no name that is taken.
 * Checked by: tests/unit/io/test_whole.c */
#include "io/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel/file.h>
#include <ravel/io.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "io/call.h"
#include "sched/sched.h"
#include "sys/clock.h"
#include "sys/op.h"

enum { NAME_BYTES = 32, MOST_TRIES = 100 };

static int folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (int)(slash - path) + 1 : 0;
}

/* Another name for each of two at the same time, most probably: who comes second tries again. */
static int open_new(struct rvi_replace *r, mode_t mode, rv_time deadline)
{
    int bytes = folder_bytes(r->path), tries = 0;
    struct rvi_rng rng;

    rvi_rng_seed(&rng, (uint64_t)rvi_clock_now() ^ (uintptr_t)r ^ (uint64_t)getpid() << 32);
    do {
        snprintf(r->temporary, (size_t)bytes + NAME_BYTES, "%.*s.ravel-%016llx", bytes, r->path,
                 (unsigned long long)rvi_rng_next(&rng));
        r->fd = rv_openat(r->dir, r->temporary, O_WRONLY | O_CREAT | O_EXCL, mode, deadline);
    } while (r->fd == -EEXIST && ++tries < MOST_TRIES);
    return r->fd < 0 ? r->fd : 0;
}

/* Before anything is changed, so that it cannot fail afterwards. */
static int open_folder(struct rvi_replace *r, bool to_disk, rv_time deadline)
{
    int bytes = folder_bytes(r->path);

    r->folder = -1;
    if (!to_disk)
        return 0;
    snprintf(r->temporary, (size_t)bytes + NAME_BYTES, "%.*s.", bytes, r->path);
    r->folder = rv_openat(r->dir, r->temporary, O_RDONLY | O_DIRECTORY, 0, deadline);
    return r->folder < 0 ? r->folder : 0;
}

int rvi_replace_begin(struct rvi_replace *r, int dir, const char *path, mode_t mode, bool to_disk,
                      rv_time deadline)
{
    *r = (struct rvi_replace){.fd = -1, .folder = -1, .dir = dir, .path = path};
    r->temporary = rvi_alloc((size_t)folder_bytes(path) + NAME_BYTES);
    if (!r->temporary)
        return -ENOMEM;
    int result = open_folder(r, to_disk, deadline);
    if (result == 0)
        result = open_new(r, mode, deadline);
    if (result < 0) {
        rv_close(r->folder);
        rvi_free(r->temporary);
    }
    return result;
}

/* ---- whatever is cancelled ---- */

struct errand {
    struct rvi_op op;
    int64_t result;
};

static int run_errand(void *arg)
{
    struct errand *errand = arg;

    errand->result = rvi_op_perform(&errand->op);
    return 0;
}

/* Where no helper can be had, the worker waits itself. */
static int perform_always(struct rvi_op op)
{
    struct errand errand = {.op = op};
    struct rvi_sched *sched = rvi_sched_self();

    if (!sched || rvi_helpers_call(&sched->helpers, run_errand, &errand) < 0)
        run_errand(&errand);
    return (int)errand.result;
}

/* What has gone wrong with earlier writes may be told as late as by the close. */
static int close_new(struct rvi_replace *r, int result)
{
    int closed = rv_close(r->fd);

    return result < 0 ? result : closed;
}

static int take_place(struct rvi_replace *r, rv_time deadline)
{
    int result = r->folder >= 0 ? rv_fsync(r->fd, deadline) : 0;

    result = close_new(r, result);
    return result < 0 ? result : rv_renameat(r->dir, r->temporary, r->dir, r->path, 0, deadline);
}

int rvi_replace_end(struct rvi_replace *r, int result, rv_time deadline)
{
    result = result < 0 ? close_new(r, result) : take_place(r, deadline);
    if (result < 0)
        (void)perform_always(rvi_op_unlink(r->dir, r->temporary, 0));
    else if (r->folder >= 0)
        result = perform_always(rvi_op_sync(r->folder, false));
    rv_close(r->folder);
    rvi_free(r->temporary);
    return result;
}

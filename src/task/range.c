/* SPDX-License-Identifier: MIT */
/* range.c - parallel loops and reductions: ranges halved by forks.
 *
 * A loop is cut into pieces of `grain` indexes, the last one shorter. A run of pieces is halved,
 * the right half forked, the left half done by the caller, so that pieces begin at the same indexes
 * whoever runs them and one worker alone goes through them in order. With grain 0 there are
 * about PIECES_EACH pieces a worker: a fork costs nanoseconds and thieves take the largest run
 * first, so there is nothing to gain from fewer.
 *
 * A reduction keeps one accumulator a halving: the left half goes on in the caller's, the right
 * half has its own, and the two are combined at the join. So the tree of combinations is that
 * of the halvings.
 *
 * Rejected: splitting only when a thief asks. It saves forks, which are cheap, and makes the pieces
 * depend on the schedule.
 *
 * Checked by: tests/unit/task/test_range.c */
#include <ravel/fork.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "sched/cancel.h"
#include "sched/sched.h"

enum {
    PIECES_EACH = 64,
    SMALL_BYTES = 64, /* an accumulator of this size lies in the frame */
};

struct loop {
    size_t begin, end, grain;
    void *arg;
    rv_range_fn *fn;
    _Atomic(int) failure; /* the first; nothing is begun after it */

    /* reductions */
    rv_fold_fn *fold;
    rv_combine_fn *combine;
    const void *identity;
    size_t bytes;
};

/* --- what both have in common --- */

static void fail(struct loop *loop, int r)
{
    int none = 0;

    rvi_cas_relaxed(&loop->failure, &none, r);
}

/* Between two pieces. */
static bool must_stop(struct loop *loop)
{
    if (rvi_unlikely(rvi_cancel_of_caller() != 0))
        fail(loop, -ECANCELED);
    return rvi_load_relaxed(&loop->failure) != 0;
}

static size_t end_of_piece(const struct loop *loop, size_t piece)
{
    size_t begin = loop->begin + piece * loop->grain;

    return loop->end - begin > loop->grain ? begin + loop->grain : loop->end;
}

static size_t choose_grain(size_t count)
{
    struct rvi_sched *sched = rvi_sched_self();
    size_t pieces = PIECES_EACH * (sched ? sched->worker_count : 1);

    return count / pieces + (count % pieces != 0);
}

static size_t set_up(struct loop *loop)
{
    size_t count = loop->end - loop->begin;

    if (loop->grain == 0)
        loop->grain = choose_grain(count);
    return count / loop->grain + (count % loop->grain != 0);
}

/* --- loops --- */

RV_FORKABLE(int, for_pieces, struct loop *, loop, size_t, first, size_t, count)
{
    if (count == 1) {
        if (must_stop(loop))
            return 0;
        int r = loop->fn(loop->begin + first * loop->grain, end_of_piece(loop, first), loop->arg);
        if (r < 0)
            fail(loop, r);
        return 0;
    }
    RV_FORKED(for_pieces) right;
    RV_FORK(right, for_pieces, loop, first + count / 2, count - count / 2);
    RV_CALL(for_pieces, loop, first, count / 2);
    return RV_JOIN(right, for_pieces);
}

int rv_for(size_t begin, size_t end, size_t grain, rv_range_fn *fn, void *arg)
{
    struct loop loop = {.begin = begin, .end = end, .grain = grain, .arg = arg, .fn = fn};

    if (begin >= end)
        return 0;
    for_pieces(&loop, 0, set_up(&loop));
    return rvi_load_relaxed(&loop.failure);
}

/* --- reductions --- */

struct accumulator {
    _Alignas(max_align_t) char small[SMALL_BYTES];
    void *bytes;
};

static bool accumulator_init(struct accumulator *sum, struct loop *loop)
{
    sum->bytes = loop->bytes <= SMALL_BYTES ? sum->small : rvi_alloc(loop->bytes);
    if (!sum->bytes) {
        fail(loop, -ENOMEM);
        return false;
    }
    memcpy(sum->bytes, loop->identity, loop->bytes);
    return true;
}

static void accumulator_fini(struct accumulator *sum)
{
    if (sum->bytes != sum->small)
        rvi_free(sum->bytes);
}

static void fold_piece(struct loop *loop, size_t piece, void *into)
{
    if (must_stop(loop))
        return;
    int r =
        loop->fold(loop->begin + piece * loop->grain, end_of_piece(loop, piece), into, loop->arg);
    if (r < 0)
        fail(loop, r);
}

RV_FORKABLE(int, fold_pieces, struct loop *, loop, size_t, first, size_t, count, void *, into)
{
    struct accumulator sum;

    if (count == 1) {
        fold_piece(loop, first, into);
        return 0;
    }
    if (!accumulator_init(&sum, loop))
        return 0;
    RV_FORKED(fold_pieces) right;
    RV_FORK(right, fold_pieces, loop, first + count / 2, count - count / 2, sum.bytes);
    RV_CALL(fold_pieces, loop, first, count / 2, into);
    RV_JOIN(right, fold_pieces);
    if (rvi_load_relaxed(&loop->failure) == 0)
        loop->combine(into, sum.bytes, loop->arg);
    accumulator_fini(&sum);
    return 0;
}

int rv_reduce(size_t begin, size_t end, size_t grain, rv_fold_fn *fold, rv_combine_fn *combine,
              void *arg, void *result, size_t bytes)
{
    struct loop loop = {.begin = begin,
                        .end = end,
                        .grain = grain,
                        .arg = arg,
                        .fold = fold,
                        .combine = combine,
                        .identity = result,
                        .bytes = bytes};
    struct accumulator sum;

    if (bytes == 0)
        return -EINVAL;
    if (begin >= end)
        return 0;
    if (!accumulator_init(&sum, &loop))
        return -ENOMEM;
    fold_pieces(&loop, 0, set_up(&loop), sum.bytes);
    int r = rvi_load_relaxed(&loop.failure);
    if (r == 0)
        memcpy(result, sum.bytes, bytes);
    accumulator_fini(&sum);
    return r;
}

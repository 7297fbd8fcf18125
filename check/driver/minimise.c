/* SPDX-License-Identifier: MIT */
/* minimise.c - delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
 * input", 2002) of deviations, and then what it leaves over.
 *
 * A deviation is named by a thread and its own nth decision, so that the others mean the same when
 * it is left out, as long as that thread comes as far.
 *
 *   M1  `best` has failed when it was last run; it only shrinks
 *   M2  what a run made of the switches asked for is what is kept, if it is less: a switch that
 *       could not be made, or that nobody came to, goes at once
 *   M3  in order: none at all; only the first few, as what comes after a failure has become certain
 *       is many switches for nothing; ever smaller parts left out; one by one until none can go;
 *       two at a time; one out while another is made a little earlier or later, or lets another run
 *   M4  where more than a few are left, as each hangs on one before it: a few drawn at random, of
 *       the original or of all that its threads could have done, may fail by themselves. Most bugs
 *       need no more
 *
 * Rejected: beginning with the shortest subsets. Failures that need two of a thousand deviations
 * would cost a million runs, where halves cost twenty. */
#include "check/driver/minimise.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum {
    PAIRS_MOST = 24, /* switches: beyond that pairs take too long */
    MOVED_MOST = 12,
    FAR = 3, /* decisions by which a switch is moved */
    FEW = 3, /* switches with which most bugs show */
    NOT_FEW = 5,
    DRAWN_MOST = 2000,
};

struct work {
    const struct ck_minimise_opts *opts;
    struct ck_switch *best;
    struct ck_switch *trial; /* room for as many as there were */
    struct ck_switch *whole; /* as they were */
    size_t count, whole_count;
    bool is_over;
};

static struct ck_place innermost(const struct ck_party *party)
{
    for (uint32_t i = 0; i < party->frame_count && i < CK_FRAMES; i++) {
        if (party->frames[i].offset != 0)
            return party->frames[i];
    }
    return (struct ck_place){0, 0};
}

static bool has_party(const struct ck_report *report, struct ck_place place)
{
    for (uint32_t i = 0; i < report->party_count; i++) {
        struct ck_place other = innermost(&report->parties[i]);
        if (other.module == place.module && other.offset == place.offset)
            return true;
    }
    return false;
}

/* Less of the same. */
static bool is_fewer_who_wait(const struct ck_report *a, const struct ck_report *b)
{
    return (a->kind == CK_DEADLOCK || a->kind == CK_LOST_WAKEUP || a->kind == CK_LIVELOCK) &&
           a->party_count > 0 && a->party_count < b->party_count;
}

/* Where each is when a livelock is noticed is chance. */
bool ck_minimise_is_same(const struct ck_report *a, const struct ck_report *b)
{
    if (a->kind != b->kind || (a->party_count != b->party_count && !is_fewer_who_wait(a, b)))
        return false;
    for (uint32_t i = 0; i < a->party_count && i < CK_PARTIES_MOST; i++) {
        if (a->kind != CK_LIVELOCK && !has_party(b, innermost(&a->parties[i])))
            return false;
    }
    return true;
}

/* The first `count` of w->trial, which may be taken over. */
static bool try(struct work *w, size_t count)
{
    const struct ck_switch *taken = NULL;
    size_t taken_count = 0;

    w->is_over = w->is_over || (w->opts->is_over && w->opts->is_over(w->opts->arg));
    if (w->is_over || !w->opts->fails(w->opts->arg, w->trial, count, &taken, &taken_count))
        return false;
    bool is_less = taken_count < count;
    w->count = is_less ? taken_count : count;
    memcpy(w->best, is_less ? taken : w->trial, w->count * sizeof *w->best);
    return true;
}

/* Without those from `at`, `length` of them. */
static bool try_without(struct work *w, size_t at, size_t length)
{
    size_t after = w->count - at - length;

    memcpy(w->trial, w->best, at * sizeof *w->trial);
    memcpy(w->trial + at, w->best + at + length, after * sizeof *w->trial);
    return try(w, at + after);
}

static bool try_first(struct work *w, size_t count)
{
    memcpy(w->trial, w->best, count * sizeof *w->trial);
    return try(w, count);
}

static void shorten(struct work *w)
{
    for (size_t count = 1; count < w->count && !w->is_over; count *= 4) {
        if (try_first(w, count))
            return;
    }
}

static void halve(struct work *w)
{
    for (size_t parts = 2; w->count > 1 && parts <= w->count && !w->is_over; parts *= 2) {
        for (size_t at = 0; at < w->count && !w->is_over;) {
            size_t length = (w->count + parts - 1) / parts;
            length = length > w->count - at ? w->count - at : length;
            if (!try_without(w, at, length))
                at += length;
        }
    }
}

static void one_by_one(struct work *w)
{
    for (size_t kept = 0, at = w->count; kept < w->count && !w->is_over;) {
        at = at == 0 || at > w->count ? w->count : at;
        if (try_without(w, --at, 1))
            kept = 0;
        else
            kept++;
    }
}

static bool drop_two(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        for (size_t j = i + 1; j < w->count && !w->is_over; j++) {
            size_t count = 0;
            for (size_t k = 0; k < w->count; k++) {
                if (k != i && k != j)
                    w->trial[count++] = w->best[k];
            }
            if (try(w, count))
                return true;
        }
    }
    return false;
}

/* All but the `out`th, the `in`th of the original changed to this. */
static bool try_instead(struct work *w, size_t out, size_t in, struct ck_switch changed)
{
    size_t count = 0;

    for (size_t k = 0; k < w->count; k++) {
        if (k != out)
            w->trial[count++] = k == in ? changed : w->best[k];
    }
    return try(w, count);
}

static bool move_one(struct work *w, size_t out, size_t in)
{
    struct ck_switch s = w->best[in], other = w->best[out];

    for (uint32_t far = 1; far <= FAR; far++) {
        if (try_instead(w, out, in, (struct ck_switch){s.thread, s.nth + far, s.value}))
            return true;
        if (s.nth >= far &&
            try_instead(w, out, in, (struct ck_switch){s.thread, s.nth - far, s.value}))
            return true;
    }
    if (other.value != s.value &&
        try_instead(w, out, in, (struct ck_switch){s.thread, s.nth, other.value}))
        return true;
    return other.thread != s.value && other.thread != s.thread &&
           try_instead(w, out, in, (struct ck_switch){s.thread, s.nth, other.thread});
}

static bool drop_and_move(struct work *w)
{
    for (size_t out = 0; out < w->count; out++) {
        for (size_t in = 0; in < w->count && !w->is_over; in++) {
            if (in != out && move_one(w, out, in))
                return true;
        }
    }
    return false;
}

static void grind(struct work *w)
{
    halve(w);
    do {
        one_by_one(w);
    } while ((w->count > 1 && w->count <= PAIRS_MOST && drop_two(w)) ||
             (w->count > 1 && w->count <= MOVED_MOST && drop_and_move(w)));
}

static struct ck_switch any_of(const struct work *w, struct rvi_rng *rng)
{
    return w->whole[rvi_rng_below(rng, w->whole_count)];
}

/* One that was not made, but could have been: earlier, to somebody else. */
static struct ck_switch any_like(const struct work *w, struct rvi_rng *rng)
{
    struct ck_switch from = any_of(w, rng), to = any_of(w, rng);
    uint32_t nth = (uint32_t)rvi_rng_below(rng, (uint64_t)from.nth + 1 + FAR);

    return (struct ck_switch){from.thread, nth, to.value};
}

/* M4 */
static bool try_few(struct work *w, struct rvi_rng *rng, size_t wanted, bool is_free)
{
    for (size_t i = 0; i < wanted; i++)
        w->trial[i] = is_free ? any_like(w, rng) : any_of(w, rng);
    return try(w, wanted);
}

static bool draw_few(struct work *w)
{
    struct rvi_rng rng;

    rvi_rng_seed(&rng, w->whole_count);
    for (unsigned i = 0; i < DRAWN_MOST && !w->is_over; i++) {
        if (try_few(w, &rng, 1 + i % FEW, i % 2 == 0))
            return true;
    }
    return false;
}

static void reduce(struct work *w)
{
    if (try(w, 0))
        return;
    shorten(w);
    grind(w);
    if (w->count >= NOT_FEW && draw_few(w))
        grind(w);
}

long ck_minimise(struct ck_switch *switches, size_t count, const struct ck_minimise_opts *opts,
                 bool *ret_is_done)
{
    struct work w = {.opts = opts, .best = switches, .count = count, .whole_count = count};

    w.trial = rvi_calloc(2 * (count + 1), sizeof *w.trial);
    if (!w.trial)
        return -ENOMEM;
    w.whole = w.trial + count + 1;
    memcpy(w.whole, switches, count * sizeof *switches);
    reduce(&w);
    rvi_free(w.trial);
    *ret_is_done = !w.is_over;
    return (long)w.count;
}

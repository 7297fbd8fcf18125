/* SPDX-License-Identifier: MIT */
/* select.h - wait for the first of several things: sends, receives, events, a deadline.
 *
 *     struct rv_case cases[] = {
 *         RV_RECV(requests, &request),
 *         RV_SEND(answers, &answer),
 *         RV_EVENT(&stop),
 *     };
 *     int which = rv_select(cases, 3, rv_after(RV_SECOND));
 *     if (which < 0)
 *         return which; // -ETIME, -ECANCELED: the wait itself has failed
 *     if (cases[which].result < 0)
 *         return cases[which].result; // -EPIPE: that channel is closed
 *
 * Exactly one case happens, or none when the call fails. Two facts have two places: the return
 * value says how the wait went and which case ended it, the case's result says how that one
 * went. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** What a case of a selection does. */
enum rv_case_op {
    RV_CASE_SEND,  /* send to an rv_chan */
    RV_CASE_RECV,  /* receive from an rv_chan */
    RV_CASE_PUT,   /* put into an rv_queue */
    RV_CASE_GET,   /* get from an rv_queue */
    RV_CASE_EVENT, /* wait for a struct rv_event */
};

/** One of the things that a selection waits for; RV_SEND and its sisters write one down. */
struct rv_case {
    enum rv_case_op op; /* what to do */
    void *object;       /* with what; NULL: this case never happens */
    const void *item;   /* what to send or put; unchanged until return */
    void *ret_item;     /* receives what was received or got; untouched by other outcomes */
    int result; /* out, of the case that happened: 0; or -EPIPE, closed (and empty, to receive) */
};

/* clang-format off */
/** A case: send the item at `from` to a channel. */
#define RV_SEND(ch, from) {RV_CASE_SEND, (ch), (from), 0, 0}
/** A case: receive an item from a channel into `to`. */
#define RV_RECV(ch, to) {RV_CASE_RECV, (ch), 0, (to), 0}
/** A case: put the item at `from` into a queue. */
#define RV_PUT(q, from) {RV_CASE_PUT, (q), (from), 0, 0}
/** A case: get an item from a queue into `to`; say rv_queue_done when its work is done. */
#define RV_GET(q, to) {RV_CASE_GET, (q), 0, (to), 0}
/** A case: an event has happened. */
#define RV_EVENT(e) {RV_CASE_EVENT, (e), 0, 0, 0}
/* clang-format on */

/** Wait until one of several cases can happen, and let that one happen.
 *
 * If several can at once, each of them is the one with a chance of at least 1 in n: none is starved
 * by another that always can. In the line of each object the caller stands where it would without
 * the others, first come, first served. The same object may occur several times; a selection that
 * both sends to a channel and receives from it does not meet itself.
 *
 * @param cases     what to wait for; the result of the one that happened is set, the others are
 *                  untouched. Up to 16 need no memory.
 * @param n         how many; without any that can ever happen it just waits
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return the index of the case that happened; look at its result
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer, or for more
 *          than 16 cases; -EINVAL an unknown op, or more cases than an int counts; -EOPNOTSUPP
 *          a shared queue. No case has happened then.
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep cases, items and objects alive until return */
RV_API RV_NODISCARD int rv_select(struct rv_case *cases, size_t n, rv_time deadline);

/** Let one of several cases happen if that needs no waiting.
 *
 * @param cases  as for rv_select
 * @param n      how many
 * @return the index of the case that happened; look at its result
 * Errors:  -EAGAIN none can now; -EINVAL, -EOPNOTSUPP as for rv_select
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_try_select(struct rv_case *cases, size_t n);

RV_END_DECLS

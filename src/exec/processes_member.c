/* SPDX-License-Identifier: MIT */
/* processes_member.c - the life of one worker process: made, ready, gone. All of it is the
 * service's.
 *
 * A start does not wait for the process: until it has said that it is there, it gets no jobs; it
 * may as well say that it is of another build, or die. A start that comes to nothing is no harm
 * while others work. When there are none, the service tries again, each time after twice as long;
 * and when that has been in vain START_TRIES times, the jobs that wait end with the reason, rather
 * than wait for ever. What no repetition can change, a program that is not the one that runs here,
 * is not repeated.
 *
 * Checked by: tests/unit/exec/test_tier_processes.c, tests/stress/stress_processes.c */
#include "exec/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exec/processes_service.h"
#include "sys/clock.h"
#include "sys/poller.h"
#include "sys/topology.h"
#include "task/queue_shared.h"

enum { START_TRIES = 5 };

#define RETRY_NS (10 * RV_MILLISECOND)

/* --- memory --- */

static size_t arena_bytes(const struct rvi_processes *pool)
{
    size_t bytes = pool->opts.arena_bytes;

    return bytes < RVI_ARENA_UNIT ? RVI_ARENA_UNIT : bytes;
}

/* The ring, then notes, then the arena; of the latter, pages come as they are used. */
static int make_segment(struct rvi_member *member)
{
    size_t notes_at = rvi_jobs_notes_at(RVI_PROCESSES_SLOTS);
    size_t arena_at = notes_at + rvi_jobs_notes_bytes(RVI_PROCESSES_SLOTS), bytes;

    if (__builtin_add_overflow(arena_at, arena_bytes(member->pool), &bytes))
        return -ENOMEM;
    int r = rvi_segment_make(&member->segment, "ravel-jobs", bytes, notes_at);
    if (r < 0)
        return r;
    member->notes = (struct rvi_note *)(member->segment.base + notes_at);
    member->space = member->segment.base + arena_at;
    r = rvi_ring_init(&member->ring, member->segment.base, RVI_PROCESSES_SLOTS, rvi_usable_cores());
    if (r < 0)
        goto no_ring;
    r = rvi_arena_init(&member->arena, arena_bytes(member->pool));
    if (r == 0)
        return 0;
    rvi_ring_fini(&member->ring);
no_ring:
    rvi_segment_fini(&member->segment);
    return r;
}

static void drop_segment(struct rvi_member *member)
{
    rvi_arena_fini(&member->arena);
    rvi_ring_fini(&member->ring);
    rvi_segment_fini(&member->segment);
}

/* --- starting --- */

static int start_process(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;
    const int fds[RVI_JOBS_FDS] = {
        [RVI_JOBS_FD_SEGMENT] = member->segment.fd,
        [RVI_JOBS_FD_BELL] = pool->bell_page.fd,
        [RVI_JOBS_FD_SERVICE] = pool->bell.fds[RVI_BELL_SERVICE],
        [RVI_JOBS_FD_LEADER] = pool->bell.fds[RVI_BELL_LEADER],
    };
    const struct rvi_proc_start what = {
        .role = rvi_jobs_role.name,
        .fds = fds,
        .fd_count = RVI_JOBS_FDS,
        .opts = &pool->opts,
    };

    return rvi_proc_start(&member->proc, &what, NULL);
}

static int watch(struct rvi_member *member)
{
    int poller = member->pool->poller;
    uint64_t who = member->number << RVI_NEWS_BITS;
    int r = rvi_poller_control(poller, EPOLL_CTL_ADD, member->proc.pidfd, EPOLLIN | EPOLLET,
                               who | RVI_NEWS_END);

    if (r == 0)
        r = rvi_poller_control(poller, EPOLL_CTL_ADD, member->proc.control, EPOLLIN | EPOLLET,
                               who | RVI_NEWS_CONTROL);
    if (r == 0)
        r = rvi_poller_control(poller, EPOLL_CTL_ADD, member->proc.words.fd, EPOLLIN | EPOLLET,
                               who | RVI_NEWS_WORDS);
    return r;
}

static int make_member(struct rvi_processes *pool, struct rvi_member **ret)
{
    struct rvi_member *member = rvi_calloc(1, sizeof(*member));

    if (!member)
        return -ENOMEM;
    member->pool = pool;
    member->number = pool->ex.started + 1;
    member->step_due = RV_NEVER;
    int r = make_segment(member);
    if (r < 0)
        goto no_segment;
    r = start_process(member);
    if (r < 0)
        goto no_process;
    r = watch(member);
    if (r < 0)
        goto unwatched;
    rvi_segment_close(&member->segment);
    member->started = rvi_clock_now();
    *ret = member;
    return 0;
unwatched:
    rvi_proc_fini(&member->proc);
no_process:
    drop_segment(member);
no_segment:
    rvi_free(member);
    return r;
}

/* A start has come to nothing. With the lock. */
static void note_failure(struct rvi_processes *pool, int error)
{
    pool->trouble = error;
    pool->start_after =
        rvi_clock_now() + (RETRY_NS << (pool->barren < START_TRIES ? pool->barren : START_TRIES));
    pool->barren++;
    if (error == -ESTALE || error == -EOPNOTSUPP)
        pool->barren = START_TRIES;
}

void rvi_processes_start_one(struct rvi_processes *pool)
{
    struct rvi_member *member = NULL;
    int r = make_member(pool, &member);
    bool biased = rvi_bias_lock(&pool->ex.lock);

    if (r < 0) {
        note_failure(pool, r);
        pool->wanted = pool->alive;
    } else {
        pool->alive++;
        pool->coming++;
        pool->ex.started++;
        rvi_member_settle(member);
        rvi_list_push_back(&pool->members, &member->mine);
    }
    rvi_bias_unlock(&pool->ex.lock, biased);
}

/* --- coming up --- */

static void report_refusal(const struct rvi_member *member)
{
    fprintf(stderr, "ravel: a worker process does not come up: %s\n", member->proc.refusal);
}

static void welcome(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;

    if (member->state != RVI_MEMBER_STARTING)
        return;
    pool->coming--;
    pool->barren = 0;
    pool->trouble = 0;
    pool->has_come = true;
    member->state = RVI_MEMBER_READY;
    rvi_member_settle(member);
}

void rvi_member_take_answer(struct rvi_member *member)
{
    int r = rvi_proc_take_answer(&member->proc);

    if (r == -EAGAIN)
        return;
    if (r < 0 && r != -EPIPE)
        report_refusal(member);
    member->error = r;
    bool biased = rvi_bias_lock(&member->pool->ex.lock);
    if (r == 0)
        welcome(member);
    else
        rvi_member_condemn(member, RVI_VERDICT_ABSENT, SIGKILL);
    rvi_bias_unlock(&member->pool->ex.lock, biased);
}

/* --- the end --- */

/* What it was, for those who count. */
static void account(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;

    if (member->state == RVI_MEMBER_STARTING)
        pool->coming--;
    if (member->state == RVI_MEMBER_STARTING || member->verdict == RVI_VERDICT_ABSENT)
        note_failure(pool, member->error < 0 ? member->error : -EPIPE);
    if (member->verdict != RVI_VERDICT_LEAVE)
        pool->ex.deaths++;
    else if (!pool->is_closing)
        pool->ex.recycled++;
}

/* With the lock: the pool forgets it. */
static void strike_off(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;

    pool->occupied -= member->is_occupied;
    rvi_link_remove(&member->link);
    rvi_link_remove(&member->mine);
    pool->alive--;
    if (pool->wanted > pool->alive)
        pool->wanted = pool->alive;
}

void rvi_member_bury(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;
    struct rv_child_status status = {0};
    struct rvi_owed owed;

    rvi_queues_forget((uint32_t)member->proc.pid); /* before its number can be another's */
    rvi_words_finish(&member->proc.words);
    if (rvi_proc_end(&member->proc, false, &status) < 0)
        status.kind = RV_CHILD_EXITED; /* somebody else has taken how it ended */
    rvi_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    account(member);
    rvi_member_settle_estate(member, &status, rvi_clock_now(), &owed);
    strike_off(member);
    rvi_list_push_back(&pool->graves, &member->mine);
    rvi_processes_dispatch(&pool->ex);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_owed_pay(&owed);
    rvi_proc_fini(&member->proc);
}

void rvi_member_forget(struct rvi_member *member)
{
    drop_segment(member);
    rvi_free(member);
}

bool rvi_processes_are_lame(const struct rvi_processes *pool)
{
    return pool->alive == 0 && pool->barren >= START_TRIES;
}

/* SPDX-License-Identifier: MIT */
/* processes_service.c - the thread that looks after the processes of one executor: starts them,
 * hears them, makes what is to stop stop, collects what has ended while nobody else does, buries
 * the dead.
 *
 * It is a plain thread that sleeps in epoll: called by the bell (a job has ended), by a kick
 * (somebody under the executor's lock wants something done), by a member's descriptors, or by the
 * clock. Each time it does all there is to do and then looks when the next thing is due. While jobs
 * are under way it looks every LOOK_NS though nobody calls: a worker may be killed between taking
 * the bell away and signalling (shm/bell.h, B3). Without jobs it rests; who sends the next one then
 * kicks it.
 *
 *   V1  a member's process, its descriptors and `members` are touched by this thread alone
 *   V2  an event names its member by a number, as it may come after the member was buried
 *   V3  if anybody waits it sleeps only after having said so by the bell, and having looked at all
 *       rings after that; but while a leader is alone, it is he that has (processes_help.c)
 *   V4  a worker that asks waits until it is answered, whatever that takes: what could not be read
 *       or sent is tried again every HURRY_NS while the worker is there, as no event would tell
 *
 * It is not a task: the pool outlives runtimes and serves plain threads, and a worker process asks
 * the kernel to be killed with the thread that has started it. */
#include "exec/processes_service.h"

#include <errno.h>

#include <ravel/net.h>

#include "base/check.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/poller.h"

enum { EVENTS = 32 };

#define LOOK_NS (50 * RV_MILLISECOND)
#define HURRY_NS (5 * RV_MILLISECOND)

void rvi_processes_kick(struct rvi_processes *pool)
{
    rvi_fd_event_signal(pool->kick);
}

void rvi_owed_pay(struct rvi_owed *owed)
{
    struct rvi_link *link;

    rvi_chain_wake(owed->wakes);
    if (owed->poisoned)
        rvi_job_report_poison(owed->poisoned, owed->deaths);
    while ((link = rvi_list_pop_front(&owed->over)))
        rvi_future_destroy(rvi_container_of(link, struct rv_future, link));
}

/* --- news --- */

/* False: it could not be sent. */
static bool answer(struct rvi_member *member)
{
    struct rvi_jobs_message message = {.order = RVI_JOBS_LEND};
    int fd = -1;

    message.answer = rvi_shm_lend(member->question, &fd);
    ssize_t n = rv_send_fds(member->proc.control, &message, sizeof(message), &fd, fd >= 0, 0);
    if (fd >= 0)
        (void)rvi_fd_close(fd);
    return n >= 0;
}

/* 1 there was a question, and it is answered; 0 there is none. Errors: not now. */
static int lend(struct rvi_member *member)
{
    if (!member->is_owed_answer) {
        ssize_t n =
            rv_recv(member->proc.control, &member->question, sizeof(member->question), 0, 0);
        if (n <= 0)
            return n == -ETIME ? 0 : (int)n;
        member->is_owed_answer = n == sizeof(member->question);
    }
    if (member->is_owed_answer && !answer(member))
        return -EAGAIN;
    member->is_owed_answer = false;
    return 1;
}

/* V4 */
static void hear_control(struct rvi_member *member)
{
    int r = 1;

    if (!member->proc.has_answered)
        rvi_member_take_answer(member);
    while (member->proc.has_answered && r > 0)
        r = lend(member);
    member->pool->is_hurried = member->pool->is_hurried || r < 0;
}

static void hear_words(struct rvi_member *member)
{
    ssize_t n = 1;

    while (n > 0 && member->proc.words.fd >= 0)
        n = rvi_words_read(&member->proc.words);
    member->pool->is_hurried = member->pool->is_hurried || n == -EBUSY;
}

/* NULL: it has been buried. Its descriptors may have been inherited by a process that somebody has
 * forked here, and so be watched still. */
static struct rvi_member *find(struct rvi_processes *pool, uint64_t number)
{
    RVI_LIST_FOREACH(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        if (member->number == number)
            return member;
    }
    return NULL;
}

static void hear_call(struct rvi_processes *pool)
{
    rvi_fd_event_clear(pool->kick);
    rvi_fd_event_clear(pool->bell.fds[RVI_BELL_SERVICE]);
}

static void hear(struct rvi_processes *pool, uint64_t about)
{
    enum rvi_news news = about & ((1 << RVI_NEWS_BITS) - 1);
    struct rvi_member *member = news == RVI_NEWS_CALL ? NULL : find(pool, about >> RVI_NEWS_BITS);

    if (news != RVI_NEWS_CALL && !member)
        return;
    switch (news) {
    case RVI_NEWS_END:
        member->has_ended = true;
        break;
    case RVI_NEWS_CONTROL:
        hear_control(member);
        break;
    case RVI_NEWS_WORDS:
        hear_words(member);
        break;
    case RVI_NEWS_CALL:
        hear_call(pool);
        break;
    }
}

static void bury_the_dead(struct rvi_processes *pool)
{
    RVI_LIST_FOREACH_SAFE(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        if (member->has_ended)
            rvi_member_bury(member);
    }
}

/* See processes_help.c, H2. */
static void clear_graves(struct rvi_processes *pool)
{
    struct rvi_link *link;
    struct rvi_list graves;
    bool biased = rvi_bias_lock(&pool->ex.lock);

    rvi_list_init(&graves);
    if (pool->lookers == 0)
        rvi_list_concat(&graves, &pool->graves);
    rvi_bias_unlock(&pool->ex.lock, biased);
    while ((link = rvi_list_pop_front(&graves)))
        rvi_member_forget(rvi_container_of(link, struct rvi_member, mine));
}

/* --- one look around --- */

/* Who opens wants to know whether there is somebody, who closes whether nobody is left. */
static void tell_outside(struct rvi_processes *pool, struct rvi_owed *owed)
{
    bool is_decided = pool->has_come || pool->trouble < 0;
    struct rvi_waiter *w;

    if (is_decided && pool->coming == 0 && pool->wanted <= pool->alive)
        pool->is_open = true;
    pool->is_over = pool->is_closing && pool->alive == 0 && rvi_list_is_empty(&pool->graves);
    if (!(pool->is_closing ? pool->is_over : pool->is_open))
        return;
    while ((w = rvi_waitlist_pop(&pool->outside)))
        rvi_wakes_add(&owed->wakes, w);
}

static void let_all_leave(struct rvi_processes *pool)
{
    RVI_LIST_FOREACH(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        if (member->state == RVI_MEMBER_STARTING)
            pool->coming--;
        if (member->verdict == RVI_VERDICT_NONE)
            member->verdict = RVI_VERDICT_LEAVE;
        member->state = RVI_MEMBER_LEAVING;
        rvi_member_settle(member);
    }
    pool->wanted = 0;
}

/* Those that nobody can be had for; who comes later finds that out anew. */
static void give_up_if_lame(struct rvi_processes *pool, struct rvi_owed *owed)
{
    if (!rvi_processes_are_lame(pool) || !pool->is_open)
        return;
    rvi_processes_give_up(pool, pool->trouble, owed);
    pool->barren = 0;
    pool->wanted = 0;
}

/* Returns when the next thing is due. */
static rv_time look_around(struct rvi_processes *pool, rv_time now, struct rvi_owed *owed)
{
    rvi_processes_hear_bell(pool, RVI_BELL_SERVICE);
    pool->service_rests = false;
    rvi_processes_collect(pool, owed);
    rvi_processes_hear_notes(pool, &owed->wakes);
    if (pool->is_closing)
        let_all_leave(pool);
    else
        give_up_if_lame(pool, owed);
    rv_time due = rvi_backlog_look(&pool->ex, now, &owed->wakes, &owed->over);
    rv_time step = rvi_processes_step(pool, now);
    rvi_processes_share(pool, true);
    rvi_processes_dispatch(&pool->ex);
    tell_outside(pool, owed);
    return due < step ? due : step;
}

/* Until when to sleep. Nobody has called while jobs came and went: it may be so again at once. A
 * job that could not be sent for a lack of memory is tried again. */
static rv_time rest_until(struct rvi_processes *pool, rv_time now, rv_time due)
{
    bool was_quiet = pool->ex.submitted == pool->seen;

    pool->seen = pool->ex.submitted;
    pool->service_rests = pool->occupied == 0 && pool->ex.queued == 0 && was_quiet;
    if (pool->wanted > pool->alive && pool->start_after < due)
        due = pool->start_after;
    if (pool->is_hurried && now + HURRY_NS < due)
        due = now + HURRY_NS;
    if (!pool->service_rests && now + LOOK_NS < due)
        due = now + LOOK_NS;
    pool->ex.looked_until = due;
    return due;
}

static bool has_to_start(const struct rvi_processes *pool, rv_time now)
{
    return pool->wanted > pool->alive && now >= pool->start_after;
}

/* --- the thread --- */

/* Returns whether a start is to be made. */
static bool work(struct rvi_processes *pool, rv_time *ret_until)
{
    struct rvi_owed owed;

    rvi_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    rv_time now = rvi_clock_now();
    rv_time due = look_around(pool, now, &owed);
    *ret_until = rest_until(pool, now, due);
    bool starts = has_to_start(pool, now);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_owed_pay(&owed);
    return starts;
}

static void sleep_and_hear(struct rvi_processes *pool, rv_time until)
{
    struct epoll_event events[EVENTS];
    int n = rvi_poller_wait(pool->poller, events, EVENTS, until);

    for (int i = 0; i < n; i++)
        hear(pool, events[i].data.u64);
}

static void hurry(struct rvi_processes *pool)
{
    pool->is_hurried = false;
    RVI_LIST_FOREACH(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        hear_words(member);
        hear_control(member);
    }
}

void *rvi_processes_serve(void *arg)
{
    struct rvi_processes *pool = arg;
    rv_time until;

    for (;;) {
        if (pool->is_hurried)
            hurry(pool);
        bury_the_dead(pool);
        clear_graves(pool);
        bool starts = work(pool, &until);
        if (pool->is_over)
            return NULL;
        if (starts)
            rvi_processes_start_one(pool);
        else
            sleep_and_hear(pool, until);
    }
}

/* SPDX-License-Identifier: MIT */
/* queue_shared.c - waiting for a queue that other processes use too, and knowing who has what.
 *
 * The items are shm/workqueue.c's business. A handle is one member there, and has one bell, a word
 * that other processes ring. Here are those of this process who wait for it:
 *
 *   S1  who waits stands in the line of what it wants, under the handle's lock, with its want said
 *       to the others as long as the line is not empty
 *   S2  whoever has the lock and a reason (it comes to wait, or the bell has rung) serves: it gets,
 *       puts or looks on behalf of the first in each line, while that succeeds. What is handed over
 *       is given before its receiver is woken, so a timeout that races loses nothing.
 *   S3  somebody sleeps on the bell while somebody waits: each plain thread that waits does, and
 *       for tasks a thread of the handle's own, the listener, which is started by the first task
 *       that waits and serves whenever it is woken
 *
 * No wake-up is lost. The want is said before the last look (workqueue.c), and how often the bell
 * has rung was read before that: a ring since then ends the sleep. A ring is for this process and
 * not for one of its parties; whoever wakes serves all. A line that has become empty takes its want
 * back, and hands on a ring that came too late for it.
 *
 * No herd: one ring for one item, and of this process one thread wakes, or those few plain threads
 * that wait.
 *
 * Deaths. Who sleeps on the bell wakes now and then (rvi_queue_look_ns) and looks whether a member
 * has died. A process that knows of the death of another says so at once, rvi_queues_forget(); the
 * looks are for when that one is dead itself. While nobody waits, nobody looks and nothing wakes: a
 * listener without work sleeps for good after one idle turn.
 *
 * Who has what. An item in hand is remembered by its slot, in this process's own memory, with the
 * task or plain thread that got it; done is about the oldest of the caller's, or, if it has none
 * (somebody else got it and passed it on), about the oldest of this handle.
 *
 * A plain thread looks for a moment before it sleeps (shm/spin.h), as its peer is likely to run on
 * another core. A task waits as for anything (sched/wait.h), so that cancellation and deadlines are
 * what they are everywhere; the listener costs it a second hop, some 30 us when all cores sleep.
 *
 * Rejected: a descriptor to wait on, which the tasks' own loops could watch. Each member needs one
 * of its own, or all processes wake for each item; and every member has to have everybody's, though
 * members come at any time and know each other by nothing but the memory. A futex needs only that.
 *
 * Rejected: a case of rv_select. What has been chosen there has to succeed, under a lock that all
 * parties take; here others take no lock of ours, so that there is an item, or room, is found out
 * by having it. A get that comes too late for its selection could go back; a put could not, as
 * somebody may have got the item since.
 *
 * The lock is held in every call, also where workqueue.c would need none: so a joiner cannot
 * return, and free the handle, while somebody is still on his way out of done. It is held over the
 * system call that rings a bell, but not while a task is woken. Lock order: `known.lock` and a
 * handle's are leaves.
 *
 * Checked by: tests/unit/task/test_queue_shared.c, tests/stress/stress_queue_shared.c,
 * tests/explore/explore_queue_shared.c */
#include "task/queue_shared.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "sched/wait.h"
#include "shm/object.h"
#include "shm/spin.h"
#include "shm/workqueue.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/thread.h"
#include "sys/topology.h"
#include "task/waitlist.h"

/* An item in hand; there is one for each slot. */
struct held {
    struct rvi_link link; /* in the handle's list, the oldest first */
    const void *party;    /* that got it */
    uint64_t ticket;
};

/* The memory of a queue, which all handles of this process share. */
struct home {
    struct rvi_link link; /* in known.homes */
    struct rv_shm memory;
    void *base;
    size_t handles;
    bool is_ours; /* made here */
};

struct rvi_queue_shared {
    struct rvi_workqueue queue;
    struct home *home;
    struct rvi_link link; /* in known.handles */

    struct rvi_lock lock; /* guards all below */
    struct rvi_waitlist lines[RVI_WANT_KINDS];
    struct rvi_list in_hand;
    struct held *held;
    struct rvi_spin spin;
    rv_time next_look; /* for the dead */
    pthread_t listener;
    bool has_listener;
    bool listener_dozes; /* until it is rung: it has found nobody waiting for a while */
    bool is_ending;
};

_Static_assert(offsetof(struct rvi_queue_shared, queue) == 0, "named.h has it there");

/* Somebody who waits; in the waiting function's frame. */
struct request {
    struct rvi_waiter waiter;
    enum rvi_workqueue_want what;
    const void *from; /* RVI_WANT_ROOM: the item */
    void *to;         /* RVI_WANT_ITEM */
    const void *party;
    bool is_served;
    int result; /* once it is */
};

rv_time rvi_queue_look_ns = 500000000;

static struct {
    struct rvi_lock lock;
    struct rvi_list homes, handles;
    bool is_ready;
} known;

/* Real threads of the process use it beside a simulation. */
static struct rvi_seam *know(void)
{
    struct rvi_seam *seam = rvi_seam_leave();

    rvi_lock_acquire(&known.lock);
    if (!known.is_ready) {
        rvi_list_init(&known.homes);
        rvi_list_init(&known.handles);
        known.is_ready = true;
    }
    return seam;
}

static void knew(struct rvi_seam *seam)
{
    rvi_lock_release(&known.lock);
    rvi_seam_return(seam);
}

/* --- who has what; under the lock --- */

/* The shared memory may say that a slot is free to be taken which is in hand: somebody has written
 * over it. */
static int take_in_hand(struct rvi_queue_shared *s, struct rvi_taken taken, const void *party)
{
    struct held *held = &s->held[taken.slot];

    if (rvi_link_is_linked(&held->link))
        return -EBADMSG;
    held->party = party;
    held->ticket = taken.ticket;
    rvi_list_push_back(&s->in_hand, &held->link);
    return 0;
}

static struct held *held_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct held, link);
}

/* The caller's oldest, or else anybody's; NULL: nothing is in hand. */
static struct held *oldest_for(struct rvi_queue_shared *s, const void *party)
{
    struct rvi_link *link = s->in_hand.head.next;

    for (; link != &s->in_hand.head; link = link->next) {
        if (held_of(link)->party == party)
            return held_of(link);
    }
    return rvi_list_is_empty(&s->in_hand) ? NULL : held_of(s->in_hand.head.next);
}

static int get_for(struct rvi_queue_shared *s, void *ret_item, const void *party)
{
    struct rvi_taken taken;
    int r = rvi_workqueue_get(&s->queue, ret_item, &taken);

    return r < 0 ? r : take_in_hand(s, taken, party);
}

/* --- serving; under the lock --- */

static struct request *request_of(struct rvi_waiter *w)
{
    return rvi_container_of(w, struct request, waiter);
}

static int attempt(struct rvi_queue_shared *s, struct request *request)
{
    switch (request->what) {
    case RVI_WANT_ITEM:
        return get_for(s, request->to, request->party);
    case RVI_WANT_ROOM:
        return rvi_workqueue_put(&s->queue, request->from);
    default:
        return rvi_workqueue_is_finished(&s->queue) ? 0 : -EAGAIN;
    }
}

/* Tasks that are served join the chain at `end`; returns its new end. */
static struct rvi_link **serve_line(struct rvi_queue_shared *s, enum rvi_workqueue_want what,
                                    const struct request *self, struct rvi_link **end)
{
    struct rvi_waitlist *line = &s->lines[what];
    bool has_threads = false;

    if (rvi_waitlist_is_empty(line))
        return end;
    rvi_workqueue_want(&s->queue, what);
    while (!rvi_waitlist_is_empty(line)) {
        struct request *first = request_of(rvi_waiter_of(line->first));
        int r = attempt(s, first);
        if (r == -EAGAIN)
            break;
        rvi_waitlist_remove(line, &first->waiter);
        first->is_served = true;
        first->result = r;
        if (first != self && first->waiter.task != NULL) {
            *end = &first->waiter.link;
            end = &first->waiter.link.next;
        }
        has_threads |= first != self && first->waiter.task == NULL;
    }
    if (rvi_waitlist_is_empty(line))
        rvi_workqueue_unwant(&s->queue, what);
    if (has_threads)
        rvi_workqueue_ring_self(&s->queue);
    return end;
}

/* Returns the tasks to be woken once the lock is free. `self` is the caller's own request, which
 * needs no wake, or NULL. */
static struct rvi_link *serve(struct rvi_queue_shared *s, const struct request *self)
{
    struct rvi_link *chain, **end = &chain;

    for (int what = 0; what < RVI_WANT_KINDS; what++)
        end = serve_line(s, what, self, end);
    *end = NULL;
    return chain;
}

static bool somebody_waits(const struct rvi_queue_shared *s)
{
    bool waits = false;

    for (int what = 0; what < RVI_WANT_KINDS; what++)
        waits |= !rvi_waitlist_is_empty(&s->lines[what]);
    return waits;
}

/* False: somebody has served it. */
static bool leave_line(struct rvi_queue_shared *s, struct request *request)
{
    struct rvi_waitlist *line = &s->lines[request->what];

    if (!rvi_waitlist_leave(line, &request->waiter))
        return false;
    if (rvi_waitlist_is_empty(line))
        rvi_workqueue_unwant(&s->queue, request->what);
    return true;
}

/* Whether it is time to look for the dead, which the caller then does without the lock. */
static bool look_is_due(struct rvi_queue_shared *s)
{
    rv_time now = rvi_clock_now();

    if (now < s->next_look)
        return false;
    s->next_look = now + rvi_queue_look_ns;
    return true;
}

/* --- the listener --- */

/* Serve; then, without the lock, what has to be done without it. Returns until when to sleep. */
static rv_time listen_once(struct rvi_queue_shared *s, bool was_idle)
{
    rv_time until = RV_NEVER;
    struct rvi_link *chain = serve(s, NULL);
    bool waits = somebody_waits(s);
    bool looks = waits && look_is_due(s);

    s->listener_dozes = was_idle && !waits;
    if (waits)
        until = s->next_look;
    else if (!was_idle)
        until = rvi_clock_now() + rvi_queue_look_ns;
    rvi_lock_release(&s->lock);
    rvi_chain_wake(chain);
    if (looks)
        rvi_workqueue_look_around(&s->queue);
    return until;
}

static void *listen(void *arg)
{
    struct rvi_queue_shared *s = arg;
    bool was_idle = false;

    rvi_lock_acquire(&s->lock);
    while (!s->is_ending) {
        uint32_t seen = rvi_workqueue_bell(&s->queue);
        rv_time until = listen_once(s, was_idle);
        was_idle = rvi_workqueue_sleep(&s->queue, seen, until) == -ETIME;
        rvi_lock_acquire(&s->lock);
    }
    rvi_lock_release(&s->lock);
    return NULL;
}

/* Under the lock. */
static int have_listener(struct rvi_queue_shared *s)
{
    if (s->has_listener) {
        if (s->listener_dozes)
            rvi_workqueue_ring_self(&s->queue);
        s->listener_dozes = false;
        return 0;
    }
    if (rvi_thread_start(&s->listener, "ravel-queue", listen, s) < 0)
        return -ENOMEM;
    s->has_listener = true;
    return 0;
}

static void end_listener(struct rvi_queue_shared *s)
{
    if (!s->has_listener)
        return;
    rvi_lock_acquire(&s->lock);
    s->is_ending = true;
    rvi_workqueue_ring_self(&s->queue);
    rvi_lock_release(&s->lock);
    rvi_thread_join(s->listener);
}

/* --- waiting; entered with the lock held and the request in line, left with it free --- */

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct rvi_queue_shared *s = object;

    rvi_lock_acquire(&s->lock);
    bool waited = leave_line(s, request_of(w));
    rvi_lock_release(&s->lock);
    return waited;
}

static int wait_as_task(struct rvi_queue_shared *s, struct request *request, rv_time deadline,
                        enum rvi_why why)
{
    struct rvi_link *chain = serve(s, request);
    int r = request->is_served ? 0 : have_listener(s);
    bool waits = !request->is_served && r == 0;

    if (r < 0)
        leave_line(s, request);
    rvi_lock_release(&s->lock);
    rvi_chain_wake(chain);
    rvi_wait_tells(s, why);
    if (waits)
        r = rvi_wait(&request->waiter, deadline, why, withdraw, s);
    return r < 0 ? r : request->result;
}

static int wait_as_thread(struct rvi_queue_shared *s, struct request *request, rv_time deadline,
                          enum rvi_why why)
{
    rvi_here.why = why;
    for (;;) {
        uint32_t seen = rvi_workqueue_bell(&s->queue);
        struct rvi_link *chain = serve(s, request);
        bool is_late = !request->is_served && rvi_clock_now() >= deadline;
        if (is_late)
            leave_line(s, request);
        bool waits = !request->is_served && !is_late;
        bool looks = waits && look_is_due(s);
        rv_time until = deadline < s->next_look ? deadline : s->next_look;
        rvi_lock_release(&s->lock);
        rvi_chain_wake(chain);
        if (!waits)
            break;
        if (looks)
            rvi_workqueue_look_around(&s->queue);
        rvi_workqueue_sleep(&s->queue, seen, until);
        rvi_lock_acquire(&s->lock);
    }
    rvi_here.why = RVI_WHY_NONE;
    return request->is_served ? request->result : -ETIME;
}

static int try_call(struct rvi_queue_shared *s, struct request *request)
{
    rvi_lock_acquire(&s->lock);
    int r = attempt(s, request);
    rvi_lock_release(&s->lock);
    return r;
}

/* A plain thread, whose peer in another process may be at it this moment. Returns with the lock
 * held, as it came. */
static int attempt_for_a_while(struct rvi_queue_shared *s, struct request *request)
{
    struct rvi_spin spin = s->spin;
    struct rvi_spin_turn turn = {0};
    int r = -EAGAIN;

    do {
        rvi_lock_release(&s->lock);
        bool again = rvi_spin_again(&spin, &turn);
        rvi_lock_acquire(&s->lock);
        if (!again)
            break;
        r = attempt(s, request);
    } while (r == -EAGAIN);
    rvi_spin_end(&s->spin, r != -EAGAIN);
    return r;
}

static bool may_spin(const struct request *request, rv_time deadline)
{
    return request->what != RVI_WANT_END && rvi_task_self() == NULL &&
           (deadline == RV_NEVER || rvi_clock_now() < deadline);
}

static int call(struct rvi_queue_shared *s, struct request *request, rv_time deadline,
                enum rvi_why why)
{
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_lock_acquire(&s->lock);
    r = attempt(s, request);
    if (r == -EAGAIN && may_spin(request, deadline))
        r = attempt_for_a_while(s, request);
    if (r != -EAGAIN) {
        rvi_lock_release(&s->lock);
        return r;
    }
    rvi_waiter_init(&request->waiter);
    rvi_waitlist_push(&s->lines[request->what], &request->waiter);
    return request->waiter.task != NULL ? wait_as_task(s, request, deadline, why)
                                        : wait_as_thread(s, request, deadline, why);
}

/* --- the calls --- */

int rvi_queue_shared_put(struct rvi_queue_shared *s, const void *item, rv_time deadline)
{
    struct request request = {.what = RVI_WANT_ROOM, .from = item};

    return call(s, &request, deadline, RVI_WHY_QUEUE_PUT);
}

int rvi_queue_shared_try_put(struct rvi_queue_shared *s, const void *item)
{
    struct request request = {.what = RVI_WANT_ROOM, .from = item};

    return try_call(s, &request);
}

int rvi_queue_shared_get(struct rvi_queue_shared *s, void *ret_item, rv_time deadline)
{
    struct request request = {.what = RVI_WANT_ITEM, .to = ret_item, .party = rvi_party_self()};

    return call(s, &request, deadline, RVI_WHY_QUEUE_GET);
}

int rvi_queue_shared_try_get(struct rvi_queue_shared *s, void *ret_item)
{
    struct request request = {.what = RVI_WANT_ITEM, .to = ret_item, .party = rvi_party_self()};

    return try_call(s, &request);
}

int rvi_queue_shared_done(struct rvi_queue_shared *s)
{
    int r = -EINVAL;

    rvi_lock_acquire(&s->lock);
    struct held *held = oldest_for(s, rvi_party_self());
    if (held != NULL) {
        rvi_link_remove(&held->link);
        struct rvi_taken taken = {.slot = (uint32_t)(held - s->held), .ticket = held->ticket};
        r = rvi_workqueue_done(&s->queue, taken);
    }
    rvi_lock_release(&s->lock);
    return r;
}

int rvi_queue_shared_join(struct rvi_queue_shared *s, rv_time deadline)
{
    struct request request = {.what = RVI_WANT_END};

    return call(s, &request, deadline, RVI_WHY_QUEUE_JOIN);
}

void rvi_queue_shared_close(struct rvi_queue_shared *s)
{
    rvi_lock_acquire(&s->lock);
    rvi_workqueue_close(&s->queue);
    rvi_lock_release(&s->lock);
}

void rvi_queue_shared_count(struct rvi_queue_shared *s, struct rv_queue_stats *ret)
{
    rvi_lock_acquire(&s->lock);
    rvi_workqueue_count(&s->queue, &ret->waiting, &ret->unfinished);
    rvi_lock_release(&s->lock);
}

void rvi_queue_shared_lines(struct rvi_queue_shared *s, size_t ret[RVI_WANT_KINDS])
{
    rvi_lock_acquire(&s->lock);
    for (int what = 0; what < RVI_WANT_KINDS; what++) {
        const struct rvi_link *first = s->lines[what].first, *link = first;
        for (ret[what] = 0; link != NULL; link = link->next == first ? NULL : link->next)
            ret[what]++;
    }
    rvi_lock_release(&s->lock);
}

struct rv_queue_ref rvi_queue_shared_ref(const struct rvi_queue_shared *s)
{
    return (struct rv_queue_ref){s->home->memory};
}

/* --- making and letting go --- */

static struct home *find_home(uint64_t id)
{
    struct rvi_link *link = known.homes.head.next;

    for (; link != &known.homes.head; link = link->next) {
        struct home *home = rvi_container_of(link, struct home, link);
        if (home->memory.id == id)
            return home;
    }
    return NULL;
}

/* The memory's entry, with one handle more. `fresh` is used if there is none, or else freed. */
static struct home *move_in(struct home *fresh)
{
    struct rvi_seam *seam = know();
    struct home *home = find_home(fresh->memory.id);

    if (home == NULL) {
        rvi_list_push_back(&known.homes, &fresh->link);
        home = fresh;
    }
    home->handles++;
    knew(seam);
    if (home != fresh)
        rvi_free(fresh);
    return home;
}

static void move_out(struct home *home)
{
    struct rvi_seam *seam = know();
    bool is_last = --home->handles == 0;

    if (is_last)
        rvi_link_remove(&home->link);
    knew(seam);
    if (!is_last)
        return;
    if (home->is_ours)
        rvi_shm_leave(home->memory); /* the handles of others live on */
    rvi_free(home);
}

static void be_known(struct rvi_queue_shared *s)
{
    struct rvi_seam *seam = know();

    rvi_list_push_back(&known.handles, &s->link);
    knew(seam);
}

static void be_unknown(struct rvi_queue_shared *s)
{
    struct rvi_seam *seam = know();

    rvi_link_remove(&s->link);
    knew(seam);
}

/* Takes the home over, also when it fails. */
static int open_handle(struct rvi_queue_shared **ret, struct home *fresh)
{
    struct home *home = move_in(fresh);
    struct rvi_queue_shared *s = rvi_calloc(1, sizeof *s);
    int r = -ENOMEM;

    if (s == NULL)
        goto no_handle;
    r = rvi_workqueue_enter(&s->queue, home->base, home->memory.bytes);
    if (r < 0)
        goto no_member;
    s->held = rvi_calloc(s->queue.capacity, sizeof *s->held);
    if (s->held == NULL) {
        r = -ENOMEM;
        goto no_hands;
    }
    s->home = home;
    rvi_lock_init(&s->lock);
    rvi_list_init(&s->in_hand);
    rvi_spin_init(&s->spin, rvi_usable_cores());
    be_known(s);
    *ret = s;
    return 0;

no_hands:
    rvi_workqueue_leave(&s->queue);
no_member:
    rvi_free(s);
no_handle:
    move_out(home);
    return r;
}

int rvi_queue_shared_new(struct rvi_queue_shared **ret, size_t item_bytes, size_t capacity)
{
    size_t bytes = rvi_workqueue_bytes(item_bytes, capacity);

    if (item_bytes == 0 || capacity == 0)
        return -EINVAL;
    if (bytes == 0)
        return -EOVERFLOW;
    struct home *home = rvi_calloc(1, sizeof *home);
    if (home == NULL)
        return -ENOMEM;
    home->is_ours = true;
    int r = rv_shm_alloc(&home->memory, bytes);
    if (r < 0)
        goto no_memory;
    r = rv_shm_map(home->memory, &home->base);
    if (r < 0)
        goto no_map;
    rvi_workqueue_format(home->base, item_bytes, capacity);
    return open_handle(ret, home);

no_map:
    rv_shm_free(home->memory);
no_memory:
    rvi_free(home);
    return r;
}

int rvi_queue_shared_attach(struct rvi_queue_shared **ret, struct rv_queue_ref ref)
{
    struct home *home = rvi_calloc(1, sizeof *home);

    if (home == NULL)
        return -ENOMEM;
    home->memory = ref.memory;
    int r = rv_shm_map(ref.memory, &home->base);
    if (r < 0) {
        rvi_free(home);
        return r;
    }
    return open_handle(ret, home);
}

void rvi_queue_shared_free(struct rvi_queue_shared *s)
{
    rvi_lock_acquire(&s->lock);
    if (somebody_waits(s))
        rvi_panic("rv_queue_free: somebody still waits for the queue; let them return first");
    rvi_lock_release(&s->lock);
    end_listener(s);
    be_unknown(s);
    rvi_workqueue_leave(&s->queue);
    move_out(s->home);
    rvi_free(s->held);
    rvi_free(s);
}

void rvi_queues_forget(uint32_t pid)
{
    struct rvi_seam *seam = know();

    for (struct rvi_link *link = known.handles.head.next; link != &known.handles.head;
         link = link->next)
        rvi_workqueue_forget(&rvi_container_of(link, struct rvi_queue_shared, link)->queue, pid);
    knew(seam);
}

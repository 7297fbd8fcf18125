/* SPDX-License-Identifier: MIT */
/* outlet.c - a ring of bytes for each of descriptors 1 and 2, and a thread that writes it there.
 *
 * The thread makes ordinary, blocking writes: no descriptor's flags are touched, which other
 * processes may share. A terminal that is stopped or a pipe that is full holds up that thread
 * alone, and by the ring's bound those who print more. Each outlet has its thread, so that one that
 * is held up does not hold up the other.
 *
 *   O1  passed <= queued <= passed + size; the bytes between lie in the ring
 *   O2  `queued` is written under `lock`, by whoever puts; `passed` by the outlet's thread alone,
 *       which takes no lock for it: a process that dies inside a put is still written out
 *   O3  bytes lie in the ring => the thread is awake, or about to be woken, or naps
 *   O4  the state is OPEN => ring and thread are there
 *
 * Naps. Who prints much would wake the thread for each line, if that kept up with it. So, having
 * written, the thread naps for NAP_NS first: it is not woken for a line, but for half a ring of
 * them, or when somebody waits. After a nap without lines it sleeps.
 *
 * O3: the thread says that it sleeps, then looks at `queued` again; whoever puts raises `queued`,
 * then looks whether the thread sleeps. Those who wait for room or for an end do likewise: they
 * say so (`crowd`, `drainers`), then look at `passed` again; the thread raises `passed`, then looks
 * whether anybody waits. All of these are sequentially consistent, so one of the two sees the
 * other.
 *
 * Whoever stands in line has said so before he puts in his first part, under `lock`; whoever puts
 * out of turn looks under `lock` whether anybody does: so nothing comes between two parts.
 *
 * A piece that is written ends with a line and is no longer than PIPE_BUF, if its first line is
 * not: so what other processes, or this one by other means, write to the same place comes between
 * lines. A write that fails loses what is queued just then; the next call hears of it.
 *
 * The end of the process. exit() waits for the ring to be empty, as it does for stdio, however long
 * that takes, and ends the thread; what is printed later is written at once. A deadly signal waits
 * as well (last_words.h), for DEATH_NS at most: the thread goes on while the handler of another one
 * runs, so that the handler need not write anything itself, and no byte is written twice. Meanwhile
 * the thread tells nobody: locks may be held by one that does not go on. If the program survives
 * the signal, whoever waits is told when the thread next wakes up, and so it is woken.
 * _exit(), quick_exit() and signals without a handler lose what is queued at that moment.
 *
 * A child by fork() inherits no thread, and what its parent has queued is its parent's to write:
 * the child begins with nothing. The handlers of fork() hold the lock, so that its state is whole.
 *
 * A simulation has no such thread (base/seam.h): it writes at once, for real, behind what is
 * queued.
 *
 * Rejected: O_NONBLOCK on 1 and 2, which changes them for every process that shares them; writing
 * in the printing thread when poll() says that there is room, since another process, or ^S, may
 * come in between, and RWF_NOWAIT is not known to terminals; a write a line.
 * Checked by: tests/unit/io/test_print*.c, tests/stress/stress_print.c, tests/faults */
#include "sys/outlet.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/seam.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/last_words.h"
#include "sys/lock.h"
#include "sys/thread.h"
#include "sys/write.h"

enum { OUTLETS = 2, USUAL_BOUND = 64 << 10, PIECE_BYTES = PIPE_BUF };

#define DEATH_NS 1000000000
#define NAP_NS 200000

enum { AWAKE, ASLEEP, NAPPING };

enum state { SHUT, OPEN, WRITES_AT_ONCE };

struct rvi_outlet {
    const int fd;
    _Atomic(uint32_t) state; /* enum state; changes under life_lock */
    _Atomic(int) thread_id;
    pthread_t thread;
    char *ring;
    size_t size;
    rvi_outlet_news *news;

    _Alignas(RVI_CACHE_LINE) struct rvi_lock lock; /* O2 */
    _Atomic(uint64_t) queued;
    _Atomic(int) error; /* not yet told to anybody; negative */

    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) passed;
    _Atomic(uint64_t) lost;
    _Atomic(uint32_t) rest;     /* futex: AWAKE, ASLEEP or NAPPING: of the thread */
    _Atomic(uint32_t) progress; /* futex: changes with `passed` while there are drainers */
    _Atomic(uint32_t) drainers; /* plain threads that wait for `passed` */
    _Atomic(uint32_t) crowd;    /* enum rvi_outlet_crowd, several */
    _Atomic(bool) is_stopping;
};

static struct rvi_outlet outlets[OUTLETS] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};
static size_t bound = USUAL_BOUND; /* life_lock */
static _Atomic(bool) is_dying;     /* a deadly signal is being handled */

/* Guards opening and the end; never waited for by an outlet's thread. */
static pthread_mutex_t life_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_prepared; /* for forks and deadly signals; life_lock */

/* Of those who write at once; they may block. */
static pthread_mutex_t direct_lock = PTHREAD_MUTEX_INITIALIZER;

struct rvi_outlet *rvi_outlet_of(int fd)
{
    RV_DCHECK(fd == STDOUT_FILENO || fd == STDERR_FILENO);
    return &outlets[fd == STDERR_FILENO];
}

uint64_t rvi_outlet_queued(struct rvi_outlet *o)
{
    return rvi_load_acquire(&o->queued); /* pairs: outlet-queued */
}

uint64_t rvi_outlet_passed(struct rvi_outlet *o)
{
    return rvi_load_seq_cst(&o->passed); /* pairs: outlet-passed */
}

uint64_t rvi_outlet_lost(const struct rvi_outlet *o)
{
    return rvi_load_relaxed(&o->lost);
}

int rvi_outlet_take_error(struct rvi_outlet *o)
{
    return rvi_load_relaxed(&o->error) ? rvi_exchange_relaxed(&o->error, 0) : 0;
}

static bool is_open(const struct rvi_outlet *o)
{
    return rvi_load_acquire(&o->state) == OPEN; /* pairs: outlet-state */
}

/* --- the thread --- */

/* If it rests in that way. */
static void wake_from(struct rvi_outlet *o, uint32_t rest)
{
    if (rvi_load_seq_cst(&o->rest) == rest &&    /* pairs: outlet-rest */
        rvi_cas_seq_cst(&o->rest, &rest, AWAKE)) /* pairs: outlet-rest */
        rvi_futex_wake(&o->rest, 1);
}

static void wake(struct rvi_outlet *o)
{
    wake_from(o, ASLEEP);
    wake_from(o, NAPPING);
}

void rvi_outlet_set_crowd(struct rvi_outlet *o, unsigned crowd)
{
    rvi_store_seq_cst(&o->crowd, crowd); /* pairs: outlet-crowd */
    if (crowd)
        wake_from(o, NAPPING);
}

static uint64_t waiting_bytes(struct rvi_outlet *o)
{
    return rvi_load_seq_cst(&o->queued) - rvi_load_relaxed(&o->passed); /* pairs: outlet-queued */
}

/* Who waits for room hears of it when half of the ring is free: less would be used up at once. */
static bool has_news(struct rvi_outlet *o)
{
    unsigned crowd = rvi_load_seq_cst(&o->crowd); /* pairs: outlet-crowd */

    if (rvi_likely(!crowd) || rvi_load_acquire(&is_dying)) /* pairs: outlet-dying */
        return false;
    return (crowd & RVI_OUTLET_FLUSHERS) || waiting_bytes(o) <= o->size / 2;
}

/* `passed` has changed. */
static void tell(struct rvi_outlet *o)
{
    if (rvi_load_seq_cst(&o->drainers)) {       /* pairs: outlet-drainers */
        rvi_fetch_add_release(&o->progress, 1); /* pairs: outlet-progress */
        rvi_futex_wake(&o->progress, INT_MAX);
    }
    if (has_news(o))
        o->news(o);
}

static void pass(struct rvi_outlet *o, uint64_t count)
{
    rvi_store_seq_cst(&o->passed, rvi_load_relaxed(&o->passed) + count); /* pairs: outlet-passed */
    tell(o);
}

/* Out of the ring; the bytes stay in it. */
static void copy_out(const struct rvi_outlet *o, uint64_t from, char *to, size_t count)
{
    size_t at = (size_t)(from % o->size);
    size_t first = count < o->size - at ? count : o->size - at;

    memcpy(to, o->ring + at, first);
    memcpy(to + first, o->ring, count - first);
}

/* The next bytes to write: whole lines, if the first is not longer than a piece. */
static size_t take_piece(const struct rvi_outlet *o, char piece[PIECE_BYTES], uint64_t waiting)
{
    size_t count = waiting < PIECE_BYTES ? (size_t)waiting : PIECE_BYTES;

    copy_out(o, rvi_load_relaxed(&o->passed), piece, count);
    if (waiting <= PIECE_BYTES)
        return count;
    const char *newline = memrchr(piece, '\n', count);
    return newline ? (size_t)(newline - piece) + 1 : count;
}

static void lose(struct rvi_outlet *o, int error)
{
    uint64_t count = rvi_outlet_queued(o) - rvi_load_relaxed(&o->passed);

    rvi_store_relaxed(&o->lost, rvi_load_relaxed(&o->lost) + count);
    rvi_store_relaxed(&o->error, error);
    pass(o, count);
}

static void write_piece(struct rvi_outlet *o, const char *piece, size_t count)
{
    while (count > 0) {
        int64_t n = rvi_write_some(o->fd, piece, count);
        if (n < 0) {
            lose(o, (int)n);
            return;
        }
        piece += n;
        count -= (size_t)n;
        pass(o, (uint64_t)n);
    }
}

static bool must_stop(const struct rvi_outlet *o)
{
    return rvi_load_seq_cst(&o->is_stopping); /* pairs: outlet-stop */
}

static void nap(struct rvi_outlet *o)
{
    rvi_store_seq_cst(&o->rest, NAPPING); /* pairs: outlet-rest */
    if (!must_stop(o))
        (void)rvi_futex_wait(&o->rest, NAPPING, rvi_clock_now() + NAP_NS);
    rvi_store_seq_cst(&o->rest, AWAKE); /* pairs: outlet-rest */
}

static void sleep_until_woken(struct rvi_outlet *o)
{
    rvi_store_seq_cst(&o->rest, ASLEEP); /* pairs: outlet-rest */
    while (waiting_bytes(o) == 0 && !must_stop(o) &&
           rvi_load_seq_cst(&o->rest) == ASLEEP) /* pairs: outlet-rest */
        (void)rvi_futex_wait(&o->rest, ASLEEP, INT64_MAX);
    rvi_store_seq_cst(&o->rest, AWAKE); /* pairs: outlet-rest */
}

/* All that is there, and what comes meanwhile. */
static void write_all(struct rvi_outlet *o, char piece[PIECE_BYTES])
{
    uint64_t waiting;

    while ((waiting = waiting_bytes(o)) > 0)
        write_piece(o, piece, take_piece(o, piece, waiting));
}

static void *outlet_thread(void *arg)
{
    struct rvi_outlet *o = arg;
    char piece[PIECE_BYTES];

    rvi_store_relaxed(&o->thread_id, rvi_thread_id());
    do {
        while (waiting_bytes(o) > 0) {
            write_all(o, piece);
            nap(o);
            tell(o);
        }
        sleep_until_woken(o);
        tell(o);
    } while (waiting_bytes(o) > 0 || !must_stop(o));
    return NULL;
}

/* --- waiting for it --- */

/* Until so many have passed, or the deadline. A signal handler may do this. */
static void drain(struct rvi_outlet *o, uint64_t target, int64_t deadline_ns)
{
    int r = 0;

    rvi_fetch_add_seq_cst(&o->drainers, 1); /* pairs: outlet-drainers */
    wake(o);
    while (r != -ETIME) {
        uint32_t seen = rvi_load_acquire(&o->progress); /* pairs: outlet-progress */
        if (rvi_outlet_passed(o) >= target)
            break;
        r = rvi_futex_wait(&o->progress, seen, deadline_ns);
    }
    rvi_fetch_sub_seq_cst(&o->drainers, 1); /* pairs: outlet-drainers */
}

static bool is_outlet_thread(const struct rvi_outlet *o)
{
    return rvi_load_relaxed(&o->thread_id) == rvi_thread_id();
}

void rvi_outlets_drain(void)
{
    struct rvi_seam *seam = rvi_seam_leave();

    for (int i = 0; i < OUTLETS; i++) {
        if (is_open(&outlets[i]))
            drain(&outlets[i], rvi_outlet_queued(&outlets[i]), INT64_MAX);
    }
    rvi_seam_return(seam);
}

/* In the handler of a deadly signal. */
static void on_death(void)
{
    struct rvi_seam *seam = rvi_seam_leave();
    int64_t deadline = rvi_clock_now() + DEATH_NS;

    rvi_store_release(&is_dying, true); /* pairs: outlet-dying */
    for (int i = 0; i < OUTLETS; i++) {
        if (is_open(&outlets[i]) && !is_outlet_thread(&outlets[i]))
            drain(&outlets[i], rvi_outlet_queued(&outlets[i]), deadline);
    }
    rvi_store_release(&is_dying, false); /* pairs: outlet-dying */
    for (int i = 0; i < OUTLETS; i++)
        wake(&outlets[i]);
    rvi_seam_return(seam);
}

/* --- putting --- */

static void copy_in(struct rvi_outlet *o, uint64_t to, const char *bytes, size_t count)
{
    size_t at = (size_t)(to % o->size);
    size_t first = count < o->size - at ? count : o->size - at;

    memcpy(o->ring + at, bytes, first);
    memcpy(o->ring, bytes + first, count - first);
}

/* With the lock held. All, or, if they are too long for that and may be parted, some. */
static size_t append(struct rvi_outlet *o, const char *bytes, size_t count, bool may_part)
{
    uint64_t queued = rvi_load_relaxed(&o->queued);
    size_t room = o->size - (size_t)(queued - rvi_outlet_passed(o));

    if (count > room && !(may_part && count > o->size))
        return 0;
    count = count < room ? count : room;
    copy_in(o, queued, bytes, count);
    rvi_store_seq_cst(&o->queued, queued + count); /* pairs: outlet-queued */
    return count;
}

/* Behind what is queued. The result of the write is the caller's own. */
static int64_t write_at_once(struct rvi_outlet *o, const char *bytes, size_t count)
{
    struct rvi_seam *seam = rvi_seam_leave();

    rvi_outlets_drain();
    pthread_mutex_lock(&direct_lock);
    int r = rvi_write_all_quietly(o->fd, bytes, count);
    pthread_mutex_unlock(&direct_lock);
    rvi_seam_return(seam);
    return r < 0 ? r : (int64_t)count;
}

/* Who is in turn goes into the ring also at the end of the process: he is behind what is there. */
int64_t rvi_outlet_put(struct rvi_outlet *o, const char *bytes, size_t count, bool in_turn)
{
    int error = rvi_outlet_take_error(o);

    if (rvi_unlikely(error < 0))
        return error;
    if (rvi_unlikely(rvi_seam != NULL || (!in_turn && !is_open(o))))
        return write_at_once(o, bytes, count);
    rvi_lock_acquire(&o->lock);
    bool must_wait = !in_turn && (rvi_load_relaxed(&o->crowd) & RVI_OUTLET_PRINTERS);
    size_t n = must_wait ? 0 : append(o, bytes, count, in_turn);
    rvi_lock_release(&o->lock);
    if (n > 0)
        wake_from(o, ASLEEP);
    if (waiting_bytes(o) > o->size / 2)
        wake_from(o, NAPPING);
    return (int64_t)n;
}

/* --- life --- */

static void before_fork(void)
{
    pthread_mutex_lock(&life_lock);
    for (int i = 0; i < OUTLETS; i++)
        rvi_lock_acquire(&outlets[i].lock);
}

static void after_fork(void)
{
    for (int i = 0; i < OUTLETS; i++)
        rvi_lock_release(&outlets[i].lock);
    pthread_mutex_unlock(&life_lock);
}

/* The ring stays, for the outlet's next opening. */
static void begin_anew(struct rvi_outlet *o)
{
    rvi_store_relaxed(&o->state, SHUT);
    rvi_store_relaxed(&o->queued, 0);
    rvi_store_relaxed(&o->passed, 0);
    rvi_store_relaxed(&o->lost, 0);
    rvi_store_relaxed(&o->error, 0);
    rvi_store_relaxed(&o->rest, AWAKE);
    rvi_store_relaxed(&o->drainers, 0);
    rvi_store_relaxed(&o->crowd, RVI_OUTLET_NOBODY);
}

static void in_child(void)
{
    pthread_mutex_init(&direct_lock, NULL);
    for (int i = 0; i < OUTLETS; i++)
        begin_anew(&outlets[i]);
    after_fork();
}

/* Once a process. life_lock is held. */
static int prepare(void)
{
    int r = is_prepared ? 0 : rvi_last_words_also(on_death);

    if (r == 0 && !is_prepared)
        r = -pthread_atfork(before_fork, after_fork, in_child);
    is_prepared |= r == 0;
    return r;
}

/* life_lock is held. */
static int start(struct rvi_outlet *o, rvi_outlet_news *news)
{
    int r = prepare();

    if (r == 0 && !o->ring) {
        o->size = bound;
        o->ring = rvi_alloc(bound);
        r = o->ring ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;
    o->news = news;
    r = rvi_thread_start(&o->thread, "ravel-print", outlet_thread, o);
    if (r == 0)
        rvi_store_release(&o->state, OPEN); /* pairs: outlet-state */
    return r;
}

int rvi_outlet_open(struct rvi_outlet *o, rvi_outlet_news *news)
{
    int r = 0;

    if (rvi_likely(is_open(o)) || rvi_seam)
        return 0;
    pthread_mutex_lock(&life_lock);
    if (rvi_load_relaxed(&o->state) == SHUT)
        r = start(o, news);
    pthread_mutex_unlock(&life_lock);
    return r;
}

int rvi_outlets_set_bound(size_t bytes)
{
    int r = 0;

    pthread_mutex_lock(&life_lock);
    for (int i = 0; i < OUTLETS; i++)
        r = outlets[i].ring ? -EBUSY : r;
    if (r == 0)
        bound = bytes ? bytes : USUAL_BOUND;
    pthread_mutex_unlock(&life_lock);
    return r;
}

/* Whoever is about to put something into the ring just now may be late. */
static void shut(struct rvi_outlet *o)
{
    drain(o, rvi_outlet_queued(o), INT64_MAX);
    rvi_store_seq_cst(&o->is_stopping, true); /* pairs: outlet-stop */
    wake(o);
    rvi_thread_join(o->thread);
}

/* After the program's own handlers of atexit(), which may print. Nothing is locked while it waits:
 * somebody else may be about to fork. */
__attribute__((destructor)) static void on_exit_of_process(void)
{
    struct rvi_seam *seam = rvi_seam_leave();
    bool was_open[OUTLETS];

    pthread_mutex_lock(&life_lock);
    for (int i = 0; i < OUTLETS; i++) {
        was_open[i] = is_open(&outlets[i]);
        rvi_store_release(&outlets[i].state, WRITES_AT_ONCE); /* pairs: outlet-state */
    }
    pthread_mutex_unlock(&life_lock);
    for (int i = 0; i < OUTLETS; i++) {
        if (was_open[i])
            shut(&outlets[i]);
    }
    rvi_seam_return(seam);
}

/* SPDX-License-Identifier: MIT */
/* recorder.c - who holds the memory of a recording, and when it goes.
 *
 *   R1  `current` and what recordings say is under `lock`. Workers take it when they begin and
 *       cease to be recorded, and while they are every so many switches; threads that are no
 *       workers for each thing that they note.
 *   R2  a recording is held by `current`, and once by each worker that notes in it. The last one
 *       unmaps and closes.
 *   R3  a place belongs to a runtime from its first worker that joins to its last that leaves.
 *
 * A reader that was killed says nothing. It holds a lock of the memory's description that it opened
 * itself, which the kernel lets go of with it: once a second somebody asks. The moment between the
 * answer and that lock is shorter than a second, and a reader that comes too late all the same
 * finds that it is over.
 *
 * The child of a fork has the parent's recording, by the same descriptor, and takes places of its
 * own in it.
 *
 * Rejected: a thread that waits to be asked (each program would have it); a signal (programs have
 * their own ideas of those); the reader's memory, opened by the program in /proc (which may be
 * another /proc, in a container, and whatever that path leads to would be mapped).
 *
 * Checked by: tests/unit/trace/test_recorder.c, tests/look/test_deeds.py */
#include "trace/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/seam.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/memfd.h"

enum { LANES = 256 };

#define MEGABYTE ((uint64_t)1 << 20)
#define MEGABYTES_MOST 65536
#define TOUCH_MOST (32 * MEGABYTE)
#define BETWEEN_LOOKS_NS 1000000000 /* whether the reader is there */

/* A runtime of which somebody notes. */
struct resident {
    const void *runtime; /* NULL: none */
    int place;
    unsigned members;
};

struct rvi_recording {
    struct rvi_trace_shared *shared;
    size_t bytes;
    int fd; /* -1: inherited, and closed */
    unsigned holders;
    pid_t pid;      /* whose residents these are */
    int64_t looked; /* when the reader was there */
    struct resident residents[RVI_TRACE_PLACES];
    int outside;      /* the place of threads that are no workers */
    bool has_outside; /* it was asked for, perhaps in vain */
    bool has_names;   /* of what had one when it began */
    uint64_t lanes[LANES];
    unsigned lane_count; /* that are known */
};

struct rvi_trace_door rvi_trace_door = {.magic = RVI_TRACE_DOOR_MAGIC};
_Atomic(uint32_t) rvi_recorder_is_on;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rvi_recording *current;
static bool has_inherited;

/* --- life; the lock is held --- */

static void let_go(struct rvi_recording *rec)
{
    if (--rec->holders > 0)
        return;
    rvi_memfd_unmap(rec->shared, rec->bytes);
    if (rec->fd >= 0)
        rvi_fd_close(rec->fd);
    rvi_free(rec);
}

static void set_current(struct rvi_recording *rec)
{
    current = rec;
    rvi_store_relaxed(&rvi_recorder_is_on, rec != NULL);
}

/* A reader that comes too late for its lock finds that it is over. */
static void give_up_current(void)
{
    struct rvi_recording *before = current;

    rvi_store_relaxed(&before->shared->is_over, 1);
    set_current(NULL);
    let_go(before);
}

static struct rvi_recording *new_recording(struct rvi_trace_shared *shared, size_t bytes, int fd)
{
    struct rvi_recording *rec = rvi_calloc(1, sizeof *rec);

    if (!rec)
        return NULL;
    rec->shared = shared;
    rec->bytes = bytes;
    rec->fd = fd;
    rec->holders = 1;
    rec->pid = getpid();
    rec->looked = rvi_clock_now();
    return rec;
}

/* Memory for a reader that has asked. */
static int open_recording(uint64_t megabytes)
{
    void *memory;
    size_t bytes = rvi_trace_shared_bytes(megabytes * MEGABYTE);

    if (megabytes < 1 || megabytes > MEGABYTES_MOST)
        return -EINVAL;
    int fd = rvi_memfd_make("ravel-trace", bytes);
    if (fd < 0)
        return fd;
    int r = rvi_memfd_map(fd, bytes, &memory);
    if (r == 0) {
        rvi_trace_shared_init(memory, megabytes * MEGABYTE);
        struct rvi_recording *rec = new_recording(memory, bytes, fd);
        if (rec)
            return set_current(rec), fd;
        rvi_memfd_unmap(memory, bytes);
        r = -ENOMEM;
    }
    rvi_fd_close(fd);
    return r;
}

/* That of a reader who is gone is not handed on, with all that was noted for nobody. */
static void answer(uint64_t wanted)
{
    if (current && current->fd >= 0 && !rvi_memfd_is_claimed(current->fd))
        give_up_current();
    int64_t said = current ? -EBUSY : open_recording(wanted & UINT32_MAX);
    rvi_store_relaxed(&rvi_trace_door.answer, said);
    rvi_store_release(&rvi_trace_door.served, wanted); /* pairs: trace-door */
}

static bool is_over(struct rvi_recording *rec)
{
    int64_t now = rvi_clock_now();

    if (rvi_load_relaxed(&rec->shared->is_over))
        return true;
    if (rec->fd < 0 || now - rec->looked < BETWEEN_LOOKS_NS)
        return false;
    rec->looked = now;
    return !rvi_memfd_is_claimed(rec->fd);
}

/* In the child of a fork, which has none of the threads that note. */
static void forget_parent(struct rvi_recording *rec)
{
    if (rec->pid == getpid())
        return;
    rec->pid = getpid();
    rec->holders = 1;
    memset(rec->residents, 0, sizeof rec->residents);
    rec->has_outside = rec->has_names = false;
    rec->lane_count = 0;
}

static void look(void)
{
    uint64_t wanted = rvi_load_acquire(&rvi_trace_door.wanted); /* pairs: trace-door */

    if (current && is_over(current))
        give_up_current();
    if (wanted != rvi_load_relaxed(&rvi_trace_door.served))
        answer(wanted);
    if (current)
        forget_parent(current);
}

/* --- workers; the lock is held --- */

static struct resident *resident_of(struct rvi_recording *rec, const void *runtime)
{
    for (int i = 0; i < RVI_TRACE_PLACES; i++) {
        if (rec->residents[i].runtime == runtime)
            return &rec->residents[i];
    }
    return NULL;
}

/* In one piece they cost a fifth of what each costs at its first note, and that time is not taken
 * from what is measured. Of more than some they may be paid for as they come. */
static void touch_place(struct rvi_trace_shared *shared, int place)
{
    size_t bytes = shared->place_bytes < TOUCH_MOST ? shared->place_bytes : TOUCH_MOST;

    rvi_memfd_touch(rvi_trace_shared_ring(shared, place, 0), bytes);
}

static struct resident *settle(struct rvi_recording *rec, const void *runtime, unsigned workers)
{
    struct resident *resident = resident_of(rec, runtime);

    if (resident)
        return resident;
    resident = resident_of(rec, NULL);
    if (!resident)
        return NULL;
    int place = rvi_trace_shared_take(rec->shared, workers, runtime, (unsigned)rec->pid);
    if (place < 0)
        return NULL;
    *resident = (struct resident){.runtime = runtime, .place = place};
    touch_place(rec->shared, place);
    return resident;
}

static struct rvi_trace *join(struct rvi_recording *rec, const void *runtime, unsigned workers,
                              unsigned index)
{
    struct resident *resident = settle(rec, runtime, workers);

    if (!resident) {
        if (index == 0)
            rvi_fetch_add_relaxed(&rec->shared->refused, 1);
        return NULL;
    }
    resident->members++;
    rec->holders++;
    rvi_fetch_add_relaxed(&rec->shared->writers, 1);
    return rvi_trace_shared_ring(rec->shared, resident->place, index);
}

static void part(struct rvi_recording *rec, const void *runtime)
{
    struct resident *resident = resident_of(rec, runtime);

    if (resident && --resident->members == 0) {
        rvi_trace_shared_end(rec->shared, resident->place);
        resident->runtime = NULL;
    }
    rvi_fetch_sub_relaxed(&rec->shared->writers, 1);
    let_go(rec);
}

static struct rvi_trace *follow(struct rvi_recording **held, const void *runtime, unsigned workers,
                                unsigned index)
{
    struct rvi_trace *ring = NULL;

    if (*held && *held == current)
        return rvi_trace_shared_ring(current->shared, resident_of(current, runtime)->place, index);
    if (*held)
        part(*held, runtime);
    if (current)
        ring = join(current, runtime, workers, index);
    *held = ring ? current : NULL;
    return ring;
}

struct rvi_trace *rvi_recorder_follow(struct rvi_recording **held, uint64_t *seen,
                                      const void *runtime, unsigned workers, unsigned index)
{
    pthread_mutex_lock(&lock);
    look();
    *seen = rvi_load_relaxed(&rvi_trace_door.served);
    struct rvi_trace *ring = follow(held, runtime, workers, index);
    pthread_mutex_unlock(&lock);
    return ring;
}

void rvi_recorder_leave(struct rvi_recording **held, const void *runtime)
{
    if (!*held)
        return;
    pthread_mutex_lock(&lock);
    part(*held, runtime);
    pthread_mutex_unlock(&lock);
    *held = NULL;
}

struct rvi_trace_shared *rvi_recorder_memory(struct rvi_recording *held)
{
    return held->shared;
}

bool rvi_recorder_wants_names(struct rvi_recording *held)
{
    pthread_mutex_lock(&lock);
    bool wants = !held->has_names;
    held->has_names = true;
    pthread_mutex_unlock(&lock);
    return wants;
}

/* --- threads that are no workers; the lock is held --- */

static bool has_lane(struct rvi_recording *rec, uint64_t lane)
{
    for (unsigned i = 0; i < rec->lane_count; i++) {
        if (rec->lanes[i] == lane)
            return true;
    }
    if (rec->lane_count < LANES)
        rec->lanes[rec->lane_count++] = lane;
    return false;
}

static struct rvi_trace *ring_outside(struct rvi_recording *rec)
{
    if (!rec->has_outside)
        rec->outside = rvi_trace_shared_take(rec->shared, 1, NULL, (unsigned)rec->pid);
    rec->has_outside = true;
    return rec->outside < 0 ? NULL : rvi_trace_shared_ring(rec->shared, rec->outside, 0);
}

static uint64_t text_of(struct rvi_recording *rec, const char *name)
{
    return rvi_trace_shared_text(rec->shared, rvi_trace_text_key(name), name, "", 0);
}

static void name_lane(struct rvi_recording *rec, struct rvi_trace *ring, int lane, const char *what,
                      int64_t when)
{
    char name[RVI_TRACE_NAME_BYTES];

    int number = lane < RVI_RECORDER_PLACE ? lane : lane % RVI_RECORDER_PLACES + 1;
    snprintf(name, sizeof name, "%s %d", what, number);
    rvi_trace_add(ring, (uint64_t)when, (uint64_t)lane, RVI_TRACE_LANE, text_of(rec, name));
}

/* Where to note, with the lock, or NULL. */
static struct rvi_trace *begin_note(void)
{
    if (rvi_seam)
        return NULL;
    pthread_mutex_lock(&lock);
    look();
    struct rvi_trace *ring = current ? ring_outside(current) : NULL;
    if (!ring)
        pthread_mutex_unlock(&lock);
    return ring;
}

static void note(int lane, const char *what, int64_t when, enum rvi_trace_kind kind,
                 const char *job, uint64_t arg)
{
    struct rvi_trace *ring = begin_note();

    if (!ring)
        return;
    if (!has_lane(current, (uint64_t)lane))
        name_lane(current, ring, lane, what, when);
    rvi_trace_add(ring, (uint64_t)when, (uint64_t)lane, kind, job ? text_of(current, job) : arg);
    pthread_mutex_unlock(&lock);
}

void rvi_recorder_name(const void *thing, const char *name, uint64_t number)
{
    struct rvi_trace *ring = begin_note();

    if (!ring)
        return;
    rvi_trace_add(ring, (uint64_t)rvi_clock_now(), (uintptr_t)thing, RVI_TRACE_THING,
                  rvi_trace_thing_arg(name ? text_of(current, name) : 0, number));
    pthread_mutex_unlock(&lock);
}

void rvi_recorder_begin_job(int lane, const char *what, int64_t when, const char *job)
{
    note(lane, what, when, RVI_TRACE_JOB_BEGIN, job, 0);
}

void rvi_recorder_end_job(int lane, const char *what, int64_t when, unsigned kind, int64_t ran)
{
    note(lane, what, when, RVI_TRACE_JOB_END, NULL, rvi_trace_job_end_arg(kind, ran));
}

/* --- a run that `ravel trace` has started --- */

/* What else may lie behind that number, as in a child that was started without it, is left
 * alone. */
static void inherit(int fd)
{
    void *memory;
    size_t bytes;

    if (fd < 0 || rvi_memfd_bytes(fd, &bytes) < 0 || rvi_memfd_map(fd, bytes, &memory) < 0)
        return;
    struct rvi_recording *rec =
        rvi_trace_shared_is_sound(memory, bytes) ? new_recording(memory, bytes, -1) : NULL;
    if (rec) {
        rvi_fd_close(fd);
        set_current(rec);
    } else {
        rvi_memfd_unmap(memory, bytes);
    }
}

void rvi_recorder_inherit(void)
{
    const char *text = getenv("RAVEL_RECORD");

    if (rvi_seam)
        return;
    pthread_mutex_lock(&lock);
    if (!has_inherited && text && *text >= '0' && *text <= '9')
        inherit(atoi(text));
    has_inherited = true;
    pthread_mutex_unlock(&lock);
}

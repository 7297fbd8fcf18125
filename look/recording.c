/* SPDX-License-Identifier: MIT */
/* recording.c - starting a program that writes its events into memory that we share with it
 * (src/trace/shared.h), and reading them while it runs.
 *
 * The rings lie in a memfd whose descriptor the program inherits, by its number in RAVEL_RECORD.
 * What it has noted stays there however it ends. A reader that comes by often enough loses nothing;
 * how many were overwritten before it came is counted.
 *
 * Checked by: tests/look/test_trace.py */
#include "look/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/memfd.h"

enum { BATCH = 4096 };

#define BETWEEN_NS 2000000

/* --- reading --- */

static int make_room(struct look_events *events)
{
    if (events->room - events->count >= 2 * BATCH)
        return 0;
    size_t room = events->room ? events->room * 2 : 4 * BATCH;
    struct rvi_trace_event *larger = rvi_realloc(events->events, room * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    events->events = larger;
    events->room = room;
    return 0;
}

static int read_lane(struct look_recording *rec, struct look_events *lane)
{
    const struct rvi_trace *ring = rvi_trace_shared_ring(rec->shared, lane->place, lane->index);
    static struct rvi_trace_event batch[BATCH];
    size_t count;

    do {
        uint64_t from = lane->next;
        if (make_room(lane) < 0)
            return -ENOMEM;
        count = rvi_trace_read(ring, from, batch, BATCH, &lane->next);
        if (lane->next - from > count)
            lane->task = 0;
        lane->lost += lane->next - from - count;
        lane->count +=
            rvi_trace_unfold(&lane->events[lane->count], batch, count, &lane->task, &lane->lost);
    } while (count == BATCH);
    return 0;
}

int look_recording_add_lane(struct look_recording *rec, const struct look_events *lane)
{
    struct look_events *larger =
        rvi_realloc(rec->workers, (rec->worker_count + 1) * sizeof *larger);

    if (!larger)
        return -ENOMEM;
    rec->workers = larger;
    larger[rec->worker_count++] = *lane;
    return 0;
}

/* Whose place it is has come since. */
static int welcome(struct look_recording *rec, int place)
{
    const struct rvi_trace_place *at = &rec->shared->places[place];
    struct look_events lane = {.kind = at->runtime ? LOOK_LANE_WORKER : LOOK_LANE_OUTSIDE,
                               .runtime = rec->runtime_count,
                               .pid = (pid_t)at->pid,
                               .address = at->runtime,
                               .place = place};
    int r = 0;

    for (; lane.index < at->rings && r == 0; lane.index++) {
        const struct rvi_trace *ring = rvi_trace_shared_ring(rec->shared, place, lane.index);
        lane.clock = (enum rvi_ticks_clock)ring->clock;
        r = look_recording_add_lane(rec, &lane);
    }
    rec->runtime_of[place] = (int)rec->runtime_count;
    rec->runtime_count += at->runtime != 0;
    return r;
}

/* Another may come there: its rings are not these. */
static void see_off(struct look_recording *rec, int place)
{
    for (unsigned i = 0; i < rec->worker_count; i++) {
        if (rec->workers[i].place == place)
            rec->workers[i].place = -1;
    }
    rec->runtime_of[place] = -1;
    rvi_trace_shared_reuse(rec->shared, place);
}

/* Whether it has ended is asked before it is read: then all is there. */
static int read_place(struct look_recording *rec, int place)
{
    enum rvi_trace_place_state state = rvi_trace_shared_state(rec->shared, place);
    int r = 0;

    if (state < RVI_TRACE_NOTES)
        return 0;
    if (rec->runtime_of[place] < 0)
        r = welcome(rec, place);
    for (unsigned i = 0; i < rec->worker_count && r == 0; i++) {
        if (rec->workers[i].place == place)
            r = read_lane(rec, &rec->workers[i]);
    }
    if (r == 0 && state == RVI_TRACE_ENDED)
        see_off(rec, place);
    return r;
}

int look_recording_read(struct look_recording *rec)
{
    int r = 0;

    for (int place = 0; place < RVI_TRACE_PLACES && r == 0; place++)
        r = read_place(rec, place);
    rec->unrecorded = rvi_load_relaxed(&rec->shared->refused);
    return r;
}

/* All by the same two marks, so that what was earlier than something else stays it. */
void look_recording_finish(struct look_recording *rec)
{
    enum rvi_ticks_clock clock = (enum rvi_ticks_clock)rec->shared->clock;
    struct rvi_ticks_mark end = rvi_ticks_mark(clock);

    for (unsigned i = 0; i < rec->worker_count; i++) {
        struct look_events *lane = &rec->workers[i];
        if (lane->kind == LOOK_LANE_WORKER)
            rvi_trace_to_ns(lane->clock, &rec->start, &end, lane->events, lane->count);
    }
}

/* --- running --- */

static void become(struct look_recording *rec, char **argv)
{
    char number[16];

    snprintf(number, sizeof number, "%d", rec->fd);
    if (fcntl(rec->fd, F_SETFD, 0) == 0 && setenv("RAVEL_RECORD", number, 1) == 0)
        execvp(argv[0], argv);
    rvi_store_relaxed(&rec->shared->exec_error, (uint32_t)errno);
    _exit(127);
}

static volatile sig_atomic_t child;

static void pass_on(int number)
{
    kill((pid_t)child, number);
}

/* Whoever types ctrl-C means the program, and so does who tells us to end; what it has done until
 * then is wanted. */
static int watch(struct look_recording *rec)
{
    static const struct timespec between = {0, BETWEEN_NS};
    struct sigaction ignored = {.sa_handler = SIG_IGN}, interrupts;
    struct sigaction passed_on = {.sa_handler = pass_on}, terminations;
    siginfo_t ended = {0};
    int r = 0, error = 0;

    child = rec->pid;
    sigaction(SIGINT, &ignored, &interrupts);
    sigaction(SIGTERM, &passed_on, &terminations);
    while (ended.si_pid == 0 && error == 0) {
        nanosleep(&between, NULL);
        error = waitid(P_PID, (id_t)rec->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (r == 0)
            r = look_recording_read(rec);
    }
    sigaction(SIGINT, &interrupts, NULL);
    sigaction(SIGTERM, &terminations, NULL);
    return waitpid(rec->pid, &rec->status, 0) < 0 ? -errno : r; /* now it may be another's number */
}

static int run(struct look_recording *rec, char **argv)
{
    rec->pid = fork();
    if (rec->pid < 0)
        return -errno;
    if (rec->pid == 0)
        become(rec, argv);
    int r = watch(rec);
    look_recording_finish(rec);
    uint32_t error = rvi_load_relaxed(&rec->shared->exec_error);
    return r == 0 && error ? -(int)error : r;
}

/* --- life --- */

int look_recording_new(struct look_recording **ret, struct rvi_trace_shared *shared, size_t bytes,
                       int fd)
{
    struct look_recording *rec = rvi_calloc(1, sizeof *rec);

    if (!rec)
        return -ENOMEM;
    rec->shared = shared;
    rec->bytes = bytes;
    rec->fd = fd;
    rec->start = rvi_ticks_mark((enum rvi_ticks_clock)shared->clock);
    for (int i = 0; i < RVI_TRACE_PLACES; i++)
        rec->runtime_of[i] = -1;
    *ret = rec;
    return 0;
}

static int open_recording(struct look_recording **ret, size_t place_bytes)
{
    size_t bytes = rvi_trace_shared_bytes(place_bytes);
    void *memory;
    int fd = rvi_memfd_make("ravel-trace", bytes);

    if (fd < 0)
        return fd;
    int r = rvi_memfd_map(fd, bytes, &memory);
    if (r == 0) {
        rvi_trace_shared_init(memory, place_bytes);
        r = look_recording_new(ret, memory, bytes, fd);
        if (r < 0)
            rvi_memfd_unmap(memory, bytes);
    }
    if (r < 0)
        close(fd);
    return r;
}

int look_record(struct look_recording **ret, char **argv, size_t bytes,
                struct look_trouble *trouble)
{
    struct look_recording *rec = NULL;
    int r = open_recording(&rec, bytes);

    if (r == 0)
        r = run(rec, argv);
    if (r < 0) {
        look_recording_free(rec);
        return look_say(trouble, r, "%s cannot be recorded: %s", argv[0], strerror(-r));
    }
    *ret = rec;
    return 0;
}

void look_recording_free(struct look_recording *rec)
{
    if (!rec)
        return;
    for (unsigned i = 0; i < rec->worker_count; i++)
        rvi_free(rec->workers[i].events);
    rvi_free(rec->workers);
    rvi_memfd_unmap(rec->shared, rec->bytes);
    close(rec->fd);
    rvi_free(rec);
}

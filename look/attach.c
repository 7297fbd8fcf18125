/* SPDX-License-Identifier: MIT */
/* attach.c - recording a process that runs already, which is asked to note what it does
 * (src/trace/recorder.h), and to cease.
 *
 *     read the door of its memory, write another number into it
 *     wake its workers that sleep in a loop, by a byte to the eventfd that they sleep on
 *     wait for the answer: a descriptor; open that in /proc, lock it
 *     look once at its tasks, for names that were given before
 *     read, until the time is over or the process ends
 *     say that it is over; wake them again
 *
 * A worker that sleeps on a futex sees neither, nor does it do anything that could be noted: it
 * sees it when it wakes. All of its memory is given back before we leave, whether or not it has.
 *
 * Rejected: stopping the process to write to it (ptrace(2)).
 * Checked by: tests/look/test_deeds.py */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "look/fields.h"
#include "look/recording.h"
#include "look/snapshot.h"
#include "loop/sleeper.h"
#include "sys/clock.h"
#include "sys/memfd.h"
#include "trace/recorder.h"

enum { BETWEEN_MS = 2, PARTING_TURNS = 25, RUNTIMES_MOST = 64, WORKERS_MOST = 4096 };

#define WAKE_AGAIN_NS 20000000
#define MEGABYTE ((size_t)1 << 20)

struct attaching {
    struct look_target *target;
    const struct rvi_layout *layout; /* of the library that is asked */
    struct look_trouble *trouble;
    int process;       /* a pidfd */
    int64_t ns, until; /* from the answer on; 0: without an end */
    uint64_t before;   /* what was wanted then */
};

static volatile sig_atomic_t was_interrupted;

static void interrupt(int number)
{
    (void)number;
    was_interrupted = 1;
}

/* --- its memory --- */

static uint64_t door_at(const struct attaching *a)
{
    return (uintptr_t)a->layout->door;
}

static int read_door(struct attaching *a, struct rvi_trace_door *ret)
{
    int r = a->target->read(a->target, door_at(a), ret, sizeof *ret);

    return r == 0 && ret->magic != RVI_TRACE_DOOR_MAGIC ? -EAGAIN : r;
}

static int ask(struct attaching *a, uint64_t wanted)
{
    struct iovec here = {&wanted, sizeof wanted};
    uint64_t at = door_at(a) + offsetof(struct rvi_trace_door, wanted);
    struct iovec there = {(void *)(uintptr_t)at, sizeof wanted}; /* NOLINT: an address */

    return process_vm_writev(a->target->pid, &here, 1, &there, 1, 0) < 0 ? -errno : 0;
}

/* --- waking --- */

/* What a worker's record says may be nonsense by now: only an eventfd is written to. */
static void signal_eventfd(const struct attaching *a, int number)
{
    char path[64], what[64] = "";
    const uint64_t one = 1;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)a->target->pid, number);
    if (readlink(path, what, sizeof what - 1) < 0 || strcmp(what, "anon_inode:[eventfd]") != 0)
        return;
    int fd = (int)syscall(SYS_pidfd_getfd, a->process, number, 0);
    if (fd < 0)
        return;
    if (write(fd, &one, sizeof one) < 0) {
        /* it is full: it can be read */
    }
    close(fd);
}

static void wake_worker(struct attaching *a, uint64_t worker)
{
    uint64_t state, call;

    if (look_read_number(a->target, a->layout, worker, RVI_AT_WORKER_SLEEPER, &state) == 0 &&
        state == RVI_SLEEPER_ASLEEP_IN_LOOP &&
        look_read_number(a->target, a->layout, worker, RVI_AT_WORKER_CALL, &call) == 0)
        signal_eventfd(a, (int)(uint32_t)call);
}

static int wake_runtime(struct attaching *a, uint64_t sched, uint64_t *ret_next)
{
    uint64_t workers, count;

    if (look_read_number(a->target, a->layout, sched, RVI_AT_SCHED_WORKERS, &workers) < 0 ||
        look_read_number(a->target, a->layout, sched, RVI_AT_SCHED_WORKER_COUNT, &count) < 0 ||
        look_read_number(a->target, a->layout, sched, RVI_AT_SCHED_NEXT, ret_next) < 0 ||
        count > WORKERS_MOST)
        return -EFAULT;
    for (uint64_t i = 0; i < count; i++)
        wake_worker(a, workers + i * a->layout->records[RVI_RECORD_WORKER]);
    return 0;
}

static void wake_all(struct attaching *a)
{
    uint64_t at = 0;

    if (a->target->read(a->target, (uintptr_t)a->layout->scheds, &at, sizeof at) < 0)
        return;
    for (int i = 0; at && i < RUNTIMES_MOST; i++) {
        if (wake_runtime(a, at, &at) < 0)
            return;
    }
}

/* --- being let in --- */

static int say_ended(const struct attaching *a)
{
    return look_say(a->trouble, -ESRCH, "%s has ended before it could be recorded",
                    a->target->program);
}

/* Whether to go on: 0; -ESRCH it has ended; -ETIME the time is over. */
static int pause_a_little(const struct attaching *a)
{
    struct pollfd process = {.fd = a->process, .events = POLLIN};

    if (poll(&process, 1, BETWEEN_MS) > 0)
        return -ESRCH;
    return was_interrupted || (a->until && rvi_clock_now() >= a->until) ? -ETIME : 0;
}

static int say_asleep(struct attaching *a)
{
    (void)ask(a, a->before);
    return look_say(a->trouble, -ETIME,
                    "%s did nothing that could be recorded: its workers slept, or each was in one "
                    "task all the time",
                    a->target->program);
}

static int await_answer(struct attaching *a, uint64_t wanted, int64_t *ret)
{
    struct rvi_trace_door door;
    int64_t wake_at = 0;
    int r;

    while ((r = read_door(a, &door)) == 0 && rvi_load_relaxed(&door.served) != wanted) {
        if (rvi_clock_now() >= wake_at) {
            wake_all(a);
            wake_at = rvi_clock_now() + WAKE_AGAIN_NS;
        }
        r = pause_a_little(a);
        if (r < 0)
            break;
    }
    if (r == -ETIME)
        return say_asleep(a);
    if (r < 0)
        return say_ended(a);
    *ret = rvi_load_relaxed(&door.answer);
    return 0;
}

static int say_refused(const struct attaching *a, int64_t error)
{
    if (error == -EBUSY || error == -EAGAIN)
        return look_say(a->trouble, -EBUSY, "%s is being recorded already, by another ravel trace",
                        a->target->program);
    return look_say(a->trouble, (int)error, "%s cannot be recorded: %s", a->target->program,
                    strerror((int)-error));
}

/* Another number than before, and the other way round than nothing. */
static int knock(struct attaching *a, size_t bytes, int64_t *ret)
{
    struct rvi_trace_door door;
    int r = read_door(a, &door);

    if (r < 0)
        return r == -EAGAIN ? say_refused(a, -EPROTO) : say_ended(a);
    a->before = rvi_load_relaxed(&door.wanted);
    uint64_t wanted = ((a->before >> 32) + 1) << 32 | bytes / MEGABYTE;
    r = ask(a, wanted);
    if (r < 0)
        return r == -ESRCH ? say_ended(a) : say_refused(a, r);
    r = await_answer(a, wanted, ret);
    return r == 0 && *ret < 0 ? say_refused(a, *ret) : r;
}

static int open_memory(const struct attaching *a, int64_t number, struct look_recording **ret)
{
    char path[64];
    size_t bytes;
    void *memory;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)a->target->pid, (int)number);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = rvi_memfd_bytes(fd, &bytes);
    if (r == 0)
        r = rvi_memfd_claim(fd);
    if (r == 0)
        r = rvi_memfd_map(fd, bytes, &memory);
    if (r == 0) {
        const struct rvi_trace_shared *shared = memory;
        if (!rvi_trace_shared_is_sound(shared, bytes))
            r = -EPROTO;
        else if (rvi_load_relaxed(&shared->is_over))
            r = -EBUSY; /* another came in between */
        else
            r = look_recording_new(ret, memory, bytes, fd);
        if (r < 0)
            rvi_memfd_unmap(memory, bytes);
    }
    if (r < 0)
        close(fd);
    return r;
}

/* --- what was there before --- */

static int add_name(struct look_recording *rec, struct look_events *lane,
                    const struct look_task *task, const char *file, unsigned line)
{
    if (lane->count == lane->room) {
        size_t room = lane->room ? lane->room * 2 : 64;
        struct rvi_trace_event *larger = rvi_realloc(lane->events, room * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        lane->events = larger;
        lane->room = room;
    }
    uint64_t key = rvi_trace_text_key(task->name) ^ rvi_trace_text_key(file) << 1 ^ line;
    uint64_t text =
        rvi_trace_shared_text(rec->shared, key | (uint64_t)1 << 63, task->name, file, line);
    lane->events[lane->count++] = (struct rvi_trace_event){
        .time_ns = rec->start.ns,
        .task = task->id,
        .kind_and_arg = (uint64_t)RVI_TRACE_NAME << RVI_TRACE_ARG_BITS | text};
    return 0;
}

static int add_names_of(struct look_recording *rec, const struct look_snapshot *seen,
                        unsigned runtime, unsigned number)
{
    struct look_events lane = {.kind = LOOK_LANE_KNOWN, .runtime = number, .place = -1};
    int r = 0;

    for (size_t i = 0; i < seen->task_count && r == 0; i++) {
        const struct look_task *task = &seen->tasks[i];
        if (task->runtime == runtime && task->name && task->site)
            r = add_name(rec, &lane, task, task->site->file, task->site->line);
    }
    if (r == 0)
        r = look_recording_add_lane(rec, &lane);
    if (r < 0)
        rvi_free(lane.events);
    return r;
}

/* Of the runtimes that were there when it was looked at. */
static int add_names(struct look_recording *rec, const struct look_snapshot *seen)
{
    unsigned count = rec->worker_count;
    int r = 0;

    for (unsigned lane = 0; lane < count; lane++) {
        const struct look_events at = rec->workers[lane];
        for (unsigned i = 0; i < seen->runtime_count && r == 0; i++) {
            if (at.kind == LOOK_LANE_WORKER && at.index == 0 &&
                at.address == seen->runtimes[i].address)
                r = add_names_of(rec, seen, i, at.runtime);
        }
    }
    return r;
}

/* --- reading --- */

static int read_on(const struct attaching *a, struct look_recording *rec)
{
    int r = 0;

    while (r == 0) {
        r = pause_a_little(a);
        int error = look_recording_read(rec);
        if (error < 0)
            return error;
    }
    return 0;
}

/* Its workers cease when they see it; those that sleep have ceased. */
static int part(struct attaching *a, struct look_recording *rec)
{
    struct pollfd process = {.fd = a->process, .events = POLLIN};
    int r = 0;

    rvi_store_relaxed(&rec->shared->is_over, 1);
    wake_all(a);
    for (int i = 0; i < PARTING_TURNS && rvi_load_relaxed(&rec->shared->writers); i++) {
        if (poll(&process, 1, BETWEEN_MS) > 0)
            break;
    }
    r = look_recording_read(rec);
    look_recording_finish(rec);
    return r;
}

/* The pages of those who have not unmapped it yet. Where texts lie, they are read still. */
static void drop_places(const struct look_recording *rec)
{
    off_t head = (off_t)rvi_trace_shared_head();

    (void)fallocate(rec->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, head,
                    (off_t)rec->bytes - head);
}

/* Tasks that begin from now on are noted with their names. One that ends before it is looked at has
 * none, and so have all when the whole process does. */
static int record(struct attaching *a, struct look_recording *rec)
{
    struct look_snapshot *seen = NULL;
    int r = 0;

    if (look_snapshot(a->target, &seen, a->trouble) < 0)
        seen = NULL;
    if (a->ns)
        a->until = rvi_clock_now() + a->ns;
    r = read_on(a, rec);
    if (r == 0)
        r = part(a, rec);
    if (r == 0 && seen)
        r = add_names(rec, seen);
    look_snapshot_free(seen);
    drop_places(rec);
    return r < 0 ? look_say(a->trouble, r, "no memory for what %s does", a->target->program) : 0;
}

static int attach(struct attaching *a, size_t bytes, struct look_recording **ret)
{
    int64_t number = -1;
    int r = knock(a, bytes, &number);

    if (r == 0) {
        r = open_memory(a, number, ret);
        if (r == -ENOENT || r == -ESRCH)
            r = say_ended(a);
        else if (r < 0)
            r = say_refused(a, r);
    }
    if (r == 0) {
        (*ret)->pid = a->target->pid;
        r = record(a, *ret);
        if (r < 0)
            look_recording_free(*ret);
    }
    return r;
}

/* Of several copies of Ravel in it, one whose runtimes run. */
static const struct rvi_layout *layout_in_use(struct look_target *target)
{
    for (size_t i = 0; i < target->layout_count; i++) {
        uint64_t at = 0;
        const struct rvi_layout *layout = &target->layouts[i];
        if (target->read(target, (uintptr_t)layout->scheds, &at, sizeof at) == 0 && at)
            return layout;
    }
    return &target->layouts[0];
}

static int attach_until_told(struct attaching *a, size_t bytes, struct look_recording **ret)
{
    struct sigaction ours = {.sa_handler = interrupt}, interrupts, terminations;

    was_interrupted = 0;
    sigaction(SIGINT, &ours, &interrupts);
    sigaction(SIGTERM, &ours, &terminations);
    int r = attach(a, bytes, ret);
    sigaction(SIGINT, &interrupts, NULL);
    sigaction(SIGTERM, &terminations, NULL);
    return r;
}

int look_record_process(struct look_recording **ret, pid_t pid, size_t bytes, int64_t ns,
                        struct look_trouble *trouble)
{
    struct attaching a = {.trouble = trouble, .ns = ns, .until = ns ? rvi_clock_now() + ns : 0};
    int r = look_open_process(&a.target, pid, trouble);

    if (r < 0)
        return r;
    a.layout = layout_in_use(a.target);
    a.process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (a.process < 0) {
        r = errno == ESRCH ? say_ended(&a) : say_refused(&a, -errno);
    } else {
        r = attach_until_told(&a, bytes, ret);
        close(a.process);
    }
    look_close(a.target);
    return r;
}

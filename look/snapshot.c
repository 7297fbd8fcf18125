/* SPDX-License-Identifier: MIT */
/* snapshot.c - a copy of what all tasks do, made while they do it.
 *
 * Nothing stops the program, so what is read may be half of one moment and half of the next. What
 * of it is believed is said in snapshot_tasks.c.
 *
 * Invariants
 *   S1  every walk is bounded: a list that is read while it changes may be a ring.
 *   S2  an address is followed only to where reading it fails softly; what lies there is
 *       compared with what must be there before it is used: a worker is its scheduler's, a
 *       task's birth is the worker whose slab it lies in, a scope belongs to the task that leads
 *       to it.
 *   S3  the tree of tasks and scopes is made from the owners' side, so that each scope has one
 *       owner here; that it has no ring is for who walks it to see to.
 *
 * Rejected: stopping the program's threads for the time (ptrace): a look must not be felt.
 *
 * Checked by: tests/unit/look/test_snapshot.c, tests/look/test_ps.py */
#include "look/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "look/maker.h"
#include "loop/sleeper.h"
#include "sched/probe.h"

enum {
    RUNTIMES_MOST = 64,
    WORKERS_MOST = 1024,
    ATTEMPTS = 8, /* at a whole snapshot */
};

#define ATTEMPT_NS (2 * RV_MILLISECOND)

/* --- workers --- */

static size_t difference(uint64_t more, uint64_t less)
{
    return more > less ? (size_t)(more - less) : 0;
}

static void take_worker(const struct look_maker *m, const char *record, struct look_worker *w)
{
    uint64_t next_id = look_maker_get(m, record, RVI_AT_WORKER_NEXT_ID);

    w->thread_id = (int)look_maker_get(m, record, RVI_AT_WORKER_THREAD_ID);
    w->state = look_maker_get(m, record, RVI_AT_WORKER_SLEEPER) >= RVI_SLEEPER_ASLEEP
                   ? LOOK_ASLEEP
                   : LOOK_BETWEEN_TASKS;
    w->task = LOOK_NONE;
    w->fresh = difference(look_maker_get(m, record, RVI_AT_WORKER_DEQUE_BOTTOM),
                          look_maker_get(m, record, RVI_AT_WORKER_DEQUE_TOP));
    w->timers = look_maker_get(m, record, RVI_AT_WORKER_TIMERS) +
                look_maker_get(m, record, RVI_AT_WORKER_ALARMS);
    w->spawned = next_id / m->worker_count - (w->index == 0); /* no task has the number 0 */
    w->finished = look_maker_get(m, record, RVI_AT_WORKER_FINISHED);
    w->switches = difference(look_maker_get(m, record, RVI_AT_WORKER_TICK),
                             look_maker_get(m, record, RVI_AT_WORKER_UNSWITCHED));
    w->stolen = look_maker_get(m, record, RVI_AT_WORKER_STOLEN);
    w->sleeps = look_maker_get(m, record, RVI_AT_WORKER_SLEEPS);
    w->has_account = (look_maker_get(m, record, RVI_AT_WORKER_PROBES) & RVI_PROBE_ACCOUNT) != 0;
    w->run_ns = look_maker_get(m, record, RVI_AT_WORKER_RUN_NS);
}

/* Who runs on it, and how many wait to: by what the tasks say. */
static void count_tasks(struct look_maker *m, struct look_runtime *runtime, size_t first)
{
    for (size_t i = first; i < m->made->task_count; i++) {
        const struct look_task *task = &m->made->tasks[i];
        if (task->is_torn || task->worker == LOOK_NONE)
            continue;
        struct look_worker *w = &runtime->workers[task->worker];
        w->ready += task->state == RVI_TASK_READY;
        if (task->state == RVI_TASK_RUNNING) {
            w->task = (int64_t)i;
            w->state = LOOK_RUNS;
        }
    }
}

/* The account of a run ends with the run: what it has taken so far is the worker's to know. */
static void add_current_run(struct look_maker *m, const struct look_worker *w, const char *record)
{
    struct look_task *task = w->task == LOOK_NONE ? NULL : &m->made->tasks[w->task];
    rv_time since = (rv_time)look_maker_get(m, record, RVI_AT_WORKER_PROBED_SINCE);

    if (task && task->has_account &&
        look_maker_get(m, record, RVI_AT_WORKER_PROBED_ID) == task->id && since < m->now)
        task->run_ns += (uint64_t)(m->now - since);
}

/* --- a runtime --- */

static bool are_its_workers(const struct look_maker *m, const char *workers)
{
    uint32_t bytes = look_maker_bytes(m, RVI_RECORD_WORKER);

    for (unsigned i = 0; i < m->worker_count; i++) {
        const char *record = workers + (size_t)i * bytes;
        if (look_maker_get(m, record, RVI_AT_WORKER_SCHED) != m->sched ||
            look_maker_get(m, record, RVI_AT_WORKER_INDEX) != i)
            return false;
    }
    return true;
}

static rv_time our_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * RV_SECOND + now.tv_nsec;
}

/* Nobody is there to ask for the time that it was: no later than that, then. */
static void learn_time(struct look_maker *m, const char *workers)
{
    uint32_t bytes = look_maker_bytes(m, RVI_RECORD_WORKER);

    if (m->target->has_our_time) {
        m->now = our_time();
        m->now_ms = (uint32_t)(m->now / RV_MILLISECOND);
        return;
    }
    m->made->is_rough = true;
    m->now = 0;
    m->now_ms = (uint32_t)look_maker_get(m, workers, RVI_AT_WORKER_NOW_MS);
    for (unsigned i = 0; i < m->worker_count; i++) {
        const char *record = workers + (size_t)i * bytes;
        uint32_t looked = (uint32_t)look_maker_get(m, record, RVI_AT_WORKER_NOW_MS);
        rv_time since = (rv_time)look_maker_get(m, record, RVI_AT_WORKER_PROBED_SINCE);
        if ((int32_t)(looked - m->now_ms) > 0)
            m->now_ms = looked;
        if (since > m->now)
            m->now = since;
    }
    if (m->now < (rv_time)m->now_ms * RV_MILLISECOND)
        m->now = (rv_time)m->now_ms * RV_MILLISECOND;
}

static int look_at_workers(struct look_maker *m, struct look_runtime *runtime, const char *workers)
{
    uint32_t bytes = look_maker_bytes(m, RVI_RECORD_WORKER);
    size_t first = m->made->task_count;
    int r = 0;

    for (unsigned i = 0; i < m->worker_count && r == 0; i++) {
        const char *record = workers + (size_t)i * bytes;
        runtime->workers[i].index = i;
        take_worker(m, record, &runtime->workers[i]);
        r = look_maker_add_slab(m, record, m->workers + (uint64_t)i * bytes);
    }
    if (r < 0)
        return r;
    count_tasks(m, runtime, first);
    for (unsigned i = 0; i < m->worker_count; i++)
        add_current_run(m, &runtime->workers[i], workers + (size_t)i * bytes);
    return look_maker_place_tasks(m, first);
}

static int add_runtime(struct look_maker *m, const char *record)
{
    struct look_snapshot *made = m->made;
    size_t room = made->runtime_count;
    size_t bytes = (size_t)m->worker_count * look_maker_bytes(m, RVI_RECORD_WORKER);
    struct look_runtime *runtime =
        look_one_more(&made->runtimes, &room, made->runtime_count, sizeof *runtime);
    char *workers = rvi_alloc(bytes);
    int r = runtime && workers ? look_maker_read(m, m->workers, workers, bytes) : -ENOMEM;

    if (r == 0 && !are_its_workers(m, workers))
        r = -EAGAIN;
    if (r == 0 && !(runtime->workers = rvi_calloc(m->worker_count, sizeof *runtime->workers)))
        r = -ENOMEM;
    if (r == 0) {
        runtime->layout = (size_t)(m->layout - m->target->layouts);
        runtime->address = m->sched;
        runtime->worker_count = m->worker_count;
        runtime->helper_calls = look_maker_get(m, record, RVI_AT_SCHED_HELPER_CALLS);
        runtime->stalls = look_maker_get(m, record, RVI_AT_SCHED_STALLS);
        runtime->has_accounts =
            (look_maker_get(m, workers, RVI_AT_WORKER_PROBES) & RVI_PROBE_ACCOUNT) != 0;
        made->runtime_count++;
        learn_time(m, workers);
        r = look_at_workers(m, runtime, workers);
    }
    rvi_free(workers);
    return r;
}

static int look_at_runtime(struct look_maker *m, uint64_t *ret_next)
{
    char record[LOOK_RECORD_BYTES_MOST];
    uint32_t bytes = look_maker_bytes(m, RVI_RECORD_SCHED);
    int r = bytes <= sizeof record ? look_maker_read(m, m->sched, record, bytes) : -EPROTONOSUPPORT;

    if (r < 0)
        return r;
    m->workers = look_maker_get(m, record, RVI_AT_SCHED_WORKERS);
    m->worker_count = (unsigned)look_maker_get(m, record, RVI_AT_SCHED_WORKER_COUNT);
    m->first_task = look_maker_get(m, record, RVI_AT_SCHED_FIRST_TASK);
    *ret_next = look_maker_get(m, record, RVI_AT_SCHED_NEXT);
    if (!m->workers || m->worker_count == 0 || m->worker_count > WORKERS_MOST)
        return -EAGAIN;
    return add_runtime(m, record);
}

/* --- all --- */

static int look_at_library(struct look_maker *m)
{
    uint64_t at = 0;
    int r = look_maker_read(m, (uintptr_t)m->layout->scheds, &at, sizeof at);

    for (unsigned i = 0; at && i < RUNTIMES_MOST && r == 0; i++) {
        m->sched = at;
        r = look_at_runtime(m, &at);
    }
    return r;
}

static int attempt(struct look_target *target, struct look_snapshot *made)
{
    struct look_maker m = {.target = target, .made = made};
    int r = 0;

    for (size_t i = 0; i < target->layout_count && r == 0; i++) {
        m.layout = &target->layouts[i];
        r = look_at_library(&m);
    }
    made->now = target->has_our_time ? our_time() : m.now;
    return r < 0 ? r : look_things(target, made->now, &made->things);
}

static void forget(struct look_snapshot *made)
{
    for (size_t i = 0; i < made->runtime_count; i++)
        rvi_free(made->runtimes[i].workers);
    for (size_t i = 0; i < made->site_count; i++)
        rvi_free(made->sites[i]);
    for (size_t i = 0; i < made->own_name_count; i++)
        rvi_free(made->own_names[i]);
    rvi_free(made->runtimes);
    rvi_free(made->tasks);
    rvi_free(made->scopes);
    rvi_free(made->sites);
    rvi_free(made->own_names);
    look_index_fini(&made->task_at);
    look_index_fini(&made->scope_at);
    look_index_fini(&made->site_at);
    look_things_fini(&made->things);
    *made = (struct look_snapshot){0};
}

static int explain(const struct look_target *target, int r, struct look_trouble *trouble)
{
    switch (r) {
    case -ESRCH:
        return look_say(trouble, r, "%s has ended", target->program);
    case -ENOMEM:
        return look_say(trouble, r, "no memory for what %s has", target->program);
    case -EAGAIN:
    case -EFAULT:
        if (!target->core)
            return look_say(
                trouble, -EAGAIN,
                "the runtimes of %s come and go faster than they can be read: try again",
                target->program);
        return look_say(trouble, -EFAULT,
                        "%s does not hold what is needed: it is cut short, or the memory of the "
                        "runtime was left out of it (see coredump_filter in core(5))",
                        target->core);
    default:
        return look_say(trouble, r, "%s cannot be read: %s", target->program, strerror(-r));
    }
}

/* A program that ends takes its memory away first, and its process afterwards. */
int look_snapshot(struct look_target *target, struct look_snapshot **ret,
                  struct look_trouble *trouble)
{
    static const struct timespec between = {0, ATTEMPT_NS};
    struct look_snapshot *made = rvi_calloc(1, sizeof *made);
    int r = -ENOMEM;

    for (int i = 0; made && i < ATTEMPTS; i++) {
        r = attempt(target, made);
        if (r != -EAGAIN && r != -EFAULT)
            break;
        forget(made);
        if (target->core)
            break;
        nanosleep(&between, NULL);
    }
    if (r == 0) {
        *ret = made;
        return 0;
    }
    look_snapshot_free(made);
    return explain(target, r, trouble);
}

void look_snapshot_free(struct look_snapshot *snapshot)
{
    if (snapshot)
        forget(snapshot);
    rvi_free(snapshot);
}

const char *look_state_word(const struct look_task *task)
{
    static const char *const words[] = {
        [RVI_TASK_FRESH] = "not begun", [RVI_TASK_READY] = "ready",
        [RVI_TASK_RUNNING] = "running", [RVI_TASK_PARKED] = "waits",
        [RVI_TASK_MOVING] = "moving",   [RVI_TASK_DONE] = "has ended",
    };

    return task->is_torn ? "torn" : words[task->state];
}

static bool is_meant(const struct look_task *task, const char *word)
{
    char *end;
    unsigned long long number = strtoull(word, &end, 10);

    return strcmp(task->name, word) == 0 || (*word && !*end && number == task->id);
}

size_t look_find_tasks(const struct look_snapshot *snapshot, const char *word, size_t *ret,
                       size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < snapshot->task_count; i++) {
        if (!is_meant(&snapshot->tasks[i], word))
            continue;
        if (count < most)
            ret[count] = i;
        count++;
    }
    return count;
}

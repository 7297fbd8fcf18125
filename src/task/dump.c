/* SPDX-License-Identifier: MIT */
/* dump.c - what every task is doing, as a tree of scopes.
 *
 * A plain thread does it: the caller, a helper for a task that calls, or the one that waits for
 * SIGQUIT. One runtime after the other it holds the workers still (sched/pause.h), walks what is
 * theirs, and lets them go on. The text is built in memory and written when all go on again: who
 * reads the other end may be a task.
 *
 * Bounds, for a million tasks: tasks of one scope that have no scope of their own and wait alike
 * are one entry, which needs one backtrace; LINES_MOST entries of others, DEPTH_MOST scopes inside
 * one another; and after LOOK_NS nothing more is unwound, only counted.
 *
 * Invariants
 *   D1  what belongs to a worker is read only while that worker is held: a descriptor's birth
 *       fields by its birth worker, its home fields by its home worker (sched/task.h).
 *   D2  nothing that a worker could be waiting for is taken while one is held: memory is, and no
 *       task can be left in the middle of malloc.
 *
 * Checked by: tests/unit/task/test_dump.c, tests/stress/stress_dump.c */
#include "task/dump.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel/inspect.h>

#include "base/alloc.h"
#include "base/seam.h"
#include "base/text.h"
#include "sched/culprit.h"
#include "sched/sched.h"
#include "sys/backtrace.h"
#include "sys/clock.h"
#include "sys/write.h"
#include "task/scope.h"

enum {
    FRAMES_MOST = 32,
    TRACES_MOST = 512,   /* different backtraces that are told apart */
    MEMO_COUNT = 4096,   /* a power of two */
    GROUPS_MOST = 256,   /* entries of one scope */
    LINES_MOST = 2000,   /* tasks with scopes of their own */
    DEPTH_MOST = 100,    /* scopes inside one another */
    COUNT_MOST = 100000, /* ready tasks are counted that far */
    NO_TRACE = -1,
    INDENT = 2,
};

#define PAUSE_NS (250 * RV_MILLISECOND)
#define CAPTURE_NS (250 * RV_MILLISECOND)
#define LOOK_NS RV_SECOND

struct trace {
    size_t count;
    const void *pcs[FRAMES_MOST];
};

/* Tasks that wait alike. */
struct group {
    const struct rvi_task *first;
    const struct rvi_worker *home; /* the first's */
    uint8_t state, why;
    bool is_readable; /* its home fields may be read, or are known: it has not begun */
    int trace;        /* index, or NO_TRACE */
    size_t count;
    uint32_t youngest_ms, oldest_ms; /* ages */
};

/* From a stack's key to its trace. */
struct memo {
    uint64_t key;
    int trace;
    bool is_used;
};

struct dump {
    struct rvi_text text;
    struct rvi_backtracer *backtracer;
    const struct rvi_sched *sched;
    rv_time now, until;
    size_t shown, lines, traces_count, group_count, beyond;
    bool *was_asleep; /* by worker */
    struct trace traces[TRACES_MOST];
    struct memo memo[MEMO_COUNT];
    struct group groups[GROUPS_MOST];
    struct rvi_capture capture;
};

static bool is_held(const struct rvi_worker *w)
{
    return w && rvi_pause_is_held(&w->pause);
}

/* Where it has begun; NULL: it has not, and whoever has it in hand may be about to begin it: its
 * home fields are nobody else's to read. */
static const struct rvi_worker *home_of(const struct rvi_task *task)
{
    return rvi_load_seq_cst(&task->home); /* pairs: task-home */
}

/* --- backtraces --- */

/* Its home is held. */
static void view_of(const struct rvi_task *task, const struct rvi_worker *home,
                    struct rvi_stack_view *ret)
{
    if (home->pause.on != task) {
        rvi_stack_view_parked(task->stack, task->ctx, ret);
        return;
    }
    *ret = (struct rvi_stack_view){.regs = home->pause.regs};
    ret->low = ret->regs.sp;
    ret->high = (uintptr_t)task->stack->high;
    ret->bytes = (const char *)ret->low; /* NOLINT: an address */
}

static int trace_new(struct dump *d, const struct rvi_stack_view *view)
{
    struct trace found;

    found.count = rvi_backtrace(d->backtracer, view, found.pcs, FRAMES_MOST);
    for (size_t i = 0; i < d->traces_count; i++) {
        const struct trace *other = &d->traces[i];
        if (other->count == found.count &&
            memcmp(other->pcs, found.pcs, found.count * sizeof found.pcs[0]) == 0)
            return (int)i;
    }
    if (d->traces_count == TRACES_MOST)
        return NO_TRACE;
    d->traces[d->traces_count] = found;
    return (int)d->traces_count++;
}

static int trace_of(struct dump *d, const struct rvi_task *task, const struct rvi_worker *home)
{
    struct rvi_stack_view view;

    if (!task->stack || rvi_clock_now() > d->until)
        return NO_TRACE;
    view_of(task, home, &view);
    uint64_t key = rvi_stack_view_key(d->backtracer, &view);
    struct memo *memo = &d->memo[key % MEMO_COUNT];
    if (!memo->is_used || memo->key != key)
        *memo = (struct memo){key, trace_new(d, &view), true};
    return memo->trace;
}

static void add_trace(struct dump *d, int index, int indent)
{
    if (index == NO_TRACE)
        return;
    const struct trace *trace = &d->traces[index];
    rvi_backtrace_add(&d->text, d->backtracer, trace->pcs, trace->count, indent + 2 * INDENT);
}

/* --- a task in words --- */

static const char *state_word(enum rvi_task_state state)
{
    static const char *const words[] = {
        [RVI_TASK_FRESH] = "not begun", [RVI_TASK_READY] = "ready",
        [RVI_TASK_RUNNING] = "running", [RVI_TASK_PARKED] = "waits",
        [RVI_TASK_MOVING] = "moving",   [RVI_TASK_DONE] = "has ended",
    };
    return words[state];
}

static void add_age(struct dump *d, const struct group *group)
{
    double youngest = group->youngest_ms / 1e3, oldest = group->oldest_ms / 1e3;

    if (group->youngest_ms == group->oldest_ms)
        rvi_text_add(&d->text, ", for %.3f s", oldest);
    else
        rvi_text_add(&d->text, ", for %.3f to %.3f s", youngest, oldest);
}

/* Where in the program's code; in its own function at least, which may have left by a tail call. */
static void add_site(struct dump *d, const struct group *group)
{
    const struct trace *trace = &d->traces[group->trace];
    struct rvi_frame site;

    if (!rvi_backtrace_site(d->backtracer, trace->pcs, trace->count, &site))
        rvi_backtrace_frame(d->backtracer, (const void *)(uintptr_t)group->first->fn, &site);
    rvi_text_add(&d->text, " in ");
    rvi_frame_add(&d->text, &site);
}

static void add_state(struct dump *d, const struct group *group)
{
    rvi_text_add(&d->text, ": %s", state_word(group->state));
    if (group->state == RVI_TASK_PARKED)
        rvi_text_add(&d->text, " (%s)", rvi_why_word(group->why));
    if (group->trace != NO_TRACE && rvi_backtracer_is_exact(d->backtracer))
        add_site(d, group);
    if (group->state == RVI_TASK_PARKED)
        add_age(d, group);
}

/* Its name is its home worker's to change. */
static void add_who(struct dump *d, const struct group *group, int indent)
{
    const struct rvi_task *task = group->first;
    const struct rv_site *site = task->site;
    const char *name = is_held(group->home) && group->count == 1 ? rvi_task_name(task) : site->name;

    if (group->count == 1)
        rvi_text_add(&d->text, "%*stask %llu '%s'", indent, "", (unsigned long long)task->id, name);
    else
        rvi_text_add(&d->text, "%*s%zu tasks like %llu '%s'", indent, "", group->count,
                     (unsigned long long)task->id, name);
    rvi_text_add(&d->text, ", from %s:%u", site->file, site->line);
}

static void add_entry(struct dump *d, const struct group *group, int indent)
{
    d->shown += group->count;
    add_who(d, group, indent);
    if (!group->is_readable) {
        rvi_text_add(&d->text, ": belongs to a worker that could not be stopped\n");
        return;
    }
    add_state(d, group);
    if (group->count == 1 && group->home)
        rvi_text_add(&d->text, ", worker %u", group->home->index);
    rvi_text_add(&d->text, "\n");
    add_trace(d, group->trace, indent);
}

static void describe(struct dump *d, const struct rvi_task *task, struct group *ret)
{
    const struct rvi_worker *home = home_of(task);

    *ret = (struct group){.first = task, .home = home, .trace = NO_TRACE, .count = 1};
    ret->state = RVI_TASK_FRESH;
    ret->is_readable = !home || is_held(home);
    if (!is_held(home))
        return;
    ret->state = task->state == RVI_TASK_PARKED_SEEN ? RVI_TASK_PARKED : task->state;
    ret->trace = trace_of(d, task, home);
    if (ret->state == RVI_TASK_PARKED) {
        uint32_t now_ms = (uint32_t)(d->now / RV_MILLISECOND);
        int32_t age = (int32_t)(now_ms - task->parked_ms);
        ret->why = task->why;
        ret->youngest_ms = ret->oldest_ms = age < 0 ? 0 : (uint32_t)age;
    }
}

/* --- the tasks of one scope --- */

static bool is_alike(const struct group *a, const struct group *b)
{
    return a->first->site == b->first->site && a->is_readable == b->is_readable &&
           a->state == b->state && a->why == b->why && a->trace == b->trace;
}

static void join_group(struct dump *d, const struct group *one)
{
    for (size_t i = 0; i < d->group_count; i++) {
        struct group *group = &d->groups[i];
        if (!is_alike(group, one))
            continue;
        group->count++;
        if (one->youngest_ms < group->youngest_ms)
            group->youngest_ms = one->youngest_ms;
        if (one->oldest_ms > group->oldest_ms)
            group->oldest_ms = one->oldest_ms;
        return;
    }
    if (d->group_count < GROUPS_MOST)
        d->groups[d->group_count++] = *one;
    else
        d->beyond++;
}

static bool has_scopes(const struct rvi_task *task)
{
    return is_held(home_of(task)) && task->scopes;
}

static void add_groups(struct dump *d, int indent)
{
    for (size_t i = 0; i < d->group_count; i++)
        add_entry(d, &d->groups[i], indent);
    if (d->beyond)
        rvi_text_add(&d->text, "%*sand %zu tasks of other kinds\n", indent, "", d->beyond);
    d->shown += d->beyond;
    d->group_count = d->beyond = 0;
}

static void add_task_with_scopes(struct dump *d, const struct rvi_task *task, int indent,
                                 int depth);

struct walk {
    void (*see)(struct dump *d, const struct rvi_task *task, int indent, int depth);
    int indent, depth;
};

/* For each child of the scope that a held worker has started. */
static void for_children(struct dump *d, const rv_scope *scope, struct walk walk)
{
    for (unsigned i = 0; i < d->sched->worker_count; i++) {
        const struct rvi_list *children =
            is_held(&d->sched->workers[i]) ? rvi_scope_children(scope, i) : NULL;
        if (!children)
            continue;
        RVI_LIST_FOREACH(link, children)
            walk.see(d, rvi_container_of(link, struct rvi_task, sibling), walk.indent, walk.depth);
    }
}

static void join_if_plain(struct dump *d, const struct rvi_task *task, int indent, int depth)
{
    struct group one;

    (void)indent;
    (void)depth;
    if (has_scopes(task))
        return;
    describe(d, task, &one);
    join_group(d, &one);
}

static void add_if_with_scopes(struct dump *d, const struct rvi_task *task, int indent, int depth)
{
    if (has_scopes(task))
        add_task_with_scopes(d, task, indent, depth);
}

static void add_children(struct dump *d, const rv_scope *scope, int indent, int depth)
{
    for_children(d, scope, (struct walk){join_if_plain, indent, depth});
    add_groups(d, indent);
    for_children(d, scope, (struct walk){add_if_with_scopes, indent, depth});
}

/* --- scopes --- */

static void add_scope_line(struct dump *d, const struct rvi_scope_view *scope, int indent)
{
    static const char *const policies[] = {
        [RV_FAIL_FAST] = "fail fast",
        [RV_COLLECT_ALL] = "collect all",
        [RV_FIRST_SUCCESS] = "first success",
    };
    struct rvi_text *text = &d->text;

    rvi_text_add(text, "%*sscope", indent, "");
    if (scope->name)
        rvi_text_add(text, " '%s'", scope->name);
    rvi_text_add(text, ", %s", policies[scope->policy]);
    if (scope->deadline != RV_NEVER)
        rvi_text_add(text, ", %.3f s to its deadline", (double)(scope->deadline - d->now) / 1e9);
    if (scope->reason > 0)
        rvi_text_add(text, ", ended by its first success");
    else if (scope->reason < 0)
        rvi_text_add(text, ", cancelled (%s)", strerrorname_np(-scope->reason));
    rvi_text_add(text, "\n");
}

/* The outermost first. */
static void add_scopes(struct dump *d, const rv_scope *scope, int indent, int depth)
{
    struct rvi_scope_view view;

    if (!scope)
        return;
    if (depth == DEPTH_MOST) {
        rvi_text_add(&d->text, "%*s(deeper scopes are not shown)\n", indent, "");
        return;
    }
    rvi_scope_look(scope, &view);
    add_scopes(d, view.outer, indent, depth + 1);
    add_scope_line(d, &view, indent);
    add_children(d, scope, indent + INDENT, depth + 1);
}

static void add_task_with_scopes(struct dump *d, const struct rvi_task *task, int indent, int depth)
{
    struct group one;

    if (d->lines == LINES_MOST)
        return;
    d->lines++;
    describe(d, task, &one);
    add_entry(d, &one, indent);
    if (is_held(one.home))
        add_scopes(d, task->scopes, indent + INDENT, depth);
}

/* --- workers --- */

static void add_captured(struct dump *d, const struct rvi_capture *capture, int indent)
{
    const void *pcs[FRAMES_MOST];
    size_t count = rvi_backtrace(d->backtracer, &capture->view, pcs, FRAMES_MOST);

    rvi_backtrace_add(&d->text, d->backtracer, pcs, count, indent);
}

/* A worker that did not come by: who holds it, and where that is just now. */
static void add_culprit(struct dump *d, const struct rvi_worker *w)
{
    struct rvi_culprit culprit;
    uint32_t now_ms = (uint32_t)(rvi_clock_now() / RV_MILLISECOND);
    double held = (int32_t)(now_ms - rvi_load_relaxed(&w->now_ms)) / 1e3;
    int r = rvi_culprit_find(w, rvi_clock_now() + CAPTURE_NS, &culprit, &d->capture);

    rvi_text_add(&d->text, "  worker %u: could not be stopped", w->index);
    if (r == 0 && culprit.id)
        rvi_text_add(&d->text, ": held for about %.3f s by task %llu '%s', from %s:%u", held,
                     (unsigned long long)culprit.id, culprit.name, culprit.site->file,
                     culprit.site->line);
    else if (r < 0)
        rvi_text_add(&d->text, ", nor looked at (%s)", strerrorname_np(-r));
    rvi_text_add(&d->text, "; its lists are not shown\n");
    if (r == 0)
        add_captured(d, &d->capture, 3 * INDENT);
}

static size_t count_ready(const struct rvi_worker *w)
{
    size_t count = w->next != NULL;

    for (struct rvi_qlink *link = w->ready.first; link && count < COUNT_MOST; link = link->next)
        count++;
    return count;
}

static void add_held_worker(struct dump *d, const struct rvi_worker *w)
{
    const struct rvi_task *on = w->pause.on;

    rvi_text_add(&d->text, "  worker %u: ", w->index);
    if (on && on->state == RVI_TASK_RUNNING)
        rvi_text_add(&d->text, "runs task %llu '%s'", (unsigned long long)on->id,
                     rvi_task_name(on));
    else
        rvi_text_add(&d->text, d->was_asleep[w->index] ? "asleep" : "between tasks");
    rvi_text_add(&d->text, "; %zu ready, %zu not begun, %zu timers\n", count_ready(w),
                 rvi_deque_count(&w->fresh), w->timers.heap.count + w->alarms.heap.count);
}

/* --- a runtime --- */

static size_t count_alive(const struct rvi_sched *sched)
{
    struct rv_run_stats stats = {.size = sizeof stats};

    rvi_sched_stats(sched, &stats);
    return stats.spawned - stats.finished;
}

/* A descriptor that is in no scope's list is free, or the first task's. */
static void join_if_alive(const struct rvi_task *task, void *arg)
{
    struct dump *d = arg;
    struct group one;

    if (!rvi_link_is_linked(&task->sibling))
        return;
    describe(d, task, &one);
    join_group(d, &one);
}

static void add_started_by(struct dump *d, const struct rvi_worker *w)
{
    rvi_text_add(&d->text, "  tasks that worker %u has started\n", w->index);
    rvi_slab_walk(&w->slab, join_if_alive, d);
    add_groups(d, 2 * INDENT);
}

/* The tree begins on worker 0; without it, what the others have started. */
static void add_tasks(struct dump *d)
{
    const struct rvi_sched *sched = d->sched;

    if (is_held(&sched->workers[0])) {
        if (sched->first_task)
            add_task_with_scopes(d, sched->first_task, INDENT, 0);
        return;
    }
    for (unsigned i = 1; i < sched->worker_count; i++) {
        if (is_held(&sched->workers[i]))
            add_started_by(d, &sched->workers[i]);
    }
}

static void note_sleepers(struct dump *d)
{
    for (unsigned i = 0; i < d->sched->worker_count; i++)
        d->was_asleep[i] = rvi_sleeper_looks_asleep(&d->sched->workers[i].sleeper);
}

static void look(struct dump *d)
{
    const struct rvi_sched *sched = d->sched;

    for (unsigned i = 0; i < sched->worker_count; i++) {
        if (is_held(&sched->workers[i]))
            add_held_worker(d, &sched->workers[i]);
        else
            add_culprit(d, &sched->workers[i]);
    }
    add_tasks(d);
}

static void dump_sched(struct dump *d, struct rvi_sched *sched)
{
    size_t alive = count_alive(sched);

    d->sched = sched;
    d->shown = d->lines = 0;
    d->was_asleep = rvi_calloc(sched->worker_count, sizeof *d->was_asleep);
    if (!d->was_asleep) {
        d->text.is_cut = true;
        return;
    }
    rvi_text_add(&d->text, "ravel: a runtime with %u workers and %zu tasks\n", sched->worker_count,
                 alive);
    note_sleepers(d);
    d->now = rvi_clock_now();
    rvi_sched_pause(sched, d->now + PAUSE_NS);
    d->until = rvi_clock_now() + LOOK_NS;
    look(d);
    rvi_sched_resume(sched);
    if (d->shown < alive)
        rvi_text_add(&d->text, "  Some %zu tasks are not shown.\n", alive - d->shown);
    rvi_free(d->was_asleep);
}

/* --- all of them --- */

/* One dump at a time: the workers answer one asker. */
static pthread_mutex_t dump_lock = PTHREAD_MUTEX_INITIALIZER;

static void look_at_all(struct dump *d)
{
    struct rvi_sched *sched = rvi_scheds_lock();

    if (!rvi_backtracer_is_exact(d->backtracer))
        rvi_text_add(&d->text, "ravel: no libdw: backtraces are guesses, stale calls included\n");
    if (!sched)
        rvi_text_add(&d->text, "ravel: no runtime\n");
    for (; sched; sched = sched->next_sched)
        dump_sched(d, sched);
    rvi_scheds_unlock();
}

static int write_text(const struct rvi_text *text, int fd)
{
    int r = rvi_write_all(fd, text->bytes, text->count);

    return r == 0 && text->is_cut ? -ENOMEM : r;
}

static int dump_to(int fd)
{
    struct dump *d = rvi_calloc(1, sizeof *d);
    int r = -ENOMEM;

    if (!d)
        return r;
    pthread_mutex_lock(&dump_lock);
    d->backtracer = rvi_backtracer_new(true);
    if (d->backtracer)
        look_at_all(d);
    d->backtracer = d->backtracer ? rvi_backtracer_free(d->backtracer) : NULL;
    pthread_mutex_unlock(&dump_lock);
    if (d->text.bytes)
        r = write_text(&d->text, fd);
    rvi_text_fini(&d->text);
    rvi_free(d);
    return r;
}

static int dump_for_task(void *fd)
{
    return dump_to(*(int *)fd);
}

int rv_dump(int fd)
{
    struct rvi_sched *sched = rvi_sched_self();

    if (rvi_seam)
        return -ENOTSUP;
    return sched ? rvi_helpers_call(&sched->helpers, dump_for_task, &fd) : dump_to(fd);
}

void rvi_dump_on_quit(void)
{
    int r = dump_to(STDERR_FILENO);

    if (r < 0)
        fprintf(stderr, "ravel: no dump: %s\n", strerrorname_np(-r));
}

/* SPDX-License-Identifier: MIT */
/* supervisor.c - a supervisor from outside: made of what it was told, asked, told to stop, closed.
 *
 * All that a tree will ever need but its tasks is made before the first service starts; what is
 * started again wants no more memory than a task does.
 *
 * The handle's memory is the caller's until rv_supervisor_close(), whatever becomes of the scope;
 * the supervisor's task touches it for the last time when it has taken the closer from it, under
 * the lock (`finish`).
 *
 * Checked by: tests/unit/supervise/test_supervisor.c */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "exec/processes_opts.h"
#include "proc/proc.h"
#include "supervise/inside.h"
#include "supervise/layout.h"

#define USUAL_PERIOD (5 * RV_SECOND)
#define USUAL_STOP_TIME (5 * RV_SECOND)
#define USUAL_BACKOFF_MOST RV_MINUTE

/* --- made of options --- */

static void drop(rv_supervisor *s);

static char *copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = rvi_alloc(bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

/* Entries are as far apart as the caller believes them to be large. */
static int read_service(struct rv_service *ret, const struct rv_supervisor_opts *opts, size_t i)
{
    size_t bytes = opts->services->size ? opts->services->size : sizeof *ret;
    const struct rv_service *from =
        (const struct rv_service *)((const char *)opts->services + i * bytes);
    int r = rvi_opts_copy(ret, sizeof *ret, from, bytes);

    if (r < 0)
        return r;
    if (!ret->name || !*ret->name || strchr(ret->name, '/') ||
        !!ret->run + !!ret->supervisor + !!ret->process != 1 ||
        (unsigned)ret->restart > RV_RESTART_TEMPORARY || ret->start_time < 0 ||
        ret->stop_time < 0 || ret->arg_bytes > PTRDIFF_MAX / 4 || (ret->arg_bytes && !ret->arg))
        return -EINVAL;
    if (ret->process && (ret->arg_bytes != ret->process->arg_bytes ||
                         ret->arg_bytes > RVI_HELLO_BYTES - sizeof(struct rvi_service_hello)))
        return -EINVAL;
    if (ret->stop_time == 0)
        ret->stop_time = ret->supervisor ? RV_NEVER : USUAL_STOP_TIME;
    return 0;
}

static struct rvi_kept *find(rv_supervisor *s, const char *name, size_t length)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strncmp(s->services[i].name, name, length) == 0 && !s->services[i].name[length])
            return &s->services[i];
    }
    return NULL;
}

/* The second half, aligned as the first, is what the function is given. */
static int copy_arg(struct rvi_kept *kept)
{
    size_t align = _Alignof(max_align_t), bytes = kept->what.arg_bytes;

    if (bytes == 0)
        return 0;
    kept->copy_at = (bytes + align - 1) / align * align;
    kept->arg = rvi_alloc(kept->copy_at + bytes);
    if (!kept->arg)
        return -ENOMEM;
    memcpy(kept->arg, kept->what.arg, bytes);
    return 0;
}

static int copy_opts(struct rvi_kept *kept)
{
    const struct rv_process_opts *opts = kept->what.opts;

    if (!kept->what.process)
        return 0;
    return rvi_process_opts_take(&kept->opts, &kept->opts_memory, opts);
}

static int make(rv_supervisor **ret, const struct rv_supervisor_opts *opts,
                const rv_supervisor *above, struct rvi_kept *as);

/* s->count are there. */
static int add(rv_supervisor *s, const struct rv_supervisor_opts *opts)
{
    struct rvi_kept *kept = &s->services[s->count];
    int r = read_service(&kept->what, opts, s->count);

    if (r < 0)
        return r;
    if (find(s, kept->what.name, strlen(kept->what.name)))
        return -EEXIST;
    kept->above = s;
    rvi_link_init(&kept->ended);
    kept->name = copy_text(kept->what.name);
    s->count++;
    r = kept->name ? copy_arg(kept) : -ENOMEM;
    if (r == 0)
        r = copy_opts(kept);
    if (r == 0 && kept->what.supervisor)
        r = make(&kept->below, kept->what.supervisor, s, kept);
    return r;
}

static int read_opts(struct rv_supervisor_opts *ret, const struct rv_supervisor_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts->size);

    if (r < 0)
        return r;
    if (ret->count == 0 || ret->count > 1 << 20 || !ret->services ||
        (unsigned)ret->strategy > RV_REST_FOR_ONE || ret->intensity < -1 || ret->period < 0 ||
        ret->backoff < 0 || ret->backoff_most < 0)
        return -EINVAL;
    if (ret->intensity == 0)
        ret->intensity = 1;
    if (ret->period == 0)
        ret->period = USUAL_PERIOD;
    if (ret->backoff_most == 0)
        ret->backoff_most = USUAL_BACKOFF_MOST;
    return 0;
}

static int fill(rv_supervisor *s, const struct rv_supervisor_opts *opts)
{
    int r = 0;

    rvi_list_init(&s->ended);
    rv_event_init(&s->managed);
    rv_event_init(&s->started);
    rv_event_init(&s->over);
    s->strategy = opts->strategy;
    s->intensity = opts->intensity < 0 ? 0 : (size_t)opts->intensity;
    s->period = opts->period;
    s->backoff = opts->backoff;
    s->backoff_most = opts->backoff_most;
    s->name = copy_text(opts->name ? opts->name : "supervisor");
    s->restarts = rvi_calloc(s->intensity + 1, sizeof *s->restarts);
    if (!s->name || !s->restarts)
        return -ENOMEM;
    for (size_t i = 0; i < opts->count && r == 0; i++)
        r = add(s, opts);
    return r;
}

static int make(rv_supervisor **ret, const struct rv_supervisor_opts *opts,
                const rv_supervisor *above, struct rvi_kept *as)
{
    struct rv_supervisor_opts known;
    int r = read_opts(&known, opts);

    if (r < 0)
        return r;
    rv_supervisor *s = rvi_calloc(1, sizeof *s + known.count * sizeof(struct rvi_kept));
    if (!s)
        return -ENOMEM;
    s->as = as;
    s->report = known.report || !above ? known.report : above->report;
    s->report_arg = known.report || !above ? known.report_arg : above->report_arg;
    r = fill(s, &known);
    if (r == 0)
        *ret = s;
    else
        drop(s);
    return r;
}

static void drop(rv_supervisor *s)
{
    rvi_roll_remove(&s->enrolled);
    for (size_t i = 0; i < s->count; i++) {
        struct rvi_kept *kept = &s->services[i];
        if (kept->below)
            drop(kept->below);
        rvi_process_opts_drop(kept->opts_memory);
        rvi_free(kept->arg);
        rvi_free(kept->name);
    }
    rvi_free(s->restarts);
    rvi_free(s->name);
    rvi_free(s);
}

/* --- its task --- */

/* What the scope is to hear: nothing that rv_supervisor_start() tells. */
static int finish(rv_supervisor *s)
{
    int result = s->has_started ? s->end.error : 0;

    rv_event_set(&s->started);
    rv_event_set(&s->over);
    rvi_lock_acquire(&s->lock);
    struct rvi_waiter *closer = s->closer;
    s->is_over = true;
    rvi_lock_release(&s->lock);
    if (closer)
        rvi_wake(closer);
    return result;
}

static int run(struct rvi_errand *errand)
{
    rv_supervisor *s = rvi_container_of(errand, struct rv_supervisor, errand);

    (void)rvi_supervise(s);
    return finish(s);
}

static void lose(struct rvi_errand *errand, int why)
{
    rv_supervisor *s = rvi_container_of(errand, struct rv_supervisor, errand);

    rvi_end_error(&s->end, why, "could not be started");
    (void)finish(s);
}

/* --- life --- */

static void await_over(rv_supervisor *s)
{
    struct rvi_waiter w;

    rvi_waiter_init(&w);
    rvi_lock_acquire(&s->lock);
    bool is_over = s->is_over;
    if (!is_over)
        s->closer = &w;
    rvi_lock_release(&s->lock);
    rvi_wait_tells(s, RVI_WHY_SUPERVISOR);
    if (!is_over)
        rvi_wait_always(&w, RVI_WHY_SUPERVISOR);
}

static int send(rv_supervisor *s, rv_scope *scope)
{
    static const struct rv_site site = {"(supervisor)", "rv_supervisor_start", "supervisor", 0};

    s->errand = (struct rvi_errand){run, lose};
    return rvi_scope_send(scope, &s->errand, &site);
}

/* It was sent. */
static int await_started(rv_supervisor *s, rv_time deadline)
{
    int r = rv_event_wait(&s->started, deadline);

    if (r < 0)
        rvi_supervisor_tell(s, 0);
    rvi_lock_acquire(&s->lock);
    if (r == 0 && !s->has_started)
        r = s->end.error < 0 ? s->end.error : -ECANCELED;
    rvi_lock_release(&s->lock);
    if (r < 0)
        await_over(s);
    return r;
}

int rv_supervisor_start(rv_supervisor **ret, rv_scope *scope, const struct rv_supervisor_opts *opts,
                        rv_time deadline)
{
    rv_supervisor *s;
    int r = rvi_scope_takes_errands(scope);

    if (r == 0)
        r = rvi_wait_allowed();
    if (r == 0)
        r = make(&s, opts, NULL, NULL);
    if (r < 0)
        return r;
    s->enrolled.waited_at = s;
    s->enrolled.name = s->name;
    rvi_roll_add(&s->enrolled, RVI_ROLL_SUPERVISOR, &rvi_supervisor_layout, s);
    r = send(s, scope);
    if (r == 0)
        r = await_started(s, deadline);
    if (r == 0)
        *ret = s;
    else
        drop(s);
    return r;
}

int rv_supervisor_stop(rv_supervisor *s, rv_time deadline)
{
    rvi_supervisor_tell(s, 0);
    if (deadline == 0)
        return rv_event_is_set(&s->over) ? 0 : -ETIME;
    return rv_event_wait(&s->over, deadline);
}

int rv_supervisor_wait(rv_supervisor *s, struct rv_service_end *ret_end, rv_time deadline)
{
    int r = rv_event_wait(&s->over, deadline);

    if (r == 0 && ret_end)
        *ret_end = s->end;
    return r;
}

int rv_supervisor_close(rv_supervisor *s)
{
    if (!s)
        return 0;
    rvi_supervisor_tell(s, 0);
    await_over(s);
    int error = s->end.error;
    drop(s);
    return error;
}

/* --- looking --- */

static struct rvi_kept *find_path(rv_supervisor *s, const char *path)
{
    for (;;) {
        size_t length = strcspn(path, "/");
        struct rvi_kept *kept = find(s, path, length);
        if (!kept || !path[length])
            return kept;
        s = kept->below;
        path += length + 1;
        if (!s)
            return NULL;
    }
}

int rv_service_stats_read(rv_supervisor *s, const char *path, struct rv_service_stats *stats)
{
    struct rvi_kept *kept = find_path(s, path);

    if (!kept)
        return -ENOENT;
    rvi_lock_acquire(&kept->above->lock);
    struct rv_service_stats known = {
        .state = kept->state,
        .starts = kept->starts,
        .pid = kept->pid,
        .end = kept->end,
    };
    rvi_lock_release(&kept->above->lock);
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}

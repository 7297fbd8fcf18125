/* SPDX-License-Identifier: MIT */
/* sim.c - simulated runs for programs: what a seed means, how it is replayed, what is reported.
 *
 * A plan is all that decides a run besides the program: seed, strategy, workers. Its text,
 *
 *     SEED:walk:WORKERS    SEED:pct-DEPTH-LENGTH:WORKERS
 *
 * is what RAVEL_SEED takes; of a bare SEED the rest is made from the options, as the first time.
 * LENGTH is part of it because exploring measures it on the runs before.
 *
 * A run that is stuck is not abandoned, which would leak whatever its stacks own: it is reported,
 * and its first task is cancelled by a message, as if from another thread, so that everybody's
 * blocking call returns.
 *
 * Rejected: to derive LENGTH from nothing by drawing change points log-uniformly; it needs no
 * measuring and weakens the guarantee by the logarithm of the longest run. */
#include <ravel/sim.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/opts.h"
#include "base/text.h"
#include "sched/sched.h"
#include "sched/sim.h"
#include "sched/task.h"
#include "sys/backtrace.h"
#include "sys/last_words.h"
#include "task/runtime.h"
#include "task/simio.h"

enum {
    DEFAULT_SEEDS = 100,
    DEFAULT_LENGTH = 1000,
    DEFAULT_DEPTH = 3,
    DEFAULT_STEPS = 1000000,
    DEFAULT_STEP_NS = 100,
    MOST_WORKERS = 64,
    DEFAULT_BUFFER_BYTES = 4096,
    DEFAULT_DESCRIPTORS = 1024,
    MOST_DESCRIPTORS = 1 << 20,
    MILLION = 1000000,
    SIMULATED_CORES = 2, /* so that what chooses by cores chooses threads */
    MOST_FRAMES = 64,
};

#define MOST_STEP_NS RV_SECOND
#define DEFAULT_LATENCY_NS (50 * RV_MICROSECOND)
#define MOST_LATENCY_NS RV_MINUTE
#define MOST_BUFFER_BYTES ((size_t)1 << 30)

struct plan {
    struct rvi_strategy_opts strategy;
    unsigned workers;
    char text[64];
};

/* What runs that follow each other share. */
struct session {
    struct rv_sim_opts opts;
    struct rvi_sched_opts sched_opts; /* of each run, but for the workers */
    rv_fn *entry;
    void *arg;
    FILE *log;
    struct rvi_sim *sim;
    char last_words[160];
};

struct run {
    const struct session *session;
    const struct plan *plan;
    struct rvi_sched *sched;
    struct rvi_task *first; /* while it runs */
    struct rvi_msg cancel;  /* to its home worker */
    int stuck;              /* 0, or the -errno why */
    int result;
};

/* --- options and plans --- */

static int refuse(const char *what)
{
    fprintf(stderr, "ravel: rv_sim_opts.%s is out of range\n", what);
    return -EINVAL;
}

/* What the network's are, with its defaults. */
static int read_net_opts(struct rv_sim_opts *opts)
{
    if (opts->net_latency_ns < 0 || opts->net_latency_ns > MOST_LATENCY_NS)
        return refuse("net_latency_ns");
    if (opts->net_buffer_bytes > MOST_BUFFER_BYTES)
        return refuse("net_buffer_bytes");
    if (opts->net_descriptors > MOST_DESCRIPTORS)
        return refuse("net_descriptors");
    if (opts->net_lose_ppm > MILLION || opts->net_reset_ppm > MILLION ||
        opts->net_silence_ppm > MILLION || opts->net_refuse_ppm > MILLION)
        return refuse("net_..._ppm");
    if (opts->net_latency_ns == 0)
        opts->net_latency_ns = DEFAULT_LATENCY_NS;
    if (opts->net_buffer_bytes == 0)
        opts->net_buffer_bytes = DEFAULT_BUFFER_BYTES;
    if (opts->net_descriptors == 0)
        opts->net_descriptors = DEFAULT_DESCRIPTORS;
    return 0;
}

static int read_opts(struct rv_sim_opts *ret, const struct rv_sim_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if ((unsigned)ret->strategy > RV_SIM_PCT)
        return refuse("strategy");
    if (ret->depth > RVI_STRATEGY_DEPTH_MOST)
        return refuse("depth");
    if (ret->workers > MOST_WORKERS)
        return refuse("workers");
    if (ret->step_ns < 0 || ret->step_ns > MOST_STEP_NS)
        return refuse("step_ns");
    ret->depth = ret->depth ? ret->depth : DEFAULT_DEPTH;
    ret->length = ret->length ? ret->length : DEFAULT_LENGTH;
    ret->steps = ret->steps ? ret->steps : DEFAULT_STEPS;
    ret->seeds = ret->seeds ? ret->seeds : DEFAULT_SEEDS;
    ret->step_ns = ret->step_ns ? ret->step_ns : DEFAULT_STEP_NS;
    return read_net_opts(ret);
}

static void write_plan(struct plan *plan)
{
    char strategy[48] = "walk";

    if (plan->strategy.kind == RVI_STRATEGY_PCT)
        snprintf(strategy, sizeof strategy, "pct-%u-%" PRIu64, plan->strategy.depth,
                 plan->strategy.length);
    snprintf(plan->text, sizeof plan->text, "%" PRIu64 ":%s:%u", plan->strategy.seed, strategy,
             plan->workers);
}

/* What the options leave open is drawn from the seed. */
static void make_plan(struct plan *plan, const struct rv_sim_opts *opts, uint64_t seed)
{
    struct rvi_rng rng;

    rvi_rng_seed(&rng, seed);
    bool is_walk = rvi_rng_below(&rng, 2) == 0;
    unsigned depth = 1 + (unsigned)rvi_rng_below(&rng, opts->depth);
    unsigned workers = 2 + (unsigned)rvi_rng_below(&rng, 2);
    if (opts->strategy != RV_SIM_MIXED) {
        is_walk = opts->strategy == RV_SIM_RANDOM_WALK;
        depth = opts->depth;
    }
    *plan = (struct plan){
        .strategy = {.kind = is_walk ? RVI_STRATEGY_WALK : RVI_STRATEGY_PCT,
                     .seed = seed,
                     .depth = depth,
                     .length = opts->length},
        .workers = opts->workers ? opts->workers : workers,
    };
    write_plan(plan);
}

/* A number from `least` to `most` and what follows it; NULL: there is none. */
static const char *read_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *ret >= least && *ret <= most ? end : NULL;
}

static const char *skip(const char *text, const char *word)
{
    size_t n = strlen(word);

    return text && strncmp(text, word, n) == 0 ? text + n : NULL;
}

/* All after the seed; false: not understood. */
static bool parse_rest(struct plan *plan, const char *text)
{
    const char *at = skip(text, ":walk:");
    uint64_t depth = 1, length = 1, workers;

    plan->strategy.kind = at ? RVI_STRATEGY_WALK : RVI_STRATEGY_PCT;
    if (!at && (at = skip(text, ":pct-")))
        at = read_number(at, 1, RVI_STRATEGY_DEPTH_MOST, &depth);
    if (plan->strategy.kind == RVI_STRATEGY_PCT && (at = skip(at, "-")))
        at = skip(read_number(at, 1, UINT64_MAX, &length), ":");
    if (!at || !(at = read_number(at, 1, MOST_WORKERS, &workers)) || *at)
        return false;
    plan->strategy.depth = (unsigned)depth;
    plan->strategy.length = length;
    plan->workers = (unsigned)workers;
    return true;
}

/* The plan of RAVEL_SEED. Returns 1; 0 when it is not set; -EINVAL. */
static int plan_from_environment(struct plan *plan, const struct rv_sim_opts *opts)
{
    const char *text = getenv("RAVEL_SEED"), *rest;
    uint64_t seed;

    if (!text || !*text)
        return 0;
    rest = read_number(text, 0, UINT64_MAX, &seed);
    if (rest) {
        make_plan(plan, opts, seed);
        if (!*rest)
            return 1;
        if (parse_rest(plan, rest)) {
            write_plan(plan);
            return 1;
        }
    }
    fprintf(stderr,
            "ravel: RAVEL_SEED=%s: give a number, or SEED:walk:WORKERS, or "
            "SEED:pct-DEPTH-LENGTH:WORKERS\n",
            text);
    return -EINVAL;
}

/* --- being stuck --- */

static void deliver_cancel(struct rvi_msg *msg, void *receiver)
{
    struct run *run = rvi_container_of(msg, struct run, cancel);
    struct rvi_worker *home = run->first ? rvi_load_relaxed(&run->first->home) : receiver;

    if (home != receiver)
        rvi_worker_send(home, msg); /* it has migrated meanwhile */
    else if (run->first)
        rvi_task_cancel_here(run->first);
}

/* ", in FUNCTION at FILE:LINE": where in the program a parked task waits, as far as is known. */
static void add_place(struct rvi_text *text, struct rvi_backtracer *backtracer,
                      const struct rvi_task *task)
{
    struct rvi_stack_view view;
    struct rvi_frame frame;
    const void *pcs[MOST_FRAMES];

    if (!backtracer || task->state != RVI_TASK_PARKED)
        return;
    rvi_stack_view_parked(task->stack, task->ctx, &view);
    size_t count = rvi_backtrace(backtracer, &view, pcs, MOST_FRAMES);
    if (!rvi_backtrace_site(backtracer, pcs, count, &frame))
        return;
    rvi_text_add(text, ", in ");
    rvi_frame_add(text, &frame);
}

static void report_task(const struct rvi_task *task, void *arg)
{
    struct rvi_text place = {0};
    const char *is = task->state == RVI_TASK_PARKED    ? rvi_why_word((enum rvi_why)task->why)
                     : task->state == RVI_TASK_READY   ? "its turn"
                     : task->state == RVI_TASK_RUNNING ? "nothing: it runs"
                                                       : NULL;
    if (!is)
        return;
    add_place(&place, arg, task);
    fprintf(stderr, "ravel:   task %" PRIu64 " '%s', started at %s:%u, waits for: %s%s\n", task->id,
            rvi_task_name(task), task->site->file, task->site->line, is,
            place.bytes ? place.bytes : "");
    rvi_text_fini(&place);
}

static void report_thread(void *arg, const char *name, enum rvi_why why)
{
    (void)arg;
    fprintf(stderr, "ravel:   thread '%s' waits for: %s\n", name, rvi_why_word(why));
}

static void report_stuck(const struct run *run)
{
    if (run->stuck == -EDEADLK)
        fprintf(stderr, "ravel: deadlock: nobody can run and no timer is armed\n");
    else
        fprintf(stderr, "ravel: %" PRIu64 " simulated steps were not enough\n",
                run->session->opts.steps);
    /* Unwinding needs room; a task that still runs may be on its own small stack just now. */
    struct rvi_backtracer *backtracer = run->stuck == -EDEADLK ? rvi_backtracer_new(true) : NULL;
    for (unsigned i = 0; i < run->sched->worker_count; i++)
        rvi_slab_walk(&run->sched->workers[i].slab, report_task, backtracer);
    rvi_backtracer_free(backtracer);
    rvi_sim_each_waiting(report_thread, NULL);
}

static void on_stuck(void *arg, int why)
{
    struct run *run = arg;

    run->stuck = why;
    if (!run->session->opts.quiet || !run->first)
        report_stuck(run);
    if (!run->first)
        rvi_panic("the simulated runtime itself got stuck; replay it with RAVEL_SEED=%s",
                  run->plan->text);
    (void)rvi_cancel_set(&run->sched->cancel, -ECANCELED);
    run->cancel.deliver = deliver_cancel;
    rvi_worker_send(rvi_load_relaxed(&run->first->home), &run->cancel);
}

/* --- events --- */

static void log_event(FILE *log, const struct rv_sim_event *event)
{
    fprintf(log, "%" PRIu64 " %" PRId64 " %s-%u", event->step, event->now, event->thread_name,
            event->thread);
    if (event->task)
        fprintf(log, " %" PRIu64 " %s", event->task, event->task_name);
    fprintf(log, " %s\n", event->what);
}

static void on_event(void *arg, const struct rvi_sim_event *seen)
{
    const struct run *run = arg;
    struct rv_sim_event event = {
        .size = sizeof event,
        .step = seen->step,
        .now = seen->now,
        .thread = seen->thread,
        .thread_name = seen->thread_name,
        .task = seen->task ? seen->task->id : 0,
        .task_name = seen->task ? rvi_task_name(seen->task) : "",
        .what = rvi_point_word(seen->what),
    };

    if (run->session->log)
        log_event(run->session->log, &event);
    if (run->session->opts.event)
        run->session->opts.event(run->session->opts.event_arg, &event);
}

/* --- a run --- */

static int first_task(void *arg)
{
    struct run *run = arg;

    run->sched = rvi_sched_self();
    run->first = rvi_task_self();
    int r = run->session->entry(run->session->arg);
    run->first = NULL;
    return r;
}

/* The first simulated thread. */
static void first_thread(void *arg)
{
    struct run *run = arg;
    struct rvi_sched_opts opts = run->session->sched_opts;

    opts.workers = run->plan->workers;
    run->result = rvi_runtime_run(first_task, run, &opts, false);
}

static int open_net(struct rvi_simio *io, const struct rv_sim_opts *opts, uint64_t seed)
{
    const struct rvi_simnet_opts net = {
        .seed = seed ^ UINT64_C(0x9e3779b97f4a7c15), /* not the strategy's numbers once more */
        .latency_ns = opts->net_latency_ns,
        .buffer_bytes = opts->net_buffer_bytes,
        .most = opts->net_descriptors,
        .lose_ppm = opts->net_lose_ppm,
        .reset_ppm = opts->net_reset_ppm,
        .silence_ppm = opts->net_silence_ppm,
        .refuse_ppm = opts->net_refuse_ppm,
    };
    return rvi_simio_open(io, &net);
}

/* What a run has come to, besides its result. */
struct totals {
    struct rvi_sim_totals sim;
    unsigned descriptors;
};

/* Returns what the run came to. */
static int simulate(struct session *session, const struct plan *plan, struct totals *ret)
{
    struct run run = {.session = session, .plan = plan};
    struct rvi_simio io;
    struct rvi_sim_opts opts = {
        .strategy = plan->strategy,
        .steps = session->opts.steps,
        .step_ns = session->opts.step_ns,
        .cores = SIMULATED_CORES,
        .net = &io.seam,
        .arg = &run,
        .event = session->log || session->opts.event ? on_event : NULL,
        .stuck = on_stuck,
    };

    snprintf(session->last_words, sizeof session->last_words,
             "ravel: died in a simulated run; RAVEL_SEED=%s replays it\n", plan->text);
    if (session->log)
        fprintf(session->log, "RAVEL_SEED=%s\n", plan->text);
    int r = open_net(&io, &session->opts, plan->strategy.seed);
    if (r < 0)
        return r;
    r = rvi_sim_run(session->sim, &opts, first_thread, &run, &ret->sim);
    ret->descriptors = rvi_simio_close(&io);
    if (r == 0)
        r = run.stuck ? run.stuck : run.result;
    if (r < 0 && !session->opts.quiet)
        fprintf(stderr, "ravel: a simulated run failed: %s; RAVEL_SEED=%s replays it\n",
                strerrordesc_np(-r) ? strerrordesc_np(-r) : "no errno", plan->text);
    return r;
}

/* A run's line must be in the file when the run kills the process. */
static int open_log(FILE **ret)
{
    const char *path = getenv("RAVEL_SIM_LOG");

    *ret = NULL;
    if (!path || !*path)
        return 0;
    *ret = fopen(path, "ae");
    if (!*ret) {
        int error = errno;
        fprintf(stderr, "ravel: RAVEL_SIM_LOG=%s: %s\n", path, strerror(error));
        return -error;
    }
    setlinebuf(*ret);
    return 0;
}

static int close_log(FILE *log)
{
    if (!log)
        return 0;
    bool has_failed = ferror(log) != 0;
    return fclose(log) != 0 || has_failed ? -EIO : 0;
}

static int open_session(struct session *session)
{
    int r = open_log(&session->log);

    if (r < 0)
        return r;
    if ((r = rvi_sim_open(&session->sim)) < 0)
        goto close_log;
    if ((r = rvi_last_words_set(session->last_words)) < 0)
        goto close_sim;
    return 0;

close_sim:
    rvi_sim_close(session->sim);
close_log:
    (void)close_log(session->log);
    return r;
}

/* Of the runs' result and the log's the first that is an error. */
static int close_session(struct session *session, int result)
{
    rvi_last_words_forget();
    rvi_sim_close(session->sim);
    int r = close_log(session->log);
    return result < 0 || r == 0 ? result : r;
}

/* A stall watch never sleeps for long, and would so hide every deadlock. */
static int settle_sched_opts(struct session *session)
{
    struct rv_run_opts opts = {
        .size = sizeof opts,
        .workers = 1,
        .stack_bytes = session->opts.stack_bytes,
    };
    struct rvi_runtime_signals signals;
    int r = rvi_runtime_opts(&session->sched_opts, &signals, &opts);

    session->sched_opts.stall_ns = 0;
    return r;
}

/* Returns 1 when the environment has settled the plan, else 0. */
static int prepare(struct session *session, const struct rv_sim_opts *opts, struct plan *ret)
{
    if (rvi_sched_self() || rvi_seam)
        return -EBUSY;
    int r = read_opts(&session->opts, opts);
    if (r == 0)
        r = settle_sched_opts(session);
    return r < 0 ? r : plan_from_environment(ret, &session->opts);
}

int rv_sim_run(rv_fn *entry, void *arg, const struct rv_sim_opts *opts)
{
    struct session session = {.entry = entry, .arg = arg};
    struct totals totals;
    struct plan plan;
    int r = prepare(&session, opts, &plan);

    if (r == 0)
        make_plan(&plan, &session.opts, session.opts.seed);
    if (r < 0 || (r = open_session(&session)) < 0)
        return r;
    return close_session(&session, simulate(&session, &plan, &totals));
}

/* --- many runs --- */

static int run_and_record(struct session *session, const struct plan *plan,
                          struct rv_sim_result *result, uint64_t *ret_steps)
{
    struct totals totals = {0};
    int r = simulate(session, plan, &totals);

    result->runs++;
    result->steps += totals.sim.steps;
    result->seed = plan->strategy.seed;
    result->digest = totals.sim.digest;
    result->elapsed = totals.sim.elapsed;
    result->descriptors = totals.descriptors;
    memcpy(result->replay, plan->text, sizeof result->replay);
    *ret_steps = totals.sim.steps;
    return r < 0 ? r : 0;
}

/* The longest run so far is what PCT takes for the length of the next ones. */
static int run_seeds(struct session *session, struct rv_sim_result *result)
{
    struct rv_sim_opts next = session->opts;
    struct plan plan;
    uint64_t steps, longest = 0;
    int r = 0;

    for (uint64_t i = 0; i < session->opts.seeds && r == 0; i++) {
        make_plan(&plan, &next, session->opts.seed + i);
        r = run_and_record(session, &plan, result, &steps);
        if (steps > longest)
            next.length = longest = steps;
    }
    return r;
}

int rv_sim_explore(rv_fn *entry, void *arg, const struct rv_sim_opts *opts,
                   struct rv_sim_result *result)
{
    struct rv_sim_result out = {.size = sizeof out};
    struct session session = {.entry = entry, .arg = arg};
    struct plan plan;
    uint64_t steps;
    int r = prepare(&session, opts, &plan);

    if (r >= 0 && result && result->size < sizeof *result)
        r = -EINVAL;
    if (r < 0)
        return r;
    bool is_one = r > 0;
    if ((r = open_session(&session)) < 0)
        return r;
    r = is_one ? run_and_record(&session, &plan, &out, &steps) : run_seeds(&session, &out);
    r = close_session(&session, r);
    int given = result ? rvi_opts_give(result, &out, sizeof out, sizeof out) : 0;
    return r < 0 ? r : given;
}

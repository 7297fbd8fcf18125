/* SPDX-License-Identifier: MIT */
/* test_tier_processes.c - what is particular about jobs in processes of their own: they may crash,
 * they may be killed, and nobody else notices. This program is its own worker. */
#include "exec/executor.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../../support/under_tool.h"
#include "exec/processes.h"
#include "tiers.h"

#define SOON rv_after(RV_MINUTE)

/* --- jobs --- */

static int whose_process(const int *in, pid_t *out)
{
    (void)in;
    *out = getpid();
    return 0;
}
RV_JOB(whose_process, int, pid_t);

static int die_by(const int *in, int *out)
{
    (void)out;
    rvi_fetch_add_relaxed(&runs, 1);
    kill(getpid(), *in);
    return -EIO;
}
RV_JOB(die_by, int, int);

static int speak_and_die(const int *in, int *out)
{
    (void)out;
    fprintf(stderr, "these were the last words\n");
    return die_by(in, out);
}
RV_JOB(speak_and_die, int, int);

static int leave_by_exit(const int *in, int *out)
{
    (void)out;
    _exit(*in);
}
RV_JOB(leave_by_exit, int, int);

/* Dies so many times before it does not. */
static int die_at_first(const int *in, int *out)
{
    int times = rvi_fetch_add_relaxed(&runs, 1);

    if (times < *in)
        kill(getpid(), SIGKILL);
    *out = times;
    return 0;
}
RV_JOB_IDEMPOTENT(die_at_first, int, int);

/* Neither hears of being cancelled nor minds SIGTERM, if so told. */
static int stay_for_ever(const int *in, int *out)
{
    (void)out;
    if (*in)
        signal(SIGTERM, SIG_IGN);
    rvi_fetch_add_relaxed(&inside, 1);
    for (;;)
        pause();
    return 0;
}
RV_JOB(stay_for_ever, int, int);

static int stop_itself(const int *in, int *out)
{
    rvi_fetch_add_relaxed(&inside, 1);
    kill(getpid(), SIGSTOP);
    *out = *in;
    return 0;
}
RV_JOB(stop_itself, int, int);

/* Of one that has a value. */
static void get_value(rv_future *f, void *ret)
{
    struct rv_outcome outcome;

    RV_CHECK(rv_future_get(f, ret, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE);
    rv_future_free(f);
}

/* The depth that was reached, and why no more. */
struct nest {
    int depth, error;
};

static int nest(const int *levels, struct nest *out);
RV_JOB(nest, int, struct nest);

static int nest(const int *levels, struct nest *out)
{
    rv_executor *ex;
    rv_future *f;

    if (*levels == 0)
        return 0;
    out->error = rv_executor_open(&ex, "processes:1", with_scene(NULL));
    if (out->error < 0)
        return 0;
    RV_CHECK(rv_submit(ex, &f, nest, &(int){*levels - 1}, RV_NEVER) == 0);
    get_value(f, out);
    out->depth++;
    return rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
}

/* Is killed while one of its own is at work, whose number stands in `runs`. */
static int be_killed_with_more(const int *in, int *out)
{
    rv_executor *ex;
    rv_future *f;

    (void)out;
    RV_CHECK(rv_executor_open(&ex, "processes:1", with_scene(NULL)) == 0);
    RV_CHECK(rv_submit(ex, &f, whose_process, in, RV_NEVER) == 0);
    pid_t pid;
    get_value(f, &pid);
    rvi_store_relaxed(&runs, pid);
    RV_CHECK(rv_submit(ex, &f, stay_for_ever, &(int){1}, RV_NEVER) == 0);
    while (rvi_load_relaxed(&inside) == 0)
        usleep(50);
    return kill(getpid(), SIGKILL);
}
RV_JOB(be_killed_with_more, int, int);

struct found {
    int mapped, attached;
};

/* What the program has shared, as one of its workers' workers sees it. */
static int look_for_it(const struct rv_queue_ref *in, struct found *out)
{
    rv_queue *q;
    void *memory;

    out->mapped = rv_shm_map(in->memory, &memory);
    out->attached = rv_queue_attach(&q, *in);
    return 0;
}
RV_JOB(look_for_it, struct rv_queue_ref, struct found);

static int have_it_looked_for(const struct rv_queue_ref *in, struct found *out)
{
    rv_executor *ex;
    rv_future *f;

    RV_CHECK(rv_executor_open(&ex, "processes:1", with_scene(NULL)) == 0);
    RV_CHECK(rv_submit(ex, &f, look_for_it, in, RV_NEVER) == 0);
    get_value(f, out);
    return rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
}
RV_JOB(have_it_looked_for, struct rv_queue_ref, struct found);

/* --- short forms --- */

static const struct rv_process_opts impatient = {
    .size = sizeof(impatient), .cancel_grace = RV_MILLISECOND, .term_grace = RV_MILLISECOND};

static rv_executor *open_with(unsigned width, const struct rv_process_opts *process)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .process = process, .backlog = 200};

    return open_wide(width, &opts);
}

static pid_t process_of_next_job(rv_executor *ex)
{
    rv_future *f = submit(ex, whose_process, &(int){0});
    pid_t pid = value_of(f);

    f = rv_future_free(f);
    return pid;
}

static void check_works(rv_executor *ex)
{
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* --- processes --- */

static void a_job_runs_in_a_process_of_its_own(void)
{
    rv_executor *ex = open_wide(1, NULL);
    pid_t pid = process_of_next_job(ex);

    RV_CHECK(pid > 0 && pid != getpid());
    RV_CHECK(process_of_next_job(ex) == pid);
    close_waiting(ex);
    RV_CHECK(kill(pid, 0) < 0 && errno == ESRCH);
}

static void processes_are_started_as_they_are_needed(void)
{
    rv_executor *ex = open_wide(50, NULL);
    rv_future *f[3];

    RV_CHECK(stats_of(ex).started == 1);
    for (int i = 0; i < 3; i++)
        f[i] = submit(ex, pass_gate, &i);
    until_inside(3);
    RV_CHECK(stats_of(ex).started == 3);
    open_gate();
    RV_CHECK(rv_wait(f, 3, RV_ALL, SOON) == 3);
    free_all(f, 3);
    close_waiting(ex);
}

static void as_many_are_there_at_first_as_is_asked_for(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .prestart = 3};
    rv_executor *ex = open_with(4, &process);

    RV_CHECK(stats_of(ex).started == 3);
    check_works(ex);
    close_waiting(ex);
}

static void a_process_that_has_done_enough_is_replaced(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .recycle_jobs = 2};
    rv_executor *ex = open_with(1, &process);
    pid_t first = process_of_next_job(ex);

    RV_CHECK(process_of_next_job(ex) == first);
    RV_CHECK(process_of_next_job(ex) != first);
    RV_CHECK(stats_of(ex).recycled == 1 && stats_of(ex).deaths == 0);
    close_waiting(ex);
}

static void use_and_close(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[3] = {submit(ex, add_one, &(int){0}), submit(ex, die_by, &(int){SIGKILL}),
                       submit(ex, speak_and_die, &(int){SIGKILL})};

    RV_CHECK(rv_wait(f, 3, RV_ALL, SOON) == 3);
    free_all(f, 3);
    close_waiting(ex);
}

static void nothing_is_left_of_it(void)
{
    use_and_close(); /* some things are found out once */
    long live = rvi_alloc_live();
    int fds = count_fds();

    use_and_close();
    RV_CHECK(now_on->workers > 0 || rvi_alloc_live() == live);
    RV_CHECK(now_on->workers > 0 || count_fds() == fds);
}

static void processes_have_processes_three_deep(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = NULL;
    struct nest got;

    RV_CHECK(rv_submit(ex, &f, nest, &(int){2}, RV_NEVER) == 0);
    get_value(f, &got);
    RV_CHECK(got.depth == 2 && got.error == 0);
    RV_CHECK(rv_submit(ex, &f, nest, &(int){9}, RV_NEVER) == 0);
    get_value(f, &got);
    RV_CHECK(got.depth == 2 && got.error == -ELOOP);
    close_waiting(ex);
}

/* The one that has lost its parent comes to us, so that we hear of its end. */
static void processes_of_one_that_is_killed_end_with_it(void)
{
    rv_executor *ex = open_wide(1, NULL);
    int status;

    RV_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    rv_future *f = submit(ex, be_killed_with_more, &(int){0});
    RV_CHECK(kind_of(f) == RV_OUTCOME_SIGNAL);
    pid_t pid = rvi_load_relaxed(&runs);
    RV_CHECK(waitpid(pid, &status, 0) == pid);
    RV_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    RV_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_is_shared_is_not_for_processes_of_processes(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_queue_ref ref;
    struct found found;
    rv_queue *q;
    rv_future *f;

    RV_CHECK(rv_queue_new_shared(&q, sizeof(int), 4) == 0 && rv_queue_ref_of(q, &ref) == 0);
    RV_CHECK(rv_submit(ex, &f, have_it_looked_for, &ref, RV_NEVER) == 0);
    get_value(f, &found);
    RV_CHECK(found.mapped == -ENOENT && found.attached == -ENOENT);
    q = rv_queue_free(q);
    close_waiting(ex);
}

static void a_job_that_nobody_has_registered_is_refused(void)
{
    struct rv_job job = rv_job_add_one;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f;

    RV_CHECK(rv_submit_job(ex, &f, &job, &(int){0}, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_map_job(ex, &job, (int[]){0, 1}, 2, (int[2]){0}, NULL, RV_NEVER) == -EINVAL);
    check_works(ex);
    close_waiting(ex);
}

/* --- deaths --- */

static void a_crash_is_told_by_its_signal(void)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGUSR1};
    rv_executor *ex = open_wide(1, NULL);

    for (int i = 0; i < 3; i++) {
        rv_future *f = submit(ex, die_by, &signals[i]);
        struct rv_outcome outcome = outcome_of(f);
        RV_CHECK(outcome.kind == RV_OUTCOME_SIGNAL && outcome.signal == signals[i]);
        RV_CHECK(outcome.error == 0 && outcome.deaths == 1);
        f = rv_future_free(f);
    }
    RV_CHECK(stats_of(ex).deaths == 3 && stats_of(ex).poisoned == 0);
    check_works(ex);
    close_waiting(ex);
}

static void its_last_words_are_kept(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, speak_and_die, &(int){SIGKILL});
    rv_future *silent = submit(ex, die_by, &(int){SIGKILL});
    char words[100], few[6];

    RV_CHECK(kind_of(f) == RV_OUTCOME_SIGNAL && kind_of(silent) == RV_OUTCOME_SIGNAL);
    RV_CHECK(rv_future_last_words(f, words, sizeof(words)) == strlen(words));
    RV_CHECK(strstr(words, "these were the last words\n"));
    RV_CHECK(rv_future_last_words(f, few, sizeof(few)) == strlen(words));
    RV_CHECK(strcmp(few, "ords\n") == 0);
    RV_CHECK(rv_future_last_words(f, NULL, 0) == strlen(words));
    RV_CHECK(rv_future_last_words(silent, words, sizeof(words)) == 0 && words[0] == '\0');
    f = rv_future_free(f);
    silent = rv_future_free(silent);
    close_waiting(ex);
}

static void a_job_that_exits_is_lost(void)
{
    rv_executor *ex = open_wide(1, NULL);

    for (int status = 0; status < 2; status++) {
        rv_future *f = submit(ex, leave_by_exit, &status);
        RV_CHECK(kind_of(f) == RV_OUTCOME_LOST && outcome_of(f).signal == 0);
        f = rv_future_free(f);
    }
    close_waiting(ex);
}

enum { BEHIND = 60 };

static void those_behind_a_crash_notice_nothing(void)
{
    rv_executor *ex = open_with(1, NULL);
    rv_future *f[BEHIND];

    for (int i = 0; i < BEHIND; i++)
        f[i] = i % 20 == 5 ? submit(ex, die_by, &(int){SIGKILL}) : submit(ex, add_one, &i);
    for (int i = 0; i < BEHIND; i++) {
        if (i % 20 == 5)
            RV_CHECK(kind_of(f[i]) == RV_OUTCOME_SIGNAL);
        else
            RV_CHECK(value_of(f[i]) == i + 1);
    }
    RV_CHECK(rvi_load_relaxed(&runs) == BEHIND); /* each has run once */
    free_all(f, BEHIND);
    close_waiting(ex);
}

static void idle_processes_may_be_killed(void)
{
    rv_executor *ex = open_wide(1, NULL);
    pid_t pid = process_of_next_job(ex);

    RV_CHECK(kill(pid, SIGKILL) == 0);
    while (stats_of(ex).deaths == 0)
        rv_yield();
    RV_CHECK(process_of_next_job(ex) != pid);
    RV_CHECK(kill(process_of_next_job(ex), SIGKILL) == 0);
    close_waiting(ex);
}

static void an_idempotent_job_is_run_again(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .retries = 3};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit(ex, die_at_first, &(int){3});

    RV_CHECK(value_of(f) == 3);
    RV_CHECK(outcome_of(f).deaths == 3);
    RV_CHECK(stats_of(ex).retried == 3 && stats_of(ex).poisoned == 0);
    f = rv_future_free(f);
    f = submit(ex, die_by, &(int){SIGKILL}); /* this one is not */
    RV_CHECK(kind_of(f) == RV_OUTCOME_SIGNAL && outcome_of(f).deaths == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void one_that_kills_them_all_is_set_aside(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .retries = 2};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *poison = submit(ex, die_at_first, &(int){99});
    rv_future *f = submit(ex, whose_process, &(int){0});

    RV_CHECK(kind_of(poison) == RV_OUTCOME_SIGNAL && outcome_of(poison).deaths == 3);
    RV_CHECK(value_of(f) > 0);
    RV_CHECK(stats_of(ex).retried == 2 && stats_of(ex).poisoned == 1);
    RV_CHECK(rvi_load_relaxed(&runs) == 3);
    poison = rv_future_free(poison);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void without_retries_nothing_is_run_again(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, die_at_first, &(int){1});

    RV_CHECK(kind_of(f) == RV_OUTCOME_SIGNAL && outcome_of(f).deaths == 1);
    RV_CHECK(stats_of(ex).poisoned == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- memory --- */

/* Has so many MiB and keeps them, or waits with them. */
static int eat(const int *in, int *out)
{
    static char *memory;
    size_t bytes = (size_t)*in << 20;

    free(memory);
    memory = malloc(bytes);
    RV_CHECK(memory);
    for (size_t i = 0; i < bytes; i += 512)
        memory[i] = 1;
    rvi_fetch_add_relaxed(&inside, 1);
    while (!rvi_load_relaxed(&scene->is_open))
        usleep(50);
    *out = memory[512];
    return 0;
}
RV_JOB(eat, int, int);

static void a_process_with_more_than_it_may_have_is_killed(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .memory_bytes = 256 << 20};
    rv_executor *ex = open_with(1, &process);
    rv_future *f = submit(ex, eat, &(int){300});
    rv_future *behind = submit(ex, add_one, &(int){1});

    RV_CHECK(kind_of(f) == RV_OUTCOME_MEMORY && outcome_of(f).deaths == 1);
    RV_CHECK(value_of(behind) == 2);
    open_gate();
    f = rv_future_free(f);
    f = submit(ex, eat, &(int){1});
    RV_CHECK(value_of(f) == 1);
    f = rv_future_free(f);
    behind = rv_future_free(behind);
    close_waiting(ex);
}

static void a_process_that_has_grown_is_replaced(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .recycle_bytes = 256 << 20};
    rv_executor *ex = open_with(1, &process);
    pid_t first = process_of_next_job(ex);

    open_gate();
    rv_future *f = submit(ex, eat, &(int){300});
    RV_CHECK(value_of(f) == 1);
    while (stats_of(ex).recycled == 0)
        rv_yield();
    RV_CHECK(process_of_next_job(ex) != first);
    RV_CHECK(stats_of(ex).deaths == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- what does not stop --- */

static void what_does_not_stop_is_killed(void)
{
    rv_executor *ex = open_with(1, &impatient);

    for (int stubborn = 0; stubborn < 2; stubborn++) {
        rv_future *f = submit(ex, stay_for_ever, &stubborn);
        rv_future *behind = submit(ex, add_one, &(int){5});
        until_inside(stubborn + 1);
        rv_future_cancel(f);
        RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED && outcome_of(f).deaths == 1);
        RV_CHECK(value_of(behind) == 6);
        f = rv_future_free(f);
        behind = rv_future_free(behind);
    }
    close_waiting(ex);
}

static void a_job_out_of_time_is_killed(void)
{
    const struct rv_executor_opts opts = {
        .size = sizeof(opts), .process = &impatient, .job_timeout = 5 * RV_MILLISECOND};
    rv_executor *ex = open_wide(1, &opts);

    for (int stubborn = 0; stubborn < 2; stubborn++) {
        rv_future *f = submit(ex, stay_for_ever, &stubborn);
        RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT && outcome_of(f).signal == 0);
        f = rv_future_free(f);
    }
    close_waiting(ex);
}

static void closing_ends_what_does_not_stop(void)
{
    rv_executor *ex = open_with(2, &impatient);
    rv_future *f[2] = {submit(ex, stay_for_ever, &(int){0}), submit(ex, stay_for_ever, &(int){1})};

    until_inside(2);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED && kind_of(f[1]) == RV_OUTCOME_CANCELLED);
    free_all(f, 2);
}

/* The tier, with a worker that dies while all is cancelled: what it had not begun comes back. */
static rv_future *of_the_dead; /* NULL: it has come back */

static void dispatch_after_a_death(struct rv_executor *ex)
{
    if (of_the_dead && of_the_dead->state == RVI_FUTURE_RUNNING)
        RV_CHECK(rvi_processes_recall(of_the_dead));
    else
        rvi_processes_dispatch(ex);
    of_the_dead = NULL;
}

static void regress_what_comes_back_while_all_is_cancelled_is_cancelled(void)
{
    static struct rvi_tier tier;
    rv_executor *ex = open_with(1, NULL);
    rv_future *f[2] = {submit(ex, stay_until_cancelled, &(int){0}), submit(ex, add_one, &(int){1})};

    until_inside(1);
    bool biased = rvi_bias_lock(&ex->lock);
    tier = rvi_tier_processes;
    tier.dispatch = dispatch_after_a_death;
    ex->tier = &tier;
    of_the_dead = f[1];
    rvi_bias_unlock(&ex->lock, biased);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED && kind_of(f[1]) == RV_OUTCOME_CANCELLED);
    RV_CHECK(rvi_load_relaxed(&runs) == 0);
    free_all(f, 2);
}

static void a_stopped_process_is_killed_in_the_end(void)
{
    rv_executor *ex = open_with(1, &impatient);
    rv_future *f = submit(ex, stop_itself, &(int){0});

    until_inside(1);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    f = submit(ex, stop_itself, &(int){0});
    until_inside(2);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    f = rv_future_free(f);
}

static void others_take_what_waits_behind_a_stopped_process(void)
{
    rv_executor *ex = open_with(2, &impatient);
    rv_future *f[10] = {submit(ex, stop_itself, &(int){0})};

    until_inside(1);
    for (int i = 1; i < 10; i++)
        f[i] = submit(ex, add_one, &i);
    for (int i = 1; i < 10; i++)
        RV_CHECK(value_of(f[i]) == i + 1);
    rv_future_cancel(f[0]);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED);
    free_all(f, 10);
    close_waiting(ex);
}

/* --- bytes --- */

struct large {
    unsigned char bytes[300000];
};

static int turn_large(const struct large *in, struct large *out)
{
    for (size_t i = 0; i < sizeof(in->bytes); i++) {
        RV_CHECK(out->bytes[i] == 0);
        out->bytes[i] = in->bytes[i] + 1;
    }
    return 0;
}
RV_JOB(turn_large, struct large, struct large);

static void large_inputs_and_results_travel_whole(void)
{
    static struct large in[5], out[5];
    rv_executor *ex = open_wide(2, NULL);

    for (size_t i = 0; i < 5 * sizeof(in[0].bytes); i++)
        in[i / sizeof(in[0].bytes)].bytes[i % sizeof(in[0].bytes)] = (unsigned char)(i * 7 / 3);
    for (int round = 0; round < 2; round++) /* the same memory again */
        RV_CHECK(rv_map(ex, turn_large, in, 5, out, NULL, RV_NEVER) == 0);
    for (size_t i = 0; i < 5 * sizeof(in[0].bytes); i++)
        RV_CHECK(out[i / sizeof(in[0].bytes)].bytes[i % sizeof(in[0].bytes)] ==
                 (unsigned char)(i * 7 / 3 + 1));
    close_waiting(ex);
}

static void more_than_the_arena_holds_waits_its_turn(void)
{
    static struct large in[8], out[8];
    const struct rv_process_opts process = {.size = sizeof(process), .arena_bytes = 1300000};
    rv_executor *ex = open_with(1, &process);

    RV_CHECK(rv_map(ex, turn_large, in, 8, out, NULL, RV_NEVER) == 0);
    for (int i = 0; i < 8; i++)
        RV_CHECK(out[i].bytes[i * 1000] == 1);
    close_waiting(ex);
}

static void what_is_larger_than_the_arena_travels_alone(void)
{
    static struct large in, out;
    const struct rv_process_opts process = {.size = sizeof(process), .arena_bytes = 4096};
    rv_executor *ex = open_with(1, &process);

    for (unsigned char round = 0; round < 3; round++) {
        memset(in.bytes, round, sizeof(in.bytes));
        RV_CHECK(rv_map(ex, turn_large, &in, 1, &out, NULL, RV_NEVER) == 0);
        RV_CHECK(out.bytes[0] == round + 1 && out.bytes[sizeof(out.bytes) - 1] == round + 1);
    }
    close_waiting(ex);
}

static int open_and_use(void)
{
    static struct large in[2], out[2];
    rv_executor *ex;
    char spec[] = "processes:1";
    int r = rv_executor_open(&ex, spec, NULL);

    if (r < 0)
        return r;
    r = rv_map(ex, turn_large, in, 2, out, NULL, RV_NEVER);
    close_waiting(ex);
    return r;
}

static void each_allocation_may_fail(void)
{
    int failures = 0;
    bool pending = false;

    RV_CHECK(open_and_use() == 0);
    long live = rvi_alloc_live();
    for (long n = 1; !pending; n++) {
        rvi_alloc_fail_after(n);
        int r = open_and_use();
        pending = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        RV_CHECK(r == 0 || r == -ENOMEM);
        RV_CHECK(now_on->workers > 0 || rvi_alloc_live() == live);
        failures += r < 0;
    }
    RV_CHECK(failures >= 4);
}

/* Around what fits a slot. */
#define SIZED(n, in_bytes, out_bytes)                                                              \
    struct in_##n {                                                                                \
        unsigned char bytes[in_bytes];                                                             \
    };                                                                                             \
    struct out_##n {                                                                               \
        unsigned char bytes[out_bytes];                                                            \
    };                                                                                             \
    static int size_##n(const struct in_##n *in, struct out_##n *out)                              \
    {                                                                                              \
        for (size_t i = 0; i < sizeof(out->bytes); i++) {                                          \
            RV_CHECK(out->bytes[i] == 0);                                                          \
            out->bytes[i] = (unsigned char)(in->bytes[i % sizeof(in->bytes)] ^ i);                 \
        }                                                                                          \
        return 0;                                                                                  \
    }                                                                                              \
    RV_JOB(size_##n, struct in_##n, struct out_##n)

enum { SMALL = sizeof(((struct rvi_letter *)0)->small) };
SIZED(one, 1, 1);
SIZED(odd, 13, 17);
SIZED(most, 16, SMALL - 16);
SIZED(most_in, SMALL - 16, 16);
SIZED(more, 16, SMALL - 15);
SIZED(more_in, SMALL - 15, 16);
SIZED(page, 4096, 4097);

#define CHECK_SIZE(ex, n)                                                                          \
    do {                                                                                           \
        struct in_##n in;                                                                          \
        struct out_##n out;                                                                        \
        for (size_t i = 0; i < sizeof(in.bytes); i++)                                              \
            in.bytes[i] = (unsigned char)(i * 31 + 5);                                             \
        RV_CHECK(rv_map(ex, size_##n, &in, 1, &out, NULL, RV_NEVER) == 0);                         \
        for (size_t i = 0; i < sizeof(out.bytes); i++)                                             \
            RV_CHECK(out.bytes[i] == (unsigned char)(in.bytes[i % sizeof(in.bytes)] ^ i));         \
    } while (0)

static void every_size_travels_whole(void)
{
    rv_executor *ex = open_wide(1, NULL);

    for (int round = 0; round < 3; round++) {
        CHECK_SIZE(ex, one);
        CHECK_SIZE(ex, odd);
        CHECK_SIZE(ex, most);
        CHECK_SIZE(ex, most_in);
        CHECK_SIZE(ex, more);
        CHECK_SIZE(ex, more_in);
        CHECK_SIZE(ex, page);
    }
    close_waiting(ex);
}

static int add_up_shared(const struct rv_shm *in, long *out)
{
    void *memory;
    int r = rv_shm_map(*in, &memory);

    for (size_t i = 0; r == 0 && i < in->bytes / sizeof(int); i++)
        *out += ((int *)memory)[i]++;
    return r;
}
RV_JOB(add_up_shared, struct rv_shm, long);

static void shared_memory_is_seen_by_jobs(void)
{
    rv_executor *ex = open_wide(2, NULL);
    struct rv_outcome outcome;
    struct rv_shm shm;
    void *memory;
    long sum;

    RV_CHECK(rv_shm_alloc(&shm, 1000 * sizeof(int)) == 0);
    RV_CHECK(rv_shm_map(shm, &memory) == 0);
    for (long round = 0; round < 3; round++) {
        rv_future *f = submit(ex, add_up_shared, &shm);
        RV_CHECK(rv_future_get(f, &sum, &outcome, SOON) == 0);
        RV_CHECK(outcome.kind == RV_OUTCOME_VALUE && sum == 1000 * round);
        RV_CHECK(((int *)memory)[999] == round + 1);
        f = rv_future_free(f);
    }
    rv_shm_free(shm);
    close_waiting(ex);
}

/* --- who waits, and is called by the workers themselves --- */

static void *end_of(void *arg)
{
    return (void *)(intptr_t)kind_of(arg);
}

static void until_somebody_leads(rv_executor *ex)
{
    bool is_led = false;

    while (!is_led) {
        bool biased = rvi_bias_lock(&ex->lock);
        is_led = rvi_processes_of(ex)->leader_sleeps;
        rvi_bias_unlock(&ex->lock, biased);
        rv_yield();
    }
}

static void others_hear_of_their_ends_while_one_leads(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){1});
    pthread_t leader;
    void *kind;

    RV_CHECK(pthread_create(&leader, NULL, end_of, f) == 0);
    for (int i = 0; i < 20; i++) {
        until_somebody_leads(ex);
        rv_future *other = submit(ex, add_one, &i);
        RV_CHECK(value_of(other) == i + 1);
        other = rv_future_free(other);
    }
    open_gate();
    RV_CHECK(pthread_join(leader, &kind) == 0 && kind == (void *)RV_OUTCOME_VALUE);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* The worker is killed, so that it cannot call. */
static void who_leads_hears_of_what_others_have_ended(void)
{
    rv_executor *ex = open_with(1, &impatient);
    rv_future *f = submit(ex, stay_for_ever, &(int){1});
    pthread_t leader;
    void *kind;

    RV_CHECK(pthread_create(&leader, NULL, end_of, f) == 0);
    until_somebody_leads(ex);
    rv_future_cancel(f);
    RV_CHECK(pthread_join(leader, &kind) == 0 && kind == (void *)RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* Whoever is next to wait leads. */
static void who_leads_may_give_up(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){1});

    for (int i = 0; i < 3; i++)
        RV_CHECK(rv_future_wait(f, rv_after(RV_MILLISECOND)) == -ETIME);
    open_gate();
    RV_CHECK(value_of(f) == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* Looked at by threads that spin while their workers die, are buried, and replaced. */
static void members_may_be_buried_while_somebody_looks(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[2];

    for (int i = 0; i < 10; i++) {
        pthread_t looker;
        f[0] = submit(ex, die_by, &(int){SIGKILL});
        f[1] = submit(ex, die_by, &(int){SIGKILL});
        RV_CHECK(pthread_create(&looker, NULL, end_of, f[0]) == 0);
        RV_CHECK(kind_of(f[1]) == RV_OUTCOME_SIGNAL);
        RV_CHECK(pthread_join(looker, NULL) == 0);
        free_all(f, 2);
    }
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PROCESSES(a_job_runs_in_a_process_of_its_own),
        ON_PROCESSES(processes_are_started_as_they_are_needed),
        ON_PROCESSES(as_many_are_there_at_first_as_is_asked_for),
        ON_PROCESSES(a_process_that_has_done_enough_is_replaced),
        ON_PROCESSES(nothing_is_left_of_it),
        ON_PROCESSES(processes_have_processes_three_deep),
        ON_PROCESSES(processes_of_one_that_is_killed_end_with_it),
        ON_PROCESSES(what_is_shared_is_not_for_processes_of_processes),
        ON_PROCESSES(a_job_that_nobody_has_registered_is_refused),
        ON_PROCESSES(a_crash_is_told_by_its_signal),
        ON_PROCESSES(its_last_words_are_kept),
        ON_PROCESSES(a_job_that_exits_is_lost),
        ON_PROCESSES(those_behind_a_crash_notice_nothing),
        ON_PROCESSES(idle_processes_may_be_killed),
        ON_PROCESSES(an_idempotent_job_is_run_again),
        ON_PROCESSES(one_that_kills_them_all_is_set_aside),
        ON_PROCESSES(without_retries_nothing_is_run_again),
        ON_PROCESSES(a_process_with_more_than_it_may_have_is_killed),
        ON_PROCESSES(a_process_that_has_grown_is_replaced),
        ON_PROCESSES(what_does_not_stop_is_killed),
        ON_PROCESSES(a_job_out_of_time_is_killed),
        ON_PROCESSES(closing_ends_what_does_not_stop),
        ON_PROCESSES(regress_what_comes_back_while_all_is_cancelled_is_cancelled),
        ON_PROCESSES(a_stopped_process_is_killed_in_the_end),
        ON_PROCESSES(others_take_what_waits_behind_a_stopped_process),
        ON_PROCESSES(large_inputs_and_results_travel_whole),
        ON_PROCESSES(more_than_the_arena_holds_waits_its_turn),
        ON_PROCESSES(what_is_larger_than_the_arena_travels_alone),
        ON_PROCESSES(each_allocation_may_fail),
        ON_PROCESSES(every_size_travels_whole),
        ON_PROCESSES(shared_memory_is_seen_by_jobs),
        ON_PROCESSES(others_hear_of_their_ends_while_one_leads),
        ON_PROCESSES(who_leads_hears_of_what_others_have_ended),
        ON_PROCESSES(who_leads_may_give_up),
        ON_PROCESSES(members_may_be_buried_while_somebody_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* test_progress.c - what jobs say while they run, on every tier. */
#include "exec/executor.h"

#include <fcntl.h>

#include "tiers.h"

/* --- jobs --- */

static int say_at_the_gate(const int *in, int *out)
{
    int r = rv_job_progress(in, sizeof(*in));

    rvi_fetch_add_relaxed(&inside, 1);
    if (r == 0)
        r = wait_at_gate();
    rvi_fetch_sub_relaxed(&inside, 1);
    *out = *in;
    return r;
}
RV_JOB(say_at_the_gate, int, int);

/* So many notes, 1 to *in, as fast as it can. */
static int say_many(const int *in, int *out)
{
    int r = 0;

    for (int i = 1; r == 0 && i <= *in; i++)
        r = rv_job_progress(&i, sizeof(i));
    *out = *in;
    return r;
}
RV_JOB(say_many, int, int);

struct words {
    char bytes[RV_PROGRESS_MOST + 1];
};

static int say_sizes(const int *in, int *out)
{
    static const struct words words;

    RV_CHECK(rv_job_progress(words.bytes, sizeof(words)) == -EMSGSIZE);
    RV_CHECK(rv_job_progress(words.bytes, RV_PROGRESS_MOST) == 0);
    RV_CHECK(*in != 0 || rv_job_progress(NULL, 0) == 0);
    *out = 0;
    return 0;
}
RV_JOB(say_sizes, int, int);

/* Inside it another job says something, to itself. */
static int say_within(const int *in, int *out)
{
    const int mine = 1, inner = 2;
    rv_executor *ex;
    int note = 0;

    RV_CHECK(rv_executor_open(&ex, "inline", NULL) == 0);
    RV_CHECK(rv_job_progress(&mine, sizeof(mine)) == 0);
    rv_future *f = submit(ex, say_many, &inner);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == sizeof(note) && note == inner);
    f = rv_future_free(f);
    close_waiting(ex);
    *out = *in;
    return 0;
}
RV_JOB(say_within, int, int);

static int say_and_die(const int *in, int *out)
{
    (void)out;
    (void)!rv_job_progress(in, sizeof(*in));
    raise(SIGKILL);
    return 0;
}
RV_JOB(say_and_die, int, int);

static int say_nothing(const int *in, int *out)
{
    *out = *in;
    return 0;
}
RV_JOB(say_nothing, int, int);

static int say_until_cancelled(const int *in, int *out)
{
    int i = 0;

    (void)out;
    rvi_fetch_add_relaxed(&inside, 1);
    while (rv_cancelled() == 0) {
        (void)!rv_job_progress(&i, sizeof(i));
        i++;
        rv_yield();
    }
    rvi_fetch_sub_relaxed(&inside, 1);
    return *in;
}
RV_JOB(say_until_cancelled, int, int);

/* --- plays --- */

static void who_waits_is_told(void)
{
    const int in = 7;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_at_the_gate, &in);

    RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == sizeof(note) && note == 7);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == -ETIME);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(ex->listening == 0 && ex->expecting == 0);
    open_gate();
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == -EPIPE);
    RV_CHECK(value_of(f) == 7);
    RV_CHECK(ex->listening == 0 && ex->expecting == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void notes_come_in_their_order_and_the_last_always(void)
{
    const int last = 2000;
    int note = 0, before = 0;
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, say_many, &last);
    long n;

    while ((n = rv_future_progress(f, &note, sizeof(note), RV_NEVER)) == sizeof(note)) {
        RV_CHECK(note > before);
        before = note;
    }
    RV_CHECK(n == -EPIPE && before == last);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void the_last_note_outlives_the_job_and_the_executor(void)
{
    const int last = 3;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_many, &last), *next = submit(ex, say_many, &last);

    RV_CHECK(value_of(f) == last && value_of(next) == last);
    next = rv_future_free(next);
    close_waiting(ex);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == sizeof(note) && note == last);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == -EPIPE);
    f = rv_future_free(f);
}

static void of_a_silent_job_only_the_end_is_heard(void)
{
    const int in = 1;
    int note;
    rv_executor *ex = open_wide(1, NULL);

    for (int i = 0; i < 50; i++) {
        rv_future *f = submit(ex, say_nothing, &in);
        RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == -EPIPE);
        f = rv_future_free(f);
        f = submit(ex, say_many, &in); /* perhaps in the same memory */
        RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == sizeof(note));
        f = rv_future_free(f);
    }
    close_waiting(ex);
}

static void a_note_is_as_long_as_it_is(void)
{
    const int whole = 1, none = 0;
    struct words words;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_sizes, &whole);

    RV_CHECK(value_of(f) == 0);
    memset(&words, 'x', sizeof(words));
    RV_CHECK(rv_future_progress(f, words.bytes, 2, 0) == RV_PROGRESS_MOST);
    RV_CHECK(words.bytes[0] == 0 && words.bytes[1] == 0 && words.bytes[2] == 'x');
    f = rv_future_free(f);
    f = submit(ex, say_sizes, &none);
    RV_CHECK(value_of(f) == 0);
    RV_CHECK(rv_future_progress(f, NULL, 0, 0) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void outside_a_job_nobody_hears(void)
{
    const int in = 1;

    RV_CHECK(rv_job_progress(&in, sizeof(in)) == -EPERM);
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_nothing, &in);
    RV_CHECK(value_of(f) == 1);
    RV_CHECK(rv_job_progress(&in, sizeof(in)) == -EPERM);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_job_inside_another_speaks_for_itself(void)
{
    const int in = 1;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_within, &in);

    RV_CHECK(value_of(f) == 1);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == sizeof(note) && note == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_cancelled_job_ends_the_waiting(void)
{
    const int in = 7;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *held = submit(ex, say_at_the_gate, &in), *f = submit(ex, say_nothing, &in);

    until_inside(1);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == -ETIME);
    rv_future_cancel(f);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == -EPIPE);
    open_gate();
    f = rv_future_free(f);
    held = rv_future_free(held);
    close_waiting(ex);
}

static void who_speaks_without_end_is_stopped_as_any(void)
{
    const int in = -ECANCELED;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_until_cancelled, &in);

    for (int i = 0; i < 20; i++)
        RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == sizeof(note));
    rv_future_cancel(f);
    while (rv_future_progress(f, &note, sizeof(note), RV_NEVER) == sizeof(note))
        continue;
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

struct listener {
    rv_future *f;
    long result;
};

static void *hear_all(void *arg)
{
    struct listener *listener = arg;
    int note;

    while ((listener->result = rv_future_progress(listener->f, &note, sizeof(note), RV_NEVER)) ==
           sizeof(note))
        continue;
    return NULL;
}

static void several_may_listen_and_all_hear_the_end(void)
{
    enum { N = 3 };
    const int in = 5;
    pthread_t threads[N];
    struct listener listeners[N];
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_at_the_gate, &in);

    for (int i = 0; i < N; i++) {
        listeners[i] = (struct listener){.f = f};
        RV_CHECK(pthread_create(&threads[i], NULL, hear_all, &listeners[i]) == 0);
    }
    until_inside(1);
    open_gate();
    RV_CHECK(value_of(f) == 5);
    for (int i = 0; i < N; i++) {
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
        RV_CHECK(listeners[i].result == -EPIPE);
    }
    RV_CHECK(ex->listening == 0 && ex->expecting == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- of processes --- */

static void the_last_note_of_the_dead_is_heard(void)
{
    const int in = 9;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_and_die, &in);

    RV_CHECK(kind_of(f) == RV_OUTCOME_SIGNAL);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == sizeof(note) && note == 9);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == -EPIPE);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- cancelled while listening --- */

static int listen_as_task(void *arg)
{
    int note;

    rvi_fetch_add_relaxed(&most_inside, 1);
    return (int)rv_future_progress(arg, &note, sizeof(note), RV_NEVER);
}

static void a_cancelled_listener_returns(void)
{
    const int in = 1;
    int note, err;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_at_the_gate, &in);

    RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == sizeof(note));
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_go(scope, listen_as_task, f) == 0);
        while (rvi_load_relaxed(&most_inside) == 0)
            rv_yield();
        rv_scope_cancel(scope, -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED && ex->listening == 0);
    open_gate();
    RV_CHECK(value_of(f) == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- out of memory --- */

static int say_without_memory(const int *in, int *out)
{
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_job_progress(in, sizeof(*in)) == -ENOMEM);
    rvi_alloc_fail_after(-1);
    *out = 0;
    return rv_job_progress(in, sizeof(*in));
}
RV_JOB(say_without_memory, int, int);

static void without_memory_a_note_is_refused_and_so_is_a_listener(void)
{
    const int in = 4;
    int note = 0;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, say_without_memory, &in);

    RV_CHECK(value_of(f) == 0);
    RV_CHECK(rv_future_progress(f, &note, sizeof(note), 0) == sizeof(note) && note == 4);
    f = rv_future_free(f);
    if (!is_tier("inline")) {
        rv_future *held = submit(ex, pass_gate, &in);
        until_inside(1);
        f = submit(ex, say_nothing, &in);
        rvi_alloc_fail_after(1);
        RV_CHECK(rv_future_progress(f, &note, sizeof(note), RV_NEVER) == -ENOMEM);
        rvi_alloc_fail_after(-1);
        open_gate();
        RV_CHECK(value_of(held) == 4 && value_of(f) == 4);
        held = rv_future_free(held);
        f = rv_future_free(f);
    }
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_POOLS(who_waits_is_told),
        ON_EVERY_TIER(notes_come_in_their_order_and_the_last_always),
        ON_EVERY_TIER(the_last_note_outlives_the_job_and_the_executor),
        ON_EVERY_TIER(of_a_silent_job_only_the_end_is_heard),
        ON_EVERY_TIER(a_note_is_as_long_as_it_is),
        ON_EVERY_TIER(outside_a_job_nobody_hears),
        ON_EVERY_TIER(a_job_inside_another_speaks_for_itself),
        ON_POOLS(a_cancelled_job_ends_the_waiting),
        ON_POOLS(who_speaks_without_end_is_stopped_as_any),
        ON_POOLS(several_may_listen_and_all_hear_the_end),
        ON_PROCESSES(the_last_note_of_the_dead_is_heard),
        PERFORMANCE("_on_tasks", "tasks", 1, a_cancelled_listener_returns),
        PERFORMANCE("_on_threads_for_a_task", "threads", 1, a_cancelled_listener_returns),
        PERFORMANCE("_on_processes_for_a_task", "processes", 1, a_cancelled_listener_returns),
        ON_EVERY_TIER_HERE(without_memory_a_note_is_refused_and_so_is_a_listener),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

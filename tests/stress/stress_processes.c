/* SPDX-License-Identifier: MIT */
/* stress_processes.c - worker processes are killed at random instants, at full load.
 *
 * Each worker has a thread that kills it with SIGKILL some random time after its first job: between
 * any two instructions of the ring, of a job, of its own start. The parent meanwhile hands jobs
 * over as quickly as it can, cancels some, and at the end of a round closes, now and then with
 * cancellation. What has become of each job stands in memory that all processes share:
 *
 *   - every future ends, and its outcome is one that its job can have had
 *   - a job that is not idempotent has run once at most, one with a value exactly once; others once
 *     more for each process that died of them
 *   - no process, descriptor or memory is left behind
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "stress.h"

enum {
    JOBS = 600, /* of a round */
    WIDTH = 3,
    LIVES_US = 4000, /* of a worker, at most */
    BOOK_FD = 50,
};

#define BOOK_NAME "RAVEL_TEST_BOOK"

/* What has happened to each job, in whatever process. */
struct book {
    _Atomic(int) begun[JOBS], ended[JOBS];
    _Atomic(bool) has_killers;
};

static struct book *book;
static int book_fd;
static bool is_worker;

__attribute__((constructor)) static void find_book(void)
{
    is_worker = getenv(BOOK_NAME) != NULL;
    book_fd = is_worker ? BOOK_FD : memfd_create("book", MFD_CLOEXEC);
    RV_CHECK(is_worker || ftruncate(book_fd, sizeof(*book)) == 0);
    book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED, book_fd, 0);
    RV_CHECK(book != MAP_FAILED);
}

/* --- in the workers --- */

static void *kill_later(void *arg)
{
    struct rvi_rng rng;

    (void)arg;
    rvi_rng_seed(&rng, (uint64_t)getpid());
    usleep((useconds_t)rvi_rng_below(&rng, LIVES_US));
    kill(getpid(), SIGKILL);
    return NULL;
}

static void start_killer(void)
{
    static bool has_killer;
    pthread_t thread;

    if (has_killer || !rvi_load_relaxed(&book->has_killers))
        return;
    has_killer = true;
    RV_CHECK(pthread_create(&thread, NULL, kill_later, NULL) == 0);
}

struct order {
    int number;
    unsigned work; /* turns of a loop */
};

static int obey(const struct order *in, struct order *out)
{
    rvi_fetch_add_relaxed(&book->begun[in->number], 1);
    start_killer();
    for (unsigned i = 0; i < in->work; i++)
        rvi_cpu_relax();
    *out = (struct order){in->number, in->work + 1};
    rvi_fetch_add_relaxed(&book->ended[in->number], 1);
    return 0;
}
RV_JOB(obey, struct order, struct order);

static int obey_again(const struct order *in, struct order *out)
{
    return obey(in, out);
}
RV_JOB_IDEMPOTENT(obey_again, struct order, struct order);

/* --- in the parent --- */

struct round {
    rv_executor *ex;
    struct rvi_rng rng;
    rv_future *futures[JOBS];
    struct order orders[JOBS];
    bool cancels, is_again[JOBS], is_cancelled[JOBS];
};

static void hand_over(struct round *round, int i)
{
    const struct rv_job *job = round->is_again[i] ? &rv_job_obey_again : &rv_job_obey;

    RV_CHECK(rv_submit_job(round->ex, &round->futures[i], job, &round->orders[i], RV_NEVER) == 0);
    if (rvi_rng_below(&round->rng, 20) == 0) {
        round->is_cancelled[i] = true;
        rv_future_cancel(round->futures[i]);
    }
}

static void check_value(struct round *round, int i, const struct order *value)
{
    RV_CHECK(value->number == i && value->work == round->orders[i].work + 1);
    RV_CHECK(rvi_load_relaxed(&book->ended[i]) >= 1);
}

static void check(struct round *round, int i)
{
    struct rv_outcome outcome;
    struct order value;
    int begun, ran;

    RV_CHECK(rv_future_get(round->futures[i], &value, &outcome, RV_NEVER) == 0);
    begun = rvi_load_relaxed(&book->begun[i]);
    ran = outcome.kind != RV_OUTCOME_CANCELLED;
    if (outcome.kind == RV_OUTCOME_VALUE)
        check_value(round, i, &value);
    else
        RV_CHECK(outcome.kind == RV_OUTCOME_SIGNAL || round->is_cancelled[i] || round->cancels);
    RV_CHECK(begun <= (int)outcome.deaths + 1);
    RV_CHECK(round->is_again[i] || begun <= 1);
    RV_CHECK(outcome.kind != RV_OUTCOME_VALUE || begun >= 1);
    RV_CHECK(ran || outcome.deaths <= 4);
    round->futures[i] = rv_future_free(round->futures[i]);
}

static void prepare(struct round *round)
{
    memset(book->begun, 0, sizeof(book->begun));
    memset(book->ended, 0, sizeof(book->ended));
    for (int i = 0; i < JOBS; i++) {
        round->orders[i] = (struct order){i, (unsigned)rvi_rng_below(&round->rng, 200)};
        round->is_again[i] = rvi_rng_below(&round->rng, 2);
        round->is_cancelled[i] = false;
    }
}

static void play(struct round *round)
{
    static const char *const changes[] = {BOOK_NAME "=", NULL};
    const struct rv_child_fd fd = {book_fd, BOOK_FD};
    const struct rv_process_opts process = {.size = sizeof(process),
                                            .fds = &fd,
                                            .fd_count = 1,
                                            .env_changes = changes,
                                            .cancel_grace = RV_MILLISECOND,
                                            .term_grace = RV_MILLISECOND};
    const struct rv_executor_opts opts = {
        .size = sizeof(opts), .process = &process, .retries = 3, .backlog = 100};
    char spec[32];

    prepare(round);
    snprintf(spec, sizeof(spec), "processes:%d", 1 + (int)rvi_rng_below(&round->rng, WIDTH));
    RV_CHECK(rv_executor_open(&round->ex, spec, &opts) == 0);
    for (int i = 0; i < JOBS; i++)
        hand_over(round, i);
    int r =
        rv_executor_close(round->ex, round->cancels ? RV_CLOSE_CANCEL : RV_CLOSE_WAIT, RV_NEVER);
    RV_CHECK(r == 0 || (r == -ECANCELED && round->cancels));
    for (int i = 0; i < JOBS; i++)
        check(round, i);
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

static struct round the_round;

static void play_rounds(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        the_round.cancels = i % 4 == 3;
        play(&the_round);
    }
}

static void workers_may_be_killed_at_any_instant(void **state)
{
    (void)state;
    rvi_rng_seed(&the_round.rng, 1);
    play_rounds(1); /* what is found out once */
    long live = rvi_alloc_live();
    int fds = count_fds();

    rvi_store_relaxed(&book->has_killers, true);
    play_rounds(scaled(20, 2));
    assert_int_equal(rvi_alloc_live(), live);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int play_in_task(void *arg)
{
    play_rounds(*(size_t *)arg);
    return 0;
}

static void tasks_may_drive_them(void **state)
{
    size_t count = scaled(20, 2);

    (void)state;
    rvi_rng_seed(&the_round.rng, 2);
    rvi_store_relaxed(&book->has_killers, true);
    run_on(2, play_in_task, &count);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_may_be_killed_at_any_instant),
        cmocka_unit_test(tasks_may_drive_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

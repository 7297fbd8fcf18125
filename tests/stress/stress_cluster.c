/* SPDX-License-Identifier: MIT */
/* stress_cluster.c - agents come and go in haste, their worker processes are killed at random
 * instants, leases lapse, and the engine is away now and then.
 *
 * The engine is the one in memory. Some agents leave soon after they have come, every other one in
 * haste; each worker process kills itself some random time after its first job. What has become of
 * each job stands in memory that all processes share:
 *
 *   - each task has one result, which is told once
 *   - a job that is not idempotent was begun once at most; one with a value was run to its end
 *   - no lease is left, and no memory
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of jobs. */
#include <sys/mman.h>

#include "../support/engine_memory.h"
#include "../unit/cluster/cluster_test.h"
#include "base/alloc.h"
#include "stress.h"

enum {
    JOBS = 1000, /* of a round, at most */
    AGENTS = 3,
    LIVES_US = 6000, /* of a worker process, at most */
    STAYS_US = 40000,
    STEADY_STAYS_US = 2000000, /* of one of the agents: slow machines get on as well */
};

#define LEASE_NS (150 * RV_MILLISECOND)

/* What has happened to each job, in whatever process. */
struct book {
    _Atomic(int) begun[JOBS], ended[JOBS];
};

static struct book *book;

/* Before there is a folder no job runs. */
static void open_book(void)
{
    char path[512];

    path_in_folder(path, "book");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    RV_CHECK(fd >= 0 && ftruncate(fd, sizeof(*book)) == 0);
    book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    RV_CHECK(book != MAP_FAILED);
    close(fd);
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

static void begin_life(void)
{
    pthread_t thread;

    if (book)
        return;
    open_book();
    RV_CHECK(pthread_create(&thread, NULL, kill_later, NULL) == 0);
}

static int obey(const int *in, int *out)
{
    begin_life();
    rvi_fetch_add_relaxed(&book->begun[*in], 1);
    for (int i = 0; i < 200 * (*in % 8); i++)
        rvi_cpu_relax();
    *out = *in + 1;
    rvi_fetch_add_relaxed(&book->ended[*in], 1);
    return 0;
}
RV_JOB(obey, int, int);

static int obey_again(const int *in, int *out)
{
    return obey(in, out);
}
RV_JOB_IDEMPOTENT(obey_again, int, int);

/* --- around them --- */

static const struct rvi_agent_opts opts = {
    .engine = {.url = "memory://here", .pool = "p"},
    .slots = 3,
    .grace = RV_MILLISECOND,
    .lease = LEASE_NS,
};

struct round {
    struct client client;
    struct rvi_engine_task tasks[JOBS];
    int numbers[JOBS];
    _Atomic(bool) is_steady; /* the next agent stays longer */
    _Atomic(bool) is_over;
};

static bool is_over(struct round *round)
{
    return rvi_load_acquire(&round->is_over); /* pairs: round-over */
}

/* For that long, unless all is over. */
static void stay(struct round *round, uint64_t us)
{
    rv_time until = rv_now() + (rv_time)us * RV_MICROSECOND;

    while (rv_now() < until && !is_over(round))
        usleep(1000);
}

/* Agents, one after the other. */
static void *come_and_go(void *arg)
{
    struct round *round = arg;
    struct rvi_rng rng;
    struct served s;
    uint64_t most = rvi_exchange_relaxed(&round->is_steady, false) ? STEADY_STAYS_US : STAYS_US;

    rvi_rng_seed(&rng, (uint64_t)pthread_self());
    while (!is_over(round)) {
        agent_start(&s, &opts);
        stay(round, rvi_rng_below(&rng, most));
        rvi_agent_leave(s.agent);
        if (rvi_rng_below(&rng, 2))
            rvi_agent_leave(s.agent);
        RV_CHECK(agent_join(&s) == 0);
    }
    return NULL;
}

/* The engine is away for a while, some of which outlast leases. */
static void *disturb(void *arg)
{
    struct round *round = arg;
    struct rvi_rng rng;

    rvi_rng_seed(&rng, 1);
    while (!is_over(round)) {
        usleep((useconds_t)rvi_rng_below(&rng, 50000));
        memory_engine_link(RVI_ENGINE_WORKER, -ENOTCONN, "on purpose");
        usleep((useconds_t)rvi_rng_below(&rng, 30000));
        memory_engine_link(RVI_ENGINE_WORKER, 0, NULL);
    }
    return NULL;
}

static void hand_over(struct round *round, struct rvi_rng *rng, int i)
{
    struct rvi_engine_task *task = &round->tasks[i];

    round->numbers[i] = i;
    *task = task_for(rvi_rng_below(rng, 2) ? &rv_job_obey_again : &rv_job_obey, &round->numbers[i]);
    task->attempts = (unsigned)rvi_rng_below(rng, 4);
    submit_task(&round->client, task);
    if (rvi_rng_below(rng, 20) == 0)
        rvi_engine_cancel(round->client.engine, task->id, -ECANCELED);
}

static void check(struct round *round, int i)
{
    struct got got = client_await(&round->client, round->tasks[i].id);
    bool is_again = (round->tasks[i].flags & RV_JOB_IS_IDEMPOTENT) != 0;
    int value;

    RV_CHECK(got.result.kind != RV_OUTCOME_ERROR);
    RV_CHECK(is_again || rvi_load_relaxed(&book->begun[i]) <= 1);
    if (got.result.kind != RV_OUTCOME_VALUE)
        return;
    memcpy(&value, got.out, sizeof(value));
    RV_CHECK(value == i + 1 && rvi_load_relaxed(&book->ended[i]) >= 1);
}

static void play_round(uint64_t seed)
{
    static struct round round;
    const int count = (int)scaled(100, 20);
    pthread_t threads[AGENTS + 1];
    struct rvi_rng rng;

    RV_CHECK(count <= JOBS);
    rvi_rng_seed(&rng, seed);
    memset(book, 0, sizeof(*book));
    memory_engine_reset();
    memory_engine_break(&(struct memory_faults){.lease_ns = LEASE_NS});
    rvi_store_relaxed(&round.is_over, false);
    rvi_store_relaxed(&round.is_steady, true);
    client_open(&round.client, &opts.engine);
    for (int i = 0; i <= AGENTS; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, i < AGENTS ? come_and_go : disturb, &round) ==
                 0);
    for (int i = 0; i < count; i++)
        hand_over(&round, &rng, i);
    for (int i = 0; i < count; i++)
        check(&round, i);
    rvi_store_release(&round.is_over, true); /* pairs: round-over */
    for (int i = 0; i <= AGENTS; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    RV_CHECK(round.client.twice == 0);
    RV_CHECK(memory_engine_count().held == 0);
    client_close(&round.client);
}

static void every_task_ends_once_whoever_dies(void **state)
{
    char folder[64];

    (void)state;
    make_folder(folder);
    open_book();
    play_round(0); /* what is made once and kept, is made; not each round has something to say: */
    RV_CHECK(rv_print_error("# it goes on\n") == 0);
    memory_engine_reset();
    long before = rvi_alloc_live();
    play_round(1);
    memory_engine_reset();
    assert_int_equal(rvi_alloc_live(), before);
    munmap(book, sizeof(*book));
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_task_ends_once_whoever_dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

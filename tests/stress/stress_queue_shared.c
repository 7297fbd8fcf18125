/* SPDX-License-Identifier: MIT */
/* stress_queue_shared.c - processes put into and get from one queue while others of them are killed
 * at random instants: no item is lost, none is done twice, and nobody sleeps for ever.
 *
 * Each item has a line in a ledger that all processes map: when its put began and returned, and
 * when its done began and returned. Whoever is killed in between has done the one or the other; the
 * ledger says what must be and what may be. After the killing there is calm: those that are left
 * work until the queue is closed, and nobody looks for the dead any more, so that a wake-up that is
 * lost then is a hang.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of kills; `make soak` makes many. */
#include "stress.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "task/queue_shared.h"

enum {
    CREW = 4, /* processes at a time */
    CAPACITY = 16,
    KILLS = 120, /* at a scale of 100 */
    KILLS_IN_A_ROUND = 60,
    ITEMS_MOST = 1 << 20, /* in one round */
    CALM_ITEMS = 500,     /* that each producer puts afterwards */
};

enum mark { PUT_BEGUN = 1, PUT = 2, DONE_BEGUN = 4, DONE = 8 };

struct ledger {
    _Atomic(uint32_t) next; /* item */
    _Atomic(bool) calm;
    _Atomic(bool) failed;
    _Atomic(uint8_t) marks[ITEMS_MOST];
};

static struct ledger *ledger;
static rv_queue *queue;
static struct rvi_rng rng;

/* In a child nothing may return into the test. */
static void check(bool holds)
{
    if (!holds)
        rvi_store_relaxed(&ledger->failed, true);
}

static void mark(uint32_t item, enum mark what)
{
    uint8_t before = (uint8_t)rvi_fetch_add_relaxed(&ledger->marks[item], what);

    check(!(before & what) || what == DONE_BEGUN);
}

/* --- the crew --- */

static int produce(void *arg)
{
    rv_queue *q = arg;
    int r = 0;

    for (int i = 0; r == 0; i++) {
        if (rvi_load_relaxed(&ledger->calm) && i >= CALM_ITEMS)
            return 0;
        uint32_t item = rvi_fetch_add_relaxed(&ledger->next, 1);
        if (item >= ITEMS_MOST)
            return 0;
        mark(item, PUT_BEGUN);
        r = rv_queue_put(q, &item, RV_NEVER);
        if (r == 0)
            mark(item, PUT);
    }
    return r;
}

/* An item whose taker was killed just before it said done has begun to be done before. */
static int consume(void *arg)
{
    rv_queue *q = arg;
    uint32_t item;
    int r;

    while ((r = rv_queue_get(q, &item, RV_NEVER)) == 0) {
        uint8_t marks = rvi_load_relaxed(&ledger->marks[item % ITEMS_MOST]);
        check(item < ITEMS_MOST && (marks & PUT_BEGUN) && !(marks & DONE));
        if (!(marks & DONE_BEGUN))
            mark(item, DONE_BEGUN);
        check(rv_queue_done(q) == 0);
        mark(item, DONE);
    }
    return r == -EPIPE ? 0 : r;
}

/* One produces, one consumes, and both wait by the same listener. */
static int both(void *arg)
{
    int err, r = 0;

    RV_SCOPE(scope, err) {
        r = rv_go(scope, produce, arg);
        if (r == 0)
            r = rv_go(scope, consume, arg);
    }
    return r < 0 ? r : err;
}

static int run_both(rv_queue *q)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .stall_ns = RV_NEVER};
    return rv_run(both, q, &opts);
}

static void be_one_of_the_crew(int role, const struct rv_queue_ref *ref)
{
    rv_queue *q;
    int r = rv_queue_attach(&q, *ref);

    if (r == 0)
        r = role == 0 ? produce(q) : role == 1 ? consume(q) : run_both(q);
    check(r == 0);
    if (r == 0)
        rv_queue_free(q);
    _exit(r == 0 ? 0 : 1);
}

static pid_t start_one(int role)
{
    struct rv_queue_ref ref;

    assert_int_equal(rv_queue_ref_of(queue, &ref), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_one_of_the_crew(role, &ref);
    return pid;
}

/* --- the killer --- */

static void pause_a_little(void)
{
    struct timespec time = {.tv_nsec = (long)rvi_rng_below(&rng, 2000000)};
    nanosleep(&time, NULL);
}

static void kill_one(pid_t pid, bool says_so)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (says_so)
        rvi_queues_forget((uint32_t)pid);
}

static void kill_some(int kills)
{
    pid_t crew[CREW];

    for (int i = 0; i < CREW; i++)
        crew[i] = start_one(i % 3);
    for (int i = 0; i < kills; i++) {
        size_t which = rvi_rng_below(&rng, CREW);
        pause_a_little();
        kill_one(crew[which], rvi_rng_below(&rng, 2));
        crew[which] = start_one((int)rvi_rng_below(&rng, 3));
    }
    for (int i = 0; i < CREW; i++)
        kill_one(crew[i], true);
}

/* --- calm --- */

static void let_them_end(void)
{
    pid_t producers[2], consumers[2];
    int status;

    rvi_queue_look_ns = RV_NEVER / 2;
    rvi_store_relaxed(&ledger->calm, true);
    for (int i = 0; i < 2; i++) {
        producers[i] = start_one(0);
        consumers[i] = start_one(1);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(producers[i], &status, 0), producers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(rv_queue_join(queue, RV_NEVER), 0);
    rv_queue_close(queue);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(consumers[i], &status, 0), consumers[i]);
        assert_int_equal(status, 0);
    }
}

static void check_the_ledger(void)
{
    struct rv_queue_stats stats = {.size = sizeof(stats)};
    uint32_t items = rvi_load_relaxed(&ledger->next);

    assert_int_equal(rv_queue_stats_read(queue, &stats), 0);
    assert_int_equal(stats.unfinished, 0);
    assert_false(rvi_load_relaxed(&ledger->failed));
    for (uint32_t i = 0; i < items && i < ITEMS_MOST; i++) {
        uint8_t marks = rvi_load_relaxed(&ledger->marks[i]);
        if ((marks & PUT) && !(marks & DONE_BEGUN))
            fail_msg("item %u was put and never got", i);
    }
}

static void processes_die_and_no_item_is_lost(void **state)
{
    (void)state;
    rvi_rng_seed(&rng, (uint64_t)getpid());
    size_t kills = scaled(KILLS, 10);
    while (kills > 0) {
        int now = kills < KILLS_IN_A_ROUND ? (int)kills : KILLS_IN_A_ROUND;
        ledger =
            mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(ledger != MAP_FAILED);
        assert_int_equal(rv_queue_new_shared(&queue, sizeof(uint32_t), CAPACITY), 0);
        rvi_queue_look_ns = RV_MILLISECOND;
        kill_some(now);
        let_them_end();
        check_the_ledger();
        rv_queue_free(queue);
        munmap(ledger, sizeof *ledger);
        kills -= (size_t)now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(processes_die_and_no_item_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* stress_child.c - children started from several workers at once, and ended at any moment, while
 * other threads open and close descriptors that are not theirs. Nothing is left of them. */
#include <ravel/child.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/under_tool.h"
#include "stress.h"
#include "sys/thread.h"

enum { WORKERS = 4, PARTIES = 8, STRANGERS = 2, LONGEST_NS = 3000000 };

static char self[256]; /* this program's path: it is its own child */

/* The child: how many descriptors has it got that it should not have? */
static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 3; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* --- those who open what is nobody's business --- */

static _Atomic(bool) is_over;

static void *open_and_close(void *arg)
{
    (void)arg;
    while (!rvi_load_relaxed(&is_over)) {
        int fds[2];
        RV_CHECK(pipe(fds) == 0); /* NOLINT: no O_CLOEXEC */
        rvi_thread_yield();
        close(fds[0]);
        close(fds[1]);
    }
    return NULL;
}

/* --- those who start --- */

struct party {
    struct rvi_rng rng;
    size_t rounds;
};

static rv_child *start(struct party *party, bool lasts)
{
    const char *const counts[] = {self, "--count", NULL}, *const sleeps[] = {"sleep", "60", NULL};
    struct rv_child_opts opts = {
        .size = sizeof opts,
        .in = {RV_CHILD_PIPE, 0},
        .out = {RV_CHILD_NULL, 0},
        .group = rvi_rng_below(&party->rng, 2) ? RV_CHILD_GROUP_OWN : RV_CHILD_GROUP_OURS,
        .grace = (rv_time)rvi_rng_below(&party->rng, 2) * RV_SECOND,
        .reset_ignored = 1, /* background jobs of a shell ignore SIGINT */
    };
    rv_child *child;
    RV_CHECK(rv_child_start(&child, lasts ? sleeps : counts, &opts) == 0);
    return child;
}

static void expect_clean(rv_child *child)
{
    struct rv_child_status status;
    RV_CHECK(rv_child_wait(child, &status, RV_NEVER) == 0);
    RV_CHECK(status.kind == RV_CHILD_EXITED && status.code == 0);
}

/* At any moment of its life, or after it. */
static void end_somehow(struct party *party, rv_child *child)
{
    struct rv_child_status status;
    static const int signals[] = {SIGTERM, SIGKILL, SIGINT};
    int number = signals[rvi_rng_below(&party->rng, 3)];
    RV_CHECK(rv_sleep((rv_time)rvi_rng_below(&party->rng, LONGEST_NS)) == 0);
    if (rvi_rng_below(&party->rng, 2)) {
        RV_CHECK(rv_child_kill(child, number) == 0);
        RV_CHECK(rv_child_wait(child, &status, RV_NEVER) == 0 && status.signal == number);
    }
}

static int start_and_end(void *arg)
{
    struct party *party = arg;
    for (size_t i = 0; i < party->rounds; i++) {
        bool lasts = rvi_rng_below(&party->rng, 2);
        rv_child *child = start(party, lasts);
        if (lasts)
            end_somehow(party, child);
        else if (rvi_rng_below(&party->rng, 4))
            expect_clean(child);
        rv_child_close(child);
    }
    return 0;
}

static int start_all(void *arg)
{
    struct party parties[PARTIES];
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (unsigned i = 0; i < PARTIES; i++) {
            parties[i].rounds = scaled(40, 4);
            rvi_rng_seed(&parties[i].rng, i + 1);
            RV_CHECK(rv_go(s, start_and_end, &parties[i]) == 0);
        }
    }
    return err;
}

static void children_ended_at_any_moment_leave_nothing(void **state)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    pthread_t strangers[STRANGERS];
    (void)state;
    if (is_under_valgrind())
        skip();
    rvi_store_relaxed(&is_over, false);
    for (int i = 0; i < STRANGERS; i++)
        assert_int_equal(pthread_create(&strangers[i], NULL, open_and_close, NULL), 0);
    assert_int_equal(rv_run(start_all, NULL, &opts), 0);
    rvi_store_relaxed(&is_over, true);
    for (int i = 0; i < STRANGERS; i++)
        pthread_join(strangers[i], NULL);
    assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_ended_at_any_moment_leave_nothing),
    };
    if (argc > 1 && strcmp(argv[1], "--count") == 0)
        return count_descriptors();
    RV_CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* explore_fork.c - forks, taken by other workers or not. */
#include "explore.h"

struct fib {
    int n;
    int result;
};

static int fib(void *arg)
{
    struct fib *self = arg, left = {0}, right = {0};
    struct rv_fork fork;

    if (self->n < 2) {
        self->result = self->n;
        return 0;
    }
    left.n = self->n - 1;
    right.n = self->n - 2;
    int r = rv_fork(&fork, fib, &left);
    if (r < 0)
        return r;
    r = fib(&right);
    int joined = rv_join(&fork);
    self->result = left.result + right.result;
    return joined < 0 ? joined : r;
}

static int wait_a_little(void *arg)
{
    struct fib *self = arg;

    rv_yield();
    return fib(self);
}

static int fork_and_join(void *arg)
{
    struct fib one = {.n = 6}, other = {.n = 5};
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        go(s, fib, &one);
        go(s, wait_a_little, &other);
    }
    RV_CHECK(one.result == 8 && other.result == 5);
    return err;
}

EXPLORATION(fork_and_join)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(fork_and_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

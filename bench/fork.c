/* SPDX-License-Identifier: MIT */
/* fork.c - fib(n) without a cut-off: nearly nothing but forks and joins, form=typed by the macros,
 * form=function by rv_fork(). In nanoseconds a fork.
 *
 * As a finished program is built: without the check that the typed form's joins come in order. */
#ifndef NDEBUG
#define NDEBUG
#endif
#include "bench.h"

#include <ravel.h>
#include <string.h>

RV_FORKABLE(long, fib, long, n)
{
    if (n < 2)
        return n;
    RV_FORKED(fib) left;
    RV_FORK(left, fib, n - 1);
    long right = RV_CALL(fib, n - 2);
    return RV_JOIN(left, fib) + right;
}

struct call {
    long n, result;
};

static int fib_of_call(void *arg)
{
    struct call *call = arg;
    if (call->n < 2) {
        call->result = call->n;
        return 0;
    }
    struct call left = {call->n - 1, 0}, right = {call->n - 2, 0};
    struct rv_fork f;
    bench_must(rv_fork(&f, fib_of_call, &left), "rv_fork");
    fib_of_call(&right);
    bench_must(rv_join(&f), "rv_join");
    call->result = left.result + right.result;
    return 0;
}

static long fib_by_function(long n)
{
    struct call call = {n, 0};
    fib_of_call(&call);
    return call.result;
}

static int measure(void *form)
{
    bench_fib(strcmp(form, "typed") == 0 ? fib : fib_by_function);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("fork", "ravel", argc, argv);
    char form[16] = {0};
    strncpy(form, bench_param_text("form", "typed"), sizeof form - 1);
    bench_require(!strcmp(form, "typed") || !strcmp(form, "function"),
                  "form=typed or form=function");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, form, &opts), "rv_run");
}

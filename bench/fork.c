/* SPDX-License-Identifier: MIT */
/* fork.c - fib(n) without a cut-off: nearly nothing but forks and joins.
 *
 * form=typed forks by the macros, form=function by rv_fork(), form=serial calls. In nanoseconds a
 * fork (serial: a call that would have been one); ops is rounded up to the forks of some fib(n). */
#include "bench.h"

#include <ravel.h>
#include <string.h>

RV_FORKABLE(long, fib, int, n)
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

static int fib_by_pointer(void *arg)
{
    struct call *call = arg;
    if (call->n < 2) {
        call->result = call->n;
        return 0;
    }
    struct call left = {call->n - 1, 0}, right = {call->n - 2, 0};
    struct rv_fork f;
    bench_must(rv_fork(&f, fib_by_pointer, &left), "rv_fork");
    fib_by_pointer(&right);
    bench_must(rv_join(&f), "rv_join");
    call->result = left.result + right.result;
    return 0;
}

/* One call a call: compilers that unfold the recursion would measure themselves. */
static __attribute__((noinline, noclone)) long fib_serial(long n)
{
    if (n < 2)
        return n;
    long left = fib_serial(n - 1);
    return left + fib_serial(n - 2);
}

static long fib_by(const char *form, long n)
{
    struct call call = {n, 0};
    if (strcmp(form, "typed") == 0)
        return fib((int)n);
    if (strcmp(form, "serial") == 0)
        return fib_serial(n);
    fib_by_pointer(&call);
    return call.result;
}

/* fib(n) makes fib(n + 1) - 1 forks. */
static long n_of(long ops, long *forks, long *sum)
{
    long n = 1, a = 1, b = 1; /* fib(n), fib(n + 1) */
    while (b - 1 < ops) {
        long next = a + b;
        a = b;
        b = next;
        n++;
    }
    *forks = b - 1;
    *sum = a;
    return n;
}

static int measure(void *arg)
{
    const char *form = arg;
    long forks, sum, n = n_of(bench_param("ops", 14930351), &forks, &sum);
    long batches = bench_param_upto("batches", 5, 100);
    double ns[100];
    bench_require(batches > 0, "nothing to do");
    for (long i = 0; i < batches; i++) {
        int64_t begin = bench_now();
        bench_require(fib_by(form, n) == sum, "the sum is wrong");
        ns[i] = (double)(bench_now() - begin) / (double)forks;
    }
    size_t warm = batches > 1;
    bench_result(NULL, bench_percentile(ns + warm, (size_t)batches - warm, 50), "ns");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("fork", "ravel", argc, argv);
    char form[16] = {0};
    strncpy(form, bench_param_text("form", "typed"), sizeof form - 1);
    bench_require(!strcmp(form, "typed") || !strcmp(form, "function") || !strcmp(form, "serial"),
                  "form=typed, form=function or form=serial");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, form, &opts), "rv_run");
}

/* SPDX-License-Identifier: MIT */
/* tbb.cpp - what oneTBB's tasks can do of it: start and wait, fork and join. They have no stack of
 * their own to wait on. */
#include "bench.h"

#include <cstring>
#include <tbb/global_control.h>
#include <tbb/task_group.h>

static constexpr long width = 10;

static void nothing()
{
    __asm__ volatile("");
}

static tbb::global_control limit_to(long workers)
{
    return {tbb::global_control::max_allowed_parallelism, static_cast<size_t>(workers)};
}

static void run_spawn(void *, long ops)
{
    while (ops-- > 0) {
        tbb::task_group group;
        group.run(nothing);
        group.wait();
    }
}

static void bench_spawn()
{
    if (std::strcmp(bench_param_text("how", "close"), "close") != 0)
        bench_not_here();
    auto limit = limit_to(1);
    bench_batches(run_spawn, nullptr, 1000000);
}

static void run_million(void *, long ops)
{
    tbb::task_group group;
    while (ops-- > 0)
        group.run(nothing);
    group.wait();
}

static void bench_million()
{
    auto limit = limit_to(bench_param("workers", 1));
    bench_batches(run_million, nullptr, 1000000);
}

static long fib(long n)
{
    if (n < 2)
        return n;
    long a = 0;
    tbb::task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    long b = fib(n - 2);
    group.wait();
    return a + b;
}

static void bench_fork()
{
    (void)bench_param_text("form", "typed");
    auto limit = limit_to(bench_param("workers", 1));
    bench_fib(fib);
}

static long sum_of_node(long first, long leaves)
{
    if (leaves == 1)
        return first;
    long parts[width], sum = 0, share = leaves / width;
    tbb::task_group group;
    for (long i = 0; i < width - 1; i++)
        group.run([&parts, first, share, i] {
            parts[i] = sum_of_node(first + i * share, share);
        });
    parts[width - 1] = sum_of_node(first + (width - 1) * share, share);
    group.wait();
    for (long part : parts)
        sum += part;
    return sum;
}

static long sum_of_tree(long leaves)
{
    return sum_of_node(0, leaves);
}

static void bench_skynet_fork()
{
    auto limit = limit_to(bench_param("workers", 1));
    bench_sum_of_leaves(sum_of_tree);
}

int main(int argc, char **argv)
{
    static const bench_choice benches[] = {
        {"spawn", bench_spawn},
        {"million", bench_million},
        {"fork", bench_fork},
        {"skynet-fork", bench_skynet_fork},
        {nullptr, nullptr},
    };
    bench_choose(benches, "tbb", argc, argv);
}

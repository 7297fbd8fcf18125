/* SPDX-License-Identifier: MIT */
/* boost.cpp - the same things with Boost.Fiber under its default round robin, and the bare switch
 * of Boost.Context below it.
 *
 * Its fibers stay on the thread that started them, so with workers=2 the consumers run on a second
 * thread. Its buffered channel holds one item less than its size, a power of two. Skynet starts
 * each fiber at once (launch::dispatch), so that only the tasks of one branch have a stack. A bare
 * stack (what=stack) comes from a pool of Boost.Context; all the fibers do without one. */
#include "bench.h"

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace fibers = boost::fibers;

/* Each stack is a mapping of its own, and the kernel allows 65,530 of them. */
static constexpr long most_fibers = 30000;

static long tasks, pairs;
static size_t size_of_chan;

using buffered = fibers::buffered_channel<long>;
using unbuffered = fibers::unbuffered_channel<long>;

static size_t size_for(long capacity)
{
    size_t size = 2;
    while (size < static_cast<size_t>(capacity))
        size *= 2;
    return size;
}

static void run_yield(void *, long ops)
{
    std::vector<fibers::fiber> all;
    for (long i = 0; i < tasks; i++)
        all.emplace_back([each = ops / tasks] {
            for (long left = each; left > 0; left--)
                boost::this_fiber::yield();
        });
    for (auto &f : all)
        f.join();
}

static void bench_yield()
{
    tasks = bench_param("tasks", 2);
    bench_batches(run_yield, nullptr, 1000000);
}

static void run_spawn_join(void *, long ops)
{
    while (ops-- > 0)
        fibers::fiber([] {}).join();
}

static void run_spawn_yield(void *, long ops)
{
    while (ops-- > 0) {
        fibers::fiber([] {}).detach();
        boost::this_fiber::yield();
    }
}

static void bench_spawn()
{
    bool yields = std::strcmp(bench_param_text("how", "close"), "yield") == 0;
    bench_batches(yields ? run_spawn_yield : run_spawn_join, nullptr, 200000);
}

template <class Chan> static void run_pingpong(Chan &ping, Chan &pong, long ops)
{
    fibers::fiber other([&ping, &pong, ops] {
        for (long left = ops; left > 0; left--)
            pong.push(ping.value_pop());
    });
    for (long i = 0; i < ops; i++) {
        ping.push(i);
        bench_require(pong.value_pop() == i, "the wrong ball came back");
    }
    other.join();
}

static void run_pingpong_buffered(void *, long ops)
{
    buffered ping(size_of_chan), pong(size_of_chan);
    run_pingpong(ping, pong, ops);
}

static void run_pingpong_unbuffered(void *, long ops)
{
    unbuffered ping, pong;
    run_pingpong(ping, pong, ops);
}

static void bench_pingpong()
{
    long capacity = bench_param("capacity", 1);
    size_of_chan = size_for(capacity);
    bench_batches(capacity ? run_pingpong_buffered : run_pingpong_unbuffered, nullptr, 200000);
}

static void run_fibers(long n, void (*fn)(buffered &, long), buffered &ch, long each)
{
    std::vector<fibers::fiber> all;
    for (long i = 0; i < n; i++)
        all.emplace_back([fn, &ch, each] { fn(ch, each); });
    for (auto &f : all)
        f.join();
}

static void produce(buffered &ch, long each)
{
    for (long i = 0; i < each; i++)
        ch.push(i);
}

static void consume(buffered &ch, long each)
{
    for (long i = 0; i < each; i++)
        (void)ch.value_pop();
}

static void run_chan_on_one(void *, long ops)
{
    buffered ch(size_of_chan);
    long each = ops / pairs;
    fibers::fiber consumers([&ch, each] { run_fibers(pairs, consume, ch, each); });
    run_fibers(pairs, produce, ch, each);
    consumers.join();
}

static void run_chan_on_two(void *, long ops)
{
    buffered ch(size_of_chan);
    long each = ops / pairs;
    std::thread consumers([&ch, each] { run_fibers(pairs, consume, ch, each); });
    run_fibers(pairs, produce, ch, each);
    consumers.join();
}

static void bench_chan()
{
    long workers = bench_param_upto("workers", 1, 2);
    pairs = bench_param("pairs", 1);
    size_of_chan = size_for(bench_param("capacity", 128));
    bench_batches(workers == 2 ? run_chan_on_two : run_chan_on_one, nullptr, 500000);
}

static void bench_parked()
{
    long n = bench_param_upto("tasks", 1000000, most_fibers);
    double each = static_cast<double>(n);
    fibers::mutex lock;
    fibers::condition_variable gate;
    bool open = false;
    long waiting = 0;
    std::vector<fibers::fiber> all;
    all.reserve(static_cast<size_t>(n));
    bench_memory a = bench_memory_now();
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        all.emplace_back([&] {
            std::unique_lock<fibers::mutex> held(lock);
            waiting++;
            gate.wait(held, [&] { return open; });
        });
    while (waiting < n)
        boost::this_fiber::yield();
    double ns = static_cast<double>(bench_now() - begin);
    bench_memory b = bench_memory_now();
    bench_result("resident", static_cast<double>(b.resident_bytes - a.resident_bytes) / each,
                 "bytes");
    bench_result("page tables", static_cast<double>(b.page_table_bytes - a.page_table_bytes) / each,
                 "bytes");
    bench_result("mappings", static_cast<double>(b.mappings), "");
    bench_result("first creation", ns / each, "ns");
    open = true;
    gate.notify_all();
    for (auto &f : all)
        f.join();
}

static long in_flight;

static void run_jobs(void *, long ops)
{
    std::vector<fibers::future<long>> started;
    for (long first = 0; first < ops; first += in_flight) {
        for (long i = first; i < first + in_flight; i++)
            started.push_back(fibers::async([i] { return i; }));
        for (long i = first; i < first + in_flight; i++)
            bench_require(started[static_cast<size_t>(i - first)].get() == i, "the wrong result");
        started.clear();
    }
}

static void bench_executor()
{
    if (std::strcmp(bench_param_text("tier", "threads"), "tasks") != 0)
        bench_not_here();
    in_flight = bench_param("in_flight", 1);
    bench_require(in_flight > 0, "in_flight: none");
    bench_batches(run_jobs, nullptr, 128000);
}

static void run_node(buffered &up, long first, long leaves);

static long sum_of_children(long first, long leaves)
{
    long sum = 0, share = leaves / 10;
    buffered ch(16);
    std::vector<fibers::fiber> kids;
    for (long i = 0; i < 10; i++)
        kids.emplace_back(fibers::launch::dispatch,
                          [&ch, first, share, i] { run_node(ch, first + i * share, share); });
    for (int i = 0; i < 10; i++)
        sum += ch.value_pop();
    for (auto &f : kids)
        f.join();
    return sum;
}

static void run_node(buffered &up, long first, long leaves)
{
    up.push(leaves == 1 ? first : sum_of_children(first, leaves));
}

static void bench_skynet()
{
    long leaves = bench_param_upto("leaves", 1000000, 100000);
    if (bench_param("workers", 1) != 1)
        bench_not_here();
    int64_t begin = bench_now();
    bench_require(sum_of_children(0, leaves) == leaves * (leaves - 1) / 2, "the sum is wrong");
    bench_result(nullptr, static_cast<double>(bench_now() - begin) / static_cast<double>(leaves),
                 "ns");
}

/* Bare fibers of Boost.Context, which no scheduler knows of. Its switch loads mxcsr, and that takes
 * ten times longer when the value differs: all get the "inexact" bit that main() has from its
 * divisions anyway. */
static std::vector<boost::context::fiber> bare;

static void run_switch(void *, long ops)
{
    size_t at = 0;
    for (; ops > 1; ops -= 2) {
        bare[at] = std::move(bare[at]).resume();
        at = at + 1 == bare.size() ? 0 : at + 1;
    }
}

static void never(boost::context::detail::transfer_t)
{
    std::abort();
}

/* Prepared below the public interface, which has no fiber that ends without having run. */
static void run_stack(void *, long ops)
{
    boost::context::pooled_fixedsize_stack pool;
    while (ops-- > 0) {
        boost::context::stack_context stack = pool.allocate();
        (void)boost::context::detail::make_fcontext(stack.sp, stack.size, never);
        pool.deallocate(stack);
    }
}

static void bench_bare_switch()
{
    volatile double inexact = 3;
    inexact = 1 / inexact;
    for (long others = bench_param("fibers", 2) - 1; others > 0; others--)
        bare.emplace_back([](boost::context::fiber back) {
            for (;;)
                back = std::move(back).resume();
            return back;
        });
    bench_require(!bare.empty(), "fibers: at least 2");
    bench_batches(run_switch, nullptr, 10000000);
}

static void bench_switch()
{
    const char *what = bench_param_text("what", "switch");
    if (std::strcmp(what, "stack") == 0)
        bench_batches(run_stack, nullptr, 10000000);
    else if (std::strcmp(what, "switch") == 0)
        bench_bare_switch();
    else
        bench_not_here();
}

static void bench_lateness()
{
    bench_late_sleeps([](int64_t when) {
        using clock = std::chrono::steady_clock;
        boost::this_fiber::sleep_until(clock::time_point(std::chrono::nanoseconds(when)));
    });
}

int main(int argc, char **argv)
{
    static const bench_choice benches[] = {
        {"yield", bench_yield},
        {"spawn", bench_spawn},
        {"pingpong", bench_pingpong},
        {"chan", bench_chan},
        {"parked", bench_parked},
        {"executor", bench_executor},
        {"skynet", bench_skynet},
        {"switch", bench_switch},
        {"lateness", bench_lateness},
        {nullptr, nullptr},
    };
    bench_choose(benches, "boost", argc, argv);
}

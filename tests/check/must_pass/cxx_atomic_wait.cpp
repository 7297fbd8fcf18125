/* SPDX-License-Identifier: MIT */
/* cxx_atomic_wait.cpp - a latch, a barrier and waits on atomics, all of which libstdc++ makes of
 * futexes and of spinning.
 *
 * looks like: order violation */
#include <atomic>
#include <barrier>
#include <cassert>
#include <latch>
#include <thread>

static std::latch ready(2);
static std::barrier phase(2);
static std::atomic<int> turn;
static int sums[2];

static void work(int me)
{
    ready.arrive_and_wait();
    sums[me] = me + 1;
    phase.arrive_and_wait();
    assert(sums[0] + sums[1] == 3);
    while (turn.load() != me)
        turn.wait(1 - me);
    turn.store(me + 1);
    turn.notify_all();
}

int main()
{
    std::thread first(work, 0), second(work, 1);

    first.join();
    second.join();
    assert(turn == 2);
}

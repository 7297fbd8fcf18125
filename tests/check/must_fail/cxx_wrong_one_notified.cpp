/* SPDX-License-Identifier: MIT */
/* cxx_wrong_one_notified.cpp - two threads wait on one atomic, each for a value of its own.
 *
 * bug: notify_one may wake the one that waits for another value
 * kind: deadlock lost-wakeup
 * budget: 600
 * door: either */
#include <atomic>
#include <thread>

static std::atomic<int> turn;

static void wait_for(int wanted)
{
    int seen;

    while ((seen = turn.load()) != wanted)
        turn.wait(seen);
    turn.store(wanted + 1);
    turn.notify_one();
}

int main()
{
    std::thread first(wait_for, 1), second(wait_for, 2);

    turn.store(1);
    turn.notify_one();
    first.join();
    second.join();
}

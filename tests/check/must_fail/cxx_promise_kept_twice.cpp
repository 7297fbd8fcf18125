/* SPDX-License-Identifier: MIT */
/* cxx_promise_kept_twice.cpp - whichever thread has the answer first gives it.
 *
 * bug: both see that nobody has, and the second set_value throws
 * kind: assertion
 * budget: 50
 * door: instrumented */
#include <atomic>
#include <future>
#include <thread>

static std::promise<int> promise;
static std::atomic<bool> is_kept;

static void answer(int value)
{
    if (is_kept.load())
        return;
    is_kept.store(true);
    promise.set_value(value);
}

int main()
{
    std::future<int> result = promise.get_future();
    std::thread one(answer, 1), other(answer, 2);

    one.join();
    other.join();
    return result.get() == 0;
}

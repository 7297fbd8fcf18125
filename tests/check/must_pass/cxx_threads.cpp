/* SPDX-License-Identifier: MIT */
/* cxx_threads.cpp - threads hand over by condition variables, one of them until a deadline, and
 * are told to stop.
 *
 * looks like: lost signal */
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

static std::mutex lock;
static std::condition_variable changed;
static std::condition_variable_any stopped;
static std::string message;

static void send()
{
    {
        std::scoped_lock held(lock);
        message = "a word too long for the place that short ones have";
    }
    changed.notify_one();
}

static void wait_until_stopped(std::stop_token stop)
{
    std::unique_lock held(lock);

    stopped.wait(held, stop, [] { return false; });
    assert(stop.stop_requested());
}

int main()
{
    std::jthread waiter(wait_until_stopped);
    std::thread sender(send);

    {
        std::unique_lock held(lock);
        while (
            !changed.wait_for(held, std::chrono::milliseconds(1), [] { return !message.empty(); }))
            ;
        assert(message.starts_with("a word"));
    }
    sender.join();
}

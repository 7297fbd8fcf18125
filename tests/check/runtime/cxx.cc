/* SPDX-License-Identifier: MIT */
/* cxx.cc - C++: threads, futures, exceptions, thread-locals with destructors, a wait on an atomic. */
#include <pthread.h>

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> gone{0};

struct local {
    int value = 3;
    ~local() { gone++; }
};

struct unwound {
    ~unwound() { gone += 100; }
};

static thread_local local mine;

static size_t guarded()
{
    static std::string text = "abc";
    return text.size();
}

static void threads()
{
    std::mutex lock;
    std::vector<std::thread> all;
    int count = 0;

    for (int i = 0; i < 3; i++) {
        all.emplace_back([&] {
            mine.value++;
            assert(guarded() == 3);
            std::lock_guard<std::mutex> held(lock);
            count++;
        });
    }
    for (auto &thread : all)
        thread.join();
    assert(count == 3 && gone == 3);
}

static void futures()
{
    bool caught = false;

    assert(std::async(std::launch::async, [] { return 7; }).get() == 7);
    try {
        std::async(std::launch::async, []() -> int { throw 5; }).get();
    } catch (int value) {
        caught = value == 5;
    }
    assert(caught);
}

static void exit_unwinds()
{
    pthread_t thread;
    int before = gone;

    pthread_create(
        &thread, nullptr,
        [](void *) -> void * {
            unwound object;
            pthread_exit(nullptr);
        },
        nullptr);
    pthread_join(thread, nullptr);
    assert(gone == before + 100);
}

static void waits()
{
    std::mutex lock;
    std::condition_variable condition;
    std::atomic<int> word{0};
    bool is_ready = false;
    std::thread on_word([&] { word.wait(0); });
    std::thread on_condition([&] {
        std::unique_lock<std::mutex> held(lock);
        condition.wait_for(held, std::chrono::seconds(1), [&] { return is_ready; });
    });

    word = 1;
    word.notify_one();
    {
        std::lock_guard<std::mutex> held(lock);
        is_ready = true;
    }
    condition.notify_all();
    on_word.join();
    on_condition.join();
}

int main()
{
    threads();
    futures();
    exit_unwinds();
    waits();
}

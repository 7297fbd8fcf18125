/* SPDX-License-Identifier: MIT */
/* cxx_readers.cpp - readers and a writer of a map, with limits to their patience; lines printed
 * by all without a lock, as std::cout may be.
 *
 * looks like: reads without the lock */
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

static std::shared_timed_mutex lock;
static std::timed_mutex printing;
static std::map<int, std::string> names;

static void change()
{
    std::unique_lock held(lock, std::chrono::seconds(1));

    if (held.owns_lock())
        names[2] = "two";
    else
        std::cout << "no\n";
}

static void look()
{
    std::shared_lock held(lock);
    auto found = names.find(2);

    if (!printing.try_lock_for(std::chrono::milliseconds(1)))
        return;
    std::cout << (found == names.end() ? "none" : found->second) << '\n';
    printing.unlock();
}

int main()
{
    names[1] = "one";
    std::thread one(look), other(look), writer(change);

    one.join();
    other.join();
    writer.join();
}

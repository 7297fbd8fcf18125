/* SPDX-License-Identifier: MIT */
/* cxx_exception_escapes.cpp - a thread looks at an element that may not be there yet.
 *
 * bug: at() throws when the other thread has not added its element, and nobody catches
 * kind: assertion
 * budget: 50
 * door: either */
#include <mutex>
#include <string>
#include <thread>
#include <vector>

static std::mutex lock;
static std::vector<std::string> words{"one"};

static void add()
{
    std::scoped_lock held(lock);

    words.emplace_back("two");
}

static void look()
{
    std::scoped_lock held(lock);

    words.at(1) += "!";
}

int main()
{
    std::thread adds(add), looks(look);

    adds.join();
    looks.join();
}

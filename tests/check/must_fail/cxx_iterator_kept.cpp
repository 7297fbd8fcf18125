/* SPDX-License-Identifier: MIT */
/* cxx_iterator_kept.cpp - a reference into a vector is kept after the lock is gone.
 *
 * bug: push_back moves the elements between finding one and using it
 * kind: heap
 * budget: 100
 * door: instrumented */
#include <mutex>
#include <thread>
#include <vector>

static std::mutex lock;
static std::vector<int> scores{5};

static int &first_score()
{
    std::scoped_lock held(lock);

    return scores.front();
}

static void add()
{
    std::scoped_lock held(lock);

    scores.push_back(1);
}

int main()
{
    std::thread thread(add);

    first_score()++;
    thread.join();
}

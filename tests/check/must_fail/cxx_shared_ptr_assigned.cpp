/* SPDX-License-Identifier: MIT */
/* cxx_shared_ptr_assigned.cpp - the count behind a shared_ptr is safe, and the pointer itself is
 * not.
 *
 * bug: one thread copies a shared_ptr while another one assigns to it
 * kind: heap assertion crash
 * budget: 300
 * door: instrumented */
#include <cassert>
#include <memory>
#include <thread>

static std::shared_ptr<int> current = std::make_shared<int>(1);

static void look()
{
    std::shared_ptr<int> mine = current;

    assert(*mine == 1 || *mine == 2);
}

int main()
{
    std::thread thread(look);

    current = std::make_shared<int>(2);
    thread.join();
}

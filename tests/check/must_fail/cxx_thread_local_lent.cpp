/* SPDX-License-Identifier: MIT */
/* cxx_thread_local_lent.cpp - a thread lends a pointer into an object of its own.
 *
 * bug: the lender's thread_local may be destroyed before the borrower looks
 * kind: heap
 * budget: 100
 * door: instrumented */
#include <atomic>
#include <memory>
#include <thread>

static thread_local std::unique_ptr<int> own;
static std::atomic<int *> lent;

static void lend()
{
    own = std::make_unique<int>(7);
    lent.store(own.get());
}

static void borrow()
{
    if (int *value = lent.load())
        ++*value;
}

int main()
{
    std::thread lender(lend), borrower(borrow);

    lender.join();
    borrower.join();
}

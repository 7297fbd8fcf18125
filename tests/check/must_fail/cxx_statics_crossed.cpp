/* SPDX-License-Identifier: MIT */
/* cxx_statics_crossed.cpp - two statics of functions, each built with a look at the other one's
 * class unless it is the first.
 *
 * bug: each thread is inside the initialisation of one static and waits for the other's
 * kind: deadlock
 * budget: 100
 * door: either */
#include <atomic>
#include <thread>

static std::atomic<int> first;

static int left(int from);
static int right(int from);

struct Side {
    Side(int me, int (*other)(int))
    {
        int nobody = 0;

        if (!first.compare_exchange_strong(nobody, me) && nobody != me)
            size += other(me);
    }
    int size = 1;
};

static int left(int)
{
    static Side side(1, right);

    return side.size;
}

static int right(int)
{
    static Side side(2, left);

    return side.size + left(2);
}

int main()
{
    std::thread one(left, 0), other(right, 0);

    one.join();
    other.join();
}

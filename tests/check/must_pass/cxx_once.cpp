/* SPDX-License-Identifier: MIT */
/* cxx_once.cpp - what is to be done once fails the first time, and is done by whoever comes next:
 * by std::call_once, and by the guard of a static.
 *
 * looks like: double-checked locking */
#include <cassert>
#include <mutex>
#include <stdexcept>
#include <thread>

static std::once_flag once;
static int tries, built, lost;

struct Table {
    Table()
    {
        if (++built == 1)
            throw std::runtime_error("not yet");
        size = 7;
    }
    int size;
};

static int size_of_table()
{
    static Table table;

    return table.size;
}

template <typename Call> static bool is_done(Call call)
{
    try {
        call();
        return true;
    } catch (const std::runtime_error &) {
        return false;
    }
}

static void use()
{
    auto prepare = [] {
        if (++tries == 1)
            throw std::runtime_error("not yet");
    };

    while (!is_done([&] { std::call_once(once, prepare); }))
        lost++;
    while (!is_done([] { assert(size_of_table() == 7); }))
        ;
    assert(tries == 2 && built == 2);
}

int main()
{
    std::thread one(use), other(use);

    one.join();
    other.join();
    assert(lost == 1);
}

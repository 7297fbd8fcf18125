/* SPDX-License-Identifier: MIT */
/* cxx_thread_locals.cpp - objects of a thread are built at their first use and destroyed at its
 * end, the latest first, before whoever joins goes on.
 *
 * looks like: use after free */
#include <cassert>
#include <mutex>
#include <string>
#include <thread>

static std::mutex lock;
static std::string ended;

struct Named {
    explicit Named(const char *name) : name(name)
    {
    }
    ~Named()
    {
        std::scoped_lock held(lock);
        ended += name;
    }
    std::string name;
};

static thread_local Named outer("o");
static thread_local Named inner("i");

static void work(const char *name)
{
    outer.name = name;
    inner.name += name;
}

int main()
{
    std::thread a(work, "a"), b(work, "b");

    a.join();
    {
        std::scoped_lock held(lock);
        assert(ended.find("ia") < ended.find_last_of("a"));
    }
    b.join();
    assert(ended.size() == 6 && ended.find("ib") < ended.find_last_of("b"));
}

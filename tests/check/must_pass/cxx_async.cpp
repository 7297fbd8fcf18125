/* SPDX-License-Identifier: MIT */
/* cxx_async.cpp - results and exceptions come through futures.
 *
 * looks like: order violation */
#include <cassert>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

static int fail(const std::string &why)
{
    throw std::runtime_error(why);
}

static bool is_thrown(std::future<int> &result, const std::string &why)
{
    try {
        result.get();
        return false;
    } catch (const std::runtime_error &error) {
        return error.what() == why;
    }
}

int main()
{
    std::promise<std::string> promise;
    std::shared_future<std::string> word = promise.get_future().share();
    std::packaged_task<int()> task([word] { return (int)word.get().size(); });
    std::future<int> size = task.get_future();
    auto one = std::async(std::launch::async, fail, "one");
    auto other = std::async(std::launch::async, fail, "other");
    std::thread runner(std::move(task));

    promise.set_value("hello");
    assert(is_thrown(other, "other") && is_thrown(one, "one"));
    assert(size.get() == 5 && word.get() == "hello");
    runner.join();
}

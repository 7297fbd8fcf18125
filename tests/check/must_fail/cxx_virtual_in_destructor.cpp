/* SPDX-License-Identifier: MIT */
/* cxx_virtual_in_destructor.cpp - a base class joins its thread, which calls a method of the class
 * derived from it.
 *
 * bug: the derived part is destroyed before the base's destructor joins
 * kind: assertion crash
 * budget: 100
 * door: either */
#include <thread>

class Worker
{
  public:
    void start()
    {
        thread = std::thread([this] { work(); });
    }
    virtual ~Worker()
    {
        thread.join();
    }

  private:
    virtual void work() = 0;
    std::thread thread;
};

class Counter : public Worker
{
    void work() override
    {
        count++;
    }
    int count = 0;
};

int main()
{
    Counter counter;

    counter.start();
}

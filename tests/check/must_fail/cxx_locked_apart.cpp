/* SPDX-License-Identifier: MIT */
/* cxx_locked_apart.cpp - money goes from one account to another and back.
 *
 * bug: two lock_guards where one scoped_lock would take both without a deadlock
 * kind: deadlock
 * budget: 50
 * door: either */
#include <mutex>
#include <thread>

struct Account {
    std::mutex lock;
    int money = 10;
};

static void move(Account &from, Account &to)
{
    std::lock_guard first(from.lock);
    std::lock_guard second(to.lock);

    from.money--;
    to.money++;
}

int main()
{
    Account a, b;
    std::thread there(move, std::ref(a), std::ref(b)), back(move, std::ref(b), std::ref(a));

    there.join();
    back.join();
}

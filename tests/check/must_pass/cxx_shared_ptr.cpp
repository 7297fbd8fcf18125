/* SPDX-License-Identifier: MIT */
/* cxx_shared_ptr.cpp - whoever lets go last deletes, and a weak pointer finds the object or
 * nothing.
 *
 * looks like: use after free */
#include <cassert>
#include <memory>
#include <thread>
#include <vector>

struct Node {
    ~Node()
    {
        values.clear();
    }
    std::vector<int> values{1, 2, 3};
};

static void look(std::weak_ptr<Node> weak)
{
    if (std::shared_ptr<Node> node = weak.lock())
        assert(node->values.size() == 3);
}

static void hold(std::shared_ptr<Node> node)
{
    assert(node->values[1] == 2);
}

int main()
{
    auto node = std::make_shared<Node>();
    std::thread looks(look, std::weak_ptr<Node>(node));
    std::thread holds(hold, node);

    node.reset();
    looks.join();
    holds.join();
}

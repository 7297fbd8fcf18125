/* SPDX-License-Identifier: MIT */
/* async_by_hand.c - many waits on one thread without a library: a state
 * for each, and a loop. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

enum step { BEGIN, HEATED, FILLED, READY };

struct dish {
    const char *name;
    enum step step;
    long due; /* milliseconds: when the next step can be done */
};

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_for(struct dish *dish, long milliseconds, enum step then)
{
    dish->due = now() + milliseconds;
    dish->step = then;
}

/* What a task would say as: heat; fill; done. */
static void go_on(struct dish *dish)
{
    switch (dish->step) {
    case BEGIN:
        wait_for(dish, 20, HEATED);
        break;
    case HEATED:
        wait_for(dish, 10, FILLED);
        break;
    case FILLED:
        dish->step = READY;
        break;
    case READY:
        break;
    }
}

static struct dish *next(struct dish *dishes, int n)
{
    struct dish *next = NULL;
    for (int i = 0; i < n; i++)
        if (dishes[i].step != READY && (next == NULL || dishes[i].due < next->due))
            next = &dishes[i];
    return next;
}

int main(void)
{
    struct dish dishes[] = {{.name = "coffee"}, {.name = "tea"}, {.name = "cocoa"}};
    struct dish *dish;
    while ((dish = next(dishes, 3)) != NULL) {
        long left = dish->due - now();
        if (left > 0)
            poll(NULL, 0, (int)left); /* an event loop names the descriptors here */
        go_on(dish);
    }
    for (int i = 0; i < 3; i++)
        printf("%s is ready\n", dishes[i].name);
    return 0;
}

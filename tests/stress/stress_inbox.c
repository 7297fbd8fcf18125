/* SPDX-License-Identifier: MIT */
/* stress_inbox.c - several producers, one consumer: nothing lost, each producer's order kept, and
 * a consumer that sleeps by the protocol of inbox.c is always woken.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of messages. */
#include "queue/inbox.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sys/futex.h"

enum {
    PRODUCERS = 3,
    AWAKE = 0,
    ASLEEP = 1,
};

struct letter {
    int producer;
    size_t number;
    struct rvi_msg msg;
};

struct post {
    struct rvi_inbox inbox;
    _Alignas(RVI_CACHE_LINE) _Atomic(uint32_t) consumer;
};

struct producer {
    struct post *post;
    int number;
    size_t count;
    struct letter *letters;
    pthread_t thread;
};

static size_t scaled(size_t count)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < 1000 ? 1000 : result;
}

static void wake_if_asleep(struct post *post)
{
    if (rvi_load_seq_cst(&post->consumer) != ASLEEP) /* pairs: stress-asleep, inbox-sleep */
        return;
    rvi_store_relaxed(&post->consumer, AWAKE);
    rvi_futex_wake(&post->consumer, 1);
}

static void *run_producer(void *argument)
{
    struct producer *producer = argument;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, (uint64_t)producer->number);
    for (size_t i = 0; i < producer->count; i++) {
        producer->letters[i] = (struct letter){.producer = producer->number, .number = i};
        if (rvi_inbox_push(&producer->post->inbox, &producer->letters[i].msg))
            wake_if_asleep(producer->post);
        if (rvi_rng_below(&rng, 500) == 0)
            sched_yield();
    }
    return NULL;
}

static void start_producers(struct producer *producers, struct post *post, size_t count)
{
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.post = post, .number = i, .count = count};
        producers[i].letters = calloc(count, sizeof(struct letter));
        assert_non_null(producers[i].letters);
        assert_int_equal(pthread_create(&producers[i].thread, NULL, run_producer, &producers[i]),
                         0);
    }
}

static void join_producers(struct producer *producers)
{
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        free(producers[i].letters);
    }
}

/* Checks the order of a taken chain against `seen`, by producer; returns its length. */
static size_t receive(struct rvi_msg *msg, size_t *seen)
{
    size_t count = 0;
    while (msg != NULL) {
        struct letter *letter = rvi_container_of(msg, struct letter, msg);
        msg = msg->next;
        RV_CHECK(letter->number == seen[letter->producer]);
        seen[letter->producer]++;
        count++;
    }
    return count;
}

/* Returns whether it did sleep. */
static bool sleep_until_woken(struct post *post)
{
    rvi_store_seq_cst(&post->consumer, ASLEEP); /* pairs: stress-asleep, inbox-sleep */
    bool empty = rvi_inbox_looks_empty_seq_cst(&post->inbox);
    while (empty && rvi_load_relaxed(&post->consumer) == ASLEEP)
        (void)!rvi_futex_wait(&post->consumer, ASLEEP, INT64_MAX);
    rvi_store_relaxed(&post->consumer, AWAKE);
    return empty;
}

static void run(bool may_sleep, size_t count)
{
    static struct post post;
    struct producer producers[PRODUCERS];
    size_t seen[PRODUCERS] = {0};
    size_t received = 0;
    size_t sleeps = 0;
    rvi_inbox_init(&post.inbox);
    rvi_store_relaxed(&post.consumer, AWAKE);
    start_producers(producers, &post, count);
    while (received < PRODUCERS * count) {
        struct rvi_msg *msg = rvi_inbox_take_all(&post.inbox);
        if (msg != NULL)
            received += receive(msg, seen);
        else if (may_sleep)
            sleeps += sleep_until_woken(&post);
        else
            sched_yield();
    }
    join_producers(producers);
    print_message("# %zu messages, %zu sleeps\n", received, sleeps);
    assert_true(rvi_inbox_looks_empty(&post.inbox));
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(seen[i], count);
}

static void order_is_kept_for_a_polling_consumer(void **state)
{
    (void)state;
    run(false, scaled(500000));
}

static void sleeping_consumer_is_always_woken(void **state)
{
    (void)state;
    run(true, scaled(300000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_for_a_polling_consumer),
        cmocka_unit_test(sleeping_consumer_is_always_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

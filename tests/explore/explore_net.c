/* SPDX-License-Identifier: MIT */
/* explore_net.c - servers and clients on a network that fails as it likes: who is careful gets all
 * of it right under thousands of seeds; who takes a part for the whole, forgets a descriptor on the
 * way out, or waits without a deadline, is found. */
#include "explore.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    NET_SEEDS = 2500,
    CLIENTS = 2,
    REQUEST = 200,
    PATIENCE_MS = 2000, /* with an answer */
};

static struct {
    char at[RV_ADDR_TEXT];
    int listener;
    rv_scope *sessions;
    _Atomic(unsigned) answered;
    bool sends_once, forgets_descriptor; /* the planted bugs */
} on;

/* --- the server --- */

static int receive_request(int fd, char *request, rv_time deadline)
{
    size_t got = 0;
    ssize_t n = 1;

    while (got < REQUEST && (n = rv_recv(fd, request + got, REQUEST - got, 0, deadline)) > 0)
        got += (size_t)n;
    return n < 0 ? (int)n : got == REQUEST ? 0 : -EPIPE;
}

static int answer(int fd, const char *text, rv_time deadline)
{
    ssize_t n;

    if (!on.sends_once)
        return rv_send_all(fd, text, REQUEST, NULL, deadline);
    n = rv_send(fd, text, REQUEST, 0, deadline);
    return n < 0 ? (int)n : 0;
}

/* A session's failure is its own. */
static int session(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char text[REQUEST];
    rv_time deadline = rv_after(PATIENCE_MS * RV_MILLISECOND);
    int r = receive_request(fd, text, deadline);

    if (r < 0 && on.forgets_descriptor)
        return 0;
    if (r == 0)
        r = answer(fd, text, deadline);
    if (r == 0)
        r = rv_shutdown(fd, SHUT_WR);
    RV_CHECK(rv_close(fd) == 0);
    return r == -ECANCELED ? r : 0;
}

static int serve(void *arg)
{
    int fd, r = 0;

    (void)arg;
    while (r == 0 && (fd = rv_accept(on.listener, NULL, RV_NEVER)) >= 0) {
        r = rv_go(on.sessions, session, (void *)(intptr_t)fd);
        if (r < 0)
            RV_CHECK(rv_close(fd) == 0);
    }
    return r < 0 ? r : fd;
}

/* --- the clients --- */

static int ask_once(char fill)
{
    char text[REQUEST], got[REQUEST];
    rv_time deadline = rv_after(PATIENCE_MS * RV_MILLISECOND);
    int fd = rv_dial("tcp", on.at, deadline);

    if (fd < 0)
        return fd;
    memset(text, fill, REQUEST);
    int r = rv_send_all(fd, text, REQUEST, NULL, deadline);
    if (r == 0)
        r = receive_request(fd, got, deadline);
    RV_CHECK(rv_close(fd) == 0);
    if (r == 0)
        RV_CHECK(memcmp(got, text, REQUEST) == 0);
    return r;
}

/* The network may fail; an end without an answer is the server's fault. */
static bool is_of_the_network(int r)
{
    return r == -ECONNRESET || r == -ECONNREFUSED || r == -ETIME;
}

static int ask_until_answered(void *arg)
{
    int r;

    do
        r = ask_once((char)('a' + (intptr_t)arg));
    while (is_of_the_network(r));
    rvi_fetch_add_relaxed(&on.answered, r == 0);
    return r;
}

static int ask_all(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(clients, err) {
        for (intptr_t i = 0; i < CLIENTS; i++)
            go(clients, ask_until_answered, (void *)i);
    }
    return err;
}

/* --- the scenes --- */

static int play(void)
{
    struct rv_addr addr;
    int err, r = 0;

    rvi_store_relaxed(&on.answered, 0);
    on.listener = rv_listen("tcp", "127.0.0.1:0", NULL);
    RV_CHECK(on.listener >= 0 && rv_addr_local(on.listener, &addr) == 0);
    rv_addr_format(&addr, on.at, sizeof on.at);
    RV_SCOPE(s, err) {
        on.sessions = s;
        go(s, serve, NULL);
        r = ask_all(NULL);
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(rv_close(on.listener) == 0);
    return r < 0 ? r : err == -ECANCELED ? 0 : err;
}

static int careful(void *arg)
{
    (void)arg;
    on.sends_once = on.forgets_descriptor = false;
    int r = play();
    RV_CHECK(r < 0 || rvi_load_relaxed(&on.answered) == CLIENTS);
    return r;
}

static int takes_a_part_for_the_whole(void *arg)
{
    (void)arg;
    on.sends_once = true;
    on.forgets_descriptor = false;
    return play();
}

static int forgets_a_descriptor(void *arg)
{
    (void)arg;
    on.sends_once = false;
    on.forgets_descriptor = true;
    return play();
}

/* A client that waits for as long as it takes, and a connection that has gone silent. */
static int waits_for_ever(void *arg)
{
    char byte = 0;
    int fds[2], err;

    (void)arg;
    int listener = rv_listen("tcp", "127.0.0.1:80", NULL);
    RV_CHECK(listener >= 0);
    RV_CHECK((fds[0] = rv_dial("tcp", "127.0.0.1:80", RV_NEVER)) >= 0);
    RV_CHECK((fds[1] = rv_accept(listener, NULL, RV_NEVER)) >= 0);
    err = rv_send_all(fds[0], &byte, 1, NULL, RV_NEVER);
    if (err == 0)
        err = (int)rv_recv(fds[1], &byte, 1, 0, RV_NEVER);
    RV_CHECK(rv_close(fds[0]) == 0 && rv_close(fds[1]) == 0 && rv_close(listener) == 0);
    return err < 0 ? err : 0;
}

/* --- exploring --- */

static const struct rv_sim_opts all_faults = {
    .depth = 4,
    .net_buffer_bytes = 128,
    .net_lose_ppm = 20000,
    .net_reset_ppm = 20000,
    .net_silence_ppm = 10000,
    .net_refuse_ppm = 50000,
};

static void who_is_careful_survives_every_fault(void **state)
{
    struct rv_sim_opts opts = all_faults;
    struct rv_sim_result result = {.size = sizeof(result)};
    long before = rvi_alloc_live();

    (void)state;
    opts.size = sizeof(opts);
    opts.seeds = 1;
    for (uint64_t seed = 0; seed < scaled(NET_SEEDS, 20); seed++) {
        opts.seed = seed;
        int r = rv_sim_explore(careful, NULL, &opts, &result);
        if (r < 0 || result.descriptors > 0)
            fail_msg("%d, %u descriptors left: RAVEL_SEED=%s", r, result.descriptors,
                     result.replay);
    }
    assert_int_equal(rvi_alloc_live(), before);
}

static void replays(rv_fn *scene, struct rv_sim_opts opts, const struct rv_sim_result *found, int r)
{
    struct rv_sim_result again = {.size = sizeof(again)};

    opts.seed = found->seed;
    opts.seeds = 1;
    for (size_t i = 0; i < scaled(20, 3); i++) {
        setenv("RAVEL_SEED", found->replay, 1);
        assert_int_equal(rv_sim_explore(scene, NULL, &opts, &again), r);
        unsetenv("RAVEL_SEED");
        assert_true(again.digest == found->digest);
        assert_int_equal(again.descriptors, found->descriptors);
    }
}

static void find(rv_fn *scene, struct rv_sim_opts opts, int wanted, uint64_t budget)
{
    struct rv_sim_result found = {.size = sizeof(found)};

    opts.size = sizeof(opts);
    opts.quiet = 1;
    opts.seeds = budget;
    assert_int_equal(rv_sim_explore(scene, NULL, &opts, &found), wanted);
    print_message("found after %d seeds: %s\n", (int)found.runs, found.replay);
    replays(scene, opts, &found, wanted);
}

static void finds_a_part_taken_for_the_whole(void **state)
{
    (void)state;
    find(takes_a_part_for_the_whole, (struct rv_sim_opts){.net_buffer_bytes = 128}, -EPIPE, 20);
}

static void finds_a_wait_without_a_deadline(void **state)
{
    (void)state;
    find(waits_for_ever, (struct rv_sim_opts){.net_silence_ppm = 20000}, -EDEADLK, 1000);
}

static void finds_a_descriptor_forgotten_on_the_way_out(void **state)
{
    struct rv_sim_opts opts = all_faults;
    struct rv_sim_result found = {.size = sizeof(found)};

    (void)state;
    opts.size = sizeof(opts);
    opts.seeds = 1;
    while (found.descriptors == 0) {
        assert_int_equal(rv_sim_explore(forgets_a_descriptor, NULL, &opts, &found), 0);
        assert_true(++opts.seed < 200);
    }
    print_message("found after %d seeds: %s\n", (int)opts.seed, found.replay);
    replays(forgets_a_descriptor, opts, &found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_careful_survives_every_fault),
        cmocka_unit_test(finds_a_part_taken_for_the_whole),
        cmocka_unit_test(finds_a_wait_without_a_deadline),
        cmocka_unit_test(finds_a_descriptor_forgotten_on_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

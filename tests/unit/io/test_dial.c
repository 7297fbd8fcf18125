/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <netinet/tcp.h>

#include "net_test.h"

#include "sys/call.h"

/* Dials, meets the listener, and hands back what came of it. */
static int dial_and_meet(const char *network, const struct listener *l, const char *address)
{
    char byte = 0;
    int dialled = rv_dial(network, address, rv_after(RV_MINUTE));
    if (dialled < 0)
        return dialled;
    RV_CHECK(fcntl(dialled, F_GETFL) & O_NONBLOCK);
    RV_CHECK(fcntl(dialled, F_GETFD) & FD_CLOEXEC);
    int accepted = rv_accept(l->fd, NULL, rv_after(RV_MINUTE));
    RV_CHECK(accepted >= 0);
    RV_CHECK(rv_send(dialled, "x", 1, 0, RV_NEVER) == 1);
    RV_CHECK(rv_recv(accepted, &byte, 1, 0, RV_NEVER) == 1 && byte == 'x');
    rv_close(dialled);
    return rv_close(accepted);
}

static int dial_by_number(void *network)
{
    struct listener l = listen_on(network, "localhost:0");
    int r = dial_and_meet(network, &l, l.at);
    rv_close(l.fd);
    return r;
}

static void an_address_in_digits_is_dialled(void **state)
{
    (void)state;
    play_everywhere(dial_by_number, (void *)(uintptr_t) "tcp");
    play_everywhere(dial_by_number, (void *)(uintptr_t) "tcp4");
    if (has_v6())
        play_everywhere(dial_by_number, (void *)(uintptr_t) "tcp6");
}

/* Where only one family listens: the other refuses. */
static int dial_this_machine(void *listens)
{
    struct listener l = listen_on("tcp", listens);
    struct rv_addr addr;
    char at[RV_ADDR_TEXT];
    RV_CHECK(rv_addr_local(l.fd, &addr) == 0);
    snprintf(at, sizeof at, "localhost:%d", rv_addr_port(&addr));
    RV_CHECK(dial_and_meet("tcp", &l, at) == 0);
    snprintf(at, sizeof at, ":%d", rv_addr_port(&addr));
    RV_CHECK(dial_and_meet("tcp", &l, at) == 0);
    return rv_close(l.fd);
}

static void localhost_is_whichever_family_answers(void **state)
{
    (void)state;
    play_everywhere(dial_this_machine, (void *)(uintptr_t) "127.0.0.1:0");
    if (has_v6())
        play_everywhere(dial_this_machine, (void *)(uintptr_t) "[::1]:0");
}

static int dial_unix(void *network)
{
    struct folder f = make_folder();
    struct listener l = listen_on(network, f.path);
    RV_CHECK(dial_and_meet(network, &l, f.path) == 0);
    RV_CHECK(dial_and_meet(network, &l, l.at) == 0); /* "unix:/..." */
    rv_close(l.fd);
    RV_CHECK(rv_dial(network, f.path, RV_NEVER) == -ECONNREFUSED);
    remove_folder(&f);
    RV_CHECK(rv_dial(network, f.path, RV_NEVER) == -ENOENT);
    return 0;
}

static void a_path_is_dialled(void **state)
{
    (void)state;
    play_everywhere(dial_unix, (void *)(uintptr_t) "unix");
    play_everywhere(dial_unix, (void *)(uintptr_t) "unixpacket");
}

static void what_is_no_address_of_the_network_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rv_dial("tcp5", "127.0.0.1:1", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial("tcp", "127.0.0.1", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial("tcp4", "[::1]:1", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial("tcp6", "127.0.0.1:1", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial("tcp", "127.0.0.1:99999", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial("unix", "@", RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial_addrs(NULL, 0, NULL, RV_NEVER), -EINVAL);
    assert_int_equal(rv_dial_addrs(NULL, 1, &(struct rv_dial_opts){.type = 99}, RV_NEVER), -EINVAL);
}

static void options_from_the_future_are_refused(void **state)
{
    struct {
        struct rv_dial_opts opts;
        int news;
    } future = {.opts = {.size = sizeof future}, .news = 1};
    (void)state;
    assert_int_equal(rv_dial_addrs(NULL, 0, &future.opts, RV_NEVER), -E2BIG);
}

static struct rv_addr address_of(int fd)
{
    struct rv_addr addr;
    RV_CHECK(rv_addr_local(fd, &addr) == 0);
    return addr;
}

static int dial_from_an_address(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    struct rv_addr to = address_of(l.fd), from, seen;
    (void)arg;
    RV_CHECK(rv_addr_parse(&from, "127.0.0.2:0", NULL) == 0);
    int fd = rv_dial_addrs(&to, 1, &(struct rv_dial_opts){.local = &from}, RV_NEVER);
    RV_CHECK(fd >= 0);
    int accepted = rv_accept(l.fd, &seen, RV_NEVER);
    RV_CHECK(rv_addr_set_port(&seen, 0) == 0 && rv_addr_equal(&seen, &from));
    rv_close(fd);
    rv_close(accepted);
    return rv_close(l.fd);
}

static void this_end_can_be_chosen(void **state)
{
    (void)state;
    play_everywhere(dial_from_an_address, NULL);
}

/* --- nobody there --- */

static int dial_nobody(void *arg)
{
    struct nobody n = nobody_at(0);
    struct rv_addr two[] = {n.addr, n.addr};
    (void)arg;
    RV_CHECK(rv_dial_addrs(two, 1, NULL, RV_NEVER) == -ECONNREFUSED);
    RV_CHECK(rv_dial_addrs(two, 2, NULL, RV_NEVER) == -ECONNREFUSED);
    return rv_close(n.fd);
}

static void nobody_there_is_a_refusal(void **state)
{
    (void)state;
    play_everywhere(dial_nobody, NULL);
}

static int dial_oneself(void *arg)
{
    struct nobody n = nobody_at(0);
    struct rv_addr addr = n.addr;
    struct rv_dial_opts opts = {.local = &addr};
    (void)arg;
    rv_close(n.fd);
    RV_CHECK(rv_dial_addrs(&addr, 1, &opts, RV_NEVER) == -ECONNREFUSED);
    return 0;
}

static void a_connection_to_itself_is_a_refusal(void **state)
{
    (void)state;
    play_everywhere(dial_oneself, NULL);
}

/* --- nobody answers ---
 *
 * A listener whose queue is full drops what comes, so that connections to it stay under way until
 * somebody accepts. */

enum { QUEUED = 2 }; /* of a backlog of 1 */

struct blackhole {
    struct listener l;
    struct rv_addr addr;
    int queued[QUEUED];
};

/* A connection is in the queue when its last packet has come, later than its dialler is told. */
static void wait_until_full(int listener)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    do
        RV_CHECK(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    while (info.tcpi_unacked <= info.tcpi_sacked && rv_sleep(RV_MILLISECOND) == 0);
}

static struct blackhole dig(const char *address)
{
    struct blackhole b = {.l = listen_with("tcp", address, &(struct rv_listen_opts){.backlog = 1})};
    made(address, b.l.fd);
    b.addr = address_of(b.l.fd);
    for (int i = 0; i < QUEUED; i++)
        b.queued[i] = made("queued", rv_dial("tcp", b.l.at, RV_NEVER));
    wait_until_full(b.l.fd);
    RV_CHECK(rv_dial("tcp", b.l.at, rv_after(RV_MILLISECOND)) == -ETIME);
    return b;
}

static void fill_up(struct blackhole *b)
{
    for (int i = 0; i < QUEUED; i++)
        rv_close(b->queued[i]);
    rv_close(b->l.fd);
}

static int dial_the_silent(void *arg)
{
    struct blackhole b = dig("127.0.0.1:0");
    struct rv_addr two[] = {b.addr, b.addr};
    struct rv_dial_opts opts = {.attempt_delay = 10 * RV_MILLISECOND};
    (void)arg;
    RV_CHECK(rv_dial_addrs(two, 1, &opts, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_dial_addrs(two, 2, &opts, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_dial_addrs(two, 2, &opts, rv_after(20 * RV_MILLISECOND)) == -ETIME);
    fill_up(&b);
    return 0;
}

static void silence_lasts_until_the_deadline(void **state)
{
    (void)state;
    play_everywhere(dial_the_silent, NULL);
}

/* The silent one gets company, and the company wins. */
static int dial_past_the_silent(void *address)
{
    struct blackhole b = dig("127.0.0.1:0");
    struct listener l = listen_on("tcp", address);
    struct rv_addr addrs[] = {b.addr, b.addr, address_of(l.fd)}, peer, expected = addrs[2];
    struct rv_dial_opts opts = {.attempt_delay = 10 * RV_MILLISECOND};
    int fd = rv_dial_addrs(addrs, 3, &opts, RV_NEVER);
    RV_CHECK(fd >= 0);
    RV_CHECK(rv_addr_peer(fd, &peer) == 0 && rv_addr_equal(&peer, &expected));
    rv_close(fd);
    rv_close(l.fd);
    fill_up(&b);
    return 0;
}

static void a_silent_address_is_overtaken(void **state)
{
    (void)state;
    play_everywhere(dial_past_the_silent, (void *)(uintptr_t) "127.0.0.1:0");
    if (has_v6())
        play_everywhere(dial_past_the_silent, (void *)(uintptr_t) "[::1]:0");
}

/* The first has company under way, and answers at last: the queue is emptied. */
static int empty_the_queue(void *blackhole)
{
    struct blackhole *b = blackhole;
    int r = rv_sleep(15 * RV_MILLISECOND);
    for (int i = 0; i < QUEUED && r == 0; i++) {
        int fd = rv_accept(b->l.fd, NULL, RV_NEVER);
        r = fd < 0 ? fd : rv_close(fd);
    }
    return r;
}

static int wait_for_the_slow(void *arg)
{
    struct blackhole slow = dig("127.0.0.1:0"), silent = dig("127.0.0.1:0");
    struct rv_addr addrs[] = {slow.addr, silent.addr}, peer;
    struct rv_dial_opts opts = {.attempt_delay = 10 * RV_MILLISECOND};
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        go(s, empty_the_queue, &slow);
        int fd = rv_dial_addrs(addrs, 2, &opts, RV_NEVER);
        RV_CHECK(fd >= 0);
        RV_CHECK(rv_addr_peer(fd, &peer) == 0 && rv_addr_equal(&peer, &slow.addr));
        rv_close(fd);
    }
    fill_up(&slow);
    fill_up(&silent);
    return err;
}

/* The kernel sends the lost packet again after a second. */
static void the_slow_one_still_wins(void **state)
{
    (void)state;
    if (scaled(100, 1) < 50)
        skip();
    struct holdings before = holdings_now();
    assert_int_equal(run_on(2, wait_for_the_slow, NULL), 0);
    assert_int_equal(holdings_now().files, before.files);
}

/* Of a path: its queue is full, and there is nothing to be waited for but time. */
static int accept_one(void *listener)
{
    int fd = rv_accept(((struct listener *)listener)->fd, NULL, RV_NEVER);
    return fd < 0 ? fd : rv_close(fd);
}

static int dial_a_crowded_path(void *arg)
{
    struct rv_listen_opts one = {.backlog = 1};
    struct name name = name_of_no_file();
    struct listener l = listen_with("unix", name.text, &one);
    (void)arg;
    made(name.text, l.fd);
    int first = made("the first", rv_dial("unix", l.at, RV_NEVER)), err;
    int second = made("the second", rv_dial("unix", l.at, RV_NEVER));
    RV_CHECK(rv_dial("unix", l.at, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_SCOPE(s, err) {
        go(s, accept_one, &l);
        rv_close(made("the third", rv_dial("unix", l.at, RV_NEVER)));
    }
    rv_close(first);
    rv_close(second);
    rv_close(l.fd);
    return err;
}

static void a_crowded_path_is_tried_until_there_is_room(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, dial_a_crowded_path, NULL), 0);
    assert_int_equal(run_on(2, dial_a_crowded_path, NULL), 0);
}

/* --- what fails on the way --- */

static int dial_two(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    struct nobody n = nobody_at(0);
    struct rv_addr addrs[] = {n.addr, address_of(l.fd)};
    rvi_call_fail_after(*(long *)arg, 0, false);
    int fd = rv_dial_addrs(addrs, 2, NULL, RV_NEVER);
    rv_close(fd);
    rv_close(n.fd);
    rv_close(l.fd);
    return fd;
}

static void an_attempt_that_fails_for_any_reason_leaves_the_other(void **state)
{
    bool all_tried = false;
    (void)state;
    for (long n = 1; !all_tried; n++) {
        struct holdings before = holdings_now();
        int fd = dial_two(&n);
        all_tried = rvi_call_fail_pending();
        rvi_call_fail_after(-1, 0, false);
        assert_true(fd >= 0 || fd == -ECONNREFUSED || fd == -ENOMEM || fd == -ENOBUFS);
        assert_no_more_is_held(&before);
    }
}

static void no_memory_for_a_race_is_said(void **state)
{
    struct nobody n = nobody_at(0);
    struct rv_addr two[] = {n.addr, n.addr};
    (void)state;
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_dial_addrs(two, 2, NULL, RV_NEVER), -ENOMEM);
    rvi_alloc_fail_after(-1);
    rv_close(n.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_in_digits_is_dialled),
        cmocka_unit_test(localhost_is_whichever_family_answers),
        cmocka_unit_test(a_path_is_dialled),
        cmocka_unit_test(what_is_no_address_of_the_network_is_refused),
        cmocka_unit_test(options_from_the_future_are_refused),
        cmocka_unit_test(this_end_can_be_chosen),
        cmocka_unit_test(nobody_there_is_a_refusal),
        cmocka_unit_test(a_connection_to_itself_is_a_refusal),
        cmocka_unit_test(silence_lasts_until_the_deadline),
        cmocka_unit_test(a_silent_address_is_overtaken),
        cmocka_unit_test(the_slow_one_still_wins),
        cmocka_unit_test(a_crowded_path_is_tried_until_there_is_room),
        cmocka_unit_test(an_attempt_that_fails_for_any_reason_leaves_the_other),
        cmocka_unit_test(no_memory_for_a_race_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

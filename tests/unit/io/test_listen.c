/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include "net_test.h"

#include "sys/call.h"

static int listen_and_close(const char *network, const char *address)
{
    int fd = rv_listen(network, address, NULL);
    if (fd < 0)
        return fd;
    RV_CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    RV_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return rv_close(fd);
}

static void every_network_can_be_listened_to(void **state)
{
    struct folder f = make_folder();
    struct name name = name_of_no_file();
    (void)state;
    assert_int_equal(listen_and_close("tcp", "127.0.0.1:0"), 0);
    assert_int_equal(listen_and_close("tcp4", ":0"), 0);
    assert_int_equal(listen_and_close("tcp", ":0"), 0);
    assert_int_equal(listen_and_close("tcp", "localhost:0"), 0);
    assert_int_equal(listen_and_close("udp", "127.0.0.1:0"), 0);
    assert_int_equal(listen_and_close("unix", name.text), 0);
    assert_int_equal(listen_and_close("unix", f.path), 0);
    unlink(f.path);
    assert_int_equal(listen_and_close("unixgram", f.path), 0);
    unlink(f.path);
    assert_int_equal(listen_and_close("unixpacket", f.path), 0);
    remove_folder(&f);
    if (!has_v6())
        return;
    assert_int_equal(listen_and_close("tcp6", ":0"), 0);
    assert_int_equal(listen_and_close("tcp6", "localhost:0"), 0);
    assert_int_equal(listen_and_close("udp6", "[::1]:0"), 0);
}

static void what_is_no_address_of_the_network_is_refused(void **state)
{
    (void)state;
    assert_int_equal(listen_and_close("tcp5", "127.0.0.1:0"), -EINVAL);
    assert_int_equal(listen_and_close("tcp", "127.0.0.1"), -EINVAL);
    assert_int_equal(listen_and_close("tcp", "www.example.org:0"), -EINVAL);
    assert_int_equal(listen_and_close("tcp4", "[::1]:0"), -EINVAL);
    assert_int_equal(listen_and_close("tcp6", "127.0.0.1:0"), -EINVAL);
    assert_int_equal(listen_and_close("unix", ""), -EINVAL);
    assert_int_equal(listen_and_close("unix", "/no/such/folder/socket"), -ENOENT);
    assert_int_equal(listen_and_close("tcp", "192.0.2.1:0"), -EADDRNOTAVAIL);
}

static void options_from_the_future_are_refused(void **state)
{
    struct {
        struct rv_listen_opts opts;
        int news;
    } future = {.opts = {.size = sizeof future}, .news = 1};
    (void)state;
    assert_int_equal(rv_listen("tcp", "127.0.0.1:0", &future.opts), -E2BIG);
}

static void an_address_is_had_once(void **state)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    struct holdings before = holdings_now();
    (void)state;
    assert_int_equal(rv_listen("tcp", l.at, NULL), -EADDRINUSE);
    assert_int_equal(rv_listen("tcp", l.at, &(struct rv_listen_opts){.reuse_port = 1}),
                     -EADDRINUSE);
    assert_no_more_is_held(&before);
    rv_close(l.fd);
}

static void an_address_is_free_again_while_old_connections_linger(void **state)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int dialled = rv_dial("tcp", l.at, RV_NEVER), accepted = rv_accept(l.fd, NULL, RV_NEVER);
    char byte;
    (void)state;
    rv_close(accepted); /* this side lingers */
    assert_int_equal(rv_recv(dialled, &byte, 1, 0, RV_NEVER), 0);
    rv_close(dialled);
    rv_close(l.fd);
    l.fd = rv_listen("tcp", l.at, NULL);
    assert_true(l.fd >= 0);
    rv_close(l.fd);
}

static void any_address_means_both_families(void **state)
{
    struct rv_addr addr;
    char at[RV_ADDR_TEXT];
    struct listener l = listen_on("tcp", ":0");
    (void)state;
    assert_int_equal(rv_addr_local(l.fd, &addr), 0);
    snprintf(at, sizeof at, "127.0.0.1:%d", rv_addr_port(&addr));
    int fd = rv_dial("tcp", at, RV_NEVER);
    assert_true(fd >= 0);
    rv_close(fd);
    rv_close(l.fd);
}

static void any_address_can_mean_one_family(void **state)
{
    struct listener l = {.fd = -1};
    struct nobody n;
    (void)state;
    if (!has_v6())
        skip();
    do { /* until nobody else has that port of the other family */
        rv_close(l.fd);
        l = listen_with("tcp", ":0", &(struct rv_listen_opts){.v6_only = 1});
        struct rv_addr addr;
        assert_int_equal(rv_addr_local(l.fd, &addr), 0);
        n = nobody_at((uint16_t)rv_addr_port(&addr));
    } while (n.fd < 0);
    assert_int_equal(rv_dial_addrs(&n.addr, 1, NULL, RV_NEVER), -ECONNREFUSED);
    rv_close(n.fd);
    rv_close(l.fd);
}

static int nodelay_of(int fd)
{
    int value = -1;
    socklen_t len = sizeof value;
    RV_CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0);
    return value != 0;
}

static void small_packets_leave_at_once_unless_asked(void **state)
{
    (void)state;
    for (int nagle = 0; nagle < 2; nagle++) {
        struct rv_addr addr;
        struct listener l =
            listen_with("tcp", "127.0.0.1:0", &(struct rv_listen_opts){.nagle = nagle});
        assert_int_equal(rv_addr_local(l.fd, &addr), 0);
        int fd = rv_dial_addrs(&addr, 1, &(struct rv_dial_opts){.nagle = nagle}, RV_NEVER);
        int peer = rv_accept(l.fd, NULL, RV_NEVER);
        assert_int_equal(nodelay_of(fd), !nagle);
        assert_int_equal(nodelay_of(peer), !nagle);
        rv_close(fd);
        rv_close(peer);
        rv_close(l.fd);
    }
}

/* --- Unix paths --- */

static void a_path_that_is_in_use_is_never_taken_over(void **state)
{
    struct folder f = make_folder();
    struct rv_listen_opts replace = {.replace = 1};
    struct listener l = listen_on("unix", f.path);
    (void)state;
    assert_int_equal(rv_listen("unix", f.path, &replace), -EADDRINUSE);
    rv_close(l.fd);
    assert_int_equal(rv_listen("unix", f.path, NULL), -EADDRINUSE);
    l.fd = rv_listen("unix", f.path, &replace);
    assert_true(l.fd >= 0);
    rv_close(l.fd);
    remove_folder(&f);
}

static void a_file_that_is_no_socket_is_never_replaced(void **state)
{
    struct folder f = make_folder();
    int file = open(f.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)state;
    assert_true(file >= 0);
    close(file);
    struct stat before, after;
    assert_int_equal(stat(f.path, &before), 0);
    assert_int_equal(rv_listen("unix", f.path, &(struct rv_listen_opts){.replace = 1}),
                     -EADDRINUSE);
    assert_int_equal(stat(f.path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    remove_folder(&f);
}

/* --- groups --- */

static void a_group_has_one_address_and_a_queue_each(void **state)
{
    int fds[4], reached = 0;
    struct rv_addr first, other;
    char at[RV_ADDR_TEXT];
    struct holdings before = holdings_now();
    (void)state;
    assert_int_equal(rv_listen_group("tcp", "127.0.0.1:0", NULL, fds, 4), 0);
    assert_int_equal(rv_addr_local(fds[0], &first), 0);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(rv_addr_local(fds[i], &other), 0);
        assert_true(rv_addr_equal(&first, &other));
    }
    write_address_of(fds[0], at);
    int dialled = rv_dial("tcp", at, RV_NEVER);
    struct pollfd listeners[4];
    for (int i = 0; i < 4; i++)
        listeners[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    assert_int_equal(poll(listeners, 4, -1), 1); /* its last packet may come later */
    for (int i = 0; i < 4; i++) {
        int fd = rv_accept(fds[i], NULL, 0);
        assert_true(fd >= 0 || fd == -ETIME);
        reached += fd >= 0;
        rv_close(fd);
    }
    assert_int_equal(reached, 1);
    rv_close(dialled);
    for (int i = 0; i < 4; i++)
        rv_close(fds[i]);
    assert_no_more_is_held(&before);
}

static void a_group_that_cannot_be_whole_leaves_nothing(void **state)
{
    int fds[3];
    struct holdings before = holdings_now();
    (void)state;
    assert_int_equal(rv_listen_group("tcp", "127.0.0.1:0", NULL, fds, 0), -EINVAL);
    assert_int_equal(rv_listen_group("unix", "@x", NULL, fds, 2), -EINVAL);
    for (long n = 1;; n++) {
        rvi_call_fail_after(n, 0, false);
        int r = rv_listen_group("tcp", "127.0.0.1:0", NULL, fds, 3);
        bool all_tried = rvi_call_fail_pending();
        rvi_call_fail_after(-1, 0, false);
        if (all_tried) {
            assert_int_equal(r, 0);
            break;
        }
        assert_true(r < 0 || RVI_DEBUG_CHECKS < 1);
        assert_no_more_is_held(&before);
    }
    for (int i = 0; i < 3; i++)
        rv_close(fds[i]);
}

/* --- accepting --- */

static int accept_tells_who_it_is(void *network)
{
    struct listener l = listen_on(network, "localhost:0");
    struct rv_addr peer, local;
    int dialled = rv_dial(network, l.at, RV_NEVER);
    int accepted = rv_accept(l.fd, &peer, RV_NEVER);
    RV_CHECK(dialled >= 0 && accepted >= 0);
    RV_CHECK(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    RV_CHECK(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    RV_CHECK(rv_addr_local(dialled, &local) == 0 && rv_addr_equal(&local, &peer));
    RV_CHECK(rv_addr_peer(accepted, &peer) == 0 && rv_addr_equal(&local, &peer));
    rv_close(dialled);
    rv_close(accepted);
    return rv_close(l.fd);
}

static void an_accepted_connection_knows_its_peer(void **state)
{
    (void)state;
    play_everywhere(accept_tells_who_it_is, (void *)(uintptr_t) "tcp4");
    if (has_v6())
        play_everywhere(accept_tells_who_it_is, (void *)(uintptr_t) "tcp6");
}

static int accept_until_a_deadline(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    (void)arg;
    RV_CHECK(rv_accept(l.fd, NULL, rv_after(RV_MILLISECOND)) == -ETIME);
    return rv_close(l.fd);
}

static void accepting_ends_at_its_deadline(void **state)
{
    (void)state;
    play_everywhere(accept_until_a_deadline, NULL);
}

static void only_listeners_accept(void **state)
{
    int pair[2];
    (void)state;
    connect_pair(pair);
    assert_int_equal(rv_accept(pair[0], NULL, RV_NEVER), -EINVAL);
    assert_int_equal(rv_accept(-1, NULL, RV_NEVER), -EBADF);
    close_pair(pair);
}

static void connections_that_failed_in_the_queue_are_passed_over(void **state)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int dialled = rv_dial("tcp", l.at, RV_NEVER);
    (void)state;
    rvi_call_fail_after(1, 1, false);
    int accepted = rv_accept(l.fd, NULL, RV_NEVER);
    assert_true(accepted >= 0);
    assert_true(RVI_DEBUG_CHECKS < 1 || !rvi_call_fail_pending());
    rvi_call_fail_after(-1, 0, false);
    rv_close(accepted);
    rv_close(dialled);
    rv_close(l.fd);
}

/* --- without descriptors --- */

/* Takes what is left of a limit; gives it back. */
struct hoard {
    int fds[256];
    size_t count;
    struct rlimit before;
};

static void hoard_descriptors(struct hoard *h)
{
    RV_CHECK(getrlimit(RLIMIT_NOFILE, &h->before) == 0);
    struct rlimit few = {.rlim_cur = 200, .rlim_max = h->before.rlim_max};
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    h->count = 0;
    for (int fd; (fd = dup(STDERR_FILENO)) >= 0; h->count++)
        h->fds[h->count] = fd;
    RV_CHECK(errno == EMFILE && h->count > 0);
}

static void release_one(struct hoard *h)
{
    RV_CHECK(close(h->fds[--h->count]) == 0);
}

static void release_all(struct hoard *h)
{
    while (h->count > 0)
        release_one(h);
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &h->before) == 0);
}

static int release_late(void *hoard)
{
    int r = rv_sleep(3 * RV_MILLISECOND);
    release_one(hoard);
    return r;
}

static int accept_when_there_is_room(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int dialled = rv_dial("tcp", l.at, RV_NEVER), err;
    struct hoard hoard;
    (void)arg;
    hoard_descriptors(&hoard);
    RV_CHECK(rv_accept(l.fd, NULL, rv_after(2 * RV_MILLISECOND)) == -EMFILE);
    RV_SCOPE(s, err) {
        go(s, release_late, &hoard);
        int accepted = rv_accept(l.fd, NULL, RV_NEVER);
        RV_CHECK(accepted >= 0);
        rv_close(accepted);
    }
    release_all(&hoard);
    rv_close(dialled);
    rv_close(l.fd);
    return err;
}

static void accepting_recovers_from_a_lack_of_descriptors(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip(); /* it has a limit of its own */
    assert_int_equal(run_on(1, accept_when_there_is_room, NULL), 0);
    assert_int_equal(run_on(2, accept_when_there_is_room, NULL), 0);
}

/* No more than a few attempts in a while: it sleeps between them. */
static int lack_descriptors_for_a_while(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int dialled = rv_dial("tcp", l.at, RV_NEVER);
    struct hoard hoard;
    (void)arg;
    hoard_descriptors(&hoard);
    uint64_t before = stats_now().switches;
    RV_CHECK(rv_accept(l.fd, NULL, rv_after(30 * RV_MILLISECOND)) == -EMFILE);
    RV_CHECK(stats_now().switches - before < 100);
    release_all(&hoard);
    rv_close(dialled);
    return rv_close(l.fd);
}

static void a_lack_of_descriptors_is_waited_for_without_turning(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    assert_int_equal(run_on(1, lack_descriptors_for_a_while, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_can_be_listened_to),
        cmocka_unit_test(what_is_no_address_of_the_network_is_refused),
        cmocka_unit_test(options_from_the_future_are_refused),
        cmocka_unit_test(an_address_is_had_once),
        cmocka_unit_test(an_address_is_free_again_while_old_connections_linger),
        cmocka_unit_test(any_address_means_both_families),
        cmocka_unit_test(any_address_can_mean_one_family),
        cmocka_unit_test(small_packets_leave_at_once_unless_asked),
        cmocka_unit_test(a_path_that_is_in_use_is_never_taken_over),
        cmocka_unit_test(a_file_that_is_no_socket_is_never_replaced),
        cmocka_unit_test(a_group_has_one_address_and_a_queue_each),
        cmocka_unit_test(a_group_that_cannot_be_whole_leaves_nothing),
        cmocka_unit_test(an_accepted_connection_knows_its_peer),
        cmocka_unit_test(accepting_ends_at_its_deadline),
        cmocka_unit_test(only_listeners_accept),
        cmocka_unit_test(connections_that_failed_in_the_queue_are_passed_over),
        cmocka_unit_test(accepting_recovers_from_a_lack_of_descriptors),
        cmocka_unit_test(a_lack_of_descriptors_is_waited_for_without_turning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

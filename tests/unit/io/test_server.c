/* SPDX-License-Identifier: MIT */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "net_test.h"

#include "../../support/every_point.h"

/* --- handlers --- */

/* The next request; of a server that drains one that is there, or none. */
static ssize_t next_bytes(struct rv_conn *conn, char *buf, size_t room)
{
    ssize_t n = -ECANCELED;
    int r = rv_conn_idle(conn);
    if (r == 0) {
        n = rv_recv(conn->fd, buf, room, 0, RV_NEVER);
        r = rv_conn_busy(conn);
    }
    if (r == -ESHUTDOWN && n == -ECANCELED)
        n = rv_recv(conn->fd, buf, room, 0, 0);
    return n == -ETIME ? 0 : r < 0 && r != -ESHUTDOWN ? r : n;
}

static int echo(struct rv_conn *conn, void *arg)
{
    char buf[256];
    ssize_t n;
    int r = 0;
    (void)arg;
    while (r == 0) {
        n = next_bytes(conn, buf, sizeof buf);
        if (n <= 0)
            return (int)n;
        r = rv_send_all(conn->fd, buf, (size_t)n, NULL, RV_NEVER);
    }
    return r;
}

/* Answers after the event. */
static int answer_late(struct rv_conn *conn, void *event)
{
    char byte;
    int r = (int)rv_recv(conn->fd, &byte, 1, 0, RV_NEVER);
    if (r == 1 && (r = rv_event_wait(event, RV_NEVER)) == 0)
        r = rv_send_all(conn->fd, rv_conn_is_draining(conn) ? "d" : "u", 1, NULL, RV_NEVER);
    return r;
}

static int go_wrong(struct rv_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    return -EPROTO;
}

static int close_by_oneself(struct rv_conn *conn, void *arg)
{
    int fd = conn->fd;
    (void)arg;
    conn->fd = -1;
    RV_CHECK(rv_send_all(fd, "bye", 3, NULL, RV_NEVER) == 0);
    return rv_close_gracefully(fd, RV_NEVER);
}

/* --- servers --- */

static struct rv_server_stats server_stats(const rv_server *server)
{
    struct rv_server_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_server_stats_read(server, &stats) == 0);
    return stats;
}

static rv_server *serve(struct listener *l, rv_conn_fn *fn, void *arg,
                        const struct rv_server_opts *opts)
{
    rv_server *server;
    *l = listen_on("tcp", "127.0.0.1:0");
    RV_CHECK(rv_server_open(&server, &l->fd, 1, fn, arg, opts) == 0);
    return server;
}

static int dial(const struct listener *l)
{
    int fd = rv_dial("tcp", l->at, rv_after(RV_MINUTE));
    RV_CHECK(fd >= 0);
    return fd;
}

static void ask(int fd)
{
    char answer[4] = "";
    RV_CHECK(rv_send_all(fd, "ping", 4, NULL, RV_NEVER) == 0);
    for (size_t n = 0; n < sizeof answer;) {
        ssize_t got = rv_recv(fd, answer + n, sizeof answer - n, 0, rv_after(RV_MINUTE));
        RV_CHECK(got > 0);
        n += (size_t)got;
    }
    RV_CHECK(memcmp(answer, "ping", 4) == 0);
}

static bool has_ended(int fd)
{
    char byte;
    ssize_t n = rv_recv(fd, &byte, 1, 0, rv_after(RV_MINUTE));
    RV_CHECK(n == 0 || n == -ECONNRESET);
    return true;
}

static int serve_some(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, echo, NULL, NULL);
    int fds[5];
    (void)arg;
    for (int i = 0; i < 5; i++)
        ask(fds[i] = dial(&l));
    RV_CHECK(server_stats(server).accepted == 5 && server_stats(server).open == 5);
    for (int i = 0; i < 5; i++)
        rv_close(fds[i]);
    return rv_server_drain(server, RV_NEVER);
}

/* As a task, on one worker and on two. */
static void play(rv_fn *scene)
{
    assert_int_equal(run_on(2, do_nothing, NULL), 0);
    struct holdings before = holdings_now();
    assert_int_equal(run_on(1, scene, NULL), 0);
    assert_int_equal(run_on(2, scene, NULL), 0);
    assert_no_more_is_held(&before);
}

static void each_connection_is_served(void **state)
{
    (void)state;
    play(serve_some);
}

static int drain_idle(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, echo, NULL, NULL);
    int used = dial(&l), fresh = dial(&l);
    (void)arg;
    ask(used);
    while (server_stats(server).accepted < 2)
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    RV_CHECK(rv_server_drain(server, RV_NEVER) == 0);
    RV_CHECK(has_ended(used) && has_ended(fresh));
    RV_CHECK(rv_dial("tcp", l.at, RV_NEVER) == -ECONNREFUSED);
    rv_close(fresh);
    return rv_close(used);
}

static void a_drain_ends_idle_connections_and_listens_no_more(void **state)
{
    (void)state;
    play(drain_idle);
}

static int set_late(void *event)
{
    int r = rv_sleep(3 * RV_MILLISECOND);
    rv_event_set(event);
    return r;
}

static int drain_busy(void *arg)
{
    struct rv_event event = RV_EVENT_INIT;
    struct listener l;
    char answer = 0;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        rv_server *server = serve(&l, answer_late, &event, NULL);
        int fd = dial(&l);
        RV_CHECK(rv_send_all(fd, "?", 1, NULL, RV_NEVER) == 0);
        while (server_stats(server).open == 0)
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        go(s, set_late, &event);
        RV_CHECK(rv_server_drain(server, RV_NEVER) == 0);
        RV_CHECK(rv_recv(fd, &answer, 1, 0, RV_NEVER) == 1);
        RV_CHECK(answer == 'd' || answer == 'u');
        rv_close(fd);
    }
    return err;
}

static void a_drain_lets_a_request_finish(void **state)
{
    (void)state;
    play(drain_busy);
}

static int drain_stuck(void *arg)
{
    struct rv_event never = RV_EVENT_INIT;
    struct listener l;
    rv_server *server = serve(&l, answer_late, &never, NULL);
    int fd = dial(&l);
    (void)arg;
    RV_CHECK(rv_send_all(fd, "?", 1, NULL, RV_NEVER) == 0);
    while (server_stats(server).open == 0)
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    RV_CHECK(rv_server_drain(server, rv_after(2 * RV_MILLISECOND)) == -ETIME);
    RV_CHECK(has_ended(fd));
    return rv_close(fd);
}

static void what_is_not_done_at_the_deadline_is_cancelled(void **state)
{
    (void)state;
    play(drain_stuck);
}

static int drain_cancelled(void *arg)
{
    struct rv_event never = RV_EVENT_INIT;
    struct listener l;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        rv_server *server = serve(&l, answer_late, &never, NULL);
        int fd = dial(&l);
        RV_CHECK(rv_send_all(fd, "?", 1, NULL, RV_NEVER) == 0);
        while (server_stats(server).open == 0)
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        rv_scope_cancel(s, -EINTR);
        int r = rv_server_drain(server, RV_NEVER);
        RV_CHECK(r == -ECANCELED);
        rv_close(fd);
    }
    return err == -EINTR ? 0 : err;
}

static void a_cancelled_owner_does_not_wait(void **state)
{
    (void)state;
    play(drain_cancelled);
}

/* Until the other end has all that was sent, in its kernel. Nobody else runs on this worker. */
static void until_delivered(int fd)
{
    int left;
    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
        rvi_thread_yield();
    RV_CHECK(left == 0);
}

/* A request that is there when the drain begins is answered. */
static int drain_with_a_request_unread(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, echo, NULL, NULL);
    int fd = dial(&l);
    char answer[4];
    (void)arg;
    ask(fd);
    RV_CHECK(send(fd, "last", 4, MSG_NOSIGNAL) == 4);
    until_delivered(fd);
    RV_CHECK(rv_server_drain(server, RV_NEVER) == 0);
    RV_CHECK(rv_recv(fd, answer, 4, 0, RV_NEVER) == 4 && memcmp(answer, "last", 4) == 0);
    RV_CHECK(has_ended(fd));
    return rv_close(fd);
}

static void a_request_that_came_before_the_drain_is_answered(void **state)
{
    (void)state;
    play(drain_with_a_request_unread);
}

/* They are connected, and nobody has had the time to accept them. */
static int drain_with_a_queue(void *opts)
{
    struct listener l;
    rv_server *server = serve(&l, close_by_oneself, NULL, opts);
    int fds[5];
    char text[4];
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0); /* somebody waits to accept, most likely */
    for (int i = 0; i < 5; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* blocks the worker */
        struct rv_addr at;
        RV_CHECK(rv_addr_parse(&at, l.at, NULL) == 0);
        RV_CHECK(connect(fds[i], &at.sa, at.len) == 0);
        RV_CHECK(shutdown(fds[i], SHUT_WR) == 0);
        until_delivered(fds[i]);
    }
    RV_CHECK(rv_server_drain(server, RV_NEVER) == 0);
    for (int i = 0; i < 5; i++) {
        RV_CHECK(rv_recv(fds[i], text, 3, 0, RV_NEVER) == 3 && memcmp(text, "bye", 3) == 0);
        rv_close(fds[i]);
    }
    return 0;
}

static void who_stands_in_the_queue_is_served(void **state)
{
    (void)state;
    play(drain_with_a_queue);
}

/* Who was about to accept had a place for one already. */
static int drain_with_a_queue_up_to_the_limit(void *arg)
{
    struct rv_server_opts opts = {.size = sizeof opts, .limit = 5};
    (void)arg;
    return drain_with_a_queue(&opts);
}

static void regress_a_drain_serves_as_many_as_the_limit(void **state)
{
    (void)state;
    play(drain_with_a_queue_up_to_the_limit);
}

static int serve_failures(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, go_wrong, NULL, NULL);
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int fd = dial(&l);
        RV_CHECK(has_ended(fd));
        rv_close(fd);
    }
    RV_CHECK(server_stats(server).failed == 3);
    return rv_server_drain(server, RV_NEVER);
}

static void a_handler_that_fails_is_counted_and_stops_nothing(void **state)
{
    (void)state;
    play(serve_failures);
}

static int serve_a_few_at_a_time(void *arg)
{
    struct listener l;
    struct rv_server_opts opts = {.size = sizeof opts, .limit = 2};
    rv_server *server = serve(&l, echo, NULL, &opts);
    int fds[6];
    (void)arg;
    for (int i = 0; i < 6; i++)
        fds[i] = dial(&l);
    for (int i = 0; i < 6; i++) {
        ask(fds[i]);
        RV_CHECK(server_stats(server).open <= 2);
        rv_close(fds[i]);
    }
    RV_CHECK(server_stats(server).accepted == 6);
    return rv_server_drain(server, RV_NEVER);
}

static void no_more_are_served_at_a_time_than_the_limit(void **state)
{
    (void)state;
    play(serve_a_few_at_a_time);
}

static int break_a_listener(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, echo, NULL, NULL);
    (void)arg;
    RV_CHECK(shutdown(l.fd, SHUT_RDWR) == 0); /* accepting fails from then on */
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_server_drain(server, RV_NEVER) == -EINVAL);
    return 0;
}

static void a_listener_that_breaks_is_told_to_the_owner(void **state)
{
    (void)state;
    play(break_a_listener);
}

static int serve_a_group(void *arg)
{
    int fds[4], dialled[12];
    struct listener l;
    rv_server *server;
    (void)arg;
    RV_CHECK(rv_listen_group("tcp", "127.0.0.1:0", NULL, fds, 4) == 0);
    write_address_of(fds[0], l.at);
    RV_CHECK(rv_server_open(&server, fds, 4, echo, NULL, NULL) == 0);
    for (int i = 0; i < 12; i++)
        ask(dialled[i] = dial(&l));
    for (int i = 0; i < 12; i++)
        rv_close(dialled[i]);
    return rv_server_drain(server, RV_NEVER);
}

static void a_group_of_listeners_is_one_server(void **state)
{
    (void)state;
    play(serve_a_group);
}

static int serve_and_close_gracefully(void *arg)
{
    struct listener l;
    rv_server *server = serve(&l, close_by_oneself, NULL, NULL);
    int fd = dial(&l);
    char text[4];
    (void)arg;
    RV_CHECK(rv_send_all(fd, "unread", 6, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_recv(fd, text, 3, 0, RV_NEVER) == 3);
    RV_CHECK(rv_recv(fd, text, 1, 0, RV_NEVER) == 0);
    rv_close(fd);
    return rv_server_drain(server, RV_NEVER);
}

static void a_handler_may_close_its_connection_itself(void **state)
{
    (void)state;
    play(serve_and_close_gracefully);
}

static void misuse_is_refused(void **state)
{
    struct {
        struct rv_server_opts opts;
        int news;
    } future = {.opts = {.size = sizeof future}, .news = 1};
    rv_server *server;
    int fd = 0;
    (void)state;
    assert_int_equal(rv_server_open(&server, &fd, 1, echo, NULL, NULL), -EPERM);
    assert_int_equal(rv_server_open(&server, &fd, 0, echo, NULL, NULL), -EINVAL);
    assert_int_equal(rv_server_open(&server, &fd, 1, echo, NULL, &future.opts), -E2BIG);
}

/* --- cut short --- */

static int ask_once(const char *at)
{
    char answer[4];
    int fd = rv_dial("tcp", at, rv_after(RV_MINUTE));
    if (fd < 0)
        return fd;
    int r = rv_send_all(fd, "ping", 4, NULL, RV_NEVER);
    if (r == 0)
        r = (int)rv_recv(fd, answer, sizeof answer, 0, RV_NEVER);
    rv_close(fd);
    return r < 0 ? r : r == 0 ? -ECONNRESET : 0;
}

static int short_life(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    struct rv_server_opts opts = {.size = sizeof opts, .limit = 1};
    rv_server *server;
    (void)arg;
    int r = rv_server_open(&server, &l.fd, 1, echo, NULL, &opts);
    if (r < 0) {
        rv_close(l.fd);
        return r;
    }
    r = ask_once(l.at);
    int drained = rv_server_drain(server, rv_after(RV_MINUTE));
    return r == 0 ? drained : r == -ECONNRESET && drained < 0 ? drained : r;
}

static void a_server_may_be_cancelled_anywhere(void **state)
{
    (void)state;
    cancel_at_every_point(short_life, 1);
}

/* The client is refused when there is no memory for its connection. */
static int short_life_without_memory(void *arg)
{
    int r = short_life(arg);
    return r == -ECONNRESET ? -ENOMEM : r;
}

static void a_server_may_lack_memory_anywhere(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    fail_every_allocation(short_life_without_memory, 1);
    assert_int_equal(holdings_now().files, before.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_connection_is_served),
        cmocka_unit_test(a_drain_ends_idle_connections_and_listens_no_more),
        cmocka_unit_test(a_drain_lets_a_request_finish),
        cmocka_unit_test(what_is_not_done_at_the_deadline_is_cancelled),
        cmocka_unit_test(a_cancelled_owner_does_not_wait),
        cmocka_unit_test(a_request_that_came_before_the_drain_is_answered),
        cmocka_unit_test(who_stands_in_the_queue_is_served),
        cmocka_unit_test(regress_a_drain_serves_as_many_as_the_limit),
        cmocka_unit_test(a_handler_that_fails_is_counted_and_stops_nothing),
        cmocka_unit_test(no_more_are_served_at_a_time_than_the_limit),
        cmocka_unit_test(a_listener_that_breaks_is_told_to_the_owner),
        cmocka_unit_test(a_group_of_listeners_is_one_server),
        cmocka_unit_test(a_handler_may_close_its_connection_itself),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(a_server_may_be_cancelled_anywhere),
        cmocka_unit_test(a_server_may_lack_memory_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

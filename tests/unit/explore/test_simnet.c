/* SPDX-License-Identifier: MIT */
/* test_simnet.c - simulated sockets beside what is known of real ones; for pairs and pipes, beside
 * the kernel's own. */
#include "explore/simnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/rng.h"

enum { LATENCY = 1000, BUFFER = 64, MOST = 32, LATER = 1 << 20 };

#define MILLION 1000000u

static struct rvi_simnet *net;
static int64_t now;
static long live;

static void open_net(struct rvi_simnet_opts opts)
{
    opts.latency_ns = opts.latency_ns ? opts.latency_ns : LATENCY;
    opts.buffer_bytes = opts.buffer_bytes ? opts.buffer_bytes : BUFFER;
    opts.most = opts.most ? opts.most : MOST;
    live = rvi_alloc_live();
    now = 1;
    assert_int_equal(rvi_simnet_open(&net, &opts), 0);
}

static void close_net(void)
{
    rvi_simnet_close(net);
    assert_int_equal(rvi_alloc_live(), live);
}

static struct sockaddr_in address(const char *host, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = inet_addr(host)};
}

static int open_socket(void)
{
    int fd = rvi_simnet_socket(net, AF_INET, SOCK_STREAM);
    assert_true(fd >= RVI_SIMNET_FIRST);
    return fd;
}

static int bind_to(int fd, const char *host, int port)
{
    struct sockaddr_in in = address(host, port);
    return rvi_simnet_bind(net, fd, (struct sockaddr *)&in, sizeof in);
}

static int connect_to(int fd, int port)
{
    struct sockaddr_in in = address("127.0.0.1", port);
    return rvi_simnet_connect(net, now, fd, (struct sockaddr *)&in, sizeof in);
}

static int listen_at(int port)
{
    int fd = open_socket();
    assert_int_equal(bind_to(fd, "127.0.0.1", port), 0);
    assert_int_equal(rvi_simnet_listen(net, fd, 2), 0);
    return fd;
}

static int accept_on(int fd)
{
    return rvi_simnet_accept(net, now, fd, NULL, NULL);
}

struct connection {
    int listener, client, server;
};

static struct connection connection(void)
{
    struct connection c = {.listener = listen_at(80), .client = open_socket()};
    assert_int_equal(connect_to(c.client, 80), -EAGAIN);
    now += LATER;
    c.server = accept_on(c.listener);
    assert_true(c.server >= 0);
    assert_int_equal(connect_to(c.client, 80), 0);
    return c;
}

static ssize_t put(int fd, const char *text)
{
    return rvi_simnet_send(net, now, fd, text, strlen(text));
}

static void put_all(int fd, const char *text)
{
    while (*text) {
        ssize_t n = put(fd, text);
        assert_true(n > 0);
        text += n;
    }
}

/* All that is there: how many bytes, and then why no more. */
static int get_all(int fd, char *text, size_t room)
{
    size_t len = 0;
    ssize_t n;
    while ((n = rvi_simnet_recv(net, now, fd, text + len, room - 1 - len, false)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return (int)n;
}

#define assert_gets(fd, wanted, end)                                                               \
    do {                                                                                           \
        char got_[256];                                                                            \
        assert_int_equal(get_all(fd, got_, sizeof got_), end);                                     \
        assert_string_equal(got_, wanted);                                                         \
    } while (0)

/* ---- descriptors and names ---- */

static void descriptors_are_the_lowest_that_are_free(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){.most = 3});
    int a = open_socket(), b = open_socket(), c = open_socket();
    assert_int_equal(a, RVI_SIMNET_FIRST);
    assert_int_equal(rvi_simnet_socket(net, AF_INET, SOCK_STREAM), -EMFILE);
    assert_int_equal(rvi_simnet_close_fd(net, now, b), 0);
    assert_int_equal(rvi_simnet_close_fd(net, now, b), -EBADF);
    assert_false(rvi_simnet_has(net, b));
    int pair[2];
    assert_int_equal(rvi_simnet_pair(net, SOCK_STREAM, pair), -EMFILE);
    assert_int_equal(rvi_simnet_count(net), 2);
    assert_int_equal(open_socket(), b);
    assert_true(rvi_simnet_has(net, c));
    close_net();
}

static void names_are_given_once(void **state)
{
    struct sockaddr_storage got;
    socklen_t len;
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int a = listen_at(80), b = open_socket();
    assert_int_equal(bind_to(b, "127.0.0.1", 80), -EADDRINUSE);
    assert_int_equal(bind_to(b, "0.0.0.0", 80), -EADDRINUSE);
    assert_int_equal(bind_to(b, "127.0.0.1", 0), 0);
    assert_int_equal(bind_to(b, "127.0.0.1", 81), -EINVAL);
    assert_int_equal(rvi_simnet_addr(net, b, false, &got, &len), 0);
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_true(ntohs(((struct sockaddr_in *)&got)->sin_port) >= 49152);
    assert_int_equal(rvi_simnet_addr(net, b, true, &got, &len), -ENOTCONN);
    assert_int_equal(rvi_simnet_close_fd(net, now, a), 0);
    assert_int_equal(bind_to(open_socket(), "127.0.0.1", 80), 0);
    close_net();
}

static void listeners_share_a_name_when_all_say_so(void **state)
{
    int accepted[2] = {0};
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int listeners[2];
    for (int i = 0; i < 2; i++) {
        listeners[i] = open_socket();
        assert_int_equal(rvi_simnet_share(net, listeners[i]), 0);
        assert_int_equal(bind_to(listeners[i], "127.0.0.1", 80), 0);
        assert_int_equal(rvi_simnet_listen(net, listeners[i], 20), 0);
    }
    for (int i = 0; i < 12; i++)
        assert_int_equal(connect_to(open_socket(), 80), -EAGAIN);
    now += LATER;
    for (int i = 0; i < 2; i++) {
        while (accept_on(listeners[i]) >= 0)
            accepted[i]++;
    }
    assert_true(accepted[0] > 0 && accepted[1] > 0);
    assert_int_equal(accepted[0] + accepted[1], 12);
    close_net();
}

static void ends_know_each_others_names(void **state)
{
    struct sockaddr_storage own, peer;
    socklen_t len;
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    assert_int_equal(rvi_simnet_addr(net, c.client, false, &own, &len), 0);
    assert_int_equal(rvi_simnet_addr(net, c.server, true, &peer, &len), 0);
    assert_memory_equal(&own, &peer, sizeof own);
    assert_int_equal(rvi_simnet_addr(net, c.server, false, &own, &len), 0);
    assert_int_equal(ntohs(((struct sockaddr_in *)&own)->sin_port), 80);
    close_net();
}

/* ---- connecting ---- */

static void connecting_takes_a_round_trip(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int listener = listen_at(80), client = open_socket();
    assert_int_equal(connect_to(client, 80), -EAGAIN);
    assert_int_equal(accept_on(listener), -EAGAIN);
    assert_int_equal(rvi_simnet_poll(net, now, client, POLLOUT), 0);
    int64_t shows = rvi_simnet_next(net, now, listener), done = rvi_simnet_next(net, now, client);
    assert_in_range(shows - now, LATENCY, 2 * LATENCY);
    assert_in_range(done - now, 2 * LATENCY, 4 * LATENCY);
    now = shows;
    assert_int_equal(rvi_simnet_poll(net, now, listener, POLLIN), POLLIN);
    assert_true(accept_on(listener) >= 0);
    assert_int_equal(connect_to(client, 80), -EAGAIN);
    now = done;
    assert_int_equal(rvi_simnet_poll(net, now, client, POLLOUT), POLLOUT);
    assert_int_equal(connect_to(client, 80), 0);
    assert_int_equal(rvi_simnet_error(net, now, client), 0);
    close_net();
}

static void nobody_listens_and_the_connection_is_refused(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int a = open_socket(), b = open_socket();
    assert_int_equal(connect_to(a, 80), -EAGAIN);
    assert_int_equal(connect_to(b, 80), -EAGAIN);
    assert_int_equal(rvi_simnet_error(net, now, b), 0);
    now += LATER;
    assert_int_equal(connect_to(a, 80), -ECONNREFUSED);
    assert_int_equal(rvi_simnet_poll(net, now, b, POLLIN | POLLOUT),
                     POLLIN | POLLOUT | POLLERR | POLLHUP);
    assert_int_equal(rvi_simnet_error(net, now, b), ECONNREFUSED);
    assert_int_equal(rvi_simnet_error(net, now, b), 0);
    listen_at(80);
    assert_int_equal(connect_to(a, 80), -EAGAIN); /* once more, and now with success */
    now += LATER;
    assert_int_equal(connect_to(a, 80), 0);
    close_net();
}

static void a_listener_that_closes_resets_who_waits_in_its_queue(void **state)
{
    char byte;
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int listener = listen_at(80), client = open_socket();
    assert_int_equal(connect_to(client, 80), -EAGAIN);
    now += LATER;
    assert_int_equal(rvi_simnet_close_fd(net, now, listener), 0);
    now += LATER;
    assert_int_equal(rvi_simnet_recv(net, now, client, &byte, 1, false), -ECONNRESET);
    close_net();
}

static void a_full_queue_costs_a_client_time_and_nothing_else(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    int listener = listen_at(80);
    for (int i = 0; i < 3; i++)
        assert_int_equal(connect_to(open_socket(), 80), -EAGAIN);
    now += LATER;
    assert_true(accept_on(listener) >= 0);
    assert_true(accept_on(listener) >= 0);
    assert_int_equal(accept_on(listener), -EAGAIN);
    now += 2 * RVI_SIMNET_RESEND_NS;
    assert_true(accept_on(listener) >= 0);
    close_net();
}

static void accepting_without_a_descriptor_left_loses_nobody(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){.most = 2});
    int listener = listen_at(80), client = open_socket();
    assert_int_equal(connect_to(client, 80), -EAGAIN);
    now += LATER;
    assert_int_equal(accept_on(listener), -EMFILE);
    assert_int_equal(accept_on(listener), -EMFILE);
    assert_int_equal(rvi_simnet_poll(net, now, listener, POLLIN), POLLIN);
    assert_int_equal(rvi_simnet_close_fd(net, now, client), 0);
    int server = accept_on(listener);
    assert_true(server >= 0);
    now += LATER;
    assert_gets(server, "", 0);
    close_net();
}

/* ---- bytes ---- */

static void bytes_arrive_in_order_after_their_time(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    put_all(c.client, "abcdef");
    assert_gets(c.server, "", -EAGAIN);
    assert_in_range(rvi_simnet_next(net, now, c.server) - now, LATENCY, 2 * LATENCY);
    now += LATER;
    put_all(c.client, "ghi");
    assert_gets(c.server, "abcdef", -EAGAIN);
    now += LATER;
    assert_gets(c.server, "ghi", -EAGAIN);
    assert_true(rvi_simnet_next(net, now, c.server) == INT64_MAX);
    close_net();
}

static void a_stream_of_any_pieces_arrives_as_it_was(void **state)
{
    struct rvi_rng rng;
    unsigned sent = 0, got = 0, steps = 0, marks = 0;
    (void)state;
    open_net((struct rvi_simnet_opts){.seed = 3});
    struct connection c = connection();
    rvi_rng_seed(&rng, 5);
    while (got < 20000) {
        unsigned char bytes[100];
        size_t count = 1 + (size_t)rvi_rng_below(&rng, sizeof bytes);
        now += (int64_t)rvi_rng_below(&rng, 1000);
        if (rvi_rng_below(&rng, 2)) {
            for (size_t i = 0; i < count; i++)
                bytes[i] = (unsigned char)(sent + i);
            ssize_t n = rvi_simnet_send(net, now, c.client, bytes, count);
            assert_true(n == -EAGAIN || (n > 0 && n <= (ssize_t)count));
            sent += n > 0 ? (unsigned)n : 0;
            assert_true(sent - got <= BUFFER);
        } else {
            ssize_t n = rvi_simnet_recv(net, now, c.server, bytes, count, false);
            assert_true(n == -EAGAIN || (n > 0 && n <= (ssize_t)count));
            for (ssize_t i = 0; i < n; i++)
                assert_int_equal(bytes[i], (unsigned char)got++);
        }
        steps++;
        marks += rvi_simnet_next(net, now, c.server) != INT64_MAX;
    }
    assert_true(marks > 0 && steps > 0);
    close_net();
}

static void parts_are_done_of_what_could_be_done_whole(void **state)
{
    unsigned parts = 0, wholes = 0;
    char bytes[32] = {0};
    (void)state;
    open_net((struct rvi_simnet_opts){.seed = 1});
    struct connection c = connection();
    for (int i = 0; i < 100; i++) {
        ssize_t n = rvi_simnet_send(net, now, c.client, bytes, sizeof bytes);
        *(n < (ssize_t)sizeof bytes ? &parts : &wholes) += 1;
        now += LATER;
        while (rvi_simnet_recv(net, now, c.server, bytes, sizeof bytes, false) > 0)
            ;
    }
    assert_true(parts > 20 && wholes > 20);
    close_net();
}

static void what_is_looked_at_is_still_there(void **state)
{
    char text[8] = "";
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    put_all(c.client, "x");
    now += LATER;
    assert_int_equal(rvi_simnet_recv(net, now, c.server, text, sizeof text, true), 1);
    assert_int_equal(rvi_simnet_poll(net, now, c.server, POLLIN), POLLIN);
    assert_gets(c.server, "x", -EAGAIN);
    close_net();
}

static void a_full_buffer_holds_the_sender_up(void **state)
{
    char text[BUFFER + 1];
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    memset(text, 'x', BUFFER);
    text[BUFFER] = '\0';
    put_all(c.client, text);
    assert_int_equal(put(c.client, "y"), -EAGAIN);
    assert_int_equal(rvi_simnet_poll(net, now, c.client, POLLOUT), 0);
    now += LATER;
    while (rvi_simnet_pop_changed(net))
        ;
    assert_true(rvi_simnet_recv(net, now, c.server, text, 1, false) == 1);
    assert_ptr_equal(rvi_simnet_pop_changed(net), rvi_simnet_waiters(net, c.client));
    assert_null(rvi_simnet_pop_changed(net));
    assert_int_equal(put(c.client, "y"), 1);
    close_net();
}

/* ---- ends ---- */

static void half_closed_a_connection_still_carries_the_other_way(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    put_all(c.client, "last words");
    assert_int_equal(rvi_simnet_shut_down(net, now, c.client, SHUT_WR), 0);
    assert_int_equal(put(c.client, "x"), -EPIPE);
    now += LATER;
    assert_int_equal(rvi_simnet_poll(net, now, c.server, POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    assert_gets(c.server, "last words", 0);
    put_all(c.server, "answer");
    assert_int_equal(rvi_simnet_close_fd(net, now, c.server), 0);
    now += LATER;
    assert_gets(c.client, "answer", 0);
    assert_true(rvi_simnet_poll(net, now, c.client, 0) & POLLHUP);
    close_net();
}

static void closing_with_bytes_unread_resets(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    put_all(c.client, "never read");
    assert_int_equal(rvi_simnet_close_fd(net, now, c.server), 0);
    now += LATER;
    assert_true(rvi_simnet_poll(net, now, c.client, 0) & POLLERR);
    assert_gets(c.client, "", -ECONNRESET);
    assert_gets(c.client, "", 0);
    assert_int_equal(put(c.client, "x"), -EPIPE);
    close_net();
}

static void behind_a_reset_there_is_no_end(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        open_net((struct rvi_simnet_opts){.seed = seed, .reset_ppm = MILLION / 2});
        struct connection c = {.listener = listen_at(80), .client = open_socket()};
        (void)connect_to(c.client, 80);
        now += LATER;
        c.server = accept_on(c.listener);
        if (c.server >= 0) {
            while (put(c.server, "x") > 0)
                ;
            assert_int_equal(rvi_simnet_close_fd(net, now, c.server), 0);
            char text[BUFFER + 1];
            int end = -EAGAIN;
            for (; end == -EAGAIN; now += 10)
                end = get_all(c.client, text, sizeof text);
            assert_int_equal(end, -ECONNRESET);
        }
        close_net();
    }
}

static void sending_to_a_closed_end_is_answered_by_a_reset(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    assert_int_equal(rvi_simnet_close_fd(net, now, c.server), 0);
    now += LATER;
    assert_gets(c.client, "", 0);
    assert_true(put(c.client, "hello") > 0);
    assert_in_range(rvi_simnet_next(net, now, c.client) - now, 2 * LATENCY, 4 * LATENCY);
    now += LATER;
    assert_int_equal(put(c.client, "hello"), -ECONNRESET);
    assert_int_equal(put(c.client, "hello"), -EPIPE);
    close_net();
}

static void a_set_is_ready_when_any_member_is(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){0});
    struct connection c = connection();
    struct pollfd fds[] = {{.fd = c.listener, .events = POLLIN},
                           {.fd = c.server, .events = POLLIN}};
    int set = rvi_simnet_any_of(net, fds, 2);
    while (rvi_simnet_pop_changed(net))
        ;
    assert_int_equal(rvi_simnet_poll(net, now, set, POLLIN), 0);
    put_all(c.client, "x");
    bool is_told = false;
    for (struct rvi_link **w; (w = rvi_simnet_pop_changed(net));)
        is_told |= w == rvi_simnet_waiters(net, set);
    assert_true(is_told);
    assert_true(rvi_simnet_next(net, now, set) == rvi_simnet_next(net, now, c.server));
    now += LATER;
    assert_int_equal(rvi_simnet_poll(net, now, set, POLLIN), POLLIN);
    assert_int_equal(rvi_simnet_close_fd(net, now, c.server), 0);
    assert_int_equal(rvi_simnet_poll(net, now, set, POLLIN), 0);
    assert_int_equal(put(set, "x"), -EPIPE);
    assert_int_equal(rvi_simnet_listen(net, set, 1), -ENOTSOCK);
    close_net();
}

/* ---- faults ---- */

static void faults_come_as_often_as_asked(void **state)
{
    (void)state;
    open_net((struct rvi_simnet_opts){.refuse_ppm = MILLION});
    listen_at(80);
    int client = open_socket();
    (void)connect_to(client, 80);
    now += LATER;
    assert_int_equal(connect_to(client, 80), -ECONNREFUSED);
    close_net();

    open_net((struct rvi_simnet_opts){.reset_ppm = MILLION});
    int listener = listen_at(80);
    client = open_socket();
    (void)connect_to(client, 80);
    now += LATER;
    assert_int_equal(accept_on(listener), -ECONNABORTED);
    assert_int_equal(accept_on(listener), -EAGAIN);
    now += LATER;
    assert_gets(client, "", -ECONNRESET);
    close_net();

    open_net((struct rvi_simnet_opts){.lose_ppm = MILLION});
    struct connection c = connection();
    put_all(c.client, "x");
    assert_true(rvi_simnet_next(net, now, c.server) >= now + RVI_SIMNET_RESEND_NS);
    close_net();

    open_net((struct rvi_simnet_opts){.silence_ppm = MILLION});
    c = connection();
    put_all(c.client, "x");
    assert_int_equal(rvi_simnet_close_fd(net, now, c.client), 0);
    assert_true(rvi_simnet_next(net, now, c.server) == INT64_MAX);
    assert_gets(c.server, "", -EAGAIN);
    close_net();
}

static void local_ends_know_no_faults(void **state)
{
    int pair[2];
    (void)state;
    open_net((struct rvi_simnet_opts){
        .reset_ppm = MILLION, .silence_ppm = MILLION, .lose_ppm = MILLION, .refuse_ppm = MILLION});
    assert_int_equal(rvi_simnet_pair(net, SOCK_STREAM, pair), 0);
    put_all(pair[0], "here");
    assert_gets(pair[1], "here", -EAGAIN);
    close_net();
}

/* What a call has said, and to whom. */
static uint64_t play_by(uint64_t seed)
{
    struct rvi_rng rng;
    uint64_t said = 0;
    char bytes[40] = "";
    open_net((struct rvi_simnet_opts){
        .seed = seed, .reset_ppm = 2000, .silence_ppm = 500, .lose_ppm = 20000});
    struct connection c = connection();
    rvi_rng_seed(&rng, 1);
    for (int i = 0; i < 500; i++) {
        int fd = rvi_rng_below(&rng, 2) ? c.client : c.server;
        ssize_t n = rvi_rng_below(&rng, 2) ? rvi_simnet_send(net, now, fd, bytes, sizeof bytes)
                                           : rvi_simnet_recv(net, now, fd, bytes, 40, false);
        said = (said ^ (uint64_t)n ^ (uint64_t)rvi_simnet_next(net, now, fd)) * 31;
        now += (int64_t)rvi_rng_below(&rng, 3000);
    }
    close_net();
    return said;
}

static void equal_seeds_give_equal_networks(void **state)
{
    (void)state;
    unsigned different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_true(play_by(seed) == play_by(seed));
        different += play_by(seed) != play_by(seed + 1);
    }
    assert_true(different > 45);
}

/* ---- without memory ---- */

static int set_all_up(void)
{
    struct rvi_simnet_opts opts = {.latency_ns = LATENCY, .buffer_bytes = BUFFER, .most = MOST};
    int pair[2], r = rvi_simnet_open(&net, &opts);
    if (r < 0)
        return r;
    struct pollfd one = {.fd = RVI_SIMNET_FIRST, .events = POLLIN};
    if ((r = rvi_simnet_any_of(net, &one, 1)) >= 0 &&
        (r = rvi_simnet_pair(net, SOCK_STREAM, pair)) == 0 &&
        (r = rvi_simnet_pipe(net, pair)) == 0 &&
        (r = rvi_simnet_socket(net, AF_INET, SOCK_STREAM)) >= 0) {
        int listener = r;
        r = rvi_simnet_listen(net, listener, 1);
        int client = r == 0 ? rvi_simnet_socket(net, AF_INET, SOCK_STREAM) : r;
        struct sockaddr_storage addr;
        socklen_t len;
        if (client >= 0 && (r = rvi_simnet_addr(net, listener, false, &addr, &len)) == 0)
            r = rvi_simnet_connect(net, 0, client, (struct sockaddr *)&addr, len);
        r = client < 0 ? client : r == -EAGAIN ? 0 : r;
    }
    rvi_simnet_close(net);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    live = rvi_alloc_live();
    for (long n = 1;; n++) {
        rvi_alloc_fail_after(n);
        int r = set_all_up();
        bool over = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_int_equal(r, over ? 0 : -ENOMEM);
        assert_int_equal(rvi_alloc_live(), live);
        if (over)
            break;
    }
}

/* ---- beside the kernel ---- */

/* Both worlds do the same; the kernel's descriptors and the simulated ones, -1 when closed. */
struct worlds {
    int real[2], simulated[2];
};

static int real_result(ssize_t n)
{
    return n < 0 ? -errno : (int)n;
}

static void compare_reads(const struct worlds *w, int end, bool is_pipe)
{
    char real[256], simulated[256];
    size_t len = 0;
    ssize_t n;
    while ((n = is_pipe ? read(w->real[end], real + len, 255 - len)
                        : recv(w->real[end], real + len, 255 - len, MSG_DONTWAIT)) > 0)
        len += (size_t)n;
    int why = real_result(n);
    real[len] = '\0';
    assert_int_equal(get_all(w->simulated[end], simulated, sizeof simulated), why);
    assert_string_equal(simulated, real);
}

static void compare_writes(const struct worlds *w, int end, bool is_pipe, char letter)
{
    int real = real_result(is_pipe ? write(w->real[end], &letter, 1)
                                   : send(w->real[end], &letter, 1, MSG_NOSIGNAL));
    assert_int_equal(rvi_simnet_send(net, now, w->simulated[end], &letter, 1), real);
}

static void compare_polls(const struct worlds *w, int end)
{
    struct pollfd real = {.fd = w->real[end], .events = POLLIN | POLLOUT | POLLRDHUP};
    assert_true(poll(&real, 1, 0) >= 0);
    assert_int_equal(rvi_simnet_poll(net, now, w->simulated[end], real.events), real.revents);
}

static void close_both(struct worlds *w, int end)
{
    close(w->real[end]);
    assert_int_equal(rvi_simnet_close_fd(net, now, w->simulated[end]), 0);
    w->real[end] = -1;
}

static void compare_shut_down(const struct worlds *w, int end, int how)
{
    int real = real_result(shutdown(w->real[end], how));
    assert_int_equal(rvi_simnet_shut_down(net, now, w->simulated[end], how), real);
}

static void step_of_both(struct worlds *w, struct rvi_rng *rng, bool is_pipe)
{
    int end = (int)rvi_rng_below(rng, 2);
    if (w->real[end] < 0)
        return;
    switch (rvi_rng_below(rng, 12)) {
    case 0:
        close_both(w, end);
        return;
    case 1:
    case 2:
        if (!is_pipe)
            compare_shut_down(w, end, (int)rvi_rng_below(rng, 3));
        break;
    case 3:
    case 4:
    case 5:
        if (!is_pipe || end == 0)
            compare_reads(w, end, is_pipe);
        break;
    default:
        if (!is_pipe || end == 1)
            compare_writes(w, end, is_pipe, (char)('a' + rvi_rng_below(rng, 26)));
    }
    compare_polls(w, end);
}

static void compare_worlds(bool is_pipe)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct worlds w;
        struct rvi_rng rng;
        open_net((struct rvi_simnet_opts){.seed = seed, .buffer_bytes = 4096});
        rvi_rng_seed(&rng, seed);
        if (is_pipe) {
            assert_int_equal(pipe2(w.real, O_NONBLOCK | O_CLOEXEC), 0);
            assert_int_equal(rvi_simnet_pipe(net, w.simulated), 0);
        } else {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w.real), 0);
            assert_int_equal(rvi_simnet_pair(net, SOCK_STREAM, w.simulated), 0);
        }
        for (int i = 0; i < 30; i++)
            step_of_both(&w, &rng, is_pipe);
        for (int i = 0; i < 2; i++) {
            if (w.real[i] >= 0)
                close_both(&w, i);
        }
        close_net();
    }
}

static void pairs_answer_as_the_kernels_do(void **state)
{
    (void)state;
    compare_worlds(false);
}

static void pipes_answer_as_the_kernels_do(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    compare_worlds(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_the_lowest_that_are_free),
        cmocka_unit_test(names_are_given_once),
        cmocka_unit_test(listeners_share_a_name_when_all_say_so),
        cmocka_unit_test(ends_know_each_others_names),
        cmocka_unit_test(connecting_takes_a_round_trip),
        cmocka_unit_test(nobody_listens_and_the_connection_is_refused),
        cmocka_unit_test(a_listener_that_closes_resets_who_waits_in_its_queue),
        cmocka_unit_test(a_full_queue_costs_a_client_time_and_nothing_else),
        cmocka_unit_test(accepting_without_a_descriptor_left_loses_nobody),
        cmocka_unit_test(bytes_arrive_in_order_after_their_time),
        cmocka_unit_test(a_stream_of_any_pieces_arrives_as_it_was),
        cmocka_unit_test(parts_are_done_of_what_could_be_done_whole),
        cmocka_unit_test(what_is_looked_at_is_still_there),
        cmocka_unit_test(a_full_buffer_holds_the_sender_up),
        cmocka_unit_test(half_closed_a_connection_still_carries_the_other_way),
        cmocka_unit_test(closing_with_bytes_unread_resets),
        cmocka_unit_test(behind_a_reset_there_is_no_end),
        cmocka_unit_test(sending_to_a_closed_end_is_answered_by_a_reset),
        cmocka_unit_test(a_set_is_ready_when_any_member_is),
        cmocka_unit_test(faults_come_as_often_as_asked),
        cmocka_unit_test(local_ends_know_no_faults),
        cmocka_unit_test(equal_seeds_give_equal_networks),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(pairs_answer_as_the_kernels_do),
        cmocka_unit_test(pipes_answer_as_the_kernels_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

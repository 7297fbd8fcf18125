/* SPDX-License-Identifier: MIT */
#include "net_test.h"

/* Two sockets that are not connected, each with the other's address. */
struct post {
    int a, b;
    struct rv_addr at_a, at_b;
};

static struct post open_post(const char *network, const char *address)
{
    struct post p = {.a = listen_on(network, address).fd, .b = listen_on(network, address).fd};
    RV_CHECK(rv_addr_local(p.a, &p.at_a) == 0 && rv_addr_local(p.b, &p.at_b) == 0);
    return p;
}

static int close_post(const struct post *p)
{
    rv_close(p->a);
    return rv_close(p->b);
}

static int send_and_answer(void *network)
{
    struct post p = open_post(network, "localhost:0");
    struct rv_addr from;
    char buf[16];
    RV_CHECK(rv_send_to(p.a, "hello", 5, &p.at_b, RV_NEVER) == 5);
    RV_CHECK(rv_recv_from(p.b, buf, sizeof buf, &from, RV_NEVER) == 5);
    RV_CHECK(rv_addr_equal(&from, &p.at_a) && memcmp(buf, "hello", 5) == 0);
    RV_CHECK(rv_send_to(p.b, "", 0, &from, RV_NEVER) == 0);
    RV_CHECK(rv_recv_from(p.a, buf, sizeof buf, &from, RV_NEVER) == 0);
    RV_CHECK(rv_addr_equal(&from, &p.at_b));
    RV_CHECK(rv_recv_from(p.a, buf, sizeof buf, &from, rv_after(RV_MILLISECOND)) == -ETIME);
    return close_post(&p);
}

static void a_datagram_knows_where_it_came_from(void **state)
{
    (void)state;
    play_everywhere(send_and_answer, (void *)(uintptr_t) "udp4");
    if (has_v6())
        play_everywhere(send_and_answer, (void *)(uintptr_t) "udp6");
}

static int use_connected(void *arg)
{
    struct listener l = listen_on("udp", "127.0.0.1:0");
    int fd = rv_dial("udp", l.at, RV_NEVER), stranger = listen_on("udp", "127.0.0.1:0").fd;
    struct rv_addr here;
    char buf[8];
    (void)arg;
    RV_CHECK(rv_addr_local(fd, &here) == 0);
    RV_CHECK(rv_send_to(stranger, "no", 2, &here, RV_NEVER) == 2);
    RV_CHECK(rv_send_to(l.fd, "yes", 3, &here, RV_NEVER) == 3);
    RV_CHECK(rv_recv(fd, buf, sizeof buf, 0, RV_NEVER) == 3);
    RV_CHECK(rv_send(fd, "back", 4, 0, RV_NEVER) == 4);
    RV_CHECK(rv_recv(l.fd, buf, sizeof buf, 0, RV_NEVER) == 4);
    rv_close(stranger);
    rv_close(fd);
    return rv_close(l.fd);
}

static void a_connected_socket_hears_its_peer_alone(void **state)
{
    (void)state;
    play_everywhere(use_connected, NULL);
}

static int send_to_nobody(void *arg)
{
    struct listener l = listen_on("udp", "127.0.0.1:0");
    int fd = rv_dial("udp", l.at, RV_NEVER);
    char byte;
    (void)arg;
    rv_close(l.fd);
    RV_CHECK(rv_send(fd, "x", 1, 0, RV_NEVER) == 1);
    RV_CHECK(rv_recv(fd, &byte, 1, 0, RV_NEVER) == -ECONNREFUSED);
    return rv_close(fd);
}

static void that_nobody_is_there_is_heard_of_later(void **state)
{
    (void)state;
    play_everywhere(send_to_nobody, NULL);
}

/* --- batches --- */

enum { MANY = 100 };

static int exchange_batches(void *arg)
{
    struct post p = open_post("udp", "127.0.0.1:0");
    char out[MANY][16], in[MANY][16];
    struct rv_datagram sent[MANY] = {0}, received[MANY] = {0};
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(out[i], sizeof out[i], "datagram %d", i);
        sent[i] = (struct rv_datagram){.data = out[i], .len = (size_t)len, .addr = p.at_b};
        received[i] = (struct rv_datagram){.data = in[i], .room = sizeof in[i]};
    }
    for (int done = 0; done < MANY;) {
        int n = rv_send_batch(p.a, sent + done, (size_t)(MANY - done), RV_NEVER);
        RV_CHECK(n > 0);
        done += n;
    }
    for (int done = 0; done < MANY;) {
        int n = rv_recv_batch(p.b, received + done, (size_t)(MANY - done), RV_NEVER);
        RV_CHECK(n > 0);
        done += n;
    }
    for (int i = 0; i < MANY; i++) {
        RV_CHECK(received[i].len == sent[i].len && memcmp(in[i], out[i], sent[i].len) == 0);
        RV_CHECK(rv_addr_equal(&received[i].addr, &p.at_a) && received[i].flags == 0);
    }
    RV_CHECK(rv_recv_batch(p.b, received, MANY, rv_after(RV_MILLISECOND)) == -ETIME);
    return close_post(&p);
}

static void batches_arrive_whole_and_in_order(void **state)
{
    (void)state;
    play_everywhere(exchange_batches, NULL);
}

static int receive_what_there_is(void *arg)
{
    struct post p = open_post("udp", "127.0.0.1:0");
    char a[4], b[4];
    struct rv_datagram two[] = {{.data = a, .room = 4}, {.data = b, .room = 4}};
    (void)arg;
    RV_CHECK(rv_send_to(p.a, "too long", 8, &p.at_b, RV_NEVER) == 8);
    RV_CHECK(rv_recv_batch(p.b, two, 2, RV_NEVER) == 1);
    RV_CHECK(two[0].len == 4 && (two[0].flags & MSG_TRUNC) && memcmp(a, "too ", 4) == 0);
    return close_post(&p);
}

static void a_batch_waits_for_its_first_datagram_only(void **state)
{
    (void)state;
    play_everywhere(receive_what_there_is, NULL);
}

static int send_some(void *arg)
{
    struct listener l = listen_on("udp", "127.0.0.1:0");
    int fd = rv_dial("udp", l.at, RV_NEVER);
    char *huge = calloc(1, 100000);
    struct rv_datagram three[] = {
        {.data = huge, .len = 10}, {.data = huge, .len = 100000}, {.data = huge, .len = 10}};
    (void)arg;
    RV_CHECK(rv_send_batch(fd, three, 3, RV_NEVER) == 1);
    RV_CHECK(rv_send_batch(fd, three + 1, 2, RV_NEVER) == -EMSGSIZE);
    RV_CHECK(rv_send_batch(fd, three, 0, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_recv_batch(fd, three, 0, RV_NEVER) == -EINVAL);
    free(huge);
    rv_close(fd);
    return rv_close(l.fd);
}

static void a_batch_ends_before_what_cannot_be_sent(void **state)
{
    (void)state;
    play_everywhere(send_some, NULL);
}

/* --- on this machine --- */

static int use_path(void *arg)
{
    struct folder f = make_folder();
    struct listener l = listen_on("unixgram", f.path);
    int fd = rv_dial("unixgram", f.path, RV_NEVER);
    struct rv_addr from;
    char buf[8], text[RV_ADDR_TEXT];
    (void)arg;
    RV_CHECK(fd >= 0);
    RV_CHECK(rv_send(fd, "hi", 2, 0, RV_NEVER) == 2);
    RV_CHECK(rv_recv_from(l.fd, buf, sizeof buf, &from, RV_NEVER) == 2);
    rv_addr_format(&from, text, sizeof text); /* it has no name */
    RV_CHECK(from.len == 0 || strcmp(text, "unix:") == 0);
    rv_close(fd);
    rv_close(l.fd);
    remove_folder(&f);
    return 0;
}

static void a_path_takes_datagrams(void **state)
{
    (void)state;
    play_everywhere(use_path, NULL);
}

/* The receiver's queue is full: the sender waits for its turn. */
static int receive_all(void *fd)
{
    char byte;
    ssize_t n = 1;
    for (int i = 0; i < 1000 && n == 1; i++)
        n = rv_recv(*(int *)fd, &byte, 1, 0, RV_NEVER);
    return n == 1 ? 0 : (int)n;
}

static int send_many(void *arg)
{
    int fds[2], err;
    (void)arg;
    RV_CHECK(rv_socketpair(SOCK_DGRAM, fds) == 0);
    RV_SCOPE(s, err) {
        go(s, receive_all, &fds[1]);
        for (int i = 0; i < 1000; i++)
            RV_CHECK(rv_send(fds[0], "x", 1, 0, RV_NEVER) == 1);
    }
    close_pair(fds);
    return err;
}

static void a_sender_waits_for_room(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, send_many, NULL), 0);
    assert_int_equal(run_on(2, send_many, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_knows_where_it_came_from),
        cmocka_unit_test(a_connected_socket_hears_its_peer_alone),
        cmocka_unit_test(that_nobody_is_there_is_heard_of_later),
        cmocka_unit_test(batches_arrive_whole_and_in_order),
        cmocka_unit_test(a_batch_waits_for_its_first_datagram_only),
        cmocka_unit_test(a_batch_ends_before_what_cannot_be_sent),
        cmocka_unit_test(a_path_takes_datagrams),
        cmocka_unit_test(a_sender_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

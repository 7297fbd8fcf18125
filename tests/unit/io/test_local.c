/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/resource.h>

#include "net_test.h"

static void make_pair(int type, int fds[2])
{
    RV_CHECK(rv_socketpair(type, fds) == 0);
}

static int use_pairs(void *arg)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    int fds[2];
    char buf[8];
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        make_pair(types[i], fds);
        RV_CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
        RV_CHECK(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
        RV_CHECK(rv_send(fds[0], "one", 3, 0, RV_NEVER) == 3);
        RV_CHECK(rv_send(fds[0], "two", 3, 0, RV_NEVER) == 3);
        RV_CHECK(rv_recv(fds[1], buf, 8, 0, RV_NEVER) == (types[i] == SOCK_STREAM ? 6 : 3));
        close_pair(fds);
    }
    RV_CHECK(rv_socketpair(SOCK_RAW + 50, fds) < 0);
    return 0;
}

static void each_kind_of_pair_keeps_its_borders(void **state)
{
    (void)state;
    play_everywhere(use_pairs, NULL);
}

/* --- descriptors --- */

static void check_same_file(int one, int other)
{
    struct stat a, b;
    RV_CHECK(one != other);
    RV_CHECK(fstat(one, &a) == 0 && fstat(other, &b) == 0);
    RV_CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static int pass_some(void *type)
{
    int fds[2], pipes[2], got[2] = {-1, -1};
    size_t count = 99;
    char buf[8];
    make_pair(*(int *)type, fds);
    RV_CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    RV_CHECK(rv_send_fds(fds[0], "two", 3, pipes, 2, RV_NEVER) == 3);
    RV_CHECK(rv_recv_fds(fds[1], buf, 8, got, 2, &count, RV_NEVER) == 3);
    RV_CHECK(count == 2);
    for (int i = 0; i < 2; i++) {
        check_same_file(got[i], pipes[i]);
        RV_CHECK(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
        rv_close(got[i]);
        rv_close(pipes[i]);
    }
    RV_CHECK(rv_send_fds(fds[0], "none", 4, NULL, 0, RV_NEVER) == 4);
    RV_CHECK(rv_recv_fds(fds[1], buf, 8, got, 2, &count, RV_NEVER) == 4 && count == 0);
    RV_CHECK(rv_recv_fds(fds[1], buf, 8, got, 2, &count, rv_after(RV_MILLISECOND)) == -ETIME);
    close_pair(fds);
    return 0;
}

static void descriptors_are_passed(void **state)
{
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        play_everywhere(pass_some, &types[i]);
}

static int pass_the_most(void *arg)
{
    int fds[2], many[RV_PASSED_MAX], got[RV_PASSED_MAX];
    size_t count;
    char byte;
    (void)arg;
    make_pair(SOCK_STREAM, fds);
    for (int i = 0; i < RV_PASSED_MAX; i++)
        many[i] = fds[0];
    RV_CHECK(rv_send_fds(fds[0], "x", 1, many, RV_PASSED_MAX, RV_NEVER) == 1);
    RV_CHECK(rv_recv_fds(fds[1], &byte, 1, got, RV_PASSED_MAX, &count, RV_NEVER) == 1);
    RV_CHECK(count == RV_PASSED_MAX);
    for (int i = 0; i < RV_PASSED_MAX; i++)
        RV_CHECK(rv_close(got[i]) == 0);
    RV_CHECK(rv_send_fds(fds[0], "x", 1, many, RV_PASSED_MAX + 1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_send_fds(fds[0], "", 0, many, 1, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_recv_fds(fds[1], &byte, 1, got, RV_PASSED_MAX + 1, &count, RV_NEVER) == -EINVAL);
    close_pair(fds);
    return 0;
}

static void as_many_are_passed_as_the_kernel_allows(void **state)
{
    (void)state;
    play_everywhere(pass_the_most, NULL);
}

/* Whatever room there is, odd or even: what does not fit leaves nothing open. */
static int pass_too_many(void *arg)
{
    int fds[2], got[8];
    size_t count = 99;
    char byte;
    (void)arg;
    make_pair(SOCK_STREAM, fds);
    int many[8] = {fds[0], fds[1], fds[0], fds[1], fds[0], fds[1], fds[0], fds[1]};
    size_t files = open_descriptors();
    for (size_t room = 0; room < 8; room++) {
        RV_CHECK(rv_send_fds(fds[0], "x", 1, many, 8, RV_NEVER) == 1);
        RV_CHECK(rv_recv_fds(fds[1], &byte, 1, got, room, &count, RV_NEVER) == -EMSGSIZE);
        RV_CHECK(count == 99);
        RV_CHECK(open_descriptors() == files);
    }
    close_pair(fds);
    return 0;
}

static void more_than_there_is_room_for_are_closed(void **state)
{
    (void)state;
    play_everywhere(pass_too_many, NULL);
}

static int receive_at_the_limit(void *arg)
{
    struct rlimit before, few;
    int fds[2], got[2], next;
    size_t count;
    char byte;
    (void)arg;
    make_pair(SOCK_STREAM, fds);
    RV_CHECK(rv_send_fds(fds[0], "x", 1, fds, 2, RV_NEVER) == 1);
    RV_CHECK((next = dup(fds[0])) >= 0 && close(next) == 0); /* the lowest that is free */
    RV_CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = (struct rlimit){(rlim_t)next + 1, before.rlim_max};
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    RV_CHECK(rv_recv_fds(fds[1], &byte, 1, got, 2, &count, RV_NEVER) == -EMFILE);
    RV_CHECK(fcntl(next, F_GETFD) == -1);
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    close_pair(fds);
    return 0;
}

static void more_than_the_process_may_have_are_closed(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip(); /* these have descriptors of their own */
    play_everywhere(receive_at_the_limit, NULL);
}

/* --- who is there --- */

static int ask_who_is_there(void *arg)
{
    struct name name = name_of_no_file();
    struct listener l = listen_on("unix", name.text);
    struct rv_peer peer;
    int fds[2];
    (void)arg;
    int fd = rv_dial("unix", l.at, RV_NEVER), accepted = rv_accept(l.fd, NULL, RV_NEVER);
    RV_CHECK(rv_peer_of(accepted, &peer) == 0);
    RV_CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    RV_CHECK(rv_peer_of(fd, &peer) == 0 && peer.pid == getpid());
    rv_close(accepted);
    rv_close(fd);
    rv_close(l.fd);
    make_pair(SOCK_STREAM, fds);
    RV_CHECK(rv_peer_of(fds[0], &peer) == 0 && peer.pid == getpid());
    close_pair(fds);
    connect_pair(fds);
    RV_CHECK(rv_peer_of(fds[0], &peer) == -EINVAL);
    close_pair(fds);
    fd = listen_on("unixgram", name.text).fd;
    RV_CHECK(rv_peer_of(fd, &peer) == -ENOTCONN);
    return rv_close(fd);
}

static void a_peer_tells_who_it_is(void **state)
{
    (void)state;
    play_everywhere(ask_who_is_there, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_pair_keeps_its_borders),
        cmocka_unit_test(descriptors_are_passed),
        cmocka_unit_test(as_many_are_passed_as_the_kernel_allows),
        cmocka_unit_test(more_than_there_is_room_for_are_closed),
        cmocka_unit_test(more_than_the_process_may_have_are_closed),
        cmocka_unit_test(a_peer_tells_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

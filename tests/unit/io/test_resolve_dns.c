/* SPDX-License-Identifier: MIT */
/* Look-ups against a server of the test's own. Names end in a dot: no search domain of the machine
 * is tried. */
#include <ares.h>
#include <sys/resource.h>

#include <ravel.h>

#include "../../support/dns_server.h"
#include "../../support/every_point.h"
#include "../sched/sched_test.h"

static struct dns_server server;
static rv_time patience_ns = 20 * RV_SECOND;

static struct rv_resolve_opts ask_server(void)
{
    return (struct rv_resolve_opts){.size = sizeof(struct rv_resolve_opts),
                                    .servers = server.address,
                                    .patience_ns = patience_ns};
}

static int ask(const char *host, struct rv_addr *addrs, size_t room)
{
    const struct rv_resolve_opts opts = ask_server();
    return rv_resolve(host, "443", addrs, room, &opts, RV_NEVER);
}

/* As a task and as a plain thread. */
static void everywhere(rv_fn *fn)
{
    assert_int_equal(fn(NULL), 0);
    assert_int_equal(run_on(1, fn, NULL), 0);
}

static int ask_for_both(void *arg)
{
    struct rv_addr addrs[8];
    bool four = false, six = false;
    (void)arg;
    RV_CHECK(ask("both.test.", addrs, 8) == 2);
    for (int i = 0; i < 2; i++) {
        const struct rv_addr *a = &addrs[i];
        four |= a->sa.sa_family == AF_INET && a->len == sizeof(a->in) &&
                ntohl(a->in.sin_addr.s_addr) == 0xc0000201 && ntohs(a->in.sin_port) == 443;
        six |= a->sa.sa_family == AF_INET6 && a->len == sizeof(a->in6) &&
               a->in6.sin6_addr.s6_addr[15] == 1 && ntohs(a->in6.sin6_port) == 443;
    }
    RV_CHECK(four && six);
    return 0;
}

static void a_name_has_addresses_of_both_families(void **state)
{
    (void)state;
    everywhere(ask_for_both);
}

static int ask_for_one_family(void *arg)
{
    struct rv_resolve_opts opts = ask_server();
    struct rv_addr addrs[8];
    (void)arg;
    opts.family = AF_INET;
    RV_CHECK(rv_resolve("both.test.", NULL, addrs, 8, &opts, RV_NEVER) == 1);
    RV_CHECK(addrs[0].sa.sa_family == AF_INET && addrs[0].in.sin_port == 0);
    opts.family = AF_INET6;
    RV_CHECK(rv_resolve("both.test.", NULL, addrs, 8, &opts, RV_NEVER) == 1);
    RV_CHECK(addrs[0].sa.sa_family == AF_INET6);
    RV_CHECK(rv_resolve("four.test.", NULL, addrs, 8, &opts, RV_NEVER) == -ENODATA);
    return 0;
}

static void one_family_may_be_asked_for(void **state)
{
    (void)state;
    everywhere(ask_for_one_family);
}

static void each_refusal_has_its_error(void **state)
{
    static const struct {
        const char *host;
        int error;
    } cases[] = {{"nx.test.", -ENOENT},      {"empty.test.", -ENODATA},   {"fail.test.", -EAGAIN},
                 {"refused.test.", -EAGAIN}, {"garbage.test.", -EBADMSG}, {"hangup.test.", -EAGAIN},
                 {"x..y", -EINVAL}};
    struct rv_addr addr;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(ask(cases[i].host, &addr, 1), cases[i].error);
    const struct rv_resolve_opts bad = {.size = sizeof(bad), .servers = "nonsense"};
    assert_int_equal(rv_resolve("a.test", NULL, &addr, 1, &bad, RV_NEVER), -EINVAL);
}

/* With those of earlier tests that it had not read yet: it reads them in order. */
static unsigned asked_so_far(void)
{
    struct rv_addr addrs[2];
    RV_CHECK(ask("both.test.", addrs, 2) == 2);
    return rvi_load_relaxed(&server.asked);
}

static void localhost_is_known_without_asking(void **state)
{
    struct rv_addr addr;
    unsigned before = asked_so_far();
    (void)state;
    assert_int_equal(ask("localhost", &addr, 1), 1);
    assert_int_equal(rvi_load_relaxed(&server.asked), before);
}

static int ask_for_many(void *arg)
{
    struct rv_addr addrs[DNS_MANY + 1];
    (void)arg;
    RV_CHECK(ask("cut.test.", addrs, DNS_MANY + 1) == DNS_MANY);
    RV_CHECK(ask("cut.test.", addrs, 3) == 3);
    return 0;
}

static void a_long_answer_comes_over_tcp(void **state)
{
    unsigned before = rvi_load_relaxed(&server.streams);
    (void)state;
    everywhere(ask_for_many);
    assert_true(rvi_load_relaxed(&server.streams) > before);
}

static size_t count_sockets(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    struct dirent *entry;
    char target[64];

    RV_CHECK(dir);
    while ((entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
        count += n > 7 && memcmp(target, "socket:", 7) == 0;
    }
    closedir(dir);
    return count;
}

/* The server's ends of its streams close a little later. */
static void wait_for_no_more_sockets_than(size_t sockets)
{
    while (count_sockets() > sockets)
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
}

static const char *const silent_ones[] = {"silent.test.", "forged.test.", "stuck.test."};

static int ask_the_silent(void *arg)
{
    const struct rv_resolve_opts opts = ask_server();
    struct rv_addr addr;
    size_t sockets = count_sockets();
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        rv_time deadline = rv_after(20 * RV_MILLISECOND);
        RV_CHECK(rv_resolve(silent_ones[i], NULL, &addr, 1, &opts, deadline) == -ETIME);
        wait_for_no_more_sockets_than(sockets);
    }
    return 0;
}

static void a_deadline_ends_a_look_up(void **state)
{
    (void)state;
    everywhere(ask_the_silent);
}

static int ask_without_patience(void *arg)
{
    struct rv_resolve_opts opts = ask_server();
    struct rv_addr addr;
    unsigned before = asked_so_far();
    (void)arg;
    opts.patience_ns = RV_MILLISECOND;
    opts.tries = 3;
    opts.family = AF_INET;
    RV_CHECK(rv_resolve("silent.test.", NULL, &addr, 1, &opts, RV_NEVER) == -ETIMEDOUT);
    while (rvi_load_relaxed(&server.asked) < before + 3)
        rv_yield(); /* it may have come too late to be answered */
    RV_CHECK(rvi_load_relaxed(&server.asked) == before + 3);
    return 0;
}

static void silence_is_asked_again_and_then_given_up(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_without_patience, NULL), 0);
}

/* A datagram socket of nobody's, which has a port that nobody answers on. */
static int closed_port(char *address, size_t room)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    RV_CHECK(bind(fd, (struct sockaddr *)&addr, len) == 0);
    RV_CHECK(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    snprintf(address, room, "127.0.0.1:%d", ntohs(addr.sin_port));
    return fd;
}

/* To itself: it keeps its port from others, and what anybody else sends there is refused. */
static void hear_nobody_else(int fd)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    RV_CHECK(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    RV_CHECK(connect(fd, (struct sockaddr *)&addr, len) == 0);
}

/* With as little patience as will do on this machine. */
static int ask_soon(const char *servers)
{
    struct rv_resolve_opts opts = {.size = sizeof(opts), .servers = servers};
    struct rv_addr addr;
    int r = -ETIMEDOUT;
    for (opts.patience_ns = RV_MILLISECOND; r == -ETIMEDOUT; opts.patience_ns *= 2)
        r = rv_resolve("four.test.", NULL, &addr, 1, &opts, RV_NEVER);
    return r;
}

static int ask_nobody(void *arg)
{
    char dead[64], both[128];
    int fd = closed_port(dead, sizeof(dead));
    (void)arg;
    snprintf(both, sizeof(both), "%s,%s", dead, server.address);
    RV_CHECK(ask_soon(both) == 1); /* two sockets: the first may still answer */
    hear_nobody_else(fd);
    RV_CHECK(ask_soon(dead) == -ECONNREFUSED);
    RV_CHECK(ask_soon(both) == 1);
    close(fd);
    return 0;
}

static void the_next_server_is_asked_when_one_is_silent_or_gone(void **state)
{
    (void)state;
    everywhere(ask_nobody);
}

static int ask_for_names(void *arg)
{
    const struct rv_resolve_opts opts = ask_server();
    struct rv_addr addr;
    char name[256];
    (void)arg;
    RV_CHECK(rv_resolve("192.0.2.1", NULL, &addr, 1, NULL, RV_NEVER) == 1);
    RV_CHECK(rv_resolve_name(&addr, name, sizeof(name), &opts, RV_NEVER) == 9);
    RV_CHECK(strcmp(name, "host.test") == 0);
    RV_CHECK(rv_resolve_name(&addr, name, 9, &opts, RV_NEVER) == -ERANGE);
    RV_CHECK(rv_resolve_name(&addr, name, 10, &opts, RV_NEVER) == 9);
    RV_CHECK(rv_resolve("2001:db8::1", NULL, &addr, 1, NULL, RV_NEVER) == 1);
    RV_CHECK(rv_resolve_name(&addr, name, sizeof(name), &opts, RV_NEVER) == 9);
    RV_CHECK(rv_resolve("192.0.2.99", NULL, &addr, 1, NULL, RV_NEVER) == 1);
    RV_CHECK(rv_resolve_name(&addr, name, sizeof(name), &opts, RV_NEVER) == -ENOENT);
    return 0;
}

static void an_address_has_a_name(void **state)
{
    (void)state;
    everywhere(ask_for_names);
}

static int ask_once(void *arg)
{
    struct rv_addr addrs[4];
    int r = ask(arg, addrs, 4);
    return r < 0 ? r : 0;
}

static int ask_in_a_crowd(void *count)
{
    int err;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < *(size_t *)count; i++)
            go(s, ask_once, (void *)(uintptr_t) "both.test.");
    }
    return err;
}

/* As many as there may be descriptors for, two each at most. */
static size_t crowd_of_askers(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t count = crowd(1000, 50);
    return limit.rlim_cur < 2 * count + 100 ? (limit.rlim_cur - 100) / 2 : count;
}

static void a_thousand_ask_at_once(void **state)
{
    size_t count = crowd_of_askers(), files = open_descriptors();
    (void)state;
    assert_int_equal(run_on(2, ask_in_a_crowd, &count), 0);
    assert_int_equal(open_descriptors(), files);
}

/* Both wait when it comes to nothing for one of them. */
static int ask_and_be_cancelled(void *arg)
{
    int err;
    (void)arg;
    size_t sockets = count_sockets();
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < 3; i++)
            go(s, ask_once, (void *)(uintptr_t)silent_ones[i]);
        RV_CHECK(rv_sleep(10 * RV_MILLISECOND) == 0);
        rv_scope_cancel(s, 0);
    }
    RV_CHECK(err == -ECANCELED);
    wait_for_no_more_sockets_than(sockets);
    return 0;
}

static void a_cancelled_look_up_ends_at_once_and_holds_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_and_be_cancelled, NULL), 0);
}

static int scene(void *arg)
{
    int r = ask_once((void *)(uintptr_t) "cut.test.");
    (void)arg;
    return r < 0 ? r : ask_once((void *)(uintptr_t) "both.test.");
}

static void a_look_up_may_be_cancelled_at_every_point(void **state)
{
    (void)state;
    cancel_at_every_point(scene, 1);
}

/* c-ares may take the lack of memory for an answer, or for a server, that is not there; an answer
 * that it could not look at it waits for again. Before anything has failed the server is slow. */
static int poor_scene(void *arg)
{
    int r;
    while ((r = scene(arg)) == -ETIMEDOUT && rvi_alloc_fail_pending())
        patience_ns *= 2;
    return r == -ENODATA || r == -ECONNREFUSED || r == -ETIMEDOUT ? -ENOMEM : r;
}

static void *malloc_of_any_size(size_t size)
{
    return rvi_alloc(size ? size : 1);
}

static void memory_may_end_at_every_point(void **state)
{
    (void)state;
    assert_int_equal(
        ares_library_init_mem(ARES_LIB_INIT_ALL, malloc_of_any_size, rvi_free, rvi_realloc), 0);
    patience_ns = 50 * RV_MILLISECOND;
    fail_every_allocation(poor_scene, 1);
}

static int ask_in_need(void *arg)
{
    struct rlimit limit, low;
    int r = -EMFILE, allowed = 0;
    (void)arg;
    RV_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    RV_CHECK(dup2(0, 200) == 200 && close(200) == 0);
    low = limit;
    for (low.rlim_cur = 3; r < 0; low.rlim_cur++) {
        RV_CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
        r = ask_once((void *)(uintptr_t) "both.test.");
        RV_CHECK(r == 0 || r == -EMFILE);
        allowed++;
    }
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    RV_CHECK(allowed > 1);
    return 0;
}

static void without_descriptors_it_says_so(void **state)
{
    (void)state;
    everywhere(ask_in_need);
}

static int start(void **state)
{
    (void)state;
    dns_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    dns_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_addresses_of_both_families),
        cmocka_unit_test(one_family_may_be_asked_for),
        cmocka_unit_test(each_refusal_has_its_error),
        cmocka_unit_test(localhost_is_known_without_asking),
        cmocka_unit_test(a_long_answer_comes_over_tcp),
        cmocka_unit_test(a_deadline_ends_a_look_up),
        cmocka_unit_test(silence_is_asked_again_and_then_given_up),
        cmocka_unit_test(the_next_server_is_asked_when_one_is_silent_or_gone),
        cmocka_unit_test(an_address_has_a_name),
        cmocka_unit_test(a_thousand_ask_at_once),
        cmocka_unit_test(a_cancelled_look_up_ends_at_once_and_holds_nothing),
        cmocka_unit_test(without_descriptors_it_says_so),
        cmocka_unit_test(a_look_up_may_be_cancelled_at_every_point),
        cmocka_unit_test(memory_may_end_at_every_point),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: MIT */
/* What needs no question: it works in every build. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <ravel.h>

#include "../sched/sched_test.h"

static int one(const char *host, const char *service, struct rv_addr *addr)
{
    return rv_resolve(host, service, addr, 1, NULL, RV_NEVER);
}

static void digits_are_addresses(void **state)
{
    struct rv_addr addr;
    char text[INET6_ADDRSTRLEN];
    (void)state;
    assert_int_equal(one("192.0.2.7", "80", &addr), 1);
    assert_int_equal(addr.len, sizeof(struct sockaddr_in));
    assert_int_equal(addr.sa.sa_family, AF_INET);
    assert_int_equal(ntohs(addr.in.sin_port), 80);
    assert_string_equal(inet_ntop(AF_INET, &addr.in.sin_addr, text, sizeof(text)), "192.0.2.7");
    assert_int_equal(one("2001:db8::7", "65535", &addr), 1);
    assert_int_equal(addr.len, sizeof(struct sockaddr_in6));
    assert_int_equal(addr.sa.sa_family, AF_INET6);
    assert_int_equal(ntohs(addr.in6.sin6_port), 65535);
    assert_string_equal(inet_ntop(AF_INET6, &addr.in6.sin6_addr, text, sizeof(text)),
                        "2001:db8::7");
    assert_int_equal(addr.in6.sin6_scope_id, 0);
}

static void a_zone_is_a_name_or_a_number(void **state)
{
    struct rv_addr addr;
    (void)state;
    assert_int_equal(one("fe80::1%7", NULL, &addr), 1);
    assert_int_equal(addr.in6.sin6_scope_id, 7);
    assert_int_equal(addr.in6.sin6_port, 0);
    assert_int_equal(one("fe80::1%lo", NULL, &addr), 1);
    assert_int_equal(one("fe80::1%no-such", NULL, &addr), -ENODEV);
    assert_int_equal(one("fe80::g", NULL, &addr), -EINVAL);
    assert_int_not_equal(addr.in6.sin6_scope_id, 0);
}

static int services_have_names(void *arg)
{
    struct rv_addr addr;
    const struct rv_resolve_opts udp = {.size = sizeof(udp), .protocol = "udp"};
    (void)arg;
    int r = one("::1", "http", &addr);
    RV_CHECK(r == 1 || r == -EINVAL); /* a system without /etc/services */
    if (r == 1) {
        RV_CHECK(ntohs(addr.in6.sin6_port) == 80);
        RV_CHECK(rv_resolve("::1", "domain", &addr, 1, &udp, RV_NEVER) == 1);
        RV_CHECK(ntohs(addr.in6.sin6_port) == 53);
    }
    RV_CHECK(one("::1", "no-such-service", &addr) == -EINVAL);
    return 0;
}

static void services_have_names_in_tasks_and_threads(void **state)
{
    (void)state;
    services_have_names(NULL);
    assert_int_equal(run_on(1, services_have_names, NULL), 0);
}

static void arguments_without_sense_are_refused(void **state)
{
    const struct rv_resolve_opts four = {.size = sizeof(four), .family = AF_INET};
    const struct rv_resolve_opts local = {.size = sizeof(local), .family = AF_UNIX};
    const char *const ports[] = {"65536", "-1", "+80", " 80", "0x50", "80x", "", "99999999999"};
    struct rv_addr addr;
    (void)state;
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
        assert_int_equal(one("::1", ports[i], &addr), -EINVAL);
    assert_int_equal(one("", "80", &addr), -EINVAL);
    assert_int_equal(one(NULL, "80", &addr), -EINVAL);
    assert_int_equal(rv_resolve("::1", "80", &addr, 0, NULL, RV_NEVER), -EINVAL);
    assert_int_equal(rv_resolve("::1", "80", &addr, 1, &four, RV_NEVER), -EINVAL);
    assert_int_equal(rv_resolve("::1", "80", &addr, 1, &local, RV_NEVER), -EINVAL);
    addr.sa.sa_family = AF_UNIX;
    char name[8];
    assert_int_equal(rv_resolve_name(&addr, name, sizeof(name), NULL, RV_NEVER), -EAFNOSUPPORT);
}

static int ask_when_cancelled(void *arg)
{
    struct rv_addr addr;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        rv_scope_cancel(s, 0);
        RV_CHECK(one("::1", "80", &addr) == -ECANCELED);
    }
    return err == -ECANCELED ? 0 : err;
}

static void who_is_cancelled_is_told_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_when_cancelled, NULL), 0);
}

static int ask_in_simulation(void *arg)
{
    struct rv_addr addr;
    char name[64];
    (void)arg;
    RV_CHECK(one("::1", "80", &addr) == 1);
    RV_CHECK(rv_resolve_name(&addr, name, sizeof(name), NULL, RV_NEVER) == -ENOTSUP);
    return one("example.test", "80", &addr) == -ENOTSUP ? 0 : -EIO;
}

static void a_simulation_has_no_name_servers(void **state)
{
    (void)state;
    assert_int_equal(rv_sim_run(ask_in_simulation, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_addresses),
        cmocka_unit_test(a_zone_is_a_name_or_a_number),
        cmocka_unit_test(services_have_names_in_tasks_and_threads),
        cmocka_unit_test(arguments_without_sense_are_refused),
        cmocka_unit_test(who_is_cancelled_is_told_nothing),
        cmocka_unit_test(a_simulation_has_no_name_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

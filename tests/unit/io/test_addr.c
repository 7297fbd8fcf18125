/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

#include "io/addr.h"
#include "sys/call.h"

static void assert_round_trip(const char *text, const char *expected)
{
    struct rv_addr addr, again;
    char written[RV_ADDR_TEXT];

    assert_int_equal(rv_addr_parse(&addr, text, NULL), 0);
    assert_int_equal(rv_addr_format(&addr, written, sizeof written), strlen(expected));
    assert_string_equal(written, expected);
    assert_int_equal(rv_addr_parse(&again, written, NULL), 0);
    assert_true(rv_addr_equal(&addr, &again));
}

static void what_is_read_is_written_again(void **state)
{
    (void)state;
    assert_round_trip("127.0.0.1:80", "127.0.0.1:80");
    assert_round_trip("0.0.0.0:0", "0.0.0.0:0");
    assert_round_trip("255.255.255.255:65535", "255.255.255.255:65535");
    assert_round_trip("[::1]:80", "[::1]:80");
    assert_round_trip("[2001:0DB8::00ff]:080", "[2001:db8::ff]:80");
    assert_round_trip("[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5");
    assert_round_trip("[fe80::1%7]:1", "[fe80::1%7]:1");
    assert_round_trip(":80", "[::]:80");
    assert_round_trip("unix:/run/a b.sock", "unix:/run/a b.sock");
    assert_round_trip("unix:relative", "unix:relative");
    assert_round_trip("unix:@abstract", "unix:@abstract");
}

static void an_interface_is_known_by_its_name(void **state)
{
    struct rv_addr addr;
    (void)state;
    if (if_nametoindex("lo") == 0)
        skip();
    assert_int_equal(rv_addr_parse(&addr, "[fe80::1%lo]:1", NULL), 0);
    assert_int_equal(addr.in6.sin6_scope_id, if_nametoindex("lo"));
}

static void assert_flaw(const char *text, int err, const char *what, size_t at)
{
    struct rv_addr addr, untouched;
    struct rv_addr_flaw flaw = {NULL, 0};

    memset(&addr, 0x55, sizeof addr);
    untouched = addr;
    assert_int_equal(rv_addr_parse(&addr, text, &flaw), err);
    assert_int_equal(rv_addr_parse(&addr, text, NULL), err);
    assert_string_equal(flaw.what, what);
    assert_int_equal(flaw.at, at);
    assert_memory_equal(&addr, &untouched, sizeof addr);
}

static void a_flaw_is_named_with_its_place(void **state)
{
    char long_path[sizeof "unix:" + 200] = "unix:", long_host[400], long_port[100] = "1.1.1.1:";
    (void)state;
    memset(long_path + 5, 'x', 200);
    memset(long_host, 'x', sizeof long_host);
    strcpy(long_host + 300, ":1");
    memset(long_port + 8, '1', 90);
    assert_flaw("127.0.0.1", -EINVAL, "no port: write host:port", 9);
    assert_flaw("127.0.0.1:", -EINVAL, "no port behind the colon", 10);
    assert_flaw("127.0.0.1:8x", -EINVAL, "the port is not a number", 11);
    assert_flaw("127.0.0.1:-1", -EINVAL, "the port is not a number", 10);
    assert_flaw("127.0.0.1:65536", -EINVAL, "the port is beyond 65535", 10);
    assert_flaw("127.0.0.1:0000080", -EINVAL, "the port is beyond 65535", 10);
    assert_flaw("127.1:80", -EINVAL, "not a numeric address", 0);
    assert_flaw("localhost:80", -EINVAL, "not a numeric address", 0);
    assert_flaw("::1:80", -EINVAL, "an IPv6 address wants brackets: [host]:port", 0);
    assert_flaw("[::1", -EINVAL, "the bracket is not closed", 4);
    assert_flaw("[::1]", -EINVAL, "no port: write [host]:port", 5);
    assert_flaw("[::1]80", -EINVAL, "no port: write [host]:port", 5);
    assert_flaw("[::g]:80", -EINVAL, "not an IPv6 address", 1);
    assert_flaw("[]:80", -EINVAL, "not an IPv6 address", 1);
    assert_flaw("[1.2.3.4]:80", -EINVAL, "not an IPv6 address", 1);
    assert_flaw("[fe80::1%no-such-one]:80", -ENODEV, "no such interface", 9);
    assert_flaw("[fe80::1%]:80", -ENODEV, "no such interface", 9);
    assert_flaw("", -EINVAL, "no port: write host:port", 0);
    assert_flaw("unix:", -EINVAL, "no path", 5);
    assert_flaw("unix:@", -EINVAL, "no path", 6);
    assert_flaw(long_path, -ENAMETOOLONG, "the path is longer than a socket's can be", 112);
    assert_flaw(long_host, -EINVAL, "the host is longer than a name can be", 0);
    assert_flaw(long_port, -EINVAL, "the port is longer than a service's name", 8);
}

static void names_are_taken_apart_for_the_resolver(void **state)
{
    struct rvi_host_port parts;
    (void)state;
    assert_int_equal(rvi_addr_split(&parts, "www.example.org:https", NULL), 0);
    assert_string_equal(parts.host, "www.example.org");
    assert_string_equal(parts.service, "https");
    assert_false(parts.is_bracketed);
}

static void the_longest_paths_fit(void **state)
{
    char text[5 + sizeof(struct sockaddr_un)] = "unix:", written[RV_ADDR_TEXT];
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    struct rv_addr addr;
    (void)state;
    memset(text + 5, 'x', room - 1);
    assert_int_equal(rv_addr_parse(&addr, text, NULL), 0);
    assert_int_equal(addr.len, sizeof(struct sockaddr_un));
    text[5] = '@';
    text[5 + room - 1] = 'y';
    assert_int_equal(rv_addr_parse(&addr, text, NULL), 0);
    assert_int_equal(rv_addr_format(&addr, written, sizeof written), 5 + room);
    assert_string_equal(written, text);
}

static void a_text_without_room_is_cut(void **state)
{
    struct rv_addr addr;
    char text[8];
    (void)state;
    assert_int_equal(rv_addr_parse(&addr, "127.0.0.1:8080", NULL), 0);
    assert_int_equal(rv_addr_format(&addr, text, sizeof text), 14);
    assert_string_equal(text, "127.0.0");
}

static void what_is_no_address_is_said_in_brackets(void **state)
{
    struct rv_addr none = {0}, other = {.len = 16, .sa = {.sa_family = AF_PACKET}};
    struct rv_addr unnamed = {.len = sizeof(sa_family_t), .sa = {.sa_family = AF_UNIX}};
    char text[RV_ADDR_TEXT];
    (void)state;
    rv_addr_format(&none, text, sizeof text);
    assert_string_equal(text, "(no address)");
    rv_addr_format(&other, text, sizeof text);
    assert_string_equal(text, "(family 17)");
    rv_addr_format(&unnamed, text, sizeof text);
    assert_string_equal(text, "unix:");
}

static void a_port_is_read_and_changed(void **state)
{
    struct rv_addr addr, path;
    (void)state;
    assert_int_equal(rv_addr_parse(&addr, "[::1]:80", NULL), 0);
    assert_int_equal(rv_addr_port(&addr), 80);
    assert_int_equal(rv_addr_set_port(&addr, 65535), 0);
    assert_int_equal(rv_addr_port(&addr), 65535);
    assert_int_equal(rv_addr_set_port(&addr, 65536), -EINVAL);
    assert_int_equal(rv_addr_set_port(&addr, -1), -EINVAL);
    assert_int_equal(rv_addr_parse(&path, "unix:/x", NULL), 0);
    assert_int_equal(rv_addr_port(&path), -EAFNOSUPPORT);
    assert_int_equal(rv_addr_set_port(&path, 1), -EAFNOSUPPORT);
}

static bool are_equal(const char *one, const char *other)
{
    struct rv_addr a, b;
    assert_int_equal(rv_addr_parse(&a, one, NULL), 0);
    assert_int_equal(rv_addr_parse(&b, other, NULL), 0);
    memset((char *)&a.storage + sizeof a.un, 1, 4); /* what lies behind does not count */
    return rv_addr_equal(&a, &b);
}

static void equal_addresses_are_of_one_place(void **state)
{
    struct rv_addr none = {0}, some;
    (void)state;
    assert_true(are_equal("1.2.3.4:5", "1.2.3.4:5"));
    assert_false(are_equal("1.2.3.4:5", "1.2.3.4:6"));
    assert_false(are_equal("1.2.3.4:5", "1.2.3.5:5"));
    assert_false(are_equal("1.2.3.4:5", "[::1]:5"));
    assert_false(are_equal("[fe80::1%1]:5", "[fe80::1%2]:5"));
    assert_false(are_equal("unix:a", "unix:@a"));
    assert_false(are_equal("unix:a", "unix:ab"));
    assert_true(are_equal("unix:@ab", "unix:@ab"));
    assert_int_equal(rv_addr_parse(&some, ":1", NULL), 0);
    assert_true(rv_addr_equal(&none, &none));
    assert_false(rv_addr_equal(&none, &some));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_again),
        cmocka_unit_test(an_interface_is_known_by_its_name),
        cmocka_unit_test(a_flaw_is_named_with_its_place),
        cmocka_unit_test(names_are_taken_apart_for_the_resolver),
        cmocka_unit_test(the_longest_paths_fit),
        cmocka_unit_test(a_text_without_room_is_cut),
        cmocka_unit_test(what_is_no_address_is_said_in_brackets),
        cmocka_unit_test(a_port_is_read_and_changed),
        cmocka_unit_test(equal_addresses_are_of_one_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

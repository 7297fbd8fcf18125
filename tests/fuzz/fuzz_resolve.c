/* SPDX-License-Identifier: MIT */
/* fuzz_resolve.c - whatever a name server says, a look-up ends, by addresses that are whole or by
 * one of the errors that it promises; and an address that was read from a text is the same when it
 * is written and read again.
 *
 * Input: a text up to a NUL; a byte: 1 asks for an address's name, else for a name's addresses; the
 * rest stands in the answer from its flags on, its question put in the place of the input's. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ravel/addr.h>
#include <ravel/resolve.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 12, FLAGS_AT = 2, COUNTS_AT = 6, MOST = 1024 };

static struct {
    int fd;
    char address[RV_ADDR_TEXT];
    pthread_mutex_t lock; /* guards the answer: late questions of the last look-up get the next's */
    uint8_t answer[MOST];
    size_t bytes;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t question_end(const uint8_t *packet)
{
    size_t at = HEADER;

    while (packet[at])
        at += packet[at] + 1u;
    return at + 5;
}

/* The number of the question and the question itself are right, or nobody would look further. */
static size_t fill_in(uint8_t *packet)
{
    size_t at = question_end(packet), head = HEADER - COUNTS_AT + 2;

    pthread_mutex_lock(&server.lock);
    if (server.bytes >= head) {
        memcpy(packet + FLAGS_AT, server.answer, 2);
        memcpy(packet + COUNTS_AT, server.answer + 2, HEADER - COUNTS_AT);
        memcpy(packet + at, server.answer + head, server.bytes - head);
        at += server.bytes - head;
    }
    pthread_mutex_unlock(&server.lock);
    packet[FLAGS_AT] &= 0xfd; /* not cut short: over TCP nobody is there */
    return at;
}

static void *serve(void *unused)
{
    uint8_t packet[512 + MOST];
    struct rv_addr peer = {.len = sizeof(peer.storage)};

    (void)unused;
    while (recvfrom(server.fd, packet, 512, 0, &peer.sa, &peer.len) > HEADER) {
        size_t bytes = fill_in(packet);
        RV_CHECK(sendto(server.fd, packet, bytes, 0, &peer.sa, peer.len) == (ssize_t)bytes);
    }
    return NULL;
}

static void start(void)
{
    struct rv_addr addr;
    pthread_t thread;

    RV_CHECK(rv_addr_parse(&addr, "127.0.0.1:0", NULL) == 0);
    server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    RV_CHECK(bind(server.fd, &addr.sa, addr.len) == 0);
    RV_CHECK(getsockname(server.fd, &addr.sa, &addr.len) == 0);
    rv_addr_format(&addr, server.address, sizeof(server.address));
    RV_CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void check_error(int r)
{
    const int promised[] = {-ENOENT,       -ENODATA, -EAGAIN, -ETIMEDOUT,
                            -ECONNREFUSED, -EBADMSG, -EINVAL};

    for (size_t i = 0; i < sizeof(promised) / sizeof(*promised); i++) {
        if (r == promised[i])
            return;
    }
    rvi_panic("a look-up ends with %d", r);
}

static struct rv_resolve_opts opts_now(void)
{
    return (struct rv_resolve_opts){.size = sizeof(struct rv_resolve_opts),
                                    .servers = server.address,
                                    .patience_ns = 2 * RV_MILLISECOND,
                                    .tries = 1};
}

static void ask_for_addresses(void)
{
    const struct rv_resolve_opts opts = opts_now();
    struct rv_addr addrs[4];
    int r = rv_resolve("name.test.", "80", addrs, 4, &opts, RV_NEVER);

    RV_CHECK(r != 0 && r <= 4);
    for (int i = 0; i < r; i++)
        RV_CHECK(rv_addr_port(&addrs[i]) == 80);
    if (r < 0)
        check_error(r);
}

static void ask_for_a_name(void)
{
    const struct rv_resolve_opts opts = opts_now();
    struct rv_addr addr;
    char name[300];

    RV_CHECK(rv_addr_parse(&addr, "192.0.2.1:0", NULL) == 0);
    int r = rv_resolve_name(&addr, name, sizeof(name), &opts, RV_NEVER);
    if (r < 0 && r != -ERANGE)
        check_error(r);
    RV_CHECK(r < 0 || strlen(name) == (size_t)r);
}

static void read_and_write(const char *text)
{
    struct rv_addr addr, again;
    struct rv_addr_flaw flaw = {.at = SIZE_MAX};
    char written[RV_ADDR_TEXT];

    if (rv_addr_parse(&addr, text, &flaw) < 0) {
        RV_CHECK(flaw.what && flaw.at <= strlen(text));
        return;
    }
    RV_CHECK(rv_addr_format(&addr, written, sizeof(written)) < (int)sizeof(written));
    RV_CHECK(rv_addr_parse(&again, written, NULL) == 0);
    RV_CHECK(rv_addr_equal(&addr, &again));
}

static void set_answer(const uint8_t *bytes, size_t count)
{
    pthread_mutex_lock(&server.lock);
    server.bytes = count < MOST ? count : MOST;
    memcpy(server.answer, bytes, server.bytes);
    pthread_mutex_unlock(&server.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *end = memchr(data, 0, size);

    if (!end || end + 1 == data + size)
        return -1;
    pthread_once(&once, start);
    read_and_write((const char *)data);
    set_answer(end + 2, (size_t)(data + size - end) - 2);
    if (end[1] == 1)
        ask_for_a_name();
    else
        ask_for_addresses();
    return 0;
}

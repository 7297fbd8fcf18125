/* SPDX-License-Identifier: MIT */
/* dns_server.h - a name server of the test's own, on a thread, on one port of 127.0.0.1 for UDP and
 * TCP. What it does is in the first label of the name that it is asked for:
 *
 *   both      192.0.2.1 and 2001:db8::1
 *   four      192.0.2.1, no AAAA
 *   nx        there is no such name
 *   empty     there is, without any record
 *   fail      "server failure"
 *   refused   "refused"
 *   silent    says nothing
 *   forged    answers to another question, with the right number; then nothing
 *   garbage   the right question, followed by nonsense where the answers should be
 *   cut       over UDP it is too long; over TCP there are MANY addresses
 *   stuck     over UDP it is too long; over TCP it says nothing
 *   hangup    over UDP it is too long; over TCP it closes
 *
 * and a PTR question is answered by "host.test", but for 192.0.2.99, which has no name. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"

enum {
    DNS_MANY = 100,
    DNS_A = 1,
    DNS_PTR = 12,
    DNS_AAAA = 28,
    DNS_STREAMS = 64,
    DNS_HEADER = 12,
    DNS_FIRST_STREAM = 3
};

struct dns_server {
    int udp, tcp, stop[2];
    char address[32]; /* for rv_resolve_opts.servers */
    pthread_t thread;
    _Atomic(unsigned) asked;   /* questions so far */
    _Atomic(unsigned) streams; /* TCP connections so far */
    struct pollfd fds[DNS_FIRST_STREAM + DNS_STREAMS];
    struct dns_stream {
        size_t len;
        unsigned char bytes[1024]; /* what has been read of questions, with their lengths */
    } stream[DNS_STREAMS];
    nfds_t fd_count;
};

static inline unsigned char *dns_put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

/* name: a pointer to the question's; class IN; a minute to live. */
static inline unsigned char *dns_record(unsigned char *at, unsigned type, const void *data,
                                        size_t len)
{
    at = dns_put16(at, 0xc000 | DNS_HEADER);
    at = dns_put16(at, type);
    at = dns_put16(at, 1);
    at = dns_put16(dns_put16(at, 0), 60);
    at = dns_put16(at, (unsigned)len);
    memcpy(at, data, len);
    return at + len;
}

struct dns_question {
    char label[64];
    unsigned type;
    size_t bytes; /* of header and question */
};

static inline struct dns_question dns_read(const unsigned char *packet)
{
    struct dns_question q = {.bytes = DNS_HEADER};
    memcpy(q.label, packet + DNS_HEADER + 1, packet[DNS_HEADER]);
    while (packet[q.bytes])
        q.bytes += packet[q.bytes] + 1u;
    q.type = (unsigned)(packet[q.bytes + 1] << 8 | packet[q.bytes + 2]);
    q.bytes += 5;
    return q;
}

static inline unsigned char *dns_addresses(unsigned char *at, unsigned type, unsigned count,
                                           unsigned *ret_count)
{
    unsigned char four[4] = {192, 0, 2, 0}, six[16] = {0x20, 0x01, 0x0d, 0xb8};
    for (unsigned i = 1; i <= count; i++) {
        four[3] = six[15] = (unsigned char)i;
        at = type == DNS_A ? dns_record(at, type, four, 4) : dns_record(at, type, six, 16);
    }
    *ret_count = count;
    return at;
}

static inline bool dns_is(const struct dns_question *q, const char *label)
{
    return strcasecmp(q->label, label) == 0;
}

static inline unsigned dns_code(const struct dns_question *q)
{
    return dns_is(q, "fail") ? 2 : dns_is(q, "nx") ? 3 : dns_is(q, "refused") ? 5 : 0;
}

static inline bool dns_is_cut(const struct dns_question *q)
{
    return dns_is(q, "cut") || dns_is(q, "stuck") || dns_is(q, "hangup");
}

/* Fill the answers in after the question; how many bytes the packet has then, 0: say nothing. */
static inline size_t dns_answer(unsigned char *packet, bool is_stream)
{
    static const unsigned char host[] = "\4host\4test";
    struct dns_question q = dns_read(packet);
    unsigned char *at = packet + q.bytes;
    unsigned count = 0;
    bool cut = dns_is_cut(&q) && !is_stream;

    if (dns_is(&q, "silent"))
        return 0;
    if (dns_is(&q, "forged"))
        packet[DNS_HEADER + 1] = 'g';
    if (q.type == DNS_PTR && !dns_is(&q, "99"))
        at = dns_record(at, DNS_PTR, host, sizeof(host)), count = 1;
    else if (dns_is(&q, "both") || (dns_is(&q, "four") && q.type == DNS_A))
        at = dns_addresses(at, q.type, 1, &count);
    else if (dns_is(&q, "cut") && is_stream)
        at = dns_addresses(at, q.type, q.type == DNS_A ? DNS_MANY : 0, &count);
    else if (dns_is(&q, "garbage"))
        memset(at, 0xff, 7), at += 7, count = 3;
    dns_put16(packet + 2, 0x8180 | (cut ? 0x0200 : 0) |
                              (q.type == DNS_PTR && dns_is(&q, "99") ? 3 : dns_code(&q)));
    dns_put16(packet + 4, 1);
    dns_put16(packet + 6, count);
    dns_put16(packet + 8, 0);
    dns_put16(packet + 10, 0);
    return (size_t)(at - packet);
}

static inline void dns_serve_datagram(struct dns_server *s)
{
    unsigned char packet[8192] = {0};
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    ssize_t n = recvfrom(s->udp, packet, 512, 0, (struct sockaddr *)&peer, &len);
    if (n <= DNS_HEADER)
        return;
    rvi_fetch_add_relaxed(&s->asked, 1);
    size_t bytes = dns_answer(packet, false);
    if (bytes > 0) /* whoever asked may be gone */
        (void)!sendto(s->udp, packet, bytes, 0, (struct sockaddr *)&peer, len);
}

/* False: hang up. In two pieces, one of them inside the length. */
static inline bool dns_serve_question(int fd, const unsigned char *question, size_t len)
{
    unsigned char packet[8192] = {0};
    memcpy(packet + 2, question, len);
    struct dns_question q = dns_read(packet + 2);
    if (dns_is(&q, "hangup") || dns_is(&q, "stuck"))
        return dns_is(&q, "stuck");
    len = dns_answer(packet + 2, true);
    dns_put16(packet, (unsigned)len);
    (void)!send(fd, packet, 1, MSG_NOSIGNAL);
    (void)!send(fd, packet + 1, len + 1, MSG_NOSIGNAL);
    return true;
}

/* False: it has ended. */
static inline bool dns_serve_stream(int fd, struct dns_stream *stream)
{
    ssize_t n = recv(fd, stream->bytes + stream->len, sizeof(stream->bytes) - stream->len, 0);
    if (n <= 0)
        return false;
    stream->len += (size_t)n;
    while (stream->len > 2) {
        size_t len = (size_t)stream->bytes[0] << 8 | stream->bytes[1];
        if (stream->len < len + 2)
            break;
        if (!dns_serve_question(fd, stream->bytes + 2, len))
            return false;
        stream->len -= len + 2;
        memmove(stream->bytes, stream->bytes + len + 2, stream->len);
    }
    return true;
}

static inline void dns_accept(struct dns_server *s)
{
    RV_CHECK(s->fd_count < DNS_FIRST_STREAM + DNS_STREAMS);
    int fd = accept(s->tcp, NULL, NULL);
    if (fd < 0) /* a test has taken all descriptors */
        return;
    rvi_fetch_add_relaxed(&s->streams, 1);
    s->stream[s->fd_count - DNS_FIRST_STREAM].len = 0;
    s->fds[s->fd_count++] = (struct pollfd){fd, POLLIN, 0};
}

static inline void dns_drop(struct dns_server *s, nfds_t i)
{
    close(s->fds[i].fd);
    s->fds[i] = s->fds[--s->fd_count];
    s->stream[i - DNS_FIRST_STREAM] = s->stream[s->fd_count - DNS_FIRST_STREAM];
}

static inline void *dns_serve(void *arg)
{
    struct dns_server *s = arg;

    while (poll(s->fds, s->fd_count, -1) >= 0 && !s->fds[0].revents) {
        for (nfds_t i = s->fd_count; i-- > DNS_FIRST_STREAM;) {
            if (s->fds[i].revents &&
                !dns_serve_stream(s->fds[i].fd, &s->stream[i - DNS_FIRST_STREAM]))
                dns_drop(s, i);
        }
        if (s->fds[1].revents)
            dns_serve_datagram(s);
        if (s->fds[2].revents)
            dns_accept(s);
    }
    return NULL;
}

static inline bool dns_bind(struct dns_server *s)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);

    s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    RV_CHECK(s->udp >= 0 && s->tcp >= 0);
    int room = 4 << 20; /* a thousand may ask at once */
    setsockopt(s->udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    RV_CHECK(bind(s->udp, (struct sockaddr *)&addr, len) == 0);
    RV_CHECK(getsockname(s->udp, (struct sockaddr *)&addr, &len) == 0);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", ntohs(addr.sin_port));
    return bind(s->tcp, (struct sockaddr *)&addr, len) == 0 && listen(s->tcp, 100) == 0;
}

/* Somebody else may have the port for TCP: another one then. */
static inline void dns_start(struct dns_server *s)
{
    memset(s, 0, sizeof(*s));
    while (!dns_bind(s)) {
        close(s->udp);
        close(s->tcp);
    }
    RV_CHECK(pipe(s->stop) == 0);
    s->fds[0] = (struct pollfd){s->stop[0], POLLIN, 0};
    s->fds[1] = (struct pollfd){s->udp, POLLIN, 0};
    s->fds[2] = (struct pollfd){s->tcp, POLLIN, 0};
    s->fd_count = DNS_FIRST_STREAM;
    RV_CHECK(pthread_create(&s->thread, NULL, dns_serve, s) == 0);
}

static inline void dns_stop(struct dns_server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    while (s->fd_count > DNS_FIRST_STREAM)
        dns_drop(s, s->fd_count - 1);
    close(s->stop[0]);
    close(s->udp);
    close(s->tcp);
}

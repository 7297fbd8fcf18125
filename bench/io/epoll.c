/* SPDX-License-Identifier: MIT */
/* epoll.c - what the kernel allows a server on one thread: an epoll loop by hand, which looks for
 * the end of a request and nothing else, and always gives the same answer.
 *
 *     io-epoll PORT
 *
 * One receive and one send for each request, as long as the client has not sent several at once,
 * and one epoll_wait for all that are ready. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 4096, MOST_FDS = 1 << 20 };

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Server: epoll\r\n"
                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 14\r\n"
                             "\r\n"
                             "Hello, World!\n";

static unsigned char
    matched[MOST_FDS]; /* bytes of an empty line that were seen, of each descriptor */

static int must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static int listen_on(const char *port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)atoi(port)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1, fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "SO_REUSEADDR");
    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
    must(bind(fd, (struct sockaddr *)&in, sizeof in), "bind");
    must(listen(fd, 65535), "listen");
    return fd;
}

static void accept_all(int epoll, int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MOST_FDS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            close(fd);
        else
            matched[fd] = 0;
    }
}

/* Requests that end in these bytes. */
static int count_ends(int fd, const char *bytes, ssize_t n)
{
    unsigned char seen = matched[fd];
    int ends = 0;
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == "\r\n\r\n"[seen])
            seen++;
        else
            seen = bytes[i] == '\r';
        if (seen == 4) {
            seen = 0;
            ends++;
        }
    }
    matched[fd] = seen;
    return ends;
}

/* Whoever does not take an answer at once is dropped: a loop that measures has no such clients. */
static void serve(int fd)
{
    char bytes[BUFFER];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    int ends = n > 0 ? count_ends(fd, bytes, n) : 0;

    if (n < 0 && errno == EAGAIN)
        return;
    while (n > 0 && ends-- > 0)
        n = send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    if (n <= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN};
    struct rlimit limit;

    if (argc != 2)
        return fprintf(stderr, "usage: io-epoll PORT\n"), 2;
    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    int listener = event.data.fd = listen_on(argv[1]);
    int epoll = must(epoll_create1(0), "epoll_create1");
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                serve(events[i].data.fd);
        }
    }
}

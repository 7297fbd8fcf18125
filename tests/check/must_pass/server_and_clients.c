/* SPDX-License-Identifier: MIT */
/* server_and_clients.c - threads of one process talk to each other by sockets, one of them by
 * epoll.
 *
 * looks like: a hang */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 2 };

static struct sockaddr_in address = {.sin_family = AF_INET};

static void *ask(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char answer[8] = "";

    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return arg;
    send(fd, "ping", 4, 0);
    recv(fd, answer, 4, MSG_WAITALL);
    close(fd);
    return strcmp(answer, "pong") == 0 ? NULL : arg;
}

static void serve(int fd)
{
    char question[4];

    if (recv(fd, question, sizeof question, MSG_WAITALL) == 4)
        send(fd, "pong", 4, 0);
    close(fd);
}

static void serve_all(int listener)
{
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (int served = 0; served < CLIENTS;) {
        struct epoll_event ready;

        if (epoll_wait(loop, &ready, 1, -1) != 1)
            continue;
        serve(accept(listener, NULL, NULL));
        served++;
    }
    close(loop);
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), one;
    socklen_t bytes = sizeof address;
    pthread_t threads[CLIENTS];
    void *failed[CLIENTS];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, CLIENTS) != 0)
        return 0;
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, ask, &one);
    serve_all(listener);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], &failed[i]);
    close(listener);
    return failed[0] || failed[1];
}

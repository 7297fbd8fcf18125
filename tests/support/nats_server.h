/* SPDX-License-Identifier: MIT */
/* nats_server.h - a NATS server of the test's own: on a port of 127.0.0.1 that was free, with its
 * streams in a folder that is removed at the end. It can be killed and started again, on the same
 * port, with what it had stored. It dies with the test.
 *
 *     struct nats_server server;
 *     if (!nats_server_start(&server, NULL))
 *         skip();                                it is not installed
 *     ... server.url ...
 *     nats_server_stop(&server); */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

struct nats_server {
    pid_t pid; /* 0: not running */
    int port;
    char folder[64], url[64];
    char config[4096]; /* of the server, besides its port and folder */
};

/* Where it lies, which PATH need not lead to; NULL: it is not installed. */
static inline const char *nats_server_program(void)
{
    static const char *const places[] = {"/usr/sbin/nats-server", "/usr/bin/nats-server",
                                         "/usr/local/bin/nats-server"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], X_OK) == 0)
            return places[i];
    }
    return NULL;
}

static inline bool nats_server_is_installed(void)
{
    return nats_server_program() != NULL;
}

static inline bool nats_server_may_bind(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    RV_CHECK(fd >= 0);
    bool it_may = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return it_may;
}

/* A port that is free now, of those that the kernel gives to nobody unasked: one of its own choice
 * may be another program's before the server has it, or while the server is dead. */
static inline int nats_server_free_port(void)
{
    enum { LOWEST = 10000, COUNT = 20000 };
    uint32_t word;
    int port;

    do {
        RV_CHECK(getrandom(&word, sizeof(word), 0) == sizeof(word));
        port = LOWEST + (int)(word % COUNT);
    } while (!nats_server_may_bind(port));
    return port;
}

static inline bool nats_server_answers(const struct nats_server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)s->port)};
    char greeting[5] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {2, 0};

    RV_CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool it_does = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                   recv(fd, greeting, sizeof(greeting), MSG_WAITALL) == sizeof(greeting) &&
                   memcmp(greeting, "INFO ", sizeof(greeting)) == 0;
    close(fd);
    return it_does;
}

static inline void nats_server_write_config(const struct nats_server *s)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/config", s->folder);
    FILE *file = fopen(path, "we");
    RV_CHECK(file);
    fprintf(file, "listen: \"127.0.0.1:%d\"\n%s\n", s->port, s->config);
    if (!strstr(s->config, "jetstream"))
        fprintf(file, "jetstream { store_dir: \"%s/store\" }\n", s->folder);
    fclose(file);
}

static inline void nats_server_run(const struct nats_server *s)
{
    char config[128], log[128];
    sigset_t none;

    snprintf(config, sizeof(config), "%s/config", s->folder);
    snprintf(log, sizeof(log), "%s/log", s->folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    unsetenv("LD_PRELOAD");
    execl(nats_server_program(), "nats-server", "-c", config, (char *)NULL);
    _exit(127);
}

/* Where it was; false: it has ended instead. */
static inline bool nats_server_restart(struct nats_server *s)
{
    const struct timespec moment = {0, 5000000};

    s->pid = fork();
    RV_CHECK(s->pid >= 0);
    if (s->pid == 0)
        nats_server_run(s);
    while (!nats_server_answers(s)) {
        int status;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            return false;
        }
        nanosleep(&moment, NULL);
    }
    return true;
}

/* Without a word, as a crash would. */
static inline void nats_server_kill(struct nats_server *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    RV_CHECK(waitpid(s->pid, NULL, 0) == s->pid);
    s->pid = 0;
}

/* It answers nothing any more: a signal alone may come after its next answer. */
static inline void nats_server_freeze(struct nats_server *s)
{
    kill(s->pid, SIGSTOP);
    RV_CHECK(waitpid(s->pid, NULL, WUNTRACED) == s->pid);
}

static inline void nats_server_thaw(struct nats_server *s)
{
    kill(s->pid, SIGCONT);
}

/* Make the folder and choose a port; nothing runs yet. `config`: more lines of its
 * configuration. */
static inline void nats_server_prepare(struct nats_server *s, const char *config)
{
    *s = (struct nats_server){0};
    snprintf(s->folder, sizeof(s->folder), "/tmp/ravel-nats-XXXXXX");
    RV_CHECK(mkdtemp(s->folder));
    snprintf(s->config, sizeof(s->config), "%s", config ? config : "");
    s->port = nats_server_free_port();
    snprintf(s->url, sizeof(s->url), "nats://127.0.0.1:%d", s->port);
    nats_server_write_config(s);
}

static inline int nats_server_remove_one(const char *path, const struct stat *status, int what,
                                         struct FTW *where)
{
    (void)status, (void)what, (void)where;
    return remove(path);
}

static inline void nats_server_stop(struct nats_server *s)
{
    nats_server_kill(s);
    nftw(s->folder, nats_server_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* False: it is not installed. */
static inline bool nats_server_start(struct nats_server *s, const char *config)
{
    if (!nats_server_is_installed())
        return false;
    for (int i = 0; i < 5; i++) {
        nats_server_prepare(s, config);
        if (nats_server_restart(s))
            return true;
        nats_server_stop(s);
    }
    RV_CHECK(!"no nats-server can be started");
    return false;
}

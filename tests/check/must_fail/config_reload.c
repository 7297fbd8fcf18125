/* SPDX-License-Identifier: MIT */
/* config_reload.c - a server reloads two settings that belong together, one lock after the other.
 *
 * bug: host and port are each set and read under the lock, but in two sections: a request goes to
 *      the old host on the new port
 * kind: assertion
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS = 10 };

static char host[16] = "alpha";
static int port = 80;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void set_host(const char *to)
{
    pthread_rwlock_wrlock(&lock);
    snprintf(host, sizeof host, "%s", to);
    pthread_rwlock_unlock(&lock);
}

static void set_port(int to)
{
    pthread_rwlock_wrlock(&lock);
    port = to;
    pthread_rwlock_unlock(&lock);
}

static void *reload(void *arg)
{
    set_host("beta");
    set_port(8080);
    return arg;
}

static void *serve(void *arg)
{
    for (int i = 0; i < REQUESTS; i++) {
        char to[16];
        pthread_rwlock_rdlock(&lock);
        strcpy(to, host);
        int at = port;
        pthread_rwlock_unlock(&lock);
        assert((strcmp(to, "alpha") == 0) == (at == 80));
    }
    return arg;
}

int main(void)
{
    pthread_t server, admin;
    pthread_create(&server, NULL, serve, NULL);
    pthread_create(&admin, NULL, reload, NULL);
    pthread_join(server, NULL);
    pthread_join(admin, NULL);
    return 0;
}

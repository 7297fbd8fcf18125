/* SPDX-License-Identifier: MIT */
/* self_pipe.c - a loop in poll() that is woken through a pipe.
 *
 * looks like: a race on the list of jobs, and a hang in poll */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum { JOBS = 5 };

static int ends[2];
static int posted, done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *loop(void *arg)
{
    while (done < JOBS) {
        struct pollfd at = {.fd = ends[0], .events = POLLIN};
        char bytes[16];
        assert(poll(&at, 1, -1) == 1);
        assert(read(ends[0], bytes, sizeof bytes) > 0);
        pthread_mutex_lock(&lock);
        done += posted;
        posted = 0;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t thread;
    assert(pipe(ends) == 0);
    pthread_create(&thread, NULL, loop, NULL);
    for (int i = 0; i < JOBS; i++) {
        pthread_mutex_lock(&lock);
        posted++;
        pthread_mutex_unlock(&lock);
        assert(write(ends[1], "x", 1) == 1);
    }
    pthread_join(thread, NULL);
    assert(done == JOBS);
    return 0;
}

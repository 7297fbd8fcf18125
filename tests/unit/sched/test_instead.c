/* SPDX-License-Identifier: MIT */
/* test_instead.c - a task that really blocks its worker in a call of the C library is told what to
 * call instead; one that computes is told to yield. */
#include "sched/instead.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched_test.h"
#include "sys/backtrace.h"
#include "sys/cpu.h"

/* A machine with much else to do may look too late. */
enum { HOLD_MS = 60, PATIENCE = 20 };

#define STALL_NS (15 * RV_MILLISECOND)

/* --- the table --- */

static void names_are_known_with_and_without_prefixes(void **state)
{
    (void)state;
    assert_string_equal(rvi_instead_of("read"), "rv_read()");
    assert_string_equal(rvi_instead_of("__read"), "rv_read()");
    assert_string_equal(rvi_instead_of("__libc_read"), "rv_read()");
    assert_string_equal(rvi_instead_of("__GI___libc_read"), "rv_read()");
    assert_string_equal(rvi_instead_of("read@@GLIBC_2.17"), "rv_read()");
    assert_string_equal(rvi_instead_of("__new_sem_wait"), "rv_sem_wait()");
    assert_string_equal(rvi_instead_of("___pthread_mutex_lock"), "rv_mutex_lock()");
    assert_string_equal(rvi_instead_of("getaddrinfo"), "rv_resolve()");
    assert_string_equal(rvi_instead_of("__interceptor_usleep"), "rv_sleep()");
    assert_string_equal(rvi_instead_of("do_system.part.0") ? "known" : "unknown", "unknown");
    assert_null(rvi_instead_of("rea"));
    assert_null(rvi_instead_of("reads"));
    assert_null(rvi_instead_of(""));
    assert_null(rvi_instead_of("__"));
    assert_null(
        rvi_instead_of("a_function_with_a_name_that_is_longer_than_any_of_the_c_library_is"));
}

/* --- calls that block a thread --- */

static int ends[2]; /* a pipe that nobody writes to until it is time */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static int locked_fd = -1;

static void hold_on(void)
{
    const struct timespec length = {0, HOLD_MS * 1000000};
    struct timespec left = length;
    while (nanosleep(&left, &left) != 0) {}
}

/* Another thread, which has what they wait for, lets go of it after a while. */
static void *hold_everything(void *arg)
{
    pthread_barrier_t *begun = arg;
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    RV_CHECK(flock(locked_fd, LOCK_EX) == 0);
    pthread_barrier_wait(begun);
    hold_on();
    flock(locked_fd, LOCK_UN);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&mutex);
    sem_post(&sem);
    RV_CHECK(write(ends[1], "x", 1) == 1);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void sleep_in_sleep(void)
{
    sleep(1);
}

static void sleep_in_usleep(void)
{
    usleep(HOLD_MS * 1000);
}

static void sleep_in_nanosleep(void)
{
    hold_on();
}

static void read_a_pipe(void)
{
    char byte;
    RV_CHECK(read(ends[0], &byte, 1) == 1);
}

static void read_by_stdio(void)
{
    FILE *file = fdopen(dup(ends[0]), "r");
    setvbuf(file, NULL, _IONBF, 0);
    RV_CHECK(fgetc(file) == 'x');
    fclose(file);
}

static void poll_nothing(void)
{
    poll(NULL, 0, HOLD_MS);
}

static void select_nothing(void)
{
    struct timeval length = {0, HOLD_MS * 1000};
    select(0, NULL, NULL, NULL, &length);
}

static void wait_for_epoll(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_wait(epoll, &event, 1, HOLD_MS);
    close(epoll);
}

/* Sockets with time limits, on which nothing comes. */
static int socket_that_waits(void)
{
    const struct timeval limit = {0, HOLD_MS * 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    RV_CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    RV_CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    return fd;
}

static int listener(struct sockaddr *addr, socklen_t *size)
{
    int fd = socket_that_waits();
    *addr = (struct sockaddr){.sa_family = AF_UNIX};
    *size = sizeof *addr;
    RV_CHECK(bind(fd, addr, sizeof addr->sa_family) == 0 && listen(fd, 0) == 0);
    RV_CHECK(getsockname(fd, addr, size) == 0);
    return fd;
}

static void accept_nobody(void)
{
    struct sockaddr addr;
    socklen_t size;
    int fd = listener(&addr, &size);
    RV_CHECK(accept(fd, NULL, NULL) == -1);
    close(fd);
}

/* With more in the queue than it takes. */
static void connect_to_the_busy(void)
{
    struct sockaddr addr;
    socklen_t size;
    int fds[3], fd = listener(&addr, &size);
    for (int i = 0; i < 3; i++) {
        fds[i] = socket_that_waits();
        if (connect(fds[i], &addr, size) != 0)
            RV_CHECK(errno == EAGAIN || errno == EINTR);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(fd);
}

static void receive_nothing(void)
{
    int fds[2];
    char byte;
    const struct timeval limit = {0, HOLD_MS * 1000};
    RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    RV_CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    RV_CHECK(recv(fds[0], &byte, 1, 0) == -1);
    close(fds[0]);
    close(fds[1]);
}

static void wait_for_a_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        hold_on();
        _exit(0);
    }
    RV_CHECK(waitpid(child, NULL, 0) == child);
}

static void run_a_command(void)
{
    RV_CHECK(system("sleep 0.06") == 0);
}

static void lock_a_mutex(void)
{
    RV_CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

static void lock_a_rwlock(void)
{
    RV_CHECK(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
}

static void wait_for_a_semaphore(void)
{
    while (sem_wait(&sem) != 0)
        RV_CHECK(errno == EINTR);
}

static void *hold_on_alone(void *arg)
{
    hold_on();
    return arg;
}

static void join_a_thread(void)
{
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, hold_on_alone, NULL) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
}

static void lock_a_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", locked_fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    RV_CHECK(flock(fd, LOCK_EX) == 0);
    close(fd);
}

static __attribute__((noinline)) void compute(void)
{
    for (rv_time until = rv_after(HOLD_MS * RV_MILLISECOND); rv_now() < until;)
        rvi_cpu_relax();
}

static const struct blocker {
    void (*block)(void);
    const char *instead;
} blockers[] = {
    {.block = sleep_in_sleep, .instead = "sleep(): call rv_sleep() instead"},
    {.block = sleep_in_usleep, .instead = "usleep(): call rv_sleep() instead"},
    {.block = sleep_in_nanosleep, .instead = "nanosleep(): call rv_sleep() instead"},
    {.block = read_a_pipe, .instead = "read(): call rv_read() instead"},
    {.block = read_by_stdio, .instead = "call rv_read() instead"},
    {.block = poll_nothing, .instead = "poll(): call rv_poll() instead"},
    {.block = select_nothing, .instead = "select(): call rv_poll() instead"},
    {.block = wait_for_epoll, .instead = "epoll_wait(): call rv_poll() instead"},
    {.block = accept_nobody, .instead = "accept(): call rv_accept() instead"},
    {.block = connect_to_the_busy, .instead = "connect(): call rv_dial() instead"},
    {.block = receive_nothing, .instead = "recv(): call rv_recv() instead"},
    {.block = wait_for_a_child, .instead = "call rv_child_wait() instead"},
    {.block = run_a_command, .instead = "system(): call rv_child_run() instead"},
    {.block = lock_a_mutex, .instead = "pthread_mutex_lock(): call rv_mutex_lock() instead"},
    {.block = lock_a_rwlock,
     .instead = "call rv_rwlock_read_lock() or rv_rwlock_write_lock() instead"},
    {.block = wait_for_a_semaphore, .instead = "sem_wait(): call rv_sem_wait() instead"},
    {.block = join_a_thread,
     .instead =
         "pthread_join(): call a scope of tasks, or rv_blocking(), with the call inside, instead"},
    {.block = lock_a_file, .instead = "flock(): call rv_blocking(), with the call inside, instead"},
    {.block = compute, .instead = "let it call rv_yield() now and then"},
};

/* --- one after the other --- */

static int block_in_a_scope(void *arg)
{
    const struct blocker *blocker = arg;
    blocker->block();
    return 0;
}

static int enter(void *arg)
{
    int err;
    RV_SCOPE(s, err, .name = "kitchen")
        RV_CHECK(rv_go(s, block_in_a_scope, arg) == 0);
    return err;
}

/* What it has said on standard error. */
static int run_and_listen(const struct blocker *blocker, char *text, size_t room)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1, .stall_ns = STALL_NS};
    int said = memfd_create("said", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
    dup2(said, STDERR_FILENO);
    int r = rv_run(enter, (void *)(uintptr_t)blocker, &opts);
    dup2(kept, STDERR_FILENO);
    ssize_t n = pread(said, text, room - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(said);
    close(kept);
    return r;
}

static void play(const struct blocker *blocker, char *text, size_t room)
{
    pthread_barrier_t begun;
    pthread_t holder;
    pthread_barrier_init(&begun, NULL, 2);
    pthread_barrier_init(&barrier, NULL, 2);
    sem_init(&sem, 0, 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    locked_fd = memfd_create("locked", MFD_CLOEXEC);
    assert_int_equal(pthread_create(&holder, NULL, hold_everything, &begun), 0);
    pthread_barrier_wait(&begun);
    assert_int_equal(run_and_listen(blocker, text, room), 0);
    pthread_barrier_wait(&barrier);
    pthread_join(holder, NULL);
    close(ends[0]);
    close(ends[1]);
    close(locked_fd);
    pthread_barrier_destroy(&begun);
    pthread_barrier_destroy(&barrier);
    sem_destroy(&sem);
}

static bool is_exact(void)
{
    struct rvi_backtracer *backtracer = rvi_backtracer_new(true);
    bool is = backtracer && rvi_backtracer_is_exact(backtracer);
    rvi_backtracer_free(backtracer);
    return is;
}

static void each_blocking_call_is_told_what_to_call_instead(void **state)
{
    char text[8192] = "";
    (void)state;
    if (is_under_a_tool() || !is_exact())
        skip();
    for (size_t i = 0; i < sizeof blockers / sizeof blockers[0]; i++) {
        for (int n = 0; n < PATIENCE && !strstr(text, blockers[i].instead); n++)
            play(&blockers[i], text, sizeof text);
        if (!strstr(text, blockers[i].instead))
            fail_msg("'%s' is not in: %s", blockers[i].instead, text);
        assert_non_null(strstr(text, "by task 'block_in_a_scope' ("));
        assert_non_null(strstr(text, "in scope 'kitchen'"));
        text[0] = '\0';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_with_and_without_prefixes),
        cmocka_unit_test(each_blocking_call_is_told_what_to_call_instead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

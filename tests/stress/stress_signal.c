/* SPDX-License-Identifier: MIT */
/* stress_signal.c - a storm of signals from several threads while sets of them are opened, waited
 * for and closed on several workers: each one that is told was sent, the last one is told, and
 * afterwards the handler is gone. */
#include <ravel/signal.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stress.h"
#include "sys/thread.h"

enum { WORKERS = 3, PARTIES = 6, SENDERS = 2, MOST_PENDING = 500 };

static _Atomic(bool) is_over;

/* They have the signals open as well, so handlers run on several threads at once. */
static void *send_signals(void *arg)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2};
    (void)arg;
    for (unsigned i = 0; !rvi_load_relaxed(&is_over); i++) {
        RV_CHECK(kill(getpid(), numbers[i % 2]) == 0);
        RV_CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7}) == 0 ||
                 errno == EAGAIN);
    }
    return NULL;
}

static void check(const struct rv_signal_info *info, bool has_queued)
{
    RV_CHECK(info->pid == getpid());
    if (info->signal == SIGRTMIN)
        RV_CHECK(has_queued && info->code == SI_QUEUE && (int)info->value == 7);
    else
        RV_CHECK(info->signal == SIGUSR1 || info->signal == SIGUSR2);
}

static int open_wait_close(void *arg)
{
    bool has_queued = (uintptr_t)arg % 2;
    for (size_t i = 0; i < scaled(20, 2); i++) {
        struct rv_signal_info info;
        rv_signals *signals;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, i % 2 ? SIGUSR1 : SIGUSR2);
        if (has_queued)
            sigaddset(&set, SIGRTMIN);
        RV_CHECK(rv_signals_open(&signals, &set) == 0);
        for (int n = 0; n < 5; n++) {
            RV_CHECK(rv_signal_wait(signals, &info, RV_NEVER) == 0);
            check(&info, has_queued);
        }
        rv_signals_close(signals);
    }
    return 0;
}

/* What is pending counts for all programs of a user: others need some, too. */
static void leave_room_for_others(void)
{
    struct rlimit limit;
    RV_CHECK(getrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    if (limit.rlim_cur > MOST_PENDING)
        limit.rlim_cur = MOST_PENDING;
    RV_CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
}

static unsigned long long pending(void)
{
    unsigned long long mask = ~0ULL;
    char line[200];
    FILE *file = fopen("/proc/self/status", "re");
    RV_CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        (void)!sscanf(line, "ShdPnd: %llx", &mask);
    fclose(file);
    return mask;
}

/* The kernel may have picked a thread for it that has had no turn since. */
static void until_none_is_pending(const int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (pending() & 1ULL << (numbers[i] - 1))
            rvi_thread_yield();
    }
}

/* They keep the default, which would end the program, away. */
static int storm(void *arg)
{
    pthread_t senders[SENDERS];
    rv_signals *all;
    struct rv_signal_info info;
    sigset_t set;
    int err;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    RV_CHECK(rv_signals_open(&all, &set) == 0);
    rvi_store_relaxed(&is_over, false);
    sigset_t before;
    RV_CHECK(pthread_sigmask(SIG_UNBLOCK, &set, &before) == 0);
    for (int i = 0; i < SENDERS; i++)
        RV_CHECK(pthread_create(&senders[i], NULL, send_signals, NULL) == 0);
    RV_SCOPE(s, err) {
        for (uintptr_t i = 0; i < PARTIES; i++)
            RV_CHECK(rv_go(s, open_wait_close, (void *)i) == 0);
    }
    rvi_store_relaxed(&is_over, true);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    const int sent[] = {SIGUSR1, SIGUSR2, SIGRTMIN};
    until_none_is_pending(sent, 3);
    while (rv_signal_wait(all, &info, rv_after(10 * RV_MILLISECOND)) == 0)
        check(&info, true);
    RV_CHECK(kill(getpid(), SIGUSR1) == 0);
    do {
        RV_CHECK(rv_signal_wait(all, &info, RV_NEVER) == 0);
        check(&info, true);
    } while (info.signal != SIGUSR1);
    until_none_is_pending(sent, 1);
    rv_signals_close(all);
    RV_CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return err;
}

static void a_storm_loses_no_last_signal_and_reaches_nobody_who_has_left(void **state)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    struct sigaction now;
    (void)state;
    if (RVI_TSAN)
        skip(); /* of handlers that it calls from within handlers it leaves all signals blocked */
    leave_room_for_others();
    assert_int_equal(rv_run(storm, NULL, &opts), 0);
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_loses_no_last_signal_and_reaches_nobody_who_has_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

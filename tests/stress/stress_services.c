/* SPDX-License-Identifier: MIT */
/* stress_services.c - services that are processes, killed at random instants while their
 * supervisors start and stop them.
 *
 * Each process has, from its first constructor on, a thread that kills it with SIGKILL some random
 * time later: in a constructor, before it has answered, before it is ready, at work, while it
 * stops. Two parties play at a time, each with one tree after the other, which it stops, cancels,
 * or sees give up:
 *
 *     top:  a process, b task, c process, d supervisor:  e process, f process
 *
 * What is to hold is looked at from two sides. Each process writes its number into memory that all
 * share, and looks at the others':
 *   - a service has one life at a time
 *   - it begins after those before it have begun, and is told to stop when those after it are gone
 * Each report is compared with those before it:
 *   - who is started has all before it up; who was stopped, none after it
 *   - so many starts anew as the intensity allows, and then it gives up, not before
 *   - at the end nobody is up
 * And no process, descriptor or memory is left behind.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <ravel/supervisor.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/held.h"
#include "base/alloc.h"
#include "stress.h"

enum {
    PARTIES = 2,
    SERVICES = 4, /* of top; their slots come first */
    BELOW = 2,
    SLOTS = SERVICES + BELOW,
    LIVES_US = 80000, /* of a process, at most */
    ROUNDS = 8,       /* of each party */
    BOOK_FD = 50,
};

#define BOOK_NAME "RAVEL_TEST_BOOK"
#define LONG (1000 * RV_MINUTE)

/* What the processes know of each other; 0: never begun in this round. */
struct book {
    _Atomic(pid_t) pids[PARTIES][SLOTS];
    _Atomic(int) faults;
    _Atomic(bool) has_killers;
};

static struct book *book;
static int book_fd;

/* --- in the processes --- */

static void *kill_later(void *arg)
{
    struct rvi_rng rng;

    (void)arg;
    rvi_rng_seed(&rng, (uint64_t)getpid());
    usleep((useconds_t)rvi_rng_below(&rng, LIVES_US));
    kill(getpid(), SIGKILL);
    return NULL;
}

__attribute__((constructor)) static void find_book(void)
{
    bool is_service = getenv(BOOK_NAME) != NULL;
    pthread_t thread;

    book_fd = is_service ? BOOK_FD : memfd_create("book", MFD_CLOEXEC);
    RV_CHECK(is_service || ftruncate(book_fd, sizeof *book) == 0);
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, book_fd, 0);
    RV_CHECK(book != MAP_FAILED);
    if (is_service && rvi_load_relaxed(&book->has_killers))
        RV_CHECK(pthread_create(&thread, NULL, kill_later, NULL) == 0);
}

struct order {
    int party, slot;
    bool returns; /* after a while, by itself */
};

static void expect(bool is_so, const char *what, const struct order *order)
{
    if (is_so)
        return;
    rvi_fetch_add_relaxed(&book->faults, 1);
    fprintf(stderr, "party %d, service %c: %s\n", order->party, 'a' + order->slot, what);
}

/* What a dead process was called is nobody's name again so soon. */
static bool is_gone(pid_t pid)
{
    return pid == 0 || (kill(pid, 0) < 0 && errno == ESRCH);
}

/* Tasks have no number. */
static bool is_process(int slot)
{
    return slot != 1 && slot != 3;
}

static void begin(const struct order *order)
{
    _Atomic(pid_t) *pids = book->pids[order->party];
    pid_t before = rvi_load_relaxed(&pids[order->slot]);

    expect(is_gone(before), "it lives already", order);
    rvi_store_relaxed(&pids[order->slot], getpid());
    for (int slot = 0; slot < order->slot; slot++)
        expect(!is_process(slot) || rvi_load_relaxed(&pids[slot]) != 0,
               "begins before one that is before it", order);
}

static void look_whether_it_is_the_last(const struct order *order)
{
    for (int slot = order->slot + 1; slot < SLOTS; slot++)
        expect(is_gone(rvi_load_relaxed(&book->pids[order->party][slot])),
               "is told to stop before one that is after it has ended", order);
}

static int serve(const struct order *order)
{
    begin(order);
    int r = rv_service_ready();
    if (r == 0)
        r = order->returns ? rv_sleep(5 * RV_MILLISECOND) : rv_sleep_until(RV_NEVER);
    if (r == -ECANCELED)
        look_whether_it_is_the_last(order);
    return r;
}
RV_SERVICE(serve, struct order);

/* --- here --- */

/* What reports have said of one supervisor. */
struct account {
    const struct rv_supervisor_opts *opts;
    bool is_up[SERVICES], was_up[SERVICES];
    int restarts;
    bool has_given_up;
};

struct party {
    int number;
    struct rvi_rng rng;
    struct order orders[SLOTS];
    struct rv_process_opts process;
    struct rv_child_fd fd;
    struct rv_service services[SERVICES], below[BELOW];
    struct rv_supervisor_opts top_opts, below_opts;
    struct account top, under;
};

static size_t index_of(const struct account *account, const char *service)
{
    size_t i = 0;

    while (strcmp(account->opts->services[i].name, service) != 0)
        RV_CHECK(++i < account->opts->count);
    return i;
}

static void note_start(struct account *account, size_t which)
{
    bool is_first = !account->was_up[which];

    RV_CHECK(!account->is_up[which]);
    for (size_t i = 0; i < which; i++)
        RV_CHECK(account->is_up[i] ||
                 (account->opts->strategy == RV_ONE_FOR_ONE && (!is_first || account->was_up[i])));
    account->is_up[which] = account->was_up[which] = true;
}

/* All restarts of a round are within the period. */
static int most_restarts(const struct account *account)
{
    return account->opts->intensity < 0 ? 0 : account->opts->intensity;
}

static void note_end(struct account *account, size_t which, const char *text)
{
    const char *count = strstr(text, "is started again (");

    account->is_up[which] = false;
    if (count) {
        RV_CHECK(strtol(count + strlen("is started again ("), NULL, 10) == ++account->restarts);
        RV_CHECK(account->restarts <= most_restarts(account));
    }
    if (strstr(text, "once too often"))
        RV_CHECK(account->restarts == most_restarts(account));
}

static void note_stop(struct account *account, size_t which)
{
    account->is_up[which] = false;
    for (size_t i = which; i < account->opts->count; i++)
        RV_CHECK(!account->is_up[i]);
}

/* What is under it has come to its end as well, and begins anew with it. */
static void close_account(struct account *account)
{
    const struct rv_supervisor_opts *opts = account->opts;

    for (size_t i = 0; i < opts->count; i++)
        RV_CHECK(!account->is_up[i]);
    *account = (struct account){.opts = opts};
}

static void note(void *arg, const struct rv_supervisor_event *event)
{
    struct party *party = arg;
    struct account *account = strcmp(event->supervisor, "top") == 0 ? &party->top : &party->under;
    size_t which = event->service ? index_of(account, event->service) : 0;

    switch (event->news) {
    case RV_SUPERVISOR_STARTED:
        note_start(account, which);
        break;
    case RV_SUPERVISOR_ENDED:
        note_end(account, which, event->text);
        break;
    case RV_SUPERVISOR_STOPPED:
        note_stop(account, which);
        break;
    case RV_SUPERVISOR_LATE:
        RV_CHECK(!"late");
        break;
    case RV_SUPERVISOR_GAVE_UP:
        RV_CHECK(account->restarts == most_restarts(account) && !account->has_given_up);
        account->has_given_up = true;
        break;
    }
    if (event->end && account->opts->services[which].supervisor)
        close_account(&party->under);
}

/* --- trees --- */

static int stay(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

static void make_process(struct party *party, struct rv_service *service, int slot)
{
    static const char *const names[SLOTS] = {"a", "b", "c", "d", "e", "f"};

    party->orders[slot] = (struct order){party->number, slot, rvi_rng_below(&party->rng, 4) == 0};
    *service = (struct rv_service){.size = sizeof *service,
                                   .name = names[slot],
                                   .process = RV_PROCESS(serve),
                                   .arg = &party->orders[slot],
                                   .arg_bytes = sizeof(struct order),
                                   .opts = &party->process,
                                   .start_time = LONG,
                                   .stop_time = LONG};
}

/* 0 would be the default. */
static struct rv_supervisor_opts some_opts(struct party *party, const char *name,
                                           const struct rv_service *services, size_t count)
{
    int intensity = (int)rvi_rng_below(&party->rng, 5);

    return (struct rv_supervisor_opts){.size = sizeof(struct rv_supervisor_opts),
                                       .name = name,
                                       .services = services,
                                       .count = count,
                                       .strategy = (enum rv_strategy)rvi_rng_below(&party->rng, 3),
                                       .intensity = intensity > 0 ? intensity : -1,
                                       .period = LONG,
                                       .backoff = (rv_time)rvi_rng_below(&party->rng, 2) * 100 *
                                                  RV_MICROSECOND,
                                       .report = note,
                                       .report_arg = party};
}

static void plant(struct party *party)
{
    static const char *const changes[] = {BOOK_NAME "=", NULL};
    struct rv_service *services = party->services;

    party->fd = (struct rv_child_fd){book_fd, BOOK_FD};
    party->process = (struct rv_process_opts){.size = sizeof party->process,
                                              .fds = &party->fd,
                                              .fd_count = 1,
                                              .env_changes = changes,
                                              .memory_bytes = (uint64_t)1 << 40};
    make_process(party, &services[0], 0);
    make_process(party, &services[2], 2);
    make_process(party, &party->below[0], SERVICES);
    make_process(party, &party->below[1], SERVICES + 1);
    services[1] = (struct rv_service){.size = sizeof *services, .name = "b", .run = stay};
    services[3] = (struct rv_service){
        .size = sizeof *services, .name = "d", .supervisor = &party->below_opts};
    party->below_opts = some_opts(party, "under", party->below, BELOW);
    party->top_opts = some_opts(party, "top", services, SERVICES);
    party->top = (struct account){.opts = &party->top_opts};
    party->under = (struct account){.opts = &party->below_opts};
    for (int slot = 0; slot < SLOTS; slot++)
        rvi_store_relaxed(&book->pids[party->number][slot], 0);
}

/* One killed while the tree is started for the first time is the start's failure. */
static bool may_be_the_end(int r)
{
    return r == 0 || r == -ECHILD || r == -EPIPE || r == -ENOTRECOVERABLE || r == -ECANCELED;
}

static void play(struct party *party)
{
    rv_supervisor *sup = NULL;
    int err, r = 0;

    plant(party);
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &party->top_opts, RV_NEVER);
        if (r == 0)
            (void)!rv_sleep((rv_time)rvi_rng_below(&party->rng, 200 * RV_MILLISECOND));
        if (rvi_rng_below(&party->rng, 2))
            rv_scope_cancel(scope, -EINTR);
        else if (r == 0)
            (void)!rv_supervisor_stop(sup, 0);
    }
    int end = r == 0 ? rv_supervisor_close(sup) : r;
    if (!may_be_the_end(end) || !(may_be_the_end(err) || err == -EINTR))
        rvi_panic("it ended with %d, its scope with %d", end, err);
    RV_CHECK(end != -ENOTRECOVERABLE || party->top.has_given_up || r < 0);
    close_account(&party->top);
    close_account(&party->under);
}

static int play_rounds(void *arg)
{
    struct party *party = arg;

    for (size_t round = scaled(ROUNDS, 2); round > 0; round--)
        play(party);
    return 0;
}

static int play_parties(void *arg)
{
    static struct party parties[PARTIES];
    int err;

    RV_SCOPE(scope, err) {
        for (int i = 0; i < PARTIES; i++) {
            parties[i].number = i;
            rvi_rng_seed(&parties[i].rng, *(uint64_t *)arg + (uint64_t)i);
            RV_CHECK(rv_go(scope, play_rounds, &parties[i]) == 0);
        }
    }
    return err;
}

static void expect_nothing_left(long live, size_t fds)
{
    assert_int_equal(rvi_alloc_live(), live);
    assert_int_equal(open_descriptors(), fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rvi_load_relaxed(&book->faults), 0);
}

static void services_may_be_killed_at_any_instant(void **state)
{
    uint64_t seed = (uint64_t)rv_now();
    long live = rvi_alloc_live();
    size_t fds = open_descriptors();

    (void)state;
    rvi_store_relaxed(&book->has_killers, true);
    run_on(2, play_parties, &seed);
    expect_nothing_left(live, fds);
    run_on(1, play_parties, &seed);
    expect_nothing_left(live, fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(services_may_be_killed_at_any_instant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

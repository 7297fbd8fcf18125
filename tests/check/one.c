/* SPDX-License-Identifier: MIT */
/* one.c - the smallest driver: run a program under the checker N times, and say what came of it.
 *
 *     one [-n RUNS] [-s SEED] [-g GRANULARITY] [-k STRATEGY] [-f FLAGS] [-F] [-r] [-b] [-v] --
 *     PROGRAM ARGUMENT...
 *
 * -F forks each run; -r replays each from its trace and compares, -b with the baton; -v prints the
 * first run and the first failure. For the checker's own tests: it knows nothing of portfolios or
 * of learning. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check/wire.h"

static struct ck_shared *shared;
static int driver_socket;
static const char *const kinds[CK_KINDS] = {
    "fine",   "race",   "deadlock",   "lost_wakeup", "assert",      "crash",
    "heap",   "misuse", "lock_order", "livelock",    "thread_leak", "exit",
    "output", "steps",  "stuck",      "diverged",    "unable",
};

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void start(char **argv, const char *library)
{
    int pair[2], memory = memfd_create("check", 0);
    char text[64];

    if (memory < 0 || ftruncate(memory, sizeof *shared) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        fail("start");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (shared == MAP_FAILED)
        fail("mmap");
    shared->protocol = CK_PROTOCOL;
    snprintf(text, sizeof text, "%d,%d", memory, pair[1]);
    if (fork() == 0) {
        close(pair[0]);
        setenv(CK_ENV, text, 1);
        if (library)
            setenv("LD_PRELOAD", library, 1);
        execvp(argv[0], argv);
        fail(argv[0]);
    }
    close(pair[1]);
    close(memory);
    driver_socket = pair[0];
}

static void await(char wanted)
{
    char byte = 0;

    if (read(driver_socket, &byte, 1) != 1 || byte != wanted) {
        fprintf(stderr, "one: the server has gone\n");
        exit(2);
    }
}

static void run(void)
{
    char byte = CK_RUN;

    if (write(driver_socket, &byte, 1) != 1)
        fail("run");
    await(CK_DONE);
}

static void print_party(const struct ck_party *p)
{
    printf("    thread %u address %#lx", p->thread, (unsigned long)p->address);
    for (uint32_t i = 0; i < p->frame_count; i++)
        printf(" %s+%#x",
               strrchr(shared->modules[p->frames[i].module].path, '/')
                   ? strrchr(shared->modules[p->frames[i].module].path, '/') + 1
                   : "?",
               p->frames[i].offset);
    printf("\n");
}

static void print_report(const struct ck_report *r)
{
    printf("  %s: %s (%u)\n", kinds[r->kind], r->text, r->signal_or_status);
    for (uint32_t i = 0; i < r->party_count; i++)
        print_party(&r->parties[i]);
}

static void print_result(void)
{
    print_report(&shared->result.failure);
    for (uint32_t i = 0; i < shared->result.report_count; i++)
        print_report(&shared->result.reports[i]);
    for (uint32_t i = 0; i < shared->result.event_count; i++) {
        const struct ck_event *e = &shared->events[i];
        printf("  %6lu  thread %u op %u object %#lx value %lu flags %u at %u+%#x\n",
               (unsigned long)e->step, e->thread, e->op, (unsigned long)e->object,
               (unsigned long)e->value, e->flags, e->place.module, e->place.offset);
    }
}

/* Follow what was just recorded; false: it came to something else. */
static bool replay(uint32_t extra_flags)
{
    static struct ck_result before;
    struct ck_plan plan = shared->plan;

    before = shared->result;
    memcpy(shared->switches, shared->trace, before.switch_count * sizeof *shared->trace);
    shared->plan.mode = CK_FOLLOW;
    shared->plan.flags |= CK_MUST_FOLLOW | extra_flags;
    shared->plan.switch_count = before.switch_count;
    run();
    shared->plan = plan;
    return before.failure.kind == shared->result.failure.kind &&
           before.hash == shared->result.hash && before.steps == shared->result.steps &&
           before.switch_count == shared->result.switch_count &&
           memcmp(shared->trace, shared->switches, before.switch_count * sizeof *shared->trace) ==
               0;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long runs = 100, seed = 1, counts[CK_KINDS] = {0}, wrong = 0, reports[CK_KINDS] = {0};
    unsigned long first_failure = 0, steps = 0, switches = 0;
    uint32_t granularity = CK_SYNC, strategy = RVI_STRATEGY_WALK, flags = 0;
    bool replays = false, verbose = false, by_baton = false;
    const char *library = getenv("CHECK_LIBRARY");
    int option;

    while ((option = getopt(argc, argv, "+n:s:g:k:f:Frvb")) != -1) {
        switch (option) {
        case 'n':
            runs = strtoul(optarg, NULL, 0);
            break;
        case 's':
            seed = strtoul(optarg, NULL, 0);
            break;
        case 'g':
            granularity = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'k':
            strategy = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'f':
            flags = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'F':
            flags |= CK_FORK;
            break;
        case 'r':
            replays = true;
            break;
        case 'b':
            by_baton = replays = true;
            break;
        case 'v':
            verbose = true;
            break;
        default:
            return 2;
        }
    }
    start(argv + optind, library);
    await(CK_READY);
    double began = seconds();
    for (unsigned long i = 0; i < runs; i++) {
        shared->plan = (struct ck_plan){
            .strategy = {.kind = strategy, .seed = seed + i, .depth = 3, .length = 200},
            .granularity = granularity,
            .flags = flags,
            .step_limit = 1000000,
            .quiet_limit = 20000};
        run();
        uint32_t kind = shared->result.failure.kind;
        counts[kind < CK_KINDS ? kind : CK_UNABLE]++;
        steps += shared->result.steps;
        switches += shared->result.switch_count;
        for (uint32_t j = 0; j < shared->result.report_count; j++)
            reports[shared->result.reports[j].kind]++;
        bool is_first = kind != CK_FINE && first_failure == 0;
        if (is_first)
            first_failure = i + 1;
        if (verbose && (is_first || i == 0))
            print_result();
        if (replays && !replay(by_baton ? CK_BATON : 0)) {
            if (wrong++ == 0) {
                printf("seed %lu is not what its replay is: %s\n", seed + i, kinds[kind]);
                print_result();
            }
        }
    }
    double took = seconds() - began;
    printf("%lu runs, %.0f/s, %.1f steps, %.1f switches; first failure %lu; wrong replays %lu;",
           runs, (double)runs / took, (double)steps / (double)runs, (double)switches / (double)runs,
           first_failure, wrong);
    for (int kind = 0; kind < CK_KINDS; kind++) {
        if (counts[kind])
            printf(" %s %lu", kinds[kind], counts[kind]);
        if (reports[kind])
            printf(" (reports: %s %lu)", kinds[kind], reports[kind]);
    }
    printf("\n");
    return wrong ? 1 : 0;
}

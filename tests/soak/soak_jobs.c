/* SPDX-License-Identifier: MIT */
/* soak_jobs.c - the program that tools/soak_cluster.py maltreats: submits jobs of several kinds,
 * and says what has become of each. It is its own worker: `ravel worker` starts it again.
 *
 * Which kind a job is, and what its result has to be, follows from the seed and its number alone.
 * Every execution appends its job's number to a file, which is counted at the end: executions
 * beyond the first are the price of a cluster that runs at least once, but a job that does not call
 * itself idempotent is never to be begun twice, unless the engine has crashed (forgets=1), which
 * then has forgotten what it has lent to whom.
 *
 * It submits until it has done jobs=N, or until its input ends. Then it waits for what is out, and
 * prints a line of JSON. Until then it prints how many have ended, several times a second, so that
 * who watches sees a standstill. A job without an outcome after patience= seconds is a hang; the
 * report names it.
 *
 * Exit status: 0 all is right; 1 it is not, see the report; 2 it could not begin; 77 the
 * tier that it is to run on is not in this build. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <ravel.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LARGE = 700 << 10, /* goes in pieces */
    FOLDER = 128,
    MOST_WRONG = 20, /* are named */
    NOT_HERE = 77,
};

enum kind {
    QUICK,   /* a value */
    FAILING, /* an error */
    SLOW,    /* sleeps some milliseconds */
    BULKY,   /* much in, much out */
    STUMBLE, /* kills its process the first time */
    ONCE,    /* a value, not idempotent */
    FATAL,   /* kills its process whenever it runs; not idempotent */
    UNDONE,  /* sleeps, and is cancelled: at once, or half a window later */
    KINDS
};

static const char *const kind_words[KINDS] = {"quick",   "failing", "slow",  "bulky",
                                              "stumble", "once",    "fatal", "undone"};
static const unsigned kind_weights[KINDS] = {60, 8, 8, 4, 5, 8, 2, 5}; /* of 100 */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static enum kind only = KINDS; /* this one, if it is one */

static enum kind kind_of(uint64_t seed, uint64_t number)
{
    if (only < KINDS)
        return only;
    unsigned at = (unsigned)(mixed(seed + number * 0x9e3779b97f4a7c15u) % 100);
    enum kind kind = QUICK;
    while (at >= kind_weights[kind])
        at -= kind_weights[kind++];
    return kind;
}

/* --- the jobs --- */

struct order {
    uint64_t number;
    uint32_t kind, ms;
    char folder[FOLDER]; /* where executions are counted */
};

struct answer {
    uint64_t number, value;
};

struct bulk {
    struct order order;
    unsigned char bytes[LARGE];
};

/* One write of a file open for appending is in one piece, whoever else writes. */
static int note_execution(const struct order *order)
{
    char path[FOLDER + 16];
    snprintf(path, sizeof path, "%s/executions", order->folder);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool is_whole = write(fd, &order->number, sizeof order->number) == sizeof order->number;
    close(fd);
    return is_whole ? 0 : -EIO;
}

static void die_at_first(const struct order *order)
{
    char path[FOLDER + 48];
    snprintf(path, sizeof path, "%s/stumbled-%llu", order->folder,
             (unsigned long long)order->number);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        raise(SIGKILL);
    unlink(path);
}

/* In steps, as it may be cancelled. */
static int sleep_ms(uint32_t ms)
{
    enum { STEP = 5 };
    struct timespec step = {.tv_nsec = STEP * 1000000};
    for (uint32_t slept = 0; slept < ms; slept += STEP) {
        if (rv_cancelled())
            return -ECANCELED;
        (void)nanosleep(&step, NULL);
    }
    return 0;
}

static int carry_out(const struct order *order, struct answer *ret)
{
    int r = note_execution(order);
    if (r < 0)
        return r;
    r = sleep_ms(order->ms);
    if (r < 0)
        return r;
    if (order->kind == STUMBLE)
        die_at_first(order);
    if (order->kind == FATAL)
        raise(SIGKILL);
    if (order->kind == FAILING)
        return -EDOM;
    *ret = (struct answer){order->number, mixed(order->number)};
    return 0;
}

static int repeatable(const struct order *in, struct answer *out)
{
    return carry_out(in, out);
}
RV_JOB_IDEMPOTENT(repeatable, struct order, struct answer);

static int once_only(const struct order *in, struct answer *out)
{
    return carry_out(in, out);
}
RV_JOB(once_only, struct order, struct answer);

static int in_bulk(const struct bulk *in, struct bulk *out)
{
    struct answer answer;
    int r = carry_out(&in->order, &answer);
    if (r < 0)
        return r;
    out->order = in->order;
    for (size_t i = 0; i < LARGE; i++)
        out->bytes[i] = in->bytes[i] ^ (unsigned char)in->order.number;
    return 0;
}
RV_JOB_IDEMPOTENT(in_bulk, struct bulk, struct bulk);

/* --- what was submitted --- */

struct entry {
    rv_future *future;
    uint64_t number;
    enum kind kind;
};

struct soak {
    rv_executor *ex;
    const char *folder;
    uint64_t seed;
    size_t jobs, in_flight; /* jobs: 0 until the input ends */
    rv_time patience;
    bool dies;        /* workers do: what is not idempotent may be lost */
    bool forgets;     /* the engine may, when it crashes: what is not idempotent may begin twice */
    bool gives_up;    /* all jobs are cancelled, some seconds after the last was submitted */
    int also;         /* an errno that a job's outcome may be besides; 0: none */
    uint32_t once_ms; /* how long a job takes that is not idempotent */
    struct entry *window;
    uint64_t submitted, ended, wrong, hung;
    uint64_t outcomes[KINDS][RV_OUTCOME_MEMORY + 1];
    uint64_t executions[KINDS], beyond[KINDS]; /* all; those of a job that was begun before */
    char words[MOST_WRONG][160];
    rv_time said, last_end, longest_ns; /* longest: that nothing ended */
};

static struct bulk bulk_in, bulk_out;

static void complain(struct soak *s, const struct entry *e, const char *what, int number)
{
    if (s->wrong < MOST_WRONG)
        snprintf(s->words[s->wrong], sizeof s->words[0], "job %llu (%s): %s %d",
                 (unsigned long long)e->number, kind_words[e->kind], what, number);
    s->wrong++;
}

static void fill(struct order *order, const struct soak *s, const struct entry *e)
{
    *order = (struct order){.number = e->number, .kind = e->kind};
    order->ms = e->kind == SLOW     ? 5 + e->number % 60
                : e->kind == UNDONE ? 200
                : e->kind == ONCE   ? s->once_ms
                                    : 0;
    snprintf(order->folder, sizeof order->folder, "%s", s->folder);
}

static int submit_one(struct soak *s, struct entry *e, rv_time deadline)
{
    struct order order;
    fill(&order, s, e);
    if (e->kind == ONCE || e->kind == FATAL)
        return rv_submit(s->ex, &e->future, once_only, &order, deadline);
    if (e->kind != BULKY)
        return rv_submit(s->ex, &e->future, repeatable, &order, deadline);
    bulk_in.order = order;
    memset(bulk_in.bytes, (int)(mixed(e->number) & 0xff), LARGE);
    return rv_submit(s->ex, &e->future, in_bulk, &bulk_in, deadline);
}

static void cancel_late(struct soak *s, uint64_t number)
{
    struct entry *e = &s->window[number % s->in_flight];
    if (e->kind == UNDONE && e->future)
        rv_future_cancel(e->future);
}

static void submit_next(struct soak *s)
{
    struct entry *e = &s->window[s->submitted % s->in_flight];
    *e = (struct entry){.number = s->submitted, .kind = kind_of(s->seed, s->submitted)};
    s->submitted++;
    int r = submit_one(s, e, rv_after(s->patience));
    if (r < 0)
        complain(s, e, "not submitted", r);
    else if (e->kind == UNDONE && e->number % 2)
        rv_future_cancel(e->future);
    if (s->submitted - s->ended > s->in_flight / 2)
        cancel_late(s, s->submitted - s->in_flight / 2 - 1);
}

/* --- what has become of it --- */

static bool is_right_value(const struct entry *e, const struct answer *answer)
{
    if (e->kind != BULKY)
        return answer->number == e->number && answer->value == mixed(e->number);
    unsigned char each = (unsigned char)(mixed(e->number) ^ e->number);
    size_t i = 0;
    while (i < LARGE && bulk_out.bytes[i] == each)
        i++;
    return i == LARGE && bulk_out.order.number == e->number;
}

/* Whether that is how such a job may end. One that is not to be run twice is lost with its worker;
 * one whose process is killed after it was cancelled is not begun again, and says so. */
static bool is_fair(const struct soak *s, const struct entry *e, const struct rv_outcome *o)
{
    bool dies_with_worker = s->dies && (e->kind == ONCE || e->kind == FATAL);
    switch (o->kind) {
    case RV_OUTCOME_VALUE:
        return e->kind != FAILING && e->kind != FATAL;
    case RV_OUTCOME_ERROR:
        return (e->kind == FAILING && o->error == -EDOM) || (s->also && o->error == -s->also);
    case RV_OUTCOME_SIGNAL:
        return o->signal == SIGKILL && (e->kind == FATAL || e->kind == UNDONE || dies_with_worker);
    case RV_OUTCOME_LOST:
        return dies_with_worker || s->gives_up; /* a server without a disk answers nothing */
    case RV_OUTCOME_CANCELLED:
        return e->kind == UNDONE || s->gives_up;
    default:
        return false;
    }
}

static void judge(struct soak *s, const struct entry *e, const struct rv_outcome *o,
                  const struct answer *answer)
{
    s->outcomes[e->kind][o->kind]++;
    if (!is_fair(s, e, o))
        complain(s, e, rv_outcome_word(o->kind), o->error ? o->error : o->signal);
    else if (o->kind == RV_OUTCOME_VALUE && !is_right_value(e, answer))
        complain(s, e, "the wrong value", 0);
}

static void note_end(struct soak *s)
{
    rv_time now = rv_now();
    if (s->last_end && now - s->last_end > s->longest_ns)
        s->longest_ns = now - s->last_end;
    s->last_end = now;
    s->ended++;
    if (now - s->said < RV_SECOND / 5)
        return;
    s->said = now;
    printf("{\"ended\": %llu}\n", (unsigned long long)s->ended);
    fflush(stdout);
}

static void await_oldest(struct soak *s)
{
    struct entry *e = &s->window[(s->ended + s->hung) % s->in_flight];
    struct rv_outcome outcome;
    struct answer answer = {0};
    if (!e->future) {
        note_end(s);
        return;
    }
    int r = rv_future_get(e->future, e->kind == BULKY ? (void *)&bulk_out : &answer, &outcome,
                          rv_after(s->patience));
    if (r < 0) {
        complain(s, e, "no outcome", r);
        s->hung++;
        return; /* its future stays: it may yet be written to */
    }
    e->future = rv_future_free(e->future);
    judge(s, e, &outcome, &answer);
    note_end(s);
}

static bool is_input_over(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char c;
    return poll(&p, 1, 0) > 0 && read(STDIN_FILENO, &c, 1) <= 0;
}

static bool is_enough(const struct soak *s)
{
    return s->hung > 0 || (s->jobs > 0 ? s->submitted == s->jobs : is_input_over());
}

static void give_up(struct soak *s)
{
    const struct timespec while_it_fills = {.tv_sec = 2};
    (void)nanosleep(&while_it_fills, NULL);
    for (uint64_t number = s->ended; number < s->submitted; number++) {
        struct entry *e = &s->window[number % s->in_flight];
        if (e->future)
            rv_future_cancel(e->future);
    }
}

static void run(struct soak *s)
{
    s->last_end = rv_now();
    while (!is_enough(s)) {
        if (s->submitted - s->ended == s->in_flight)
            await_oldest(s);
        else
            submit_next(s);
    }
    if (s->gives_up)
        give_up(s);
    while (s->hung == 0 && s->ended < s->submitted)
        await_oldest(s);
}

/* --- executions --- */

static int make_log(const char *folder)
{
    char path[FOLDER + 16];
    snprintf(path, sizeof path, "%s/executions", folder);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static void count_one(struct soak *s, uint64_t number, unsigned char *times)
{
    struct entry e = {.number = number, .kind = kind_of(s->seed, number)};
    s->executions[e.kind]++;
    if (times[number] < 255)
        times[number]++;
    if (times[number] == 1)
        return;
    s->beyond[e.kind]++;
    if ((e.kind == ONCE || e.kind == FATAL) && !s->forgets)
        complain(s, &e, "executions:", times[number]);
}

static void count_executions(struct soak *s, int log)
{
    uint64_t number;
    unsigned char *times = calloc(s->submitted + 1, 1);
    lseek(log, 0, SEEK_SET);
    while (times && read(log, &number, sizeof number) == sizeof number) {
        if (number < s->submitted)
            count_one(s, number, times);
        else
            complain(s, &(struct entry){.number = number}, "executed, never submitted", 0);
    }
    free(times);
}

/* --- the report --- */

static void report_kind(const struct soak *s, enum kind kind)
{
    printf("%s\"%s\": {\"executions\": %llu, \"beyond_one\": %llu", kind ? ", " : "",
           kind_words[kind], (unsigned long long)s->executions[kind],
           (unsigned long long)s->beyond[kind]);
    for (int o = 0; o <= RV_OUTCOME_MEMORY; o++)
        if (s->outcomes[kind][o] > 0)
            printf(", \"%s\": %llu", rv_outcome_word(o), (unsigned long long)s->outcomes[kind][o]);
    printf("}");
}

static void report(const struct soak *s, rv_time took)
{
    uint64_t executions = 0, beyond = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        executions += s->executions[kind];
        beyond += s->beyond[kind];
    }
    printf("{\"jobs\": %llu, \"results\": %llu, \"hung\": %llu, \"wrong\": %llu, "
           "\"executions\": %llu, \"beyond_one\": %llu, \"seconds\": %.3f, \"standstill\": %.3f, "
           "\"kinds\": {",
           (unsigned long long)s->submitted, (unsigned long long)s->ended,
           (unsigned long long)s->hung, (unsigned long long)s->wrong,
           (unsigned long long)executions, (unsigned long long)beyond, (double)took / RV_SECOND,
           (double)s->longest_ns / RV_SECOND);
    for (int kind = 0; kind < KINDS; kind++)
        report_kind(s, kind);
    printf("}, \"words\": [");
    for (uint64_t i = 0; i < s->wrong && i < MOST_WRONG; i++)
        printf("%s\"%s\"", i ? ", " : "", s->words[i]);
    printf("]}\n");
    fflush(stdout);
}

/* --- the command --- */

static const char *argument(char **argv, const char *key, const char *fallback)
{
    size_t length = strlen(key);
    for (char **arg = argv + 1; *arg; arg++)
        if (strncmp(*arg, key, length) == 0 && (*arg)[length] == '=')
            return *arg + length + 1;
    return fallback;
}

static uint64_t number_of(char **argv, const char *key, const char *fallback)
{
    return strtoull(argument(argv, key, fallback), NULL, 10);
}

static int cannot(const char *what, int error)
{
    fprintf(stderr, "soak_jobs: %s: %s\n", what, strerror(-error));
    return error == -EOPNOTSUPP ? NOT_HERE : 2;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct soak s = {
        .folder = argument(argv, "folder", "."),
        .seed = number_of(argv, "seed", "1"),
        .jobs = number_of(argv, "jobs", "0"),
        .in_flight = number_of(argv, "in_flight", "64"),
        .patience = (rv_time)number_of(argv, "patience", "60") * RV_SECOND,
        .dies = number_of(argv, "dies", "0") != 0,
        .forgets = number_of(argv, "forgets", "0") != 0,
        .gives_up = number_of(argv, "gives_up", "0") != 0,
        .also = (int)number_of(argv, "also", "0"),
        .once_ms = (uint32_t)number_of(argv, "once_ms", "0"),
    };
    struct rv_cluster_opts cluster = {.size = sizeof cluster,
                                      .connect_timeout = s.patience / 2,
                                      .cancel_wait = s.gives_up ? 0 : s.patience};
    struct rv_executor_opts opts = {
        .size = sizeof opts, .backlog = s.in_flight, .retries = 50, .cluster = &cluster};
    const char *word = argument(argv, "only", "");
    for (only = 0; only < KINDS && strcmp(word, kind_words[only]) != 0;)
        only++;
    s.window = calloc(s.in_flight, sizeof *s.window);
    if (!s.window || strlen(s.folder) >= FOLDER)
        return cannot("arguments", -EINVAL);
    int log = make_log(s.folder);
    if (log < 0)
        return cannot(s.folder, log);
    int r = rv_executor_open(&s.ex, argument(argv, "on", "processes:2"), &opts);
    if (r < 0)
        return cannot("rv_executor_open", r);
    rv_time begin = rv_now();
    run(&s);
    rv_time took = rv_now() - begin;
    r = rv_executor_close(s.ex, s.hung ? RV_CLOSE_CANCEL : RV_CLOSE_WAIT, rv_after(s.patience));
    if (r < 0 && s.hung == 0)
        complain(&s, &(struct entry){.number = s.submitted}, "rv_executor_close", r);
    count_executions(&s, log);
    report(&s, took);
    close(log);
    free(s.window);
    return s.wrong || s.hung;
}

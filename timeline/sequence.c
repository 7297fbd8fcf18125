/* SPDX-License-Identifier: MIT */
/* sequence.c - a sequence diagram of what was recorded.
 *
 * Time runs downwards. Each worker is a lifeline, each task is one, and the kernel is the last. Of
 * a trace it takes
 *
 *     'X' of category "run"     with the arguments "task" and "end": a task runs in a worker's lane
 *     'X' of category "asleep"  a worker has nothing to do
 *     's', 'f' of "wake"        who started or woke whom
 *
 * and draws for each task one of: it runs; it is ready while its worker does other things; it
 * waits. A wait that the kernel ends is an arrow to the kernel, a bar there for as long as it
 * takes, and an arrow back: waits together stand side by side there, waits one by one below each
 * other.
 *
 * The scale: a microsecond beside a hundred milliseconds would not be seen, and without a scale one
 * could not see that three waits together take as long as one. So each step has the same
 * height, and to that comes what is proportional to the time that has gone by, by one factor in the
 * whole picture. The times are written beside it.
 *
 * A picture is for reading: of tasks, workers and runs it shows the first few, and says so; some
 * more of those that were chosen by name or time. What reaches over the chosen time is cut off
 * there.
 *
 * Checked by: tests/unit/timeline/test_story.c, tests/look/test_trace_page.py */
#include "timeline/sequence.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/json.h"

enum {
    TASKS = 8, /* shown, as the rest here */
    WORKERS = 4,
    RUNS = 48,
    CHOSEN_TASKS = 32, /* of what was chosen */
    CHOSEN_RUNS = 400,
    NOBODY = -1,
    PATTERN_BYTES = 160,
};

/* Pixels. */
enum {
    EDGE = 16,
    CLOCK_WIDTH = 76,
    WORKER_WIDTH = 76,
    TASK_WIDTH = 136,
    KERNEL_WIDTH = 134,
    BETWEEN = 36, /* panels */
    HEAD = 104,   /* above the first step */
    FOOT = 30,
    STEP = 15,    /* between two of them; room for a line of text */
    SWITCH = 8,   /* from one task to the next in a worker */
    LEGEND = 780, /* its line of words */
    LINEAR = 420, /* what the longest panel has for time */
    BAR = 14,
    BESIDE = 12, /* from one wait in the kernel to the next */
};

struct actor {
    int64_t process, task;
    uint32_t name; /* without its number */
    uint64_t number;
    int worker;
    int64_t starts_ns; /* somebody has started it, or it runs */
    int64_t ends_ns;   /* INT64_MAX: not in the picture */
};

struct run {
    int actor, worker;
    int64_t from_ns, to_ns;
    const char *end;
    int64_t ready_ns; /* when it became ready, as far as known; else from_ns */
    int by;           /* the actor who did that, or NOBODY */
};

struct panel {
    const struct tl_story *story;
    const struct tl_choice *choice;
    int most_tasks;
    size_t most_runs;
    struct actor actors[CHOSEN_TASKS];
    uint32_t lanes[WORKERS];
    struct run *runs;
    size_t run_count, all_runs;
    int actor_count, worker_count;
    struct step {
        int64_t at_ns;
        int worker, actor; /* who begins or ends to run; or NOBODY */
        bool is_end;
        double y;
    } * steps;
    size_t step_count;
    int64_t first_ns, last_ns;
    double x, width;
    bool has_kernel; /* somebody waits for it */
};

/* --- what is to be seen --- */

static bool is_of(const struct panel *p, const struct tl_event *e, char phase, const char *category)
{
    return e->phase == phase && strcmp(tl_story_text(p->story, e->category), category) == 0;
}

static int worker_of(const struct panel *p, uint32_t lane)
{
    for (int i = 0; i < p->worker_count; i++) {
        if (p->lanes[i] == lane)
            return i;
    }
    return NOBODY;
}

static int actor_of(const struct panel *p, int64_t process, int64_t task)
{
    for (int i = 0; i < p->actor_count; i++) {
        if (p->actors[i].task == task && p->actors[i].process == process)
            return i;
    }
    return NOBODY;
}

static int by_begin(const void *a, const void *b)
{
    const struct tl_event *one = *(const struct tl_event *const *)a;
    const struct tl_event *other = *(const struct tl_event *const *)b;

    return one->at_ns != other->at_ns ? (one->at_ns < other->at_ns ? -1 : 1)
                                      : (one > other) - (one < other);
}

/* Whether a pattern of so many bytes is one of that task's names. */
static bool is_called(const char *pattern, size_t bytes, const char *name, uint64_t number)
{
    char wanted[PATTERN_BYTES], numbered[PATTERN_BYTES];

    if (bytes >= sizeof wanted)
        return false;
    snprintf(wanted, sizeof wanted, "%.*s", (int)bytes, pattern);
    snprintf(numbered, sizeof numbered, "%s %llu", name, (unsigned long long)number);
    return fnmatch(wanted, name, 0) == 0 ||
           (number != TL_NO_NUMBER && fnmatch(wanted, numbered, 0) == 0);
}

static bool is_chosen_task(const struct panel *p, const struct tl_event *e)
{
    const char *at = p->choice->tasks, *name = tl_story_text(p->story, e->name);

    if (!at)
        return true;
    for (size_t bytes;; at += bytes + 1) {
        bytes = strcspn(at, ",");
        if (is_called(at, bytes, name, e->name_number))
            return true;
        if (!at[bytes])
            return false;
    }
}

static bool is_chosen(const struct panel *p, const struct tl_event *e)
{
    const struct tl_choice *choice = p->choice;

    return (!choice->has_times ||
            (e->at_ns < choice->until_ns && e->at_ns + e->lasts_ns > choice->from_ns)) &&
           is_chosen_task(p, e);
}

/* The runs of all tasks that are to be seen, in the order of time. */
static int sort_runs(const struct panel *p, const struct tl_event ***ret, size_t *ret_count)
{
    size_t count = 0;
    const struct tl_event **all = rvi_calloc(p->story->count + 1, sizeof(void *));

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->story->count; i++) {
        const struct tl_event *e = &p->story->events[i];
        if (is_of(p, e, 'X', "run") && tl_story_value(p->story, e, "task") && is_chosen(p, e))
            all[count++] = e;
    }
    qsort(all, count, sizeof *all, by_begin);
    *ret = all;
    *ret_count = count;
    return 0;
}

static int admit_worker(struct panel *p, uint32_t lane)
{
    int worker = worker_of(p, lane);

    if (worker != NOBODY || p->worker_count == WORKERS)
        return worker;
    p->lanes[p->worker_count] = lane;
    return p->worker_count++;
}

/* Before the chosen time: it is there from the first step on. */
static bool ran_before(const struct panel *p, int64_t process, int64_t task)
{
    for (size_t i = 0; p->choice->has_times && i < p->story->count; i++) {
        const struct tl_event *e = &p->story->events[i];
        const struct tl_value *value = tl_story_value(p->story, e, "task");
        if (e->at_ns < p->choice->from_ns && value && value->number == task &&
            p->story->lanes[e->lane].process == process && is_of(p, e, 'X', "run"))
            return true;
    }
    return false;
}

static int admit_actor(struct panel *p, const struct tl_event *e, int64_t task, int worker)
{
    int64_t process = p->story->lanes[e->lane].process;
    int actor = actor_of(p, process, task);

    if (actor != NOBODY || p->actor_count == p->most_tasks || worker == NOBODY)
        return actor;
    p->actors[p->actor_count] = (struct actor){.process = process,
                                               .task = task,
                                               .name = e->name,
                                               .number = e->name_number,
                                               .worker = worker,
                                               .starts_ns = e->at_ns,
                                               .ends_ns = INT64_MAX};
    if (ran_before(p, process, task))
        p->actors[p->actor_count].starts_ns = p->choice->from_ns;
    return p->actor_count++;
}

static void cut_off(const struct tl_choice *choice, struct run *run)
{
    if (run->from_ns < choice->from_ns)
        run->from_ns = run->ready_ns = choice->from_ns;
    if (run->to_ns > choice->until_ns) {
        run->to_ns = choice->until_ns;
        run->end = "goes on";
    }
}

static void add_run(struct panel *p, const struct tl_event *e)
{
    const struct tl_value *end = tl_story_value(p->story, e, "end");
    int64_t task = tl_story_value(p->story, e, "task")->number;
    int worker = admit_worker(p, e->lane), actor = admit_actor(p, e, task, worker);

    if (actor == NOBODY || worker == NOBODY)
        return;
    struct run *run = &p->runs[p->run_count++];
    *run = (struct run){.actor = actor,
                        .worker = worker,
                        .from_ns = e->at_ns,
                        .to_ns = e->at_ns + e->lasts_ns,
                        .ready_ns = e->at_ns,
                        .by = NOBODY,
                        .end = tl_story_text(p->story, end ? end->text : 0)};
    if (p->choice->has_times)
        cut_off(p->choice, run);
}

static void note_ends(struct panel *p)
{
    p->first_ns = p->runs[0].from_ns;
    for (size_t i = 0; i < p->run_count; i++) {
        const struct run *run = &p->runs[i];
        p->last_ns = run->to_ns > p->last_ns ? run->to_ns : p->last_ns;
        if (strcmp(run->end, "ends") == 0)
            p->actors[run->actor].ends_ns = run->to_ns;
    }
}

static int find_runs(struct panel *p)
{
    const struct tl_event **all;
    int r = sort_runs(p, &all, &p->all_runs);

    if (r < 0)
        return r;
    p->runs = rvi_calloc(p->most_runs, sizeof *p->runs);
    r = !p->runs ? -ENOMEM : p->all_runs == 0 ? -ENOENT : 0;
    for (size_t i = 0; i < p->all_runs && p->run_count < p->most_runs && r == 0; i++)
        add_run(p, all[i]);
    rvi_free(all);
    if (r < 0)
        return r;
    note_ends(p);
    return 0;
}

/* --- who woke whom --- */

static int who_runs(const struct panel *p, uint32_t lane, int64_t at_ns)
{
    int worker = worker_of(p, lane);

    for (size_t i = 0; i < p->run_count; i++) {
        const struct run *run = &p->runs[i];
        if (run->worker == worker && run->from_ns <= at_ns && at_ns <= run->to_ns)
            return run->actor;
    }
    return NOBODY;
}

static struct run *run_that_begins(struct panel *p, uint32_t lane, int64_t at_ns)
{
    int worker = worker_of(p, lane);

    for (size_t i = 0; i < p->run_count; i++) {
        if (p->runs[i].worker == worker && p->runs[i].from_ns == at_ns)
            return &p->runs[i];
    }
    return NULL;
}

static void join_arrow(struct panel *p, const struct tl_event *from, const struct tl_event *to)
{
    struct run *run = run_that_begins(p, to->lane, to->at_ns);

    if (!run)
        return;
    run->by = who_runs(p, from->lane, from->at_ns);
    if (run->by == NOBODY)
        return;
    run->ready_ns = from->at_ns;
    struct actor *actor = &p->actors[run->actor];
    actor->starts_ns = from->at_ns < actor->starts_ns ? from->at_ns : actor->starts_ns;
}

/* An arrow's end follows its begin in the file; those into the picture are few, and short. */
static void find_arrows(struct panel *p)
{
    for (size_t i = 0; i < p->story->count; i++) {
        const struct tl_event *from = &p->story->events[i];
        if (!is_of(p, from, 's', "wake") || from->at_ns > p->last_ns)
            continue;
        for (size_t k = i + 1; k < p->story->count; k++) {
            const struct tl_event *to = &p->story->events[k];
            if (to->phase == 'f' && to->id == from->id && to->category == from->category) {
                join_arrow(p, from, to);
                break;
            }
            if (to->at_ns > p->last_ns && to->phase == 'f')
                break;
        }
    }
}

static int by_start(const void *a, const void *b)
{
    const struct actor *one = a, *other = b;

    if (one->starts_ns != other->starts_ns)
        return one->starts_ns < other->starts_ns ? -1 : 1;
    return (one->task > other->task) - (one->task < other->task);
}

/* Who was started first is on the left. */
static void sort_actors(struct panel *p)
{
    struct actor before[CHOSEN_TASKS];
    int now[CHOSEN_TASKS];

    memcpy(before, p->actors, sizeof before);
    qsort(p->actors, (size_t)p->actor_count, sizeof *p->actors, by_start);
    for (int i = 0; i < p->actor_count; i++)
        now[i] = actor_of(p, before[i].process, before[i].task);
    for (size_t i = 0; i < p->run_count; i++) {
        p->runs[i].actor = now[p->runs[i].actor];
        p->runs[i].by = p->runs[i].by == NOBODY ? NOBODY : now[p->runs[i].by];
    }
}

/* --- waits --- */

/* What somebody outside of the program ends, or a clock. */
static bool is_kernels(const char *end)
{
    static const char *const words[] = {"sleep",  "ticker",  "descriptor",   "read", "write",
                                        "accept", "connect", "file",         "name", "child",
                                        "signal", "print",   "blocking call"};
    static const char waits[] = "waits for ";

    if (strncmp(end, waits, sizeof waits - 1) != 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *word = end + sizeof waits - 1;
        size_t bytes = strlen(words[i]);
        if (strncmp(word, words[i], bytes) == 0 && (word[bytes] == 0 || word[bytes] == ' '))
            return true;
    }
    return false;
}

/* The run of the same task that follows; NULL: none in the picture. */
static const struct run *next_run(const struct panel *p, const struct run *run)
{
    for (const struct run *at = run + 1; at < p->runs + p->run_count; at++) {
        if (at->actor == run->actor)
            return at;
    }
    return NULL;
}

static bool ends(const struct run *run)
{
    return strcmp(run->end, "ends") == 0;
}

static bool waits(const struct run *run)
{
    return strncmp(run->end, "waits", 5) == 0;
}

/* --- the scale --- */

static int by_time(const void *a, const void *b)
{
    const struct step *one = a, *other = b;

    return one->at_ns != other->at_ns ? (one->at_ns < other->at_ns ? -1 : 1)
                                      : other->is_end - one->is_end;
}

static bool asks_kernel(const struct panel *p)
{
    for (size_t i = 0; i < p->run_count; i++) {
        if (is_kernels(p->runs[i].end))
            return true;
    }
    return false;
}

static void add_step(struct panel *p, int64_t at_ns, const struct run *run, bool is_end)
{
    p->steps[p->step_count++] = (struct step){.at_ns = at_ns,
                                              .worker = run ? run->worker : NOBODY,
                                              .actor = run ? run->actor : NOBODY,
                                              .is_end = is_end};
}

static int make_steps(struct panel *p)
{
    p->steps = rvi_calloc(p->run_count * 3, sizeof *p->steps);
    if (!p->steps)
        return -ENOMEM;
    for (size_t i = 0; i < p->run_count; i++) {
        const struct run *run = &p->runs[i];
        add_step(p, run->from_ns, run, false);
        add_step(p, run->to_ns, run, true);
        if (run->ready_ns < run->from_ns)
            add_step(p, run->ready_ns, NULL, false);
    }
    qsort(p->steps, p->step_count, sizeof *p->steps, by_time);
    return 0;
}

static void place_steps(struct panel *p, double pixels_per_ns)
{
    double y = HEAD;

    for (size_t i = 0; i < p->step_count; i++) {
        struct step *step = &p->steps[i];
        const struct step *before = i ? step - 1 : NULL;
        if (before && step->at_ns > before->at_ns) {
            bool is_switch = before->is_end && !step->is_end && step->worker == before->worker &&
                             step->actor != before->actor;
            y +=
                (is_switch ? SWITCH : STEP) + (double)(step->at_ns - before->at_ns) * pixels_per_ns;
        }
        step->y = y;
    }
}

static double y_of(const struct panel *p, int64_t at_ns)
{
    const struct step *last = &p->steps[p->step_count - 1];

    if (at_ns >= last->at_ns)
        return last->y;
    for (size_t i = 1; i < p->step_count; i++) {
        const struct step *a = &p->steps[i - 1], *b = a + 1;
        if (at_ns <= b->at_ns)
            return at_ns <= a->at_ns ? a->y
                                     : a->y + (b->y - a->y) * (double)(at_ns - a->at_ns) /
                                                  (double)(b->at_ns - a->at_ns);
    }
    return last->y;
}

/* --- lifelines --- */

static double worker_x(const struct panel *p, int worker)
{
    return p->x + CLOCK_WIDTH + WORKER_WIDTH * (worker + .5);
}

static double actor_x(const struct panel *p, int actor)
{
    return p->x + CLOCK_WIDTH + WORKER_WIDTH * p->worker_count + TASK_WIDTH * (actor + .5);
}

static double kernel_x(const struct panel *p)
{
    return p->x + CLOCK_WIDTH + WORKER_WIDTH * p->worker_count + TASK_WIDTH * p->actor_count +
           2 * BESIDE;
}

/* --- writing --- */

static void put_line(FILE *to, const char *class, double x1, double y1, double x2, double y2)
{
    fprintf(to, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2);
}

static void put_bar(FILE *to, const char *class, double x, double y1, double y2, double width)
{
    fprintf(to,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
            "rx=\"2\"/>\n",
            class, x - width / 2, y1, width, y2 > y1 + 3 ? y2 - y1 : 3);
}

__attribute__((format(printf, 6, 7))) static void put_text(FILE *to, const char *class,
                                                           const char *anchor, double x, double y,
                                                           const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(to, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, anchor, x,
            y);
    ck_put_html(to, text);
    fputs("</text>\n", to);
}

/* In the unit that leaves at least one digit before the point. */
static void put_duration(char *text, size_t room, int64_t ns, int digits)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    double value = (double)ns;
    int unit = 0;

    for (; value >= 1000 && unit < 3; unit++)
        value /= 1000;
    snprintf(text, room, "%.*f %s", unit == 0 ? 0 : digits, value, units[unit]);
}

/* --- one panel --- */

static void put_head(FILE *to, double x, double width, const char *class, const char *name,
                     const char *below)
{
    put_bar(to, class, x, HEAD - 46, HEAD - 12, width);
    put_text(to, "head", "middle", x, below[0] ? HEAD - 31 : HEAD - 25, "%s", name);
    if (below[0])
        put_text(to, "soft", "middle", x, HEAD - 18, "%s", below);
}

static void put_heads(FILE *to, const struct panel *p)
{
    char name[18], below[32];

    for (int i = 0; i < p->worker_count; i++)
        put_head(to, worker_x(p, i), WORKER_WIDTH - 6, "box",
                 tl_story_text(p->story, p->story->lanes[p->lanes[i]].name), "");
    for (int i = 0; i < p->actor_count; i++) {
        const struct actor *actor = &p->actors[i];
        const char *whole = tl_story_text(p->story, actor->name);
        snprintf(name, sizeof name, strlen(whole) < sizeof name ? "%s" : "%.14s…", whole);
        snprintf(below, sizeof below, "task %lld", (long long)actor->task);
        put_head(to, actor_x(p, i), TASK_WIDTH - 10, "box", name, below);
    }
    if (p->has_kernel)
        put_head(to, kernel_x(p) + KERNEL_WIDTH / 2. - 2 * BESIDE, KERNEL_WIDTH - 10, "box",
                 "kernel", "clock, files, network");
}

static int64_t time_run(const struct panel *p)
{
    int64_t sum = 0;

    for (size_t i = 0; i < p->run_count; i++)
        sum += p->runs[i].to_ns - p->runs[i].from_ns;
    return sum;
}

static void put_title(FILE *to, const struct panel *p)
{
    char whole[32], run[32], begin[32];

    put_duration(whole, sizeof whole, p->last_ns - p->first_ns, 1);
    put_duration(run, sizeof run, time_run(p), 1);
    put_text(to, "title", "start", p->x, 26, "%s", tl_story_title(p->story));
    put_duration(begin, sizeof begin, p->first_ns, 2);
    if (p->choice->has_times)
        put_text(to, "soft", "start", p->x, 44, "%s from %s on; tasks ran for %s of it", whole,
                 begin, run);
    else
        put_text(to, "soft", "start", p->x, 44, "%s from begin to end; tasks ran for %s of it",
                 whole, run);
}

static double bottom_of(const struct panel *p)
{
    return p->steps[p->step_count - 1].y;
}

/* A time where there is room for it: the first, the last, and others on the way. */
static void put_clock(FILE *to, const struct panel *p)
{
    double last_y = -100, bottom = bottom_of(p);
    char text[32];

    for (size_t i = 0; i < p->step_count; i++) {
        const struct step *step = &p->steps[i];
        bool is_last = i + 1 == p->step_count;
        if (!is_last && (step->y < last_y + 26 || step->y > bottom - 26))
            continue;
        put_duration(text, sizeof text, step->at_ns - p->first_ns, 2);
        put_text(to, "soft", "end", p->x + CLOCK_WIDTH - 16, step->y + 4, "%s", text);
        put_line(to, "tick", p->x + CLOCK_WIDTH - 12, step->y, p->x + CLOCK_WIDTH - 6, step->y);
        last_y = step->y;
        if (is_last)
            break;
    }
}

/* The last run in that worker that was over by then: sleeps behind the same one are drawn as one,
 * since a worker that looks around now and then does nothing that one could see. */
static size_t run_before(const struct panel *p, int worker, int64_t at_ns)
{
    size_t found = 0;

    for (size_t i = 0; i < p->run_count; i++) {
        if (p->runs[i].worker == worker && p->runs[i].to_ns <= at_ns)
            found = i + 1;
    }
    return found;
}

struct sleep {
    size_t behind; /* a run, and 1 */
    int64_t from_ns, until_ns;
};

static void put_sleep(FILE *to, const struct panel *p, int worker, const struct sleep *sleep)
{
    if (sleep->until_ns <= sleep->from_ns)
        return;
    double x = worker_x(p, worker), from = y_of(p, sleep->from_ns),
           until = y_of(p, sleep->until_ns);

    put_bar(to, "asleep", x, from, until, BAR);
    if (until - from > 40)
        put_text(to, "verb", "middle", x, (from + until) / 2 + 4, "sleeps");
}

static void put_sleeps(FILE *to, const struct panel *p, int worker)
{
    struct sleep sleep = {0};

    for (size_t i = 0; i < p->story->count; i++) {
        const struct tl_event *e = &p->story->events[i];
        if (!is_of(p, e, 'X', "asleep") || e->lane != p->lanes[worker] || e->at_ns > p->last_ns ||
            e->at_ns + e->lasts_ns < p->first_ns)
            continue;
        size_t behind = run_before(p, worker, e->at_ns);
        if (behind != sleep.behind || sleep.until_ns == 0) {
            put_sleep(to, p, worker, &sleep);
            sleep = (struct sleep){behind, e->at_ns > p->first_ns ? e->at_ns : p->first_ns, 0};
        }
        sleep.until_ns = e->at_ns + e->lasts_ns;
    }
    put_sleep(to, p, worker, &sleep);
}

static void put_workers(FILE *to, const struct panel *p)
{
    for (int i = 0; i < p->worker_count; i++) {
        put_line(to, "life", worker_x(p, i), HEAD - 12, worker_x(p, i), bottom_of(p) + 8);
        put_sleeps(to, p, i);
    }
    for (size_t i = 0; i < p->run_count; i++) {
        char class[16];
        const struct run *run = &p->runs[i];
        snprintf(class, sizeof class, "run c%d", run->actor % 8);
        put_bar(to, class, worker_x(p, run->worker), y_of(p, run->from_ns), y_of(p, run->to_ns),
                BAR);
    }
}

static void put_lives(FILE *to, const struct panel *p)
{
    for (int i = 0; i < p->actor_count; i++) {
        const struct actor *actor = &p->actors[i];
        double x = actor_x(p, i), from = y_of(p, actor->starts_ns);
        double until = actor->ends_ns == INT64_MAX ? bottom_of(p) + 8 : y_of(p, actor->ends_ns);
        put_line(to, "before", x, HEAD - 12, x, from);
        put_line(to, "life", x, from, x, until);
        if (actor->ends_ns != INT64_MAX)
            fprintf(to, "<path class=\"cross\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"/>\n", x - 4,
                    until + 2);
    }
    if (p->has_kernel)
        put_line(to, "life", kernel_x(p), HEAD - 12, kernel_x(p), bottom_of(p) + 8);
}

static void put_arrow(FILE *to, const char *class, double from, double until, double y)
{
    double side = until > from ? -1 : 1;

    put_line(to, class, from, y, until + side, y);
    fprintf(to, "<path class=\"tip\" d=\"M%.1f %.1fl%.1f -4v8z\"/>\n", until, y, 7 * side);
}

/* The kernel's bars: the first slot that is free takes the next wait. */
static int take_slot(int64_t *until, int64_t from_ns, int64_t to_ns)
{
    int slot = 0;

    while (slot < CHOSEN_TASKS - 1 && until[slot] > from_ns)
        slot++;
    until[slot] = to_ns;
    return slot;
}

static void put_kernel_wait(FILE *to, const struct panel *p, const struct run *run, int64_t *slots)
{
    const struct run *next = next_run(p, run);
    int64_t until = next ? next->from_ns : INT64_MAX;
    double x = kernel_x(p) + BESIDE * take_slot(slots, run->to_ns, until);
    double y = y_of(p, run->to_ns), back = next ? y_of(p, until) : bottom_of(p) + 8;
    double task = actor_x(p, run->actor) + BAR / 2.;
    char class[16];

    snprintf(class, sizeof class, "op c%d", run->actor % 8);
    put_bar(to, class, x, y, back, BAR - 4);
    put_arrow(to, "ask", task, x - (BAR - 4) / 2., y);
    if (next)
        put_arrow(to, "ask", x - (BAR - 4) / 2., task, back);
}

static void put_state(FILE *to, const struct panel *p, const struct run *run)
{
    double x = actor_x(p, run->actor);
    char class[16];

    snprintf(class, sizeof class, "run c%d", run->actor % 8);
    if (run->ready_ns < run->from_ns)
        put_bar(to, "ready", x, y_of(p, run->ready_ns), y_of(p, run->from_ns), BAR - 6);
    put_bar(to, class, x, y_of(p, run->from_ns), y_of(p, run->to_ns), BAR);
}

/* Between two runs: nothing but a line, dotted while it waits. */
static void put_gap(FILE *to, const struct panel *p, const struct run *run)
{
    const struct run *next = next_run(p, run);
    double x = actor_x(p, run->actor), y = y_of(p, run->to_ns);

    if (!next && ends(run))
        return;
    double until = next ? y_of(p, next->ready_ns) : bottom_of(p) + 8;
    if (!waits(run) && next)
        put_bar(to, "ready", x, y, y_of(p, next->from_ns), BAR - 6);
    if (waits(run))
        put_line(to, "wait", x, y, x, until);
    put_text(to, "why", "start", x + BAR / 2. + 3, y + 11, "%s",
             strcmp(run->end, "waits for sleep") == 0 ? "sleeps" : run->end);
}

static void put_wake(FILE *to, const struct panel *p, const struct run *run)
{
    if (run->by == NOBODY || run->by == run->actor)
        return;
    double from = actor_x(p, run->by), until = actor_x(p, run->actor);
    double side = until > from ? 1 : -1, y = y_of(p, run->ready_ns);
    bool is_start = run->ready_ns == p->actors[run->actor].starts_ns;

    put_arrow(to, "wake", from + side * BAR / 2., until - side * 4, y);
    put_text(to, "verb", side > 0 ? "start" : "end", from + side * (BAR / 2. + 5), y - 3,
             is_start ? "starts" : "wakes");
}

static void put_panel(FILE *to, const struct panel *p)
{
    int64_t slots[CHOSEN_TASKS] = {0};

    put_title(to, p);
    put_heads(to, p);
    put_clock(to, p);
    put_lives(to, p);
    put_workers(to, p);
    for (size_t i = 0; i < p->run_count; i++) {
        if (is_kernels(p->runs[i].end))
            put_kernel_wait(to, p, &p->runs[i], slots);
    }
    for (size_t i = 0; i < p->run_count; i++)
        put_state(to, p, &p->runs[i]);
    for (size_t i = 0; i < p->run_count; i++)
        put_wake(to, p, &p->runs[i]);
    for (size_t i = 0; i < p->run_count; i++)
        put_gap(to, p, &p->runs[i]);
    if (p->run_count < p->all_runs)
        put_text(to, "soft", "start", p->x, bottom_of(p) + 30, "%zu more runs are not shown",
                 p->all_runs - p->run_count);
}

/* --- the whole --- */

static const char style[] =
    "<style>\n"
    "svg { --fg: #1c1e21; --bg: #ffffff; --soft: #5d6470; --line: #9aa3af; --card: #f0f2f5;\n"
    "  --c0: #0b57d0; --c1: #c2410c; --c2: #15803d; --c3: #9333ea; --c4: #b91c5c; --c5: #0e7490;\n"
    "  --c6: #854d0e; --c7: #475569; font: 12px system-ui, sans-serif; }\n"
    "@media (prefers-color-scheme: dark) { svg { --fg: #e6e8eb; --bg: #15171a; --soft: #9aa3af;\n"
    "  --line: #5d6470; --card: #262a30; --c0: #8ab4f8; --c1: #fdba74; --c2: #86efac;\n"
    "  --c3: #d8b4fe; --c4: #f9a8d4; --c5: #67e8f9; --c6: #fde047; --c7: #cbd5e1; } }\n"
    "text { fill: var(--fg); }\n"
    ".title { font-size: 16px; font-weight: 600; }\n"
    ".head { font-weight: 600; }\n"
    ".soft { fill: var(--soft); font-size: 11px; }\n"
    ".why, .verb { font-size: 11px; paint-order: stroke; stroke: var(--bg); stroke-width: 3px; }\n"
    ".verb { fill: var(--soft); }\n"
    ".ground { fill: var(--bg); }\n"
    ".box { fill: var(--card); stroke: var(--line); }\n"
    "path { fill: none; stroke: var(--line); }\n"
    ".life { stroke-width: 1.2; }\n"
    ".before { stroke-dasharray: 1 5; }\n"
    ".wait { stroke: var(--bg); stroke-width: 3; stroke-dasharray: 5 5; }\n"
    ".cross { stroke: var(--fg); stroke-width: 1.5; }\n"
    ".wake { stroke: var(--fg); stroke-width: 1.2; }\n"
    ".ask { stroke: var(--soft); stroke-dasharray: 4 3; }\n"
    ".tip { fill: var(--fg); stroke: none; }\n"
    ".ready { fill: var(--bg); stroke: var(--soft); }\n"
    ".asleep { fill: none; stroke: var(--line); stroke-dasharray: 2 3; }\n"
    ".run { stroke: none; }\n"
    ".op { fill-opacity: .35; stroke-width: 1; }\n"
    ".c0 { fill: var(--c0); stroke: var(--c0); } .c1 { fill: var(--c1); stroke: var(--c1); }\n"
    ".c2 { fill: var(--c2); stroke: var(--c2); } .c3 { fill: var(--c3); stroke: var(--c3); }\n"
    ".c4 { fill: var(--c4); stroke: var(--c4); } .c5 { fill: var(--c5); stroke: var(--c5); }\n"
    ".c6 { fill: var(--c6); stroke: var(--c6); } .c7 { fill: var(--c7); stroke: var(--c7); }\n"
    "</style>\n";

static void put_legend(FILE *to, double y)
{
    static const struct {
        const char *class, *words;
    } rows[] = {{"run c0", "runs"},
                {"ready", "is ready, another has the worker"},
                {"wait", "waits"},
                {"op c0", "the kernel has it"},
                {"asleep", "nothing to do: the worker sleeps in the kernel"}};
    static const int widths[] = {60, 210, 66, 130, 0};
    double x = EDGE;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].class, "wait") == 0) {
            put_line(to, "life", x - 9, y - 4, x + 11, y - 4);
            put_line(to, "wait", x - 9, y - 4, x + 11, y - 4);
        } else {
            put_bar(to, rows[i].class, x + 5, y - 11, y + 2, 10);
        }
        put_text(to, "soft", "start", x + 16, y, "%s", rows[i].words);
        x += widths[i];
    }
}

static void put_picture(FILE *to, const struct panel *panels, size_t count)
{
    double width = EDGE - BETWEEN + EDGE, bottom = 0;

    for (size_t i = 0; i < count; i++) {
        width += panels[i].width + BETWEEN;
        bottom = bottom_of(&panels[i]) > bottom ? bottom_of(&panels[i]) : bottom;
    }
    width = width < LEGEND ? LEGEND : width;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\">\n<title>Who runs, who waits for what</title>\n",
            width, bottom + 2 * FOOT + 16, width, bottom + 2 * FOOT + 16);
    fputs(style, to);
    fputs("<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n", to);
    for (size_t i = 0; i < count; i++)
        put_panel(to, &panels[i]);
    put_legend(to, bottom + 2 * FOOT);
    fputs("</svg>\n", to);
}

static int prepare(struct panel *p, const struct tl_story *story, const struct tl_choice *choice)
{
    bool is_chosen = choice->has_times || choice->tasks;

    p->story = story;
    p->choice = choice;
    p->most_tasks = is_chosen ? CHOSEN_TASKS : TASKS;
    p->most_runs = is_chosen ? CHOSEN_RUNS : RUNS;
    int r = find_runs(p);
    if (r < 0)
        return r;
    find_arrows(p);
    sort_actors(p);
    p->has_kernel = asks_kernel(p);
    return make_steps(p);
}

static void arrange(struct panel *panels, size_t count)
{
    int64_t longest = 1;
    double x = EDGE;

    for (size_t i = 0; i < count; i++) {
        int64_t ns = panels[i].last_ns - panels[i].first_ns;
        longest = ns > longest ? ns : longest;
    }
    for (size_t i = 0; i < count; i++) {
        struct panel *p = &panels[i];
        place_steps(p, LINEAR / (double)longest);
        p->x = x;
        p->width = kernel_x(p) - x + (p->has_kernel ? KERNEL_WIDTH : 0) - 2 * BESIDE;
        x += p->width + BETWEEN;
    }
}

int tl_put_sequence(FILE *to, struct tl_story *const *stories, size_t count,
                    const struct tl_choice *choice)
{
    struct panel *panels = rvi_calloc(count, sizeof *panels);
    int r = panels ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && r == 0; i++)
        r = prepare(&panels[i], stories[i], choice);
    if (r == 0) {
        arrange(panels, count);
        put_picture(to, panels, count);
    }
    for (size_t i = 0; i < count && panels; i++) {
        rvi_free(panels[i].runs);
        rvi_free(panels[i].steps);
    }
    rvi_free(panels);
    return r;
}

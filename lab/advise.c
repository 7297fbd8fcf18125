/* SPDX-License-Identifier: MIT */
/* advise.c - from figures to advice, by rules that can be read here.
 *
 *   1. A job that leaves its processor idle for more than half of its time waits; with less than a
 *      tenth it computes.
 *   2. The tier is the simplest of those whose best rate reaches nine tenths of the best of all, in
 *      the order inline, tasks, threads, processes, cluster. So a tier has to earn what it costs.
 *   3. Its workers are the fewest that reach nine tenths of its own best rate.
 *   4. Where more stop paying is what the scalability law foretells, if it fits what was measured
 *      within LAB_NOISY; otherwise it is said that this is not known.
 *   5. Nothing is advised if what decides was noisy and the bounds of the chosen rate and of the
 *      plain call overlap: then it is not known whether any tier helps.
 *
 * Checked by: tests/unit/lab/test_advise.c, tests/cli/test_advise.py */
#include "lab/advise.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lab/json.h"

enum { MOST = 32 };

enum { INLINE, PROCESSES = 3, CLUSTER };

static const char *const tiers[LAB_TIERS] = {"inline", "tasks", "threads", "processes", "cluster"};
/* Of one job alone. */
static const char *const ways[LAB_TIERS] = {"called directly", "as a task", "on a thread",
                                            "in a worker process", "in the cluster"};

#define ENOUGH 0.9 /* of the best */

struct tier {
    const char *name;
    double workers[MOST], rates[MOST];
    const struct lab_figure *figures[MOST]; /* of the rates */
    unsigned count, best;                   /* index of the best */
};

__attribute__((format(printf, 2, 3))) static void say(struct lab_advice *a, const char *format, ...)
{
    va_list args;

    if (a->count == LAB_REASONS)
        return;
    va_start(args, format);
    vsnprintf(a->reasons[a->count++], LAB_REASON, format, args);
    va_end(args);
}

static const struct lab_figure *find(const struct lab_result *r, const char *tier, double workers,
                                     const char *unit)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct lab_figure *f = &r->figures[i];
        if (f->at == workers && strcmp(f->name, tier) == 0 && strcmp(f->unit, unit) == 0)
            return f;
    }
    return NULL;
}

static void collect(const struct lab_result *r, const char *name, struct tier *t)
{
    *t = (struct tier){.name = name};
    for (size_t i = 0; i < r->count && t->count < MOST; i++) {
        const struct lab_figure *f = &r->figures[i];
        if (strcmp(f->name, name) != 0 || strcmp(f->unit, "1/s") != 0 || !(f->value.median > 0))
            continue;
        t->workers[t->count] = f->at;
        t->rates[t->count] = f->value.median;
        t->figures[t->count] = f;
        if (f->value.median > t->rates[t->best])
            t->best = t->count;
        t->count++;
    }
}

/* The index of the fewest workers that do enough. */
static unsigned fewest(const struct tier *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (t->rates[i] >= ENOUGH * t->rates[t->best])
            return i;
    }
    return t->best;
}

static const struct tier *choose(const struct tier *all)
{
    double most = 0;

    for (int i = 0; i < LAB_TIERS; i++)
        most = all[i].count ? fmax(most, all[i].rates[all[i].best]) : most;
    for (int i = 0; i < LAB_TIERS; i++) {
        if (all[i].count && all[i].rates[all[i].best] >= ENOUGH * most)
            return &all[i];
    }
    return NULL;
}

/* --- what is said --- */

static bool is_busy(const struct lab_surroundings *here)
{
    return here->load > 0.5 * here->processors;
}

/* Who waits for a processor that others have cannot be told from who waits for anything else. */
static void say_nature(struct lab_advice *a, const struct lab_surroundings *here,
                       const struct lab_figure *switches)
{
    char job[48];
    const char *nature = a->waits > 0.5   ? "it waits for most of it"
                         : a->waits < 0.1 ? "it computes"
                                          : "it computes and waits";
    const char *doubt = is_busy(here) && a->waits >= 0.1 ? ", if not for others to compute" : "";

    lab_put_value(job, sizeof job, a->job_ns, "ns");
    say(a, "One takes %s and has a processor for %.0f%% of that: %s%s.", job, 100 * (1 - a->waits),
        nature, doubt);
    if (switches && switches->value.median >= 0.1)
        say(a, "It makes %.3g context switches.", switches->value.median);
}

static void say_gain(struct lab_advice *a, const struct tier *t, const struct lab_figure *plain)
{
    const struct lab_figure *most = t->figures[t->best];

    if (most->at == 1 || most->value.median < plain->value.median / ENOUGH)
        say(a, "More than one at a time did no tenth more than one after another.");
    else
        say(a, "The most was %.3g times as many as one after another, by %.0f %s.",
            most->value.median / plain->value.median, most->at, t->name);
}

static void say_alternatives(struct lab_advice *a, const struct tier *all, const struct tier *t)
{
    for (int i = 0; i < LAB_TIERS; i++) {
        const struct tier *other = &all[i];
        if (other == t || !other->count || strcmp(other->name, "inline") == 0)
            continue;
        double share = other->rates[other->best] / t->rates[t->best];
        say(a, "%c%s: %.0f%% of that at best, by %.0f%s.", other->name[0] - 32, other->name + 1,
            100 * share, other->workers[other->best],
            share >= ENOUGH ? "; no better, and dearer" : "");
    }
}

static void say_handing(struct lab_advice *a, const struct tier *t, const struct tier *plain)
{
    char more[48];

    if (t->figures[0]->value.is_noisy || plain->figures[0]->value.is_noisy) {
        say(a, "What handing one over takes was lost in noise.");
        return;
    }
    a->handing_ns = fmax(0, 1e9 / t->rates[0] - a->job_ns);
    lab_put_value(more, sizeof more, a->handing_ns, "ns");
    if (a->handing_ns < a->job_ns / 100)
        say(a,
            "Handing one over takes too little to be seen beside it: a future for each is fine.");
    else if (a->handing_ns > a->job_ns / 10)
        say(a,
            "Handing one over takes %s, much beside the job itself: let each job do many, or "
            "let the workers take from a queue.",
            more);
    else
        say(a, "Handing one over takes %s, little beside the job: a future for each is fine.",
            more);
}

/* The whole way of a single job: what handing over takes when nothing hides it. */
static void say_alone(struct lab_advice *a, const struct lab_result *alone, double job_bytes)
{
    char text[LAB_REASON] = "", time[48], bytes[48];

    for (size_t i = 0; i < alone->count; i++) {
        const struct lab_figure *f = &alone->figures[i];
        size_t had = strlen(text);
        int tier = 0;
        while (tier < LAB_TIERS - 1 && strcmp(tiers[tier], f->name) != 0)
            tier++;
        lab_put_value(time, sizeof time, f->value.median, f->unit);
        snprintf(text + had, sizeof text - had, "%s %s %s", i ? "," : "", time, ways[tier]);
    }
    lab_put_value(bytes, sizeof bytes, job_bytes, "bytes");
    if (alone->count > 1)
        say(a, "Alone, with %s of input and result, one is there after%s.", bytes, text);
}

static void fit_laws(struct lab_advice *a, const struct tier *all)
{
    for (int i = 0; i < LAB_TIERS; i++) {
        struct lab_tier_law *fit = &a->laws[a->law_count];
        fit->tier = tiers[i];
        a->law_count += lab_usl_fit(all[i].workers, all[i].rates, all[i].count, &fit->law);
    }
}

static void say_law(struct lab_advice *a, const struct tier *t)
{
    struct lab_usl law = {0};
    bool is_known = false;

    for (unsigned i = 0; i < a->law_count && !is_known; i++) {
        is_known = strcmp(a->laws[i].tier, t->name) == 0;
        law = a->laws[i].law;
    }
    a->best = (double)NAN;
    if (!is_known)
        say(a, "Where more workers stop paying is not known: too few numbers of them were tried.");
    else if (law.error > LAB_NOISY)
        say(a, "Where more workers stop paying is not known: the scalability law is off by %.0f%%.",
            100 * law.error);
    else if (isinf(a->best = law.best))
        say(a,
            "The scalability law (contention %.3f, coherence 0) sees no end to what more workers "
            "give; %.0f were the most tried.",
            law.contention, t->workers[t->count - 1]);
    else
        say(a,
            "More than %.0f workers stop paying (scalability law: contention %.3f, coherence "
            "%.5f).",
            law.best, law.contention, law.coherence);
}

static void say_memory(struct lab_advice *a, const struct lab_result *r, const struct tier *t,
                       double memory)
{
    const struct lab_figure *f = find(r, t->name, a->workers, "bytes");
    double all = f ? f->value.median * (strcmp(t->name, "processes") == 0 ? a->workers : 1) : 0;
    char bytes[48];

    if (!f)
        return;
    lab_put_value(bytes, sizeof bytes, all, "bytes");
    if (strcmp(t->name, "cluster") == 0)
        say(a, "This program has at most %s of memory then; its workers have their own.", bytes);
    else if (all > memory / 2)
        say(a,
            "With so many workers it may have %s, more than half of this machine's memory: fewer "
            "may be wiser.",
            bytes);
    else
        say(a, "It has at most %s of memory then.", bytes);
}

/* Where none was measured. */
static void say_cluster(struct lab_advice *a, const struct tier *t, unsigned processors)
{
    double gain = t->rates[t->best] / t->rates[0];

    if (a->waits > 0.5 || !(a->job_ns > 10e6))
        return;
    if (gain > 0.7 * processors)
        say(a,
            "It fills this machine's %u processors, and takes long enough to be sent away: a "
            "cluster would go on helping.",
            processors);
}

/* --- the judgement --- */

/* Better beyond doubt, or neither in doubt. */
static bool is_sure(const struct lab_figure *chosen, const struct lab_figure *plain)
{
    double sure = fmin(chosen->value.confidence, plain->value.confidence);

    if (chosen->value.low > plain->value.high && sure > 0.9)
        return true;
    return !chosen->value.is_noisy && !plain->value.is_noisy;
}

static void weigh(struct lab_advice *a, const struct tier *all, const struct tier *t,
                  const struct tier *plain)
{
    say_gain(a, t, plain->figures[0]);
    say_alternatives(a, all, t);
    a->is_known = is_sure(t->figures[t->best], plain->figures[0]);
    if (!a->is_known)
        say(a, "The figures were too noisy to tell these apart: measure again on a quiet machine.");
    a->workers = (unsigned)t->workers[fewest(t)];
    snprintf(a->tier, sizeof a->tier, "%s", t->name);
}

static void say_load(struct lab_advice *a, const struct lab_surroundings *here)
{
    if (is_busy(here))
        say(a,
            "Other programs kept this machine busy (load %.1f, %u processors): it may have "
            "waited for them.",
            here->load, here->processors);
}

void lab_advise(const struct lab_result *measured, const struct lab_result *alone,
                const struct lab_surroundings *here, struct lab_advice *ret)
{
    struct tier all[LAB_TIERS];

    *ret = (struct lab_advice){.best = (double)NAN, .handing_ns = (double)NAN};
    for (int i = 0; i < LAB_TIERS; i++)
        collect(measured, tiers[i], &all[i]);
    const struct tier *plain = here->is_command ? &all[PROCESSES] : &all[INLINE], *t = choose(all);
    const struct lab_figure *cpu = find(measured, plain->name, 1, "ns");
    if (!t || !plain->count || plain->workers[0] != 1 || !cpu) {
        say(ret, "Nothing is known: one of them alone could not be measured.");
        return;
    }
    ret->job_ns = 1e9 / plain->rates[0];
    ret->waits = fmax(0, 1 - cpu->value.median / ret->job_ns);
    say_nature(ret, here, find(measured, plain->name, 1, "switches"));
    fit_laws(ret, all);
    weigh(ret, all, t, plain);
    if (t->count > 1 || here->is_command)
        say_law(ret, t);
    if (t != plain)
        say_handing(ret, t, plain);
    if (alone)
        say_alone(ret, alone, here->job_bytes);
    say_memory(ret, measured, t, here->memory_bytes);
    if (!all[CLUSTER].count)
        say_cluster(ret, t, here->processors);
    say_load(ret, here);
}

/* --- the advice, written --- */

void lab_advice_line(const struct lab_advice *a, bool is_command, char *to, size_t room)
{
    if (!a->is_known)
        snprintf(to, room, "It is not known where this should run.");
    else if (is_command)
        snprintf(to, room, "Advice: %u at once%s.", a->workers,
                 a->waits > 0.5 ? "; one program with tasks that wait would hold less memory" : "");
    else if (strcmp(a->tier, "inline") == 0)
        snprintf(to, room, "Advice: call it where you are, on one core (\"inline\").");
    else if (strcmp(a->tier, "cluster") == 0)
        snprintf(to, room, "Advice: \"cluster\", with %u workers there.", a->workers);
    else
        snprintf(to, room, "Advice: \"%s:%u\".", a->tier, a->workers);
}

static void put_law(FILE *to, const struct lab_tier_law *l)
{
    const struct {
        const char *name;
        double value;
    } members[] = {{"single", l->law.single},
                   {"contention", l->law.contention},
                   {"coherence", l->law.coherence},
                   {"best", l->law.best},
                   {"error", l->law.error}};

    fputs("{\"tier\": ", to);
    lab_json_put(to, l->tier);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        fprintf(to, ", \"%s\": ", members[i].name);
        lab_json_put_number(to, members[i].value);
    }
    fputs("}", to);
}

static void put_numbers(FILE *to, const struct lab_advice *a)
{
    fprintf(to, ",\n\"workers\": %u,\n\"best_workers\": ", a->workers);
    lab_json_put_number(to, a->best);
    fputs(",\n\"waits\": ", to);
    lab_json_put_number(to, a->waits);
    fputs(",\n\"job_ns\": ", to);
    lab_json_put_number(to, a->job_ns);
}

void lab_advice_put_json(FILE *to, const struct lab_report *report, const struct lab_advice *a)
{
    fprintf(to,
            "{\n\"ravel_advise\": 1,\n\"known\": %s,\n\"tier\": ", a->is_known ? "true" : "false");
    lab_json_put(to, a->tier);
    put_numbers(to, a);
    fputs(",\n\"laws\": [", to);
    for (unsigned i = 0; i < a->law_count; i++) {
        fputs(i ? ",\n  " : "\n  ", to);
        put_law(to, &a->laws[i]);
    }
    fputs("\n],\n\"reasons\": [", to);
    for (unsigned i = 0; i < a->count; i++) {
        fputs(i ? ",\n  " : "\n  ", to);
        lab_json_put(to, a->reasons[i]);
    }
    fputs("\n],\n\"report\":\n", to);
    lab_report_put_json(to, report);
    fputs("}\n", to);
}

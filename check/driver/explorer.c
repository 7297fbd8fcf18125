/* SPDX-License-Identifier: MIT */
/* explorer.c - which schedule next.
 *
 * No strategy is best for all bugs: each is a guess about what a bug needs (few changes of who is
 * first, one place that waits for another, an even mix of two accesses). So plans take turns:
 *
 *   X1  the first execution runs until blocked, with each access a point, and is studied: locations
 *       that share memory, how much each thread does, orders that were not seen (predict.h)
 *   X2  plans of the lineup and predicted orders alternate while there are any of these; the likely
 *       ones first, and with each that was tried the next
 *   X3  strategies and granularities turn with periods that have no common divisor, so that each
 *       meets each. What takes 30 schedules at one granularity may take 800 at another
 *   X4  location priorities come in pairs, the second the reverse of the first: of two places one
 *       order is found in the first or the second
 *   X6  after the opening, a strategy whose executions were mostly seen before gives most of its
 *       turns to the others, and so do predictions
 *   X5  all numbers come from the seed and from results: equal programs and seeds get equal plans
 *       (with several streams, from results in the order in which they came)
 *
 * A bounded search takes the place of all that (search.h): after the first execution, at the
 * locations that are learned, and from its beginning whenever there is another one.
 *
 * Learned locations are kept sorted, and none is ever dropped; counts are those of the last
 * execution at the same granularity that came to its end. */
#include "check/driver/explorer.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "check/driver/predict.h"
#include "check/driver/search.h"

enum {
    GRANULARITIES = 3,
    DEFAULT_STEPS = 1000000,
    DEFAULT_QUIET = 100000,
    DEPTH_MOST = 4,
    SHORT = 10000,        /* steps: with each access a point it is still soon over */
    OPENING = 40,         /* plans */
    LATE_PREDICTIONS = 4, /* after the opening a plan in so many is a prediction */
    POOR = 10,            /* X6: so many times less than the best */
    PATIENCE = 4,         /* X6: and yet it gets one turn in so many */
    MEMORY = 16,          /* X6: executions */
    HURRY = 3, /* a plan in so many, and a step in so many of it, ends a wait by its time-out */
    ALONE_RUNS = 3,     /* enough for a program with one thread */
    SAME_RUNS = 64,     /* and for one that never does anything in another order */
    STUDIED_MOST = 16,  /* executions of which the events are read */
    LEARNING_RUNS = 32, /* and locations; after that each LEARNING_RUNS'th */
};

struct shape {
    enum rvi_strategy_kind kind;
    bool is_reverse, is_own;
    unsigned share;
};

/* X3: 5:3:2:2, those that find much in few runs first. */
static const struct shape lineup[] = {
    {.kind = RVI_STRATEGY_LOCATION},
    {.kind = RVI_STRATEGY_LOCATION, .is_reverse = true},
    {.kind = RVI_STRATEGY_SURW},
    {.kind = RVI_STRATEGY_POS},
    {.kind = RVI_STRATEGY_PCT},
    {.kind = RVI_STRATEGY_SURW, .share = 1},
    {.kind = RVI_STRATEGY_AIM},
    {.kind = RVI_STRATEGY_POS},
    {.kind = RVI_STRATEGY_SURW},
    {.kind = RVI_STRATEGY_LOCATION, .is_own = true},
    {.kind = RVI_STRATEGY_PCT},
    {.kind = RVI_STRATEGY_POS},
    {.kind = RVI_STRATEGY_SURW, .share = 2},
};

static const uint32_t granularities[] = {CK_LEARNED, CK_LEARNED, CK_SYNC, CK_LEARNED, CK_ALL};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct ck_explorer {
    struct ck_explorer_opts opts;
    struct rvi_rng rng;
    uint64_t given, fed;
    uint64_t turn;      /* plans of the lineup */
    uint64_t last_seed; /* of the last location plan */
    uint64_t depth;
    uint32_t threads_most;
    bool has_accesses;
    struct ck_estimate estimate;
    struct ck_place *locations; /* CK_LOCATIONS_MOST; sorted */
    uint32_t location_count;
    uint64_t length[GRANULARITIES];
    uint32_t counts[GRANULARITIES][CK_THREADS_MOST];
    struct ck_prediction *predictions; /* CK_PREDICTIONS_MOST */
    uint32_t prediction_count, predictions_tried;
    uint32_t studied;
    double novelty[RVI_STRATEGY_KINDS]; /* X6: share of the last executions that were new */
    struct ck_search *search;           /* NULL: the portfolio */
};

int ck_explorer_new(const struct ck_explorer_opts *opts, struct ck_explorer **ret)
{
    struct ck_explorer *e = rvi_calloc(1, sizeof *e);

    if (!e)
        return -ENOMEM;
    e->opts = *opts;
    e->opts.step_limit = opts->step_limit > 0 ? opts->step_limit : DEFAULT_STEPS;
    e->opts.quiet_limit = opts->quiet_limit > 0 ? opts->quiet_limit : DEFAULT_QUIET;
    e->locations = rvi_calloc(CK_LOCATIONS_MOST, sizeof *e->locations);
    e->predictions = rvi_calloc(CK_PREDICTIONS_MOST, sizeof *e->predictions);
    int err = opts->bound > 0 ? ck_search_new(opts->bound - 1, &e->search) : 0;
    if (!e->locations || !e->predictions || err < 0) {
        ck_explorer_free(e);
        return -ENOMEM;
    }
    rvi_rng_seed(&e->rng, opts->seed);
    for (int i = 0; i < RVI_STRATEGY_KINDS; i++)
        e->novelty[i] = 1;
    *ret = e;
    return 0;
}

void ck_explorer_free(struct ck_explorer *e)
{
    if (!e)
        return;
    ck_estimate_fini(&e->estimate);
    ck_search_free(e->search);
    rvi_free(e->predictions);
    rvi_free(e->locations);
    rvi_free(e);
}

const struct ck_estimate *ck_explorer_estimate(const struct ck_explorer *e)
{
    return &e->estimate;
}

/* --- plans --- */

static uint64_t length_of(const struct ck_explorer *e, uint32_t granularity)
{
    return e->length[granularity] > 0 ? e->length[granularity] : e->depth > 0 ? e->depth : 100;
}

static uint32_t granularity_of(const struct ck_explorer *e, uint32_t wanted)
{
    if (e->opts.only_granularity > 0)
        return (uint32_t)e->opts.only_granularity - 1;
    if (!e->has_accesses)
        return CK_SYNC;
    if (wanted == CK_LEARNED && e->location_count == 0)
        return e->given % 2 == 1 && e->length[CK_ALL] <= SHORT ? CK_ALL : CK_SYNC;
    return wanted;
}

/* 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ... */
static bool is_round(uint64_t n)
{
    while (n > 3 && n % 2 == 0)
        n /= 2;
    return n <= 3;
}

static uint32_t flags_of(const struct ck_explorer *e)
{
    bool is_learning = e->given < LEARNING_RUNS || e->given % LEARNING_RUNS == 0;
    bool is_studied = e->studied < STUDIED_MOST && is_round(e->given);

    return e->opts.flags | (is_learning ? CK_LEARN : 0) | (is_studied ? CK_LOG_EVENTS : 0);
}

static struct ck_plan plan_of(struct ck_explorer *e, uint32_t granularity)
{
    uint64_t length = length_of(e, granularity);

    return (struct ck_plan){.strategy = {.seed = rvi_rng_next(&e->rng),
                                         .depth = 1,
                                         .length = length,
                                         .patience = 4 * length + 1000,
                                         .hurry = e->given % HURRY == HURRY - 1 ? HURRY : 0},
                            .mode = CK_EXPLORE,
                            .granularity = granularity,
                            .flags = flags_of(e),
                            .step_limit = e->opts.step_limit,
                            .quiet_limit = e->opts.quiet_limit};
}

static struct ck_plan first_plan(struct ck_explorer *e)
{
    struct ck_plan plan = plan_of(e, CK_ALL);

    if (e->opts.only_granularity > 0)
        plan.granularity = (uint32_t)e->opts.only_granularity - 1;
    plan.mode = CK_FOLLOW;
    plan.flags |= CK_LEARN | CK_LOG_EVENTS;
    return plan;
}

static struct ck_plan predicted_plan(struct ck_explorer *e)
{
    const struct ck_prediction *p = &e->predictions[e->predictions_tried++ % e->prediction_count];
    struct ck_plan plan = plan_of(e, granularity_of(e, CK_LEARNED));

    plan.strategy.kind = RVI_STRATEGY_AIM;
    plan.strategy.aim_count = p->aim_count;
    plan.strategy.is_renewed = p->is_renewed;
    memcpy(plan.strategy.aims, p->aims, sizeof p->aims);
    return plan;
}

static double best_novelty(const struct ck_explorer *e)
{
    double best = 0;

    for (int i = 0; i < RVI_STRATEGY_KINDS; i++)
        best = e->novelty[i] > best ? e->novelty[i] : best;
    return best;
}

/* X6 */
static bool is_exhausted(struct ck_explorer *e, const struct shape *shape)
{
    return e->given > OPENING && e->novelty[shape->kind] * POOR < best_novelty(e) &&
           rvi_rng_below(&e->rng, PATIENCE) != 0;
}

static struct ck_plan lineup_plan(struct ck_explorer *e)
{
    for (size_t i = 0; i < COUNT(lineup) && e->opts.only_strategy == 0; i++) {
        if (!is_exhausted(e, &lineup[e->turn % COUNT(lineup)]))
            break;
        e->turn++;
    }
    const struct shape *shape = &lineup[e->turn % COUNT(lineup)];
    uint32_t granularity = granularity_of(e, granularities[e->turn % COUNT(granularities)]);
    struct ck_plan plan = plan_of(e, granularity);
    struct rvi_strategy_opts *s = &plan.strategy;

    s->kind = e->opts.only_strategy > 0 ? (enum rvi_strategy_kind)(e->opts.only_strategy - 1)
                                        : shape->kind;
    s->is_reversed = e->opts.only_strategy > 0 ? e->turn % 2 : shape->is_reverse;
    s->is_own = shape->is_own;
    s->share = shape->share;
    s->depth = 1 + (unsigned)(rvi_rng_next(&e->rng) % DEPTH_MOST);
    if (s->is_reversed)
        s->seed = e->last_seed;
    e->last_seed = s->seed;
    e->turn++;
    return plan;
}

/* X2: all of them as soon as may be; then round again, as who runs first is chance each time. */
static bool is_predictions_turn(const struct ck_explorer *e)
{
    bool is_new = e->predictions_tried < e->prediction_count;

    if (e->opts.only_strategy != 0)
        return is_new && e->opts.only_strategy == RVI_STRATEGY_AIM + 1;
    if (e->prediction_count == 0)
        return false;
    return is_new && e->given <= OPENING ? e->given % 2 == 1 : e->given % LATE_PREDICTIONS == 1;
}

/* X2 */
static struct ck_plan next_plan(struct ck_explorer *e)
{
    if (e->given == 0)
        return first_plan(e);
    if (is_predictions_turn(e))
        return predicted_plan(e);
    return lineup_plan(e);
}

/* The token of a schedule of the search travels in the plan, where nothing else reads it. */
static bool search_plan(struct ck_explorer *e, struct ck_shared *to)
{
    struct ck_plan plan = plan_of(e, granularity_of(e, CK_LEARNED));
    uint64_t token;
    long count = ck_search_next(e->search, to->switches, &token);

    if (count < 0)
        return false;
    plan.mode = CK_FOLLOW;
    plan.flags |= CK_MUST_FOLLOW | CK_LOG_DECISIONS | CK_LEARN;
    plan.switch_count = (uint32_t)count;
    plan.strategy.seed = e->opts.seed;
    plan.strategy.length = token;
    to->plan = plan;
    return true;
}

static bool has_searched_all(const struct ck_explorer *e)
{
    return e->search && ck_search_is_over(e->search);
}

static bool is_always_the_same(const struct ck_explorer *e)
{
    if (e->estimate.distinct > 1 || e->fed < ALONE_RUNS)
        return false;
    return e->threads_most <= 1 || e->fed >= SAME_RUNS;
}

enum ck_explorer_end ck_explorer_next(struct ck_explorer *e, struct ck_shared *to, int64_t spent_ns)
{
    if (e->opts.schedules > 0 && e->given >= e->opts.schedules)
        return CK_SCHEDULES_SPENT;
    if (e->opts.time_ns > 0 && spent_ns >= e->opts.time_ns)
        return CK_TIME_SPENT;
    if (has_searched_all(e))
        return CK_ALL_TRIED;
    if (!e->search && is_always_the_same(e))
        return CK_NOTHING_TO_CHOOSE;
    if (!e->search || e->given == 0 || !search_plan(e, to))
        to->plan = next_plan(e);
    to->plan.location_count = to->plan.granularity == CK_LEARNED ? e->location_count : 0;
    memcpy(to->locations, e->locations, to->plan.location_count * sizeof e->locations[0]);
    memcpy(to->counts, e->counts[to->plan.granularity], sizeof to->counts);
    e->given++;
    return CK_GO_ON;
}

/* --- results --- */

static int compare(struct ck_place a, struct ck_place b)
{
    if (a.module != b.module)
        return a.module < b.module ? -1 : 1;
    return a.offset < b.offset ? -1 : a.offset > b.offset;
}

static void add_location(struct ck_explorer *e, struct ck_place place)
{
    uint32_t low = 0, high = e->location_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(e->locations[middle], place) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < e->location_count && compare(e->locations[low], place) == 0)
        return;
    if (e->location_count == CK_LOCATIONS_MOST)
        return;
    memmove(&e->locations[low + 1], &e->locations[low],
            (e->location_count - low) * sizeof e->locations[0]);
    e->locations[low] = place;
    e->location_count++;
}

/* A search begins again when there are more points than it knew. */
static void learn(struct ck_explorer *e, const struct ck_shared *from)
{
    uint32_t known = e->location_count;

    for (uint32_t i = 0; i < from->result.seen_count && from->plan.flags & CK_LEARN; i++)
        add_location(e, from->seen[i]);
    if (e->search && e->location_count > known)
        ck_search_restart(e->search);
}

static bool is_known(const struct ck_explorer *e, const struct ck_prediction *p)
{
    for (uint32_t i = 0; i < e->prediction_count; i++) {
        if (e->predictions[i].aim_count == p->aim_count &&
            e->predictions[i].is_renewed == p->is_renewed &&
            memcmp(e->predictions[i].aims, p->aims, sizeof p->aims) == 0)
            return true;
    }
    return false;
}

/* Behind those that were tried, and those of its rank or a lower one. */
static void add_prediction(struct ck_explorer *e, const struct ck_prediction *p)
{
    uint32_t at = e->prediction_count;

    if (at == CK_PREDICTIONS_MOST || is_known(e, p))
        return;
    while (at > 0 && at > e->predictions_tried && e->predictions[at - 1].rank > p->rank)
        at--;
    memmove(&e->predictions[at + 1], &e->predictions[at],
            (e->prediction_count - at) * sizeof *e->predictions);
    e->predictions[at] = *p;
    e->prediction_count++;
}

static int study(struct ck_explorer *e, const struct ck_shared *from)
{
    struct ck_prediction *found = rvi_calloc(CK_PREDICTIONS_MOST, sizeof *found);
    int count = found ? ck_predict(from->events, from->result.event_count, found) : -ENOMEM;

    for (int i = 0; i < count; i++)
        add_prediction(e, &found[i]);
    rvi_free(found);
    e->studied++;
    return count < 0 ? count : 0;
}

/* One that failed tells less about how much there is to do. */
static void measure(struct ck_explorer *e, const struct ck_shared *from)
{
    const struct ck_result *r = &from->result;
    uint32_t granularity = from->plan.granularity % GRANULARITIES;

    e->depth = r->steps > e->depth ? r->steps : e->depth;
    if (r->failure.kind != CK_FINE)
        return;
    e->length[granularity] = r->steps > 0 ? r->steps : 1;
    memcpy(e->counts[granularity], r->counts, sizeof r->counts);
}

static void note_novelty(struct ck_explorer *e, const struct ck_shared *from, bool is_new)
{
    const struct rvi_strategy_opts *s = &from->plan.strategy;

    if (from->plan.mode == CK_EXPLORE && (unsigned)s->kind < RVI_STRATEGY_KINDS &&
        s->aim_count == 0)
        e->novelty[s->kind] += ((is_new ? 1 : 0) - e->novelty[s->kind]) / MEMORY;
}

int ck_explorer_feed(struct ck_explorer *e, const struct ck_shared *from)
{
    const struct ck_result *r = &from->result;

    e->fed++;
    e->has_accesses |= r->accesses > 0;
    e->threads_most = r->thread_count > e->threads_most ? r->thread_count : e->threads_most;
    measure(e, from);
    learn(e, from);
    int status = ck_estimate_add(&e->estimate, r->hash);
    note_novelty(e, from, status > 0);
    if (status >= 0 && e->search && from->plan.flags & CK_LOG_DECISIONS)
        status = ck_search_feed(e->search, from->plan.strategy.length, from);
    if (status >= 0 && from->plan.flags & CK_LOG_EVENTS)
        status = study(e, from);
    return status < 0 ? status : 0;
}

int ck_explorer_tried(const struct ck_explorer *e)
{
    return e->search ? ck_search_done(e->search) : -1;
}

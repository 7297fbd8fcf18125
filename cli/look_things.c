/* SPDX-License-Identifier: MIT */
/* look_things.c - executors, services, channels and queues of a program that is looked at, as lines
 * for people and as JSON.
 *
 * Checked by: tests/look/test_things.py */
#include <string.h>

#include <ravel/supervisor.h>

#include "check/driver/json.h"
#include "cli/cli.h"
#include "cli/look.h"

enum { JOBS_SHOWN = 8 };

/* What the words of a number are: "1 job waits", "2 jobs wait". */
static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *verb(uint64_t count)
{
    return count == 1 ? "s" : "";
}

/* --- executors, for people --- */

static void add_job(struct rvi_text *text, const struct look_job *job)
{
    char span[CLI_SPAN_BYTES];

    rvi_text_add(text, "%s", job->name);
    if (job->has_since)
        rvi_text_add(text, " for %s", cli_span(job->since_ns, span));
}

static void add_member(struct rvi_text *text, const struct look_member *member)
{
    static const char *const states[] = {"is being started", "idle", "leaves"};
    char span[CLI_SPAN_BYTES];

    rvi_text_add(text, "  process %d: ", member->pid);
    if (member->is_busy) {
        rvi_text_add(text, "runs ");
        add_job(text, &member->job);
        if (member->state == LOOK_MEMBER_LEAVING)
            rvi_text_add(text, ", then leaves");
    } else {
        rvi_text_add(text, "%s", states[member->state]);
    }
    if (member->queued)
        rvi_text_add(text, ", %zu more wait%s there", member->queued, verb(member->queued));
    rvi_text_add(text, "; %llu job%s so far", (unsigned long long)member->jobs,
                 plural(member->jobs));
    if (member->has_age)
        rvi_text_add(text, ", started %s ago", cli_span(member->age_ns, span));
    rvi_text_add(text, "\n");
}

static void add_troubles(struct rvi_text *text, const struct look_executor *ex)
{
    const struct {
        uint64_t count;
        const char *what;
    } troubles[] = {
        {ex->cancelled, "cancelled"}, {ex->deaths, "processes died"}, {ex->retried, "run again"},
        {ex->poisoned, "set aside"},  {ex->recycled, "recycled"},
    };
    char span[CLI_SPAN_BYTES];

    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        if (troubles[i].count)
            rvi_text_add(text, ", %llu %s", (unsigned long long)troubles[i].count,
                         troubles[i].what);
    }
    if (ex->away_ns > 0)
        rvi_text_add(text, "; its engine is away for %s", cli_span(ex->away_ns, span));
    if (ex->is_closing)
        rvi_text_add(text, "; takes no more");
    if (ex->is_torn)
        rvi_text_add(text, "; changed while it was read");
}

static void add_executor(struct rvi_text *text, const struct look_executor *ex)
{
    size_t shown = ex->job_count < JOBS_SHOWN ? ex->job_count : JOBS_SHOWN;

    rvi_text_add(text, "executor %s: ", ex->choice);
    if (!ex->is_inline && strcmp(ex->tier, "cluster") != 0)
        rvi_text_add(text, "%u worker%s of %u, %u busy; ", ex->workers, plural(ex->workers),
                     ex->width, ex->busy);
    rvi_text_add(text, "%llu job%s run%s, %llu wait%s; %llu submitted, %llu ended",
                 (unsigned long long)ex->running, plural(ex->running), verb(ex->running),
                 (unsigned long long)ex->waiting, verb(ex->waiting),
                 (unsigned long long)ex->submitted, (unsigned long long)ex->ended);
    add_troubles(text, ex);
    rvi_text_add(text, "\n");
    for (size_t i = 0; i < shown; i++) {
        rvi_text_add(text, "  job ");
        add_job(text, &ex->jobs[i]);
        rvi_text_add(text, "\n");
    }
    if (shown < ex->job_count)
        rvi_text_add(text, "  and %zu%s jobs more\n", ex->job_count - shown,
                     ex->has_more_jobs ? " or more" : "");
    for (size_t i = 0; i < ex->member_count; i++)
        add_member(text, &ex->members[i]);
}

/* --- services, for people --- */

static const char *const service_states[] = {
    [RV_SERVICE_STOPPED] = "stopped", [RV_SERVICE_STARTING] = "starting",
    [RV_SERVICE_RUNNING] = "running", [RV_SERVICE_STOPPING] = "stopping",
    [RV_SERVICE_WAITING] = "waiting", [RV_SERVICE_ENDED] = "ended",
};

static const char *const strategies[] = {
    [RV_ONE_FOR_ONE] = "one for one",
    [RV_ONE_FOR_ALL] = "one for all",
    [RV_REST_FOR_ONE] = "rest for one",
};

static bool lives(const struct look_service *service)
{
    return service->state == RV_SERVICE_STARTING || service->state == RV_SERVICE_RUNNING ||
           service->state == RV_SERVICE_STOPPING;
}

static void add_service(struct rvi_text *text, const struct look_service *service, int indent)
{
    char span[CLI_SPAN_BYTES];

    rvi_text_add(text, "%*sservice '%s': %s", indent, "", service->name,
                 service_states[service->state]);
    if (service->is_due)
        rvi_text_add(text, ", starts in %s", cli_span(service->due_ns, span));
    if (lives(service) && service->has_age)
        rvi_text_add(text, ", begun %s ago", cli_span(service->age_ns, span));
    if (service->is_process && service->pid > 0)
        rvi_text_add(text, ", process %d", service->pid);
    else if (service->is_process)
        rvi_text_add(text, ", a process");
    if (service->starts != 1)
        rvi_text_add(text, ", started %llu times", (unsigned long long)service->starts);
    if (service->has_ended)
        rvi_text_add(text, "; last it %s", service->end);
    rvi_text_add(text, "\n");
}

static void add_supervisor(struct rvi_text *text, const struct look_things *things, size_t index,
                           int indent)
{
    const struct look_supervisor *s = &things->supervisors[index];

    rvi_text_add(text, "%*ssupervisor '%s', %s", indent, "", s->name, strategies[s->strategy]);
    if (s->restarts)
        rvi_text_add(text, ", %llu restart%s", (unsigned long long)s->restarts,
                     plural(s->restarts));
    rvi_text_add(text, "\n");
    for (size_t i = 0; i < s->service_count; i++) {
        add_service(text, &s->services[i], indent + 2);
        if (s->services[i].below != LOOK_NONE)
            add_supervisor(text, things, (size_t)s->services[i].below, indent + 4);
    }
}

/* --- channels and queues, for people --- */

static void add_waiters(struct rvi_text *text, const struct look_flow *flow)
{
    if (flow->senders)
        rvi_text_add(text, ", %zu wait%s to %s", flow->senders, verb(flow->senders),
                     flow->is_queue ? "put" : "send");
    if (flow->receivers)
        rvi_text_add(text, ", %zu wait%s to %s", flow->receivers, verb(flow->receivers),
                     flow->is_queue ? "get" : "receive");
    if (flow->joiners)
        rvi_text_add(text, ", %zu wait%s for its end", flow->joiners, verb(flow->joiners));
    if (flow->is_closed)
        rvi_text_add(text, ", closed");
}

static void add_flow(struct rvi_text *text, const struct look_flow *flow)
{
    unsigned long long items = flow->items, capacity = flow->capacity, open = flow->unfinished;

    rvi_text_add(text, "%s '%s': ", flow->is_queue ? "queue" : "channel", flow->name);
    if (flow->where == LOOK_IN_CLUSTER)
        rvi_text_add(text, "in a cluster, see ravel cluster status");
    else if (flow->where == LOOK_SHARED)
        rvi_text_add(text, "shared by processes, %llu of %llu unfinished", open, capacity);
    else
        rvi_text_add(text, "%llu of %llu inside", items, capacity);
    if (flow->is_queue && flow->where == LOOK_HERE)
        rvi_text_add(text, ", %llu unfinished", open);
    add_waiters(text, flow);
    rvi_text_add(text, "\n");
}

void cli_add_things(struct rvi_text *text, const struct look_things *things)
{
    for (size_t i = 0; i < things->executor_count; i++)
        add_executor(text, &things->executors[i]);
    for (size_t i = 0; i < things->supervisor_count; i++) {
        if (things->supervisors[i].above == LOOK_NONE)
            add_supervisor(text, things, i, 0);
    }
    for (size_t i = 0; i < things->flow_count; i++)
        add_flow(text, &things->flows[i]);
    if (things->missed)
        rvi_text_add(text, "%zu executors, supervisors or queues came or went meanwhile.\n",
                     things->missed);
}

int cli_put_things(FILE *file, const struct look_things *things)
{
    struct rvi_text text = {0};

    cli_add_things(&text, things);
    if (text.bytes)
        fputs(text.bytes, file);
    bool is_cut = text.is_cut;
    rvi_text_fini(&text);
    return is_cut ? cli_unable("no memory") : CLI_FINE;
}

/* --- as JSON --- */

static void put_job(FILE *file, const struct look_job *job)
{
    fputs("{\"name\": ", file);
    ck_put_json(file, job->name);
    if (job->has_since)
        cli_put_json_number(file, "since_ns", job->since_ns);
    fputs("}", file);
}

static void put_member(FILE *file, const struct look_member *member)
{
    static const char *const states[] = {"starting", "ready", "leaving"};

    fprintf(file, "{\"pid\": %d", member->pid);
    cli_put_json_number(file, "number", (long long)member->number);
    cli_put_json_text(file, "state", states[member->state]);
    cli_put_json_number(file, "jobs", (long long)member->jobs);
    cli_put_json_number(file, "waiting", (long long)member->queued);
    if (member->has_age)
        cli_put_json_number(file, "age_ns", member->age_ns);
    if (member->is_busy) {
        fputs(", \"job\": ", file);
        put_job(file, &member->job);
    }
    fputs("}", file);
}

static void put_executor(FILE *file, const struct look_executor *ex)
{
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"width", ex->width},       {"workers", ex->workers},     {"busy", ex->busy},
        {"running", ex->running},   {"waiting", ex->waiting},     {"submitted", ex->submitted},
        {"ended", ex->ended},       {"cancelled", ex->cancelled}, {"deaths", ex->deaths},
        {"retried", ex->retried},   {"poisoned", ex->poisoned},   {"started", ex->started},
        {"recycled", ex->recycled},
    };

    fputs("{\"tier\": ", file);
    ck_put_json(file, ex->tier);
    cli_put_json_text(file, "choice", ex->choice);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cli_put_json_number(file, numbers[i].name, (long long)numbers[i].number);
    if (ex->away_ns > 0)
        cli_put_json_number(file, "away_ns", ex->away_ns);
    fprintf(file, ", \"closing\": %s, \"torn\": %s, \"jobs\": [", ex->is_closing ? "true" : "false",
            ex->is_torn ? "true" : "false");
    for (size_t i = 0; i < ex->job_count; i++) {
        fputs(i ? ",\n  " : "\n  ", file);
        put_job(file, &ex->jobs[i]);
    }
    fputs("], \"processes\": [", file);
    for (size_t i = 0; i < ex->member_count; i++) {
        fputs(i ? ",\n  " : "\n  ", file);
        put_member(file, &ex->members[i]);
    }
    fputs("]}", file);
}

static void put_service(FILE *file, const struct look_service *service)
{
    fputs("{\"name\": ", file);
    ck_put_json(file, service->name);
    cli_put_json_text(file, "state", service_states[service->state]);
    cli_put_json_number(file, "starts", (long long)service->starts);
    if (service->below != LOOK_NONE)
        cli_put_json_number(file, "supervisor", service->below);
    if (service->is_process)
        cli_put_json_number(file, "pid", service->pid);
    if (lives(service) && service->has_age)
        cli_put_json_number(file, "age_ns", service->age_ns);
    if (service->is_due)
        cli_put_json_number(file, "starts_in_ns", service->due_ns);
    if (service->has_ended) {
        cli_put_json_number(file, "error", service->error);
        cli_put_json_text(file, "end", service->end);
    }
    fputs("}", file);
}

static void put_supervisor(FILE *file, const struct look_supervisor *s)
{
    fputs("{\"name\": ", file);
    ck_put_json(file, s->name);
    cli_put_json_text(file, "strategy", strategies[s->strategy]);
    cli_put_json_number(file, "restarts", (long long)s->restarts);
    if (s->above != LOOK_NONE)
        cli_put_json_number(file, "above", s->above);
    fputs(", \"services\": [", file);
    for (size_t i = 0; i < s->service_count; i++) {
        fputs(i ? ",\n  " : "\n  ", file);
        put_service(file, &s->services[i]);
    }
    fputs("]}", file);
}

static void put_flow(FILE *file, const struct look_flow *flow)
{
    static const char *const places[] = {"here", "shared", "cluster"};

    fputs("{\"name\": ", file);
    ck_put_json(file, flow->name);
    cli_put_json_text(file, "kind", flow->is_queue ? "queue" : "channel");
    cli_put_json_text(file, "place", places[flow->where]);
    if (flow->where == LOOK_HERE) {
        cli_put_json_number(file, "items", (long long)flow->items);
        cli_put_json_number(file, "senders", (long long)flow->senders);
        cli_put_json_number(file, "receivers", (long long)flow->receivers);
        fprintf(file, ", \"closed\": %s", flow->is_closed ? "true" : "false");
    }
    if (flow->where != LOOK_IN_CLUSTER)
        cli_put_json_number(file, "capacity", (long long)flow->capacity);
    if (flow->is_queue && flow->where == LOOK_HERE)
        cli_put_json_number(file, "joiners", (long long)flow->joiners);
    if (flow->is_queue && flow->where != LOOK_IN_CLUSTER)
        cli_put_json_number(file, "unfinished", (long long)flow->unfinished);
    fputs("}", file);
}

void cli_put_json_things(FILE *file, const struct look_things *things)
{
    fputs("\"executors\": [", file);
    for (size_t i = 0; i < things->executor_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        put_executor(file, &things->executors[i]);
    }
    fputs("],\n\"supervisors\": [", file);
    for (size_t i = 0; i < things->supervisor_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        put_supervisor(file, &things->supervisors[i]);
    }
    fputs("],\n\"queues\": [", file);
    for (size_t i = 0; i < things->flow_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        put_flow(file, &things->flows[i]);
    }
    fprintf(file, "],\n\"missed\": %zu", things->missed);
}

/* SPDX-License-Identifier: MIT */
/* session.c - one program, from the first schedule to the report.
 *
 * Exploring: each stream that has ended an execution gets the explorer's next plan; one thread does
 * it for all, and everything about an execution is taken from its mapping before it gets another.
 * The first failure ends that. Reports (races, orders of locks) do not: their schedules are kept,
 * as a failure may follow that tells more; without one they are told at the end.
 *
 * Telling: the schedule is followed again by its decisions alone, made smaller, and run once more
 * with its events written. A failure that does not come again is told all the same, as it is, and
 * said to be so: then something in the program is not under control.
 *
 * Checked by: tests/cli */
#include "check/driver/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check/driver/elf_file.h"
#include "check/driver/explorer.h"
#include "check/driver/minimise.h"
#include "check/driver/replay.h"
#include "check/driver/words.h"

enum {
    ASIDES_MOST = 16,
    KEYS_MOST = 1024, /* reports told apart */
    WORDS_BYTES = 2048,
    SLICE_NS = 200000000, /* between two words of progress */
};

/* A failure may come so long after a race, by default; and minimising may take so long. */
static const int64_t RACE_NS = 3000000000, MINIMISE_NS = 500000000;

/* A report whose execution can be followed again. */
struct kept {
    struct ck_replay replay;
    struct ck_report report;
    uint64_t schedule;
};

struct ck_session {
    struct ck_session_opts opts;
    struct ck_stream *streams[CK_STREAMS_MOST];
    unsigned count;
    struct ck_symbols *symbols;
    struct ck_explorer *explorer;
    struct kept asides[ASIDES_MOST];
    size_t aside_count;
    struct ck_aside told[ASIDES_MOST];
    uint64_t keys[KEYS_MOST];
    size_t key_count;
    struct kept failure;
    bool has_failure;
    struct ck_findings findings;
    int64_t began, race_at, spoke_at;
    char last_words[WORDS_BYTES + 1];
    char *output; /* of an execution, to be compared */
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static double seconds_since(int64_t began)
{
    return (double)(now_ns() - began) / 1e9;
}

/* --- opening --- */

static bool is_instrumented(const struct ck_shared *shared)
{
    for (uint32_t i = 0; i < shared->module_count; i++) {
        struct ck_elf *elf;
        ck_elf_open(shared->modules[i].path, &elf);
        bool is_it = elf && ck_elf_is_instrumented(elf);
        ck_elf_close(elf);
        if (is_it)
            return true;
    }
    return false;
}

static int open_streams(struct ck_session *session, struct rvi_text *why)
{
    int err = 0;

    for (unsigned i = 0; i < session->opts.jobs && err == 0; i++) {
        err = ck_stream_open(&session->opts.stream, &session->streams[i], why);
        session->count += err == 0;
    }
    return err;
}

static int refuse_uninstrumented(struct ck_session *session, struct rvi_text *why)
{
    if (session->opts.is_preloaded || is_instrumented(ck_stream_shared(session->streams[0])))
        return 0;
    rvi_text_add(why,
                 "%s was not compiled for checking. Build it with `ravel cc` (CC=\"ravel cc\"),\n"
                 "or say --without-recompiling, which sees its locks but not its memory.",
                 session->opts.stream.program);
    return -ENOSYS;
}

int ck_session_open(const struct ck_session_opts *opts, struct ck_session **ret,
                    struct rvi_text *why)
{
    struct ck_session *session = rvi_calloc(1, sizeof *session);

    if (!session)
        return -ENOMEM;
    session->opts = *opts;
    int err = open_streams(session, why);
    if (err == 0)
        err = refuse_uninstrumented(session, why);
    if (err == 0) {
        session->symbols = ck_symbols_new(ck_stream_shared(session->streams[0]));
        err = session->symbols ? 0 : -ENOMEM;
    }
    if (err < 0) {
        ck_session_close(session);
        return err;
    }
    session->findings = (struct ck_findings){
        .command = opts->stream.argv,
        .unseen = -1,
        .seed = opts->seed,
        .is_preloaded = opts->is_preloaded,
        .last_words = session->last_words,
    };
    *ret = session;
    return 0;
}

static void free_kept(struct kept *kept)
{
    ck_replay_fini(&kept->replay);
}

void ck_session_close(struct ck_session *session)
{
    if (!session)
        return;
    for (unsigned i = 0; i < session->count; i++)
        ck_stream_close(session->streams[i]);
    for (size_t i = 0; i < session->aside_count; i++)
        free_kept(&session->asides[i]);
    for (size_t i = 0; i < session->findings.aside_count; i++)
        ck_story_free(session->told[i].story);
    free_kept(&session->failure);
    ck_story_free(session->findings.failure);
    ck_story_free(session->findings.open_end);
    ck_explorer_free(session->explorer);
    ck_symbols_free(session->symbols);
    rvi_free(session->output);
    rvi_free(session);
}

/* --- judging an execution --- */

static bool is_output_expected(struct ck_session *session, struct ck_stream *stream)
{
    size_t bytes = session->opts.expected_bytes;

    if (ck_stream_output_bytes(stream, STDOUT_FILENO) != bytes)
        return false;
    if (!session->output)
        session->output = rvi_alloc(bytes + 1);
    return session->output &&
           ck_stream_output(stream, STDOUT_FILENO, session->output, bytes) == bytes &&
           memcmp(session->output, session->opts.expected, bytes) == 0;
}

static void fails_by(struct ck_result *result, uint32_t kind, uint32_t number, const char *text)
{
    struct ck_report *failure = &result->failure;

    failure->kind = kind;
    failure->party_count = 0;
    failure->signal_or_status = number;
    strncpy(failure->text, text, sizeof failure->text - 1);
}

/* What only the server and the driver see. */
static void judge(struct ck_session *session, struct ck_stream *stream)
{
    struct ck_result *result = &ck_stream_shared(stream)->result;
    int status = (int)result->exit_status;
    char text[128];

    if (result->failure.kind != CK_FINE)
        return;
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "the program was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
        fails_by(result, CK_CRASH, (uint32_t)WTERMSIG(status), text);
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(text, sizeof text, "the program ended with status %d", WEXITSTATUS(status));
        fails_by(result, CK_EXIT, (uint32_t)WEXITSTATUS(status), text);
    } else if (session->opts.expected && !is_output_expected(session, stream)) {
        fails_by(result, CK_OUTPUT, 0, "standard output is not what was expected");
    }
}

static bool is_suppressed(struct ck_session *session, const struct ck_report *report)
{
    return session->opts.suppressions &&
           ck_suppressions_match(session->opts.suppressions, report, session->symbols);
}

/* The kind, and the places of its first two in either order. */
static uint64_t key_of(const struct ck_report *report)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < report->party_count && i < 2; i++) {
        const struct ck_place *place = &report->parties[i].frames[0];
        uint64_t one =
            report->parties[i].frame_count ? (uint64_t)place->module << 32 | place->offset : 1;
        sum += one * UINT64_C(0x9e3779b97f4a7c15) ^ one >> 7;
    }
    return (sum * CK_KINDS + report->kind) | 1;
}

static bool is_known(struct ck_session *session, const struct ck_report *report)
{
    uint64_t key = key_of(report);

    for (size_t i = 0; i < session->key_count; i++) {
        if (session->keys[i] == key)
            return true;
    }
    if (session->key_count < KEYS_MOST)
        session->keys[session->key_count++] = key;
    return session->key_count == KEYS_MOST;
}

static int keep(struct ck_session *session, struct kept *kept, const struct ck_shared *shared,
                const struct ck_report *report)
{
    const struct ck_session_opts *opts = &session->opts;

    kept->report = *report;
    kept->schedule = session->findings.schedules;
    int err =
        ck_replay_command(&kept->replay, opts->stream.program, opts->stream.argv, opts->folder);
    if (err == 0)
        err = ck_replay_take(&kept->replay, shared);
    kept->replay.kind = report->kind;
    kept->replay.is_preloaded = opts->is_preloaded;
    return err;
}

static int keep_asides(struct ck_session *session, const struct ck_shared *shared)
{
    int err = 0;

    for (uint32_t i = 0; i < shared->result.report_count && err == 0; i++) {
        const struct ck_report *report = &shared->result.reports[i];
        if (session->aside_count == ASIDES_MOST || is_known(session, report) ||
            is_suppressed(session, report))
            continue;
        if (session->race_at == 0)
            session->race_at = now_ns();
        err = keep(session, &session->asides[session->aside_count++], shared, report);
    }
    return err;
}

/* --- exploring --- */

static bool is_open_end(const struct ck_report *failure)
{
    return failure->kind == CK_STEPS || failure->kind == CK_STUCK;
}

/* The first one is told: where it was stuck is what the user can change. */
static void note_open_end(struct ck_session *session, struct ck_shared *shared)
{
    struct ck_report *failure = &shared->result.failure;

    if (!is_open_end(failure) || session->findings.open_end)
        return;
    shared->result.event_count = 0; /* of its steps there are too many */
    session->findings.open_end = ck_story_new(shared, failure, session->symbols);
}

static void count_execution(struct ck_session *session, const struct ck_result *result)
{
    struct ck_findings *found = &session->findings;

    found->schedules++;
    found->undecided += is_open_end(&result->failure);
    found->steps = result->steps > found->steps ? result->steps : found->steps;
    found->threads = result->thread_count > found->threads ? result->thread_count : found->threads;
    found->seconds = seconds_since(session->began);
    if (session->explorer) {
        const struct ck_estimate *seen = ck_explorer_estimate(session->explorer);
        found->distinct = seen->distinct;
        ck_estimate_words(seen, found->seen, sizeof found->seen);
        found->unseen = seen->runs > 1 ? ck_estimate_next_is_new(seen) : -1;
    }
}

static void note_failure(struct ck_session *session, const struct ck_shared *shared)
{
    struct ck_findings *found = &session->findings;

    session->has_failure = true;
    found->failure_schedule = found->schedules;
    found->failure_seconds = found->seconds;
    found->failure_seed = shared->plan.strategy.seed;
    found->strategy = shared->plan.strategy.kind;
    found->granularity = shared->plan.granularity;
    found->switches_found = shared->result.switch_count;
}

static int take_last_words(struct ck_session *session, struct ck_stream *stream)
{
    size_t count = ck_stream_output(stream, STDERR_FILENO, session->last_words, WORDS_BYTES);

    session->last_words[count] = '\0';
    return 0;
}

/* 1: it is a failure, and exploring ends. */
static int take_execution(struct ck_session *session, struct ck_stream *stream,
                          struct rvi_text *why)
{
    struct ck_shared *shared = ck_stream_shared(stream);
    const struct ck_report *failure = &shared->result.failure;

    judge(session, stream);
    if (failure->kind == CK_UNABLE) {
        rvi_text_add(why, "%s", failure->text);
        return -EIO;
    }
    note_open_end(session, shared);
    int err = ck_explorer_feed(session->explorer, shared);
    session->findings.levels_tried = (uint32_t)(ck_explorer_tried(session->explorer) + 1);
    count_execution(session, &shared->result);
    if (err == 0)
        err = keep_asides(session, shared);
    if (err < 0 || !ck_words_is_failure(failure->kind) || is_suppressed(session, failure))
        return err;
    take_last_words(session, stream);
    note_failure(session, shared);
    err = keep(session, &session->failure, shared, failure);
    return err < 0 ? err : 1;
}

static bool is_over(struct ck_session *session)
{
    const struct ck_session_opts *opts = &session->opts;

    if (opts->interrupted && *opts->interrupted) {
        session->findings.is_interrupted = true;
        return true;
    }
    if (session->aside_count == 0)
        return false;
    return opts->races == CK_RACES_FAIL ||
           (!opts->is_patient && now_ns() - session->race_at > RACE_NS);
}

static void say_progress(struct ck_session *session)
{
    int64_t now = now_ns();

    if (!session->opts.progress || now - session->spoke_at < SLICE_NS)
        return;
    session->spoke_at = now;
    session->opts.progress(&session->findings, session->opts.progress_arg);
}

static int begin_explorer(struct ck_session *session)
{
    const struct ck_session_opts *opts = &session->opts;
    struct ck_explorer_opts explorer = {
        .seed = opts->seed,
        .schedules = opts->schedules,
        .time_ns = (int64_t)(opts->seconds * 1e9),
        .flags = opts->races == CK_RACES_OFF ? 0 : CK_FIND_RACES,
        .only_strategy = opts->strategy == CK_ANY ? 0 : (int)opts->strategy + 1,
        .only_granularity = opts->granularity == CK_ANY ? 0 : (int)opts->granularity + 1,
        .bound = opts->bound,
    };

    if (opts->is_preloaded)
        explorer.only_granularity = CK_SYNC + 1;
    return ck_explorer_new(&explorer, &session->explorer);
}

/* False: there is none more. */
static int start_next(struct ck_session *session, struct ck_stream *stream, bool *ret_started)
{
    *ret_started =
        !is_over(session) && ck_explorer_next(session->explorer, ck_stream_shared(stream),
                                              now_ns() - session->began) == CK_GO_ON;
    return *ret_started ? ck_stream_start(stream) : 0;
}

static int wait_for_one(struct ck_stream **running, size_t count, size_t *ret_which,
                        struct rvi_text *why)
{
    int err;

    do
        err = ck_stream_finish(running, count, ret_which);
    while (err == -EINTR);
    if (err == -EPIPE)
        rvi_text_add(why, "the process that forks executions is gone: the program has damaged or "
                          "ended it");
    if (err == -ETIME)
        rvi_text_add(why, "the program takes no step, and cannot be stopped");
    return err;
}

static int explore(struct ck_session *session, struct rvi_text *why)
{
    struct ck_stream *running[CK_STREAMS_MOST];
    size_t count = 0, which = 0;
    bool is_started = true;
    int err = begin_explorer(session);

    for (unsigned i = 0; i < session->count && err == 0 && is_started; i++) {
        err = start_next(session, session->streams[i], &is_started);
        if (is_started)
            running[count++] = session->streams[i];
    }
    while (count > 0 && err == 0) {
        err = wait_for_one(running, count, &which, why);
        if (err == 0)
            err = take_execution(session, running[which], why);
        if (err == 0)
            err = start_next(session, running[which], &is_started);
        if (err == 0 && !is_started)
            running[which] = running[--count];
        say_progress(session);
    }
    return err;
}

/* --- following --- */

static bool is_same_end(const struct ck_shared *shared, uint32_t kind)
{
    if (shared->result.failure.kind == kind)
        return true;
    for (uint32_t i = 0; i < shared->result.report_count; i++) {
        if (shared->result.reports[i].kind == kind)
            return true;
    }
    return false;
}

static int follow(struct ck_session *session, const struct ck_replay *replay, uint32_t flags,
                  struct rvi_text *why)
{
    struct ck_stream *stream = session->streams[0];
    int err = ck_replay_load(replay, ck_stream_shared(stream), why);

    if (err < 0)
        return err;
    ck_stream_shared(stream)->plan.flags |= flags;
    err = ck_stream_run(stream);
    if (err < 0) {
        rvi_text_add(why, "the program did not come to an end when its schedule was followed");
        return err;
    }
    judge(session, stream);
    return 0;
}

/* A stream may still be at work when another has found something. */
static int make_idle(struct ck_session *session, struct rvi_text *why)
{
    for (unsigned i = 0; i < session->count; i++)
        ck_stream_close(session->streams[i]);
    session->count = 0;
    session->opts.jobs = 1;
    int err = open_streams(session, why);
    if (err == 0) {
        ck_symbols_free(session->symbols);
        session->symbols = ck_symbols_new(ck_stream_shared(session->streams[0]));
        err = session->symbols ? 0 : -ENOMEM;
    }
    return err;
}

/* --- minimising --- */

struct trial {
    struct ck_session *session;
    const struct kept *kept;
    int64_t began;
    int err;
};

/* The plan of before, with other switches. */
static bool fails_with(void *arg, const struct ck_switch *switches, size_t count,
                       const struct ck_switch **ret_taken, size_t *ret_count)
{
    struct trial *trial = arg;
    struct ck_stream *stream = trial->session->streams[0];
    struct ck_shared *shared = ck_stream_shared(stream);

    memmove(shared->switches, switches, count * sizeof *switches);
    shared->plan.switch_count = (uint32_t)count;
    shared->plan.flags &= ~(uint32_t)CK_MUST_FOLLOW;
    if (trial->err == 0)
        trial->err = ck_stream_run(stream);
    if (trial->err < 0)
        return false;
    judge(trial->session, stream);
    *ret_taken = shared->trace;
    *ret_count = shared->result.switch_count;
    return ck_minimise_is_same(&shared->result.failure, &trial->kept->report);
}

static bool took_long(void *arg)
{
    const struct trial *trial = arg;

    return trial->err < 0 || now_ns() - trial->began > MINIMISE_NS;
}

/* One that does not come again by its decisions alone stays as it is. */
static int minimise(struct ck_session *session, struct kept *kept, struct rvi_text *why)
{
    bool is_done;
    struct trial trial = {.session = session, .kept = kept, .began = now_ns()};
    struct ck_minimise_opts opts = {.fails = fails_with, .is_over = took_long, .arg = &trial};
    struct ck_replay *replay = &kept->replay;
    int err = follow(session, replay, 0, why);

    if (err < 0 ||
        !ck_minimise_is_same(&ck_stream_shared(session->streams[0])->result.failure, &kept->report))
        return err;
    long left = ck_minimise(replay->switches, replay->plan.switch_count, &opts, &is_done);
    if (left < 0)
        return (int)left;
    replay->plan.switch_count = (uint32_t)left;
    if (trial.err < 0)
        rvi_text_add(why, "the program did not come to an end while its schedule was made smaller");
    return trial.err;
}

/* --- telling --- */

static const struct ck_report *find_report(const struct ck_shared *shared,
                                           const struct ck_report *like)
{
    for (uint32_t i = 0; i < shared->result.report_count; i++) {
        if (key_of(&shared->result.reports[i]) == key_of(like))
            return &shared->result.reports[i];
    }
    return NULL;
}

/* With its steps; without them, if it does not come again. */
static struct ck_story *tell(struct ck_session *session, const struct kept *kept, bool is_failure,
                             struct rvi_text *why)
{
    struct ck_shared *shared = ck_stream_shared(session->streams[0]);
    const struct ck_report *report = NULL;

    if (follow(session, &kept->replay, CK_LOG_EVENTS | CK_FIND_RACES, why) < 0)
        return NULL;
    if (!is_failure)
        report = find_report(shared, &kept->report);
    else if (shared->result.failure.kind == kept->report.kind)
        report = &shared->result.failure;
    if (report && is_failure)
        take_last_words(session, session->streams[0]);
    if (!report) {
        report = &kept->report;
        shared->result.event_count = 0;
    }
    return ck_story_new(shared, report, session->symbols);
}

static int tell_failure(struct ck_session *session, struct rvi_text *why)
{
    struct ck_findings *found = &session->findings;

    int err = minimise(session, &session->failure, why);
    if (err < 0)
        return err;
    found->failure = tell(session, &session->failure, true, why);
    found->switches_left = session->failure.replay.plan.switch_count;
    return found->failure ? 0 : why->count ? -EIO : -ENOMEM;
}

static int tell_asides(struct ck_session *session, struct rvi_text *why)
{
    struct ck_findings *found = &session->findings;

    for (size_t i = 0; i < session->aside_count; i++) {
        struct ck_aside *aside = &session->told[i];
        aside->schedule = session->asides[i].schedule;
        aside->story = tell(session, &session->asides[i], false, why);
        if (!aside->story)
            return why->count ? -EIO : -ENOMEM;
        found->aside_count++;
    }
    found->asides = session->told;
    return 0;
}

static int write_replay(struct ck_session *session, const struct kept *kept, struct rvi_text *why)
{
    int err = ck_replay_write(&kept->replay, session->opts.output);

    if (err < 0)
        rvi_text_add(why, "cannot write %s: %s", session->opts.output, strerror(-err));
    else
        session->findings.replay_file = session->opts.output;
    if (kept->replay.kind == CK_OUTPUT)
        session->findings.expected_file = session->opts.expected_file;
    return err;
}

/* Nothing can be said of a program none of whose executions ended. */
static int refuse_endless(const struct ck_session *session, struct rvi_text *why)
{
    const struct ck_findings *found = &session->findings;
    const struct ck_story *story = found->open_end;

    if (found->undecided == 0 || found->undecided < found->schedules)
        return 0;
    rvi_text_add(why, "none of %llu executions came to an end; the first is %s: %s",
                 (unsigned long long)found->schedules,
                 ck_words_kind(story ? story->kind : CK_STUCK), story ? story->text : "");
    for (size_t i = 0; story && i < story->line_count; i++)
        rvi_text_add(why, "\n  %s:%u  %s", story->lines[i].source.file, story->lines[i].source.line,
                     story->lines[i].source.text);
    return -EIO;
}

int ck_session_run(struct ck_session *session, struct ck_findings *ret, struct rvi_text *why)
{
    session->began = now_ns();
    int err = explore(session, why);
    if (err >= 0)
        err = refuse_endless(session, why) < 0 ? -EIO : err;
    session->findings.seconds = seconds_since(session->began);
    if (err >= 0 && (session->has_failure || session->aside_count))
        err = make_idle(session, why);
    if (err >= 0 && session->has_failure)
        err = tell_failure(session, why);
    if (err >= 0)
        err = tell_asides(session, why);
    if (err >= 0 && session->has_failure)
        err = write_replay(session, &session->failure, why);
    else if (err >= 0 && session->aside_count)
        err = write_replay(session, &session->asides[0], why);
    *ret = session->findings;
    return err < 0 ? err : 0;
}

int ck_session_replay(struct ck_session *session, const struct ck_replay *replay,
                      struct ck_findings *ret, struct rvi_text *why)
{
    struct ck_shared *shared = ck_stream_shared(session->streams[0]);
    struct ck_findings *found = &session->findings;
    int err;

    if (replay->kind == CK_OUTPUT && !session->opts.expected) {
        rvi_text_add(why, "it failed by what it wrote: give --expect-output FILE here as well");
        return -EINVAL;
    }
    session->began = now_ns();
    err = follow(session, replay, CK_LOG_EVENTS | CK_FIND_RACES, why);
    if (err < 0)
        return err;
    if (!is_same_end(shared, replay->kind)) {
        rvi_text_add(why, "the schedule came to another end this time (%s instead of %s)%s%s",
                     ck_words_kind(shared->result.failure.kind), ck_words_kind(replay->kind),
                     shared->result.failure.text[0] ? ": " : "", shared->result.failure.text);
        return -ESTALE;
    }
    found->schedules = found->failure_schedule = 1;
    found->is_replay = true;
    found->seconds = seconds_since(session->began);
    take_last_words(session, session->streams[0]);
    const struct ck_report *report = &shared->result.failure;
    for (uint32_t i = 0; report->kind != replay->kind && i < shared->result.report_count; i++)
        report =
            shared->result.reports[i].kind == replay->kind ? &shared->result.reports[i] : report;
    found->failure = ck_story_new(shared, report, session->symbols);
    *ret = *found;
    return found->failure ? 0 : -ENOMEM;
}

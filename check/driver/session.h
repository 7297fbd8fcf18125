/* SPDX-License-Identifier: MIT */
/* session.h - one program, from the first schedule to the report. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "check/driver/replay.h"
#include "check/driver/report.h"
#include "check/driver/stream.h"
#include "check/driver/suppress.h"

enum ck_races { CK_RACES_REPORT, CK_RACES_FAIL, CK_RACES_OFF };

enum { CK_ANY = UINT32_MAX };

struct ck_session_opts {
    struct ck_stream_opts stream;
    const char *folder;        /* the program's; for the replay file */
    const char *output;        /* the replay file to be written */
    const char *expected_file; /* for reports: where that is from */
    const char *expected;      /* what standard output has to be, or NULL */
    size_t expected_bytes;
    struct ck_suppressions *suppressions;
    uint64_t schedules; /* at most; 0: no limit */
    double seconds;     /* at most; 0: no limit */
    bool is_patient;    /* the limits are the user's: races do not end it earlier */
    uint64_t seed;
    uint32_t strategy, granularity; /* CK_ANY: a portfolio */
    uint32_t bound;                 /* all schedules with fewer preemptions instead; 0: no */
    enum ck_races races;
    unsigned jobs; /* streams */
    bool is_preloaded;
    void (*progress)(const struct ck_findings *so_far, void *arg); /* now and then; or NULL */
    void *progress_arg;
    const volatile int *interrupted; /* becomes other than 0 when the user has enough; or NULL */
};

struct ck_session;

/** Start the program, once a job.
 *
 * @param ret_why  on failure, a sentence for the user
 * Errors: as ck_stream_open(); -ENOSYS nothing in the program is instrumented, and is_preloaded is
 *         false */
int ck_session_open(const struct ck_session_opts *opts, struct ck_session **ret,
                    struct rvi_text *ret_why) __attribute__((warn_unused_result));

/** Try schedules until something is found or the budget is spent; then minimise it, write the
 * replay file, and tell it.
 *
 * @param ret  its parts live as long as the session
 * Errors: -EPIPE, -ETIME a stream broke; -EIO the program cannot be controlled; those of files;
 *         -ENOMEM. The sentence is in *ret_why */
int ck_session_run(struct ck_session *session, struct ck_findings *ret, struct rvi_text *ret_why)
    __attribute__((warn_unused_result));

/** Run a replay file's schedule instead, and tell what came of it.
 *
 * Errors: as ck_session_run(); -EINVAL another build; -ESTALE it came to something else this
 *         time */
int ck_session_replay(struct ck_session *session, const struct ck_replay *replay,
                      struct ck_findings *ret, struct rvi_text *ret_why)
    __attribute__((warn_unused_result));

/** NULL does nothing. */
void ck_session_close(struct ck_session *session);

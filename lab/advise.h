/* SPDX-License-Identifier: MIT */
/* advise.h - what measurements of one job on several tiers say about where it should run. */
#pragma once

#include "lab/report.h"

enum { LAB_REASONS = 16, LAB_REASON = 240, LAB_TIERS = 5 };

struct lab_tier_law {
    const char *tier;
    struct lab_usl law;
};

struct lab_advice {
    bool is_known;     /* else the reasons say why not */
    char tier[16];     /* "inline", "tasks", "threads", "processes", "cluster" */
    unsigned workers;  /* with which nine tenths of the most are reached */
    double best;       /* workers beyond which the law foretells less; infinite, or NAN: unknown */
    double waits;      /* share of a job's time in which it has no processor, 0 to 1 */
    double job_ns;     /* one job, called directly */
    double handing_ns; /* what it takes more by the tier, with one worker; NAN: unknown */
    struct lab_tier_law laws[LAB_TIERS]; /* of each tier that was tried with three numbers */
    unsigned law_count, count;
    char reasons[LAB_REASONS][LAB_REASON];
};

struct lab_surroundings {
    unsigned processors; /* usable */
    double memory_bytes; /* of the machine */
    double load;         /* of others, before the measurements */
    double job_bytes;    /* of an input and a result; 0: what was measured has none */
    bool is_command;     /* measured was a command in processes of its own: no tier but that */
};

/** Weigh measurements.
 *
 * @param measured  over the axis "workers", by tier: "1/s" jobs a second, "ns" processor time of a
 *                  job, "switches" of a job, "bytes" of the largest process; of a cluster those
 *                  spent here
 * @param alone     by tier: "ns" from the hand-over of one job until its result is there; NULL */
void lab_advise(const struct lab_result *measured, const struct lab_result *alone,
                const struct lab_surroundings *here, struct lab_advice *ret);

/** The advice in a line. @param is_command  as it was of the surroundings */
void lab_advice_line(const struct lab_advice *advice, bool is_command, char *to, size_t room);

/** Measurements and advice, as JSON. */
void lab_advice_put_json(FILE *to, const struct lab_report *report,
                         const struct lab_advice *advice);

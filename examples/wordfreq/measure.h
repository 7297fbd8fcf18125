/* SPDX-License-Identifier: MIT */
/* measure.h - every tier measured in a process of its own. */
#pragma once

#include "options.h"
#include "work.h"

enum { MAX_TIERS = 8 };

struct measured {
    struct run run;
    uint64_t voluntary; /* context switches of the whole process, children it waited for included */
    uint64_t involuntary;
    uint64_t peak_bytes;
};

struct tier_result {
    const char *name;
    struct measured median; /* the run with the median wall time */
    double speed_up;        /* over inline; 0: inline was not measured */
    uint64_t failed;        /* jobs without a value, in all runs of it */
    bool same;              /* every run of it came to the first tier's answer */
};

struct results {
    struct files files;
    struct tier_result tiers[MAX_TIERS];
    size_t tier_count;
    unsigned rounds;
    unsigned workers; /* that the runtime uses */
    char choice[160]; /* what the executor "auto" stands for here, and why */
};

/* Find out which tiers this build has, and about the machine. 0; or -errno after a complaint:
 * -EINVAL when the tier that was asked for is not there. */
int measure_survey(struct results *ret, const struct options *options);

/* Measure all tiers of the survey, on results->files. 0; or -errno after a complaint. */
int measure_all(struct results *results, const struct options *options);

/* In the started process: read the list from stdin, measure one tier, print the run. The exit
 * status. */
int measure_here(const struct options *options);

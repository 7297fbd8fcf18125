/* SPDX-License-Identifier: MIT */
/* runner.h - runs the probes, one after another. */
#pragma once

#include "lab/bench.h"
#include "lab/report.h"

struct lab_run {
    const char *only; /* a comma between names of probes; NULL: all */
    bool is_quick;
    const volatile int *interrupted; /* set when it is to end */
    /* Called some times a second. `done`: 0 to 1; `what`: the probe, and its last figure. */
    void (*progress)(double done, const char *what, const char *figure, void *arg);
    void *progress_arg;
};

/** Whether there is a probe of the name that is `bytes` long. */
bool lab_probe_exists(const char *name, size_t bytes);

/** Run what was asked for.
 *
 * @param report  begun by lab_report_begin(); a probe that failed is there with its reason
 * @return 0; -EINTR with what there was until then; -ENOMEM and other -errno */
int lab_run(struct lab_report *report, const struct lab_run *run);

/* SPDX-License-Identifier: MIT */
/* table.h - reports as text: one, or two side by side. */
#pragma once

#include "lab/report.h"

struct lab_look {
    unsigned width; /* columns of the screen */
    bool has_colours;
};

void lab_put_table(FILE *to, const struct lab_report *report, const struct lab_look *look);

/** Two reports: what both have, and what became of it.
 *
 * @return how many figures both have */
size_t lab_put_comparison(FILE *to, const struct lab_report *a, const struct lab_report *b,
                          const struct lab_look *look);

/** What `ravel advise` has measured (advise.h): a row for each tier and number of workers. */
void lab_put_rates(FILE *to, const struct lab_report *report);

/** The figure of the other report that is of the same thing; NULL. */
const struct lab_figure *lab_find_figure(const struct lab_report *in, const char *probe,
                                         const struct lab_figure *like);

/** Whether two figures differ by more than their intervals leave open.
 *
 * @return 1: the second is better; -1: worse; 0: neither can be said */
int lab_judge(const struct lab_figure *a, const struct lab_figure *b);

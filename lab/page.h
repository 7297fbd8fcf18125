/* SPDX-License-Identifier: MIT */
/* page.h - a report as a page that needs no other file and no network. */
#pragma once

#include "lab/advise.h"
#include "lab/report.h"

/** @param second  a report to show beside the first, or NULL */
void lab_put_page(FILE *to, const struct lab_report *first, const struct lab_report *second);

/** What `ravel advise` has measured, with the curves of the scalability law, and what follows. */
void lab_put_advice_page(FILE *to, const struct lab_report *report, const struct lab_advice *advice,
                         bool is_command);

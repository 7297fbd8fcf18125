/* SPDX-License-Identifier: MIT */
/* suppress.h - findings that the user does not want to hear of again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "check/driver/symbols.h"

/* One line of the file: "KIND:PATTERN". */
struct ck_suppression {
    uint32_t kind;  /* CK_KINDS: any */
    char *pattern;  /* as for fnmatch(3), of a function's name or a file's */
    uint64_t times; /* it has hidden something */
};

struct ck_suppressions {
    struct ck_suppression *list;
    size_t count;
};

/** Read a file: blank lines and those that begin with '#' say nothing.
 *
 * @param ret_why  on failure, a sentence
 * Errors: those of files; -EINVAL a line is not understood; -ENOMEM */
int ck_suppressions_read(struct ck_suppressions *suppressions, const char *path,
                         struct rvi_text *ret_why) __attribute__((warn_unused_result));

/** Whether a report is one of them: any frame of any party. */
bool ck_suppressions_match(struct ck_suppressions *suppressions, const struct ck_report *report,
                           struct ck_symbols *symbols);

void ck_suppressions_fini(struct ck_suppressions *suppressions);

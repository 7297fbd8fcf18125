/* SPDX-License-Identifier: MIT */
/* def.h - the few words that every other header is written in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Around declarations: gives them C's linkage where a C++ compiler reads them. */
#ifdef __cplusplus
#define RV_BEGIN_DECLS extern "C" {
#define RV_END_DECLS }
#else
#define RV_BEGIN_DECLS
#define RV_END_DECLS
#endif

/** Marks what the library exports. */
#define RV_API __attribute__((visibility("default")))

/** Marks a function whose result must be looked at. */
#define RV_NODISCARD __attribute__((warn_unused_result))

RV_BEGIN_DECLS

/** What a task runs.
 *
 * @param arg  whatever was given where the task was started
 * @return 0 for success, or -errno: the scope that owns the task hears of it */
typedef int rv_fn(void *arg);

/** A place in the source that starts work; made by the macros, one static object a place. */
struct rv_site {
    const char *file; /* the source file */
    const char *func; /* the function around the place */
    const char *name; /* of the work: the text of the function's expression */
    unsigned line;    /* in that file */
};

/** A pointer to a static struct rv_site that describes this line and calls the work `work_name`. */
#define RV_SITE(work_name)                                                                         \
    (__extension__({                                                                               \
        static const struct rv_site rv_site_here = {__FILE__, __func__, (work_name), __LINE__};    \
        &rv_site_here;                                                                             \
    }))

RV_END_DECLS

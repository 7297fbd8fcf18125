/* SPDX-License-Identifier: MIT */
#include "task/layout.h"

#include <stddef.h>

#include "sched/pause.h"
#include "sched/sched.h"
#include "sys/backtrace.h"
#include "task/scope_inside.h"
#include "trace/recorder.h"

RVI_LAYOUT(RVI_LAYOUT_RECORD_TYPE, RVI_LAYOUT_NO_FIELD)
RVI_LAYOUT(RVI_LAYOUT_RECORD_FITS, RVI_LAYOUT_NO_FIELD)

__attribute__((used)) const struct rvi_layout rvi_layout = {
    .magic = RVI_LAYOUT_MAGIC,
    .revision = RVI_LAYOUT_REVISION,
    .bytes = sizeof(struct rvi_layout),
    .version = RVI_VERSION,
    .enumerators = RVI_LAYOUT_ENUMERATORS,
    .records = {RVI_LAYOUT(RVI_LAYOUT_RECORD_BYTES, RVI_LAYOUT_NO_FIELD)},
    .fields = {RVI_LAYOUT(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_AT)},
    .scheds = &rvi_scheds,
    .door = &rvi_trace_door,
    .code = (const void *)(uintptr_t)rvi_backtracer_new,
    .roll = &rvi_roll,
};

/* By hand, because a section of notes is not written to, and so may hold no address. The lengths
 * of name and content, and the type. */
_Static_assert(sizeof RVI_LAYOUT_OWNER == 6 && RVI_LAYOUT_NOTE == 1, "as written here");
__asm__(".pushsection .note.ravel, \"a\", %note\n\t"
        ".balign 4\n\t"
        ".long 6, 4, 1\n\t"
        ".asciz \"" RVI_LAYOUT_OWNER "\"\n\t"
        ".balign 4\n\t"
        ".long rvi_layout - .\n\t"
        ".popsection");

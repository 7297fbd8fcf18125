/* SPDX-License-Identifier: MIT */
/* atomic.c - the one word that every fence of a ThreadSanitizer build reads and writes.
 *
 * It is one object for the whole program, hence not a static in the header; see there. */
#include "base/atomic.h"

#if RVI_TSAN
_Atomic(unsigned) rvi_fence_word;
#endif

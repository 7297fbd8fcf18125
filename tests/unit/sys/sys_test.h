/* SPDX-License-Identifier: MIT */
/* sys_test.h - what the tests of src/sys share: cmocka, the tools we may run under, and children
 * whose death is part of the test. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/child.h"
#include "../../support/under_tool.h"
#include "base/check.h"
#include "sys/stack.h"

/* So many frames of some 300 bytes. */
__attribute__((noinline, unused)) static int recurse(volatile char *above, int depth)
{
    volatile char bytes[256];
    bytes[0] = (char)(above[0] + 1);
    if (depth == 0)
        return bytes[0];
    return recurse(bytes, depth - 1) + bytes[0];
}

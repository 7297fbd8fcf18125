/* SPDX-License-Identifier: MIT */
/* near.h - numbers that are equal, or nearly so; cmocka 1.1.5 knows float alone. */
#pragma once

#include <math.h>

#include <cmocka.h>

#define assert_near(value, expected, by)                                                           \
    do {                                                                                           \
        double rv_value = (value), rv_expected = (expected);                                       \
        if (!(fabs(rv_value - rv_expected) <= (by)))                                               \
            fail_msg("%s is %.17g, not %.17g", #value, rv_value, rv_expected);                     \
    } while (0)

/* SPDX-License-Identifier: MIT */
/* nonce.c - getrandom(2). Early in a machine's life it waits, and a signal may end that.
 *
 * Checked by: tests/unit/sys/test_nonce.c */
#include "sys/nonce.h"

#include <errno.h>
#include <sys/random.h>

#include "sys/call.h"

int rvi_nonce(uint64_t *ret)
{
    uint64_t number = 0;

    while (number == 0)
        if (RVI_CALL(ASK_RANDOM, getrandom(&number, sizeof(number), 0)) < 0 && errno != EINTR)
            return -errno;
    *ret = number;
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* nkey_none.c - a build without OpenSSL has no Ed25519. */
#include <errno.h>

#include "engine/nkey.h"

int rvi_nkey_draw(unsigned char seed[static RVI_NKEY_RAW_BYTES])
{
    (void)seed;
    return -ENOSYS;
}

int rvi_nkey_derive(const unsigned char seed[static RVI_NKEY_RAW_BYTES],
                    unsigned char public[static RVI_NKEY_RAW_BYTES])
{
    (void)seed;
    (void)public;
    return -ENOSYS;
}

/* SPDX-License-Identifier: MIT */
/* nkey_openssl.c - Ed25519 by OpenSSL.
 *
 * Checked by: tests/unit/engine/test_nkey.c */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "engine/nkey.h"

int rvi_nkey_draw(unsigned char seed[static RVI_NKEY_RAW_BYTES])
{
    return RAND_priv_bytes(seed, RVI_NKEY_RAW_BYTES) == 1 ? 0 : -EIO;
}

/* Any 32 bytes are a key: what fails is memory. */
int rvi_nkey_derive(const unsigned char seed[static RVI_NKEY_RAW_BYTES],
                    unsigned char public[static RVI_NKEY_RAW_BYTES])
{
    size_t count = RVI_NKEY_RAW_BYTES;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, RVI_NKEY_RAW_BYTES);
    int done = key ? EVP_PKEY_get_raw_public_key(key, public, &count) : 0;

    EVP_PKEY_free(key);
    return done == 1 ? 0 : -ENOMEM;
}

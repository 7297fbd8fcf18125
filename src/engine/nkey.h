/* SPDX-License-Identifier: MIT */
/* nkey.h - the keys by which NATS knows its users: Ed25519 (RFC 8032) written as text, as the
 * specification of nkeys has it (github.com/nats-io/nkeys).
 *
 * A text is base32 (RFC 4648, without padding) of a prefix, 32 bytes, and their CRC-16 (XMODEM),
 * low byte first. A public key has a prefix of one byte and begins with U; a seed, from which both
 * halves of a pair follow, has two and begins with SU. The server is given public keys; seeds lie
 * in files, by themselves or between lines of other text. */
#pragma once

#include <stddef.h>

/* Texts, with their zeros. */
enum { RVI_NKEY_PUBLIC_BYTES = 57, RVI_NKEY_SEED_BYTES = 59 };

/** A new pair, of a user.
 *
 * Errors: -ENOSYS built without OpenSSL; -EIO it has no random numbers; -ENOMEM */
int rvi_nkey_make(char seed[static RVI_NKEY_SEED_BYTES], char public[static RVI_NKEY_PUBLIC_BYTES])
    __attribute__((warn_unused_result));

/** The public key that belongs to the first seed in a text.
 *
 * Errors: -EINVAL there is none that is whole; -ENOSYS built without OpenSSL; -ENOMEM */
int rvi_nkey_public(const char *text, char public[static RVI_NKEY_PUBLIC_BYTES])
    __attribute__((warn_unused_result));

/** The same of a file.
 *
 * Errors: those of open(2) and read(2) besides
 * Blocks: as long as the disk does */
int rvi_nkey_public_of(const char *path, char public[static RVI_NKEY_PUBLIC_BYTES])
    __attribute__((warn_unused_result));

/* --- of nkey.c and what computes --- */

enum { RVI_NKEY_RAW_BYTES = 32 };

/** Random bytes of a seed. Errors: as rvi_nkey_make() */
int rvi_nkey_draw(unsigned char seed[static RVI_NKEY_RAW_BYTES])
    __attribute__((warn_unused_result));

/** Ed25519's public key. Errors: as rvi_nkey_public() */
int rvi_nkey_derive(const unsigned char seed[static RVI_NKEY_RAW_BYTES],
                    unsigned char public[static RVI_NKEY_RAW_BYTES])
    __attribute__((warn_unused_result));

/* SPDX-License-Identifier: MIT */
/* nkey.c - nkeys as text; the curve is another's (nkey_openssl.c).
 *
 * Checked by: tests/unit/engine/test_nkey.c */
#include "engine/nkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sys/files.h"
#include "sys/op.h"

/* Prefixes, in the upper five bits: a seed's is followed by that of what it is a seed of. */
enum { OF_SEED = 18, OF_USER = 20 };
enum { CRC_BYTES = 2, MOST_BYTES = 2 + RVI_NKEY_RAW_BYTES + CRC_BYTES, FILE_BYTES = 4096 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16/XMODEM: polynomial 0x1021 from 0, nothing reflected. */
static uint16_t crc16(const unsigned char *bytes, size_t count)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* Base32 of `count` bytes, which have room for their CRC behind them. */
static void write_text(unsigned char *bytes, size_t count, char *text)
{
    uint32_t held = 0;
    int bits = 0;
    uint16_t crc = crc16(bytes, count);

    bytes[count++] = (unsigned char)crc;
    bytes[count++] = (unsigned char)(crc >> 8);
    for (size_t i = 0; i < count; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 5; bits -= 5)
            *text++ = digits[held >> (bits - 5) & 31];
    }
    if (bits > 0)
        *text++ = digits[held << (5 - bits) & 31];
    *text = '\0';
}

/* The bytes of a seed's text, prefix and CRC included. */
static int read_text(const char *text, unsigned char bytes[static MOST_BYTES])
{
    uint32_t held = 0;
    int bits = 0;
    size_t count = 0;

    for (size_t i = 0; i < RVI_NKEY_SEED_BYTES - 1; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return -EINVAL;
        held = held << 5 | (uint32_t)(digit - digits);
        bits += 5;
        if (bits >= 8)
            bytes[count++] = (unsigned char)(held >> (bits -= 8));
    }
    return 0;
}

static void write_seed(const unsigned char raw[static RVI_NKEY_RAW_BYTES], char *text)
{
    unsigned char bytes[MOST_BYTES];

    bytes[0] = OF_SEED << 3 | OF_USER >> 2;
    bytes[1] = (OF_USER & 3) << 6;
    memcpy(bytes + 2, raw, RVI_NKEY_RAW_BYTES);
    write_text(bytes, 2 + RVI_NKEY_RAW_BYTES, text);
    explicit_bzero(bytes, sizeof(bytes));
}

static int write_public(const unsigned char raw[static RVI_NKEY_RAW_BYTES], char *text)
{
    unsigned char bytes[MOST_BYTES];
    int r = rvi_nkey_derive(raw, bytes + 1);

    bytes[0] = OF_USER << 3;
    if (r == 0)
        write_text(bytes, 1 + RVI_NKEY_RAW_BYTES, text);
    return r;
}

/* What follows it is no part of it. */
static bool is_seed(const unsigned char bytes[static MOST_BYTES])
{
    size_t count = 2 + RVI_NKEY_RAW_BYTES;

    return bytes[0] == (OF_SEED << 3 | OF_USER >> 2) && bytes[1] == (OF_USER & 3) << 6 &&
           crc16(bytes, count) == (bytes[count] | bytes[count + 1] << 8);
}

int rvi_nkey_make(char seed[static RVI_NKEY_SEED_BYTES], char public[static RVI_NKEY_PUBLIC_BYTES])
{
    unsigned char raw[RVI_NKEY_RAW_BYTES];
    int r = rvi_nkey_draw(raw);

    if (r == 0)
        r = write_public(raw, public);
    if (r == 0)
        write_seed(raw, seed);
    explicit_bzero(raw, sizeof(raw));
    return r;
}

int rvi_nkey_public(const char *text, char public[static RVI_NKEY_PUBLIC_BYTES])
{
    unsigned char bytes[MOST_BYTES];
    const char *seed = text;
    int r = -EINVAL;

    while (r == -EINVAL && (seed = strstr(seed, "SU"))) {
        if (read_text(seed++, bytes) == 0 && is_seed(bytes))
            r = write_public(bytes + 2, public);
    }
    explicit_bzero(bytes, sizeof(bytes));
    return r;
}

int rvi_nkey_public_of(const char *path, char public[static RVI_NKEY_PUBLIC_BYTES])
{
    struct rvi_file file = rvi_file(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    char text[FILE_BYTES];
    int r = rvi_file_open(&file);

    if (r < 0) {
        rvi_file_drop(&file);
        return r == -EINPROGRESS ? -EINVAL : r; /* a FIFO keeps no seeds */
    }
    struct rvi_op reading = rvi_op_read(file.fd, text, sizeof(text) - 1, RVI_OP_AT_POSITION);
    r = (int)rvi_op_perform(&reading);
    rvi_file_drop(&file);
    if (r < 0)
        return r;
    text[r] = '\0';
    r = rvi_nkey_public(text, public);
    explicit_bzero(text, sizeof(text));
    return r;
}

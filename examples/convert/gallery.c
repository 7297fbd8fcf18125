/* SPDX-License-Identifier: MIT */
/* gallery.c - pictures to be converted, made up; some are damaged as files get damaged. */
#include "gallery.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST = 96, /* pixels of a side */
    VARIETY = 64,
    MOST = LEAST + VARIETY,
    HEADER_BYTES = 33,      /* of a PNG file: the signature and the chunk IHDR */
    LIE = 7900000,          /* libpng takes texts of at most 8 million bytes */
    FILE_BYTES = 64 + 8192, /* a file's, besides its pixels; these grow at most, not shrink */
};

enum damage { NONE, CUT_SHORT, WRONG_LENGTH };

struct file {
    unsigned char bytes[MOST * MOST * 3 + FILE_BYTES];
    size_t count;
};

/* Rings around a centre, of a colour each. */
static void paint(unsigned char *pixels, unsigned number, unsigned width, unsigned height)
{
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < width; x++, pixels += 3) {
            unsigned dx = x > width / 3 ? x - width / 3 : width / 3 - x;
            unsigned dy = y > height / 2 ? y - height / 2 : height / 2 - y;
            unsigned ring = (dx * dx + dy * dy) / 256;
            pixels[0] = (unsigned char)(16 * ring + number);
            pixels[1] = (unsigned char)(255 - 8 * ring);
            pixels[2] = (unsigned char)(number * 5 + y);
        }
    }
}

static int encode(struct file *ret, unsigned number)
{
    static unsigned char pixels[MOST * MOST * 3];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = LEAST + number % VARIETY,
                       .height = LEAST + number * 7 % VARIETY,
                       .format = PNG_FORMAT_RGB,
                       .flags = PNG_IMAGE_FLAG_FAST};
    paint(pixels, number, image.width, image.height);
    ret->count = sizeof ret->bytes;
    if (png_image_write_to_memory(&image, ret->bytes, &ret->count, 0, pixels, 0, NULL))
        return 0;
    fprintf(stderr, "convert: libpng cannot write: %s\n", image.message);
    return -EIO;
}

/* As left by a copy that was interrupted. */
static void cut_short(struct file *file)
{
    file->count = file->count * 2 / 3;
}

/* As left by a flipped bit, or by somebody who means harm. */
static void lie_about_a_length(struct file *file)
{
    static const unsigned char text[] = {LIE >> 24,
                                         LIE >> 16 & 0xff,
                                         LIE >> 8 & 0xff,
                                         LIE & 0xff,
                                         't',
                                         'E',
                                         'X',
                                         't',
                                         'T',
                                         'i',
                                         't',
                                         'l',
                                         'e',
                                         '\0',
                                         'x'};
    memmove(file->bytes + HEADER_BYTES + sizeof text, file->bytes + HEADER_BYTES,
            file->count - HEADER_BYTES);
    memcpy(file->bytes + HEADER_BYTES, text, sizeof text);
    file->count += sizeof text;
}

static int save(const char *folder, unsigned number, const struct file *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%04u.png", folder, number);
    FILE *out = fopen(path, "wbe");
    bool is_whole = out && fwrite(file->bytes, 1, file->count, out) == file->count;
    int err = is_whole ? 0 : -errno;
    if (out && fclose(out) != 0 && err == 0)
        err = -errno;
    if (err < 0)
        fprintf(stderr, "convert: %s: %s\n", path, strerror(-err));
    return err;
}

static enum damage damage_of(unsigned number, unsigned bad_every)
{
    if (number % bad_every != bad_every / 2)
        return NONE;
    return number / bad_every % 2 == 0 ? CUT_SHORT : WRONG_LENGTH;
}

int gallery_make(const char *folder, unsigned count, unsigned bad_every)
{
    static struct file file;
    int err = 0;
    for (unsigned number = 1; err == 0 && number <= count; number++) {
        enum damage damage = damage_of(number, bad_every);
        err = encode(&file, number);
        if (err == 0 && damage == CUT_SHORT)
            cut_short(&file);
        if (err == 0 && damage == WRONG_LENGTH)
            lie_about_a_length(&file);
        if (err == 0)
            err = save(folder, number, &file);
    }
    return err;
}

/* SPDX-License-Identifier: MIT */
/* picture.c - a PNG file is read with libpng, and made small.
 *
 * This is a job as it gets written when all files at hand are good ones, with the two mistakes that
 * are met most often in programs around libpng:
 *
 *   - there is no setjmp, and no error function that does not return. When libpng finds a file
 *     damaged it has nowhere to go, and calls abort().
 *   - the file lies in memory, and read_memory() hands out what libpng asks for. How much that is,
 *     the file says. Nobody asks whether it is there.
 *
 * They stay, since they are what this example is about: you do not know all of your program's, nor
 * those of the libraries that it uses. Read libpng's manual for how it is done right. */
#include "picture.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIGNATURE_BYTES = 8 };

struct bytes {
    unsigned char *all, *next;
    size_t count;
};

static int read_file(struct bytes *ret, const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return -errno;
    int err = fstat(fileno(file), &about) < 0 ? -errno : 0;
    ret->count = err ? 0 : (size_t)about.st_size;
    ret->all = ret->next = malloc(ret->count + 1);
    if (!ret->all)
        err = -ENOMEM;
    else if (err == 0 && fread(ret->all, 1, ret->count, file) != ret->count)
        err = ferror(file) ? -EIO : -ESTALE; /* it has become shorter meanwhile */
    if (err < 0)
        free(ret->all);
    fclose(file);
    return err;
}

static void read_memory(png_structp png, png_bytep to, size_t count)
{
    struct bytes *file = png_get_io_ptr(png);
    memcpy(to, file->next, count);
    file->next += count;
}

/* The mean of the source's pixels in [x0, x1) x [y0, y1), each three bytes. */
static void mean(unsigned char ret[static 3], png_bytepp rows, const uint32_t x[2],
                 const uint32_t y[2])
{
    uint64_t sum[3] = {0};
    uint64_t count = (uint64_t)(x[1] - x[0]) * (y[1] - y[0]);
    for (uint32_t row = y[0]; row < y[1]; row++)
        for (uint32_t column = x[0]; column < x[1]; column++)
            for (int i = 0; i < 3; i++)
                sum[i] += rows[row][3 * (size_t)column + i];
    for (int i = 0; i < 3; i++)
        ret[i] = (unsigned char)(sum[i] / count);
}

/* The pixels of the source that pixel `at` of `count` stands for: one at least. */
static void source_of(uint32_t ret[2], uint32_t at, uint32_t count, uint32_t source)
{
    ret[0] = (uint32_t)((uint64_t)at * source / count);
    ret[1] = (uint32_t)((uint64_t)(at + 1) * source / count);
}

/* The longer side becomes SIDE; what is smaller stays as it is. */
static uint32_t scaled(uint32_t side, uint32_t longer)
{
    if (longer <= SIDE)
        return side;
    uint32_t small = (uint32_t)((uint64_t)side * SIDE / longer);
    return small > 0 ? small : 1;
}

static void make_small(struct thumbnail *ret, png_bytepp rows, uint32_t width, uint32_t height)
{
    uint32_t longer = width > height ? width : height;
    ret->width = scaled(width, longer);
    ret->height = scaled(height, longer);
    for (uint32_t row = 0; row < ret->height; row++) {
        for (uint32_t column = 0; column < ret->width; column++) {
            uint32_t x[2], y[2];
            source_of(x, column, ret->width, width);
            source_of(y, row, ret->height, height);
            mean(&ret->pixels[3 * (row * ret->width + column)], rows, x, y);
        }
    }
}

static int decode(struct thumbnail *ret, struct bytes *file)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int err = info ? 0 : -ENOMEM;
    if (err == 0) {
        png_set_read_fn(png, file, read_memory);
        png_read_png(png, info,
                     PNG_TRANSFORM_SCALE_16 | PNG_TRANSFORM_EXPAND | PNG_TRANSFORM_STRIP_ALPHA |
                         PNG_TRANSFORM_GRAY_TO_RGB,
                     NULL);
        make_small(ret, png_get_rows(png, info), png_get_image_width(png, info),
                   png_get_image_height(png, info));
    }
    png_destroy_read_struct(&png, &info, NULL);
    return err;
}

int shrink(const struct picture *in, struct thumbnail *out)
{
    struct bytes file;
    int err = read_file(&file, in->path);
    if (err < 0)
        return err;
    bool is_png = file.count >= SIGNATURE_BYTES && !png_sig_cmp(file.all, 0, SIGNATURE_BYTES);
    err = is_png ? decode(out, &file) : -EILSEQ;
    free(file.all);
    return err;
}

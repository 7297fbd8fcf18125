/* SPDX-License-Identifier: MIT */
/* picture.h - the job: a PNG file becomes a small picture. */
#pragma once

#include <stdint.h>

enum { SIDE = 64, PATH_BYTES = 1024 };

/* Input and result travel as bytes between processes: no pointers in them. */
struct picture {
    char path[PATH_BYTES];
};

struct thumbnail {
    uint32_t width, height; /* SIDE at most */
    unsigned char pixels[SIDE * SIDE * 3];
};

/* 0; -EILSEQ it is no PNG; -ENOMEM; others of reading a file. A PNG that is damaged kills. */
int shrink(const struct picture *in, struct thumbnail *out);

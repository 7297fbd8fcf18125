/* SPDX-License-Identifier: MIT */
/* gallery.h - pictures to be converted, made up. */
#pragma once

/* Make `count` PNG files in a folder that is there: 0001.png and so on. The middle one of each
 * `bad_every` is damaged: by turns cut short, and with a piece that is said to be longer than the
 * file. 0 or -errno; complains by itself. */
int gallery_make(const char *folder, unsigned count, unsigned bad_every);

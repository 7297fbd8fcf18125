/* SPDX-License-Identifier: MIT */
/* page.h - a trace as a page that needs no other file and no network. */
#pragma once

#include "timeline/story.h"

/** @return 0 or -ENOMEM */
int tl_put_page(FILE *to, const struct tl_story *story) __attribute__((warn_unused_result));

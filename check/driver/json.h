/* SPDX-License-Identifier: MIT */
/* json.h - writing texts into JSON and HTML. */
#pragma once

#include <stdio.h>

/** A JSON string, quotes and all; bytes that are no UTF-8 become U+FFFD. */
void ck_put_json(FILE *file, const char *text);

/** For HTML, inside of elements and of quoted attributes. */
void ck_put_html(FILE *file, const char *text);

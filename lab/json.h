/* SPDX-License-Identifier: MIT */
/* json.h - reading and writing JSON (RFC 8259): what a report is kept in. */
#pragma once

#include <stddef.h>
#include <stdio.h>

enum lab_json_kind { LAB_NULL, LAB_FALSE, LAB_TRUE, LAB_NUMBER, LAB_STRING, LAB_ARRAY, LAB_OBJECT };

struct lab_json {
    enum lab_json_kind kind;
    unsigned line, column; /* where it begins, from 1 */
    double number;
    char *text;              /* of a string; zero-terminated */
    char *key;               /* in an object; else NULL */
    struct lab_json *inside; /* first member of an array or object */
    struct lab_json *next;   /* beside it there */
};

/** Read one value, and nothing behind it.
 *
 * @param text  zero-terminated
 * @param ret   lab_json_free() it
 * @param why   on failure "line 3, column 14: ..." is written here
 * @return 0 or -EINVAL; -ENOMEM */
int lab_json_read(const char *text, struct lab_json **ret, char *why, size_t why_room);
struct lab_json *lab_json_free(struct lab_json *value);

/** A member of an object. @return NULL: there is none, or `of` is no object */
const struct lab_json *lab_json_member(const struct lab_json *of, const char *key);

/** Write a text in quotes. What is no UTF-8 becomes U+FFFD; < becomes \u003c, so that the text may
 * stand in a page. */
void lab_json_put(FILE *to, const char *text);

/** Write a number so that reading it gives the same one; null if it is none. */
void lab_json_put_number(FILE *to, double number);

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_docs.py and the reader of public headers below it."""

import sys
import unittest

from tree import Tree

from check_docs import missing_fields
from public_api import public_api
from tap import run_unittests

DOC = """/** Wait.
 * @return 0
 * Errors: none
 * Blocks: no
 * Threads: any
 * Lifetime: none */
"""


def api(text):
    with Tree({"include/ravel/a.h": "#pragma once\n" + text}) as root:
        return public_api(root)


class Docs(unittest.TestCase):
    def test_a_whole_docstring_lacks_nothing(self):
        found, = api(DOC + "RV_API int rv_wait(int fd);\n")
        self.assertEqual((found.name, found.line, missing_fields(found)), ("rv_wait", 8, []))

    def test_each_missing_field_is_named(self):
        found, = api("/** Wait. */\nRV_API int rv_wait(void);\n")
        self.assertEqual(missing_fields(found),
                         ["@return", "Errors:", "Blocks:", "Threads:", "Lifetime:"])

    def test_void_returns_nothing_to_describe(self):
        found, = api(DOC.replace(" * @return 0\n", "") + "RV_API void rv_stop(void);\n")
        self.assertEqual(missing_fields(found), [])

    def test_void_pointers_are_something_to_describe(self):
        found, = api(DOC.replace(" * @return 0\n", "") + "RV_API void *rv_get(void);\n")
        self.assertEqual(missing_fields(found), ["@return"])

    def test_a_docstring_serves_one_function(self):
        first, second = api(DOC + "RV_API int rv_a(void);\nRV_API int rv_b(void);\n")
        self.assertEqual(missing_fields(first), [])
        self.assertTrue(missing_fields(second))

    def test_attributes_and_many_lines_do_not_hide_the_name(self):
        found, = api(DOC + "RV_API RV_CHECK_RESULT\nint rv_wait(int a,\n    struct rv_b *b)\n"
                           "    __attribute__((nonnull(2)));\n")
        self.assertEqual((found.name, found.is_function), ("rv_wait", True))

    def test_the_macro_that_defines_the_mark_is_no_declaration(self):
        self.assertEqual(api('#define RV_API __attribute__((visibility("default")))\n'), [])

    def test_objects_need_only_a_docstring(self):
        found, = api("/** Never. */\nRV_API extern const int rv_never;\n")
        self.assertFalse(found.is_function)
        self.assertEqual(missing_fields(found), [])


sys.exit(run_unittests())

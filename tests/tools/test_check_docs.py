#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_docs.py and the reader of public headers below it."""

import subprocess
import sys
import unittest

from tree import ROOT, Tree

from public_api import Unreadable, public_api, read_headers
from tap import run_unittests

ESSAY = "/* a.h - what it is for. */\n#pragma once\n"
DOC = """/** Wait.
 *
 * @param fd  a descriptor
 * @return 0
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: none */
"""
WAIT = DOC + "RV_API int rv_wait(int fd);\n"


def complaints(text, essay=ESSAY, source=""):
    """What the check prints for a tree with this header, without the header's path."""
    files = {"include/ravel/a.h": essay + text, "src/a.c": source}
    with Tree(files) as root:
        done = subprocess.run([sys.executable, ROOT / "tools" / "check_docs.py", root], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.splitlines()
    assert done.returncode == (1 if lines else 0), done.stdout
    return [line.removeprefix("include/ravel/a.h:") for line in lines]


def symbols(text):
    with Tree({"include/ravel/a.h": ESSAY + text}) as root:
        return read_headers(root)[0].symbols


class Functions(unittest.TestCase):
    def test_a_whole_docstring_lacks_nothing(self):
        self.assertEqual(complaints(WAIT), [])

    def test_no_docstring_is_told_with_its_line(self):
        self.assertEqual(complaints("RV_API int rv_wait(int fd);\n"),
                         ["3: rv_wait lacks docstring (/** ... */)"])

    def test_each_missing_field_is_named(self):
        self.assertEqual(complaints("/** Wait. */\nRV_API int rv_wait(void);\n"),
                         ["4: rv_wait lacks @return, Errors:, Blocks:, Threads:, Lifetime:"])

    def test_any_one_missing_field_is_told(self):
        for line in DOC.splitlines()[2:]:
            kept = "\n".join(l for l in DOC.splitlines()[:-1] if l != line)
            text = kept + ("\n */" if "Lifetime" in line else "\n * Lifetime: none */")
            label = line.split()[1] if "@param" not in line else "@param fd"
            found = complaints(text + "\nRV_API int rv_wait(int fd);\n")
            self.assertEqual(len(found), 1, line)
            self.assertIn(f"rv_wait lacks {label}", found[0])

    def test_an_empty_field_is_no_field(self):
        self.assertEqual(complaints(WAIT.replace("Blocks:  no", "Blocks:")),
                         ["11: rv_wait lacks Blocks:"])
        self.assertEqual(complaints(WAIT.replace("@param fd  a descriptor", "@param fd")),
                         ["11: rv_wait lacks words for @param fd"])

    def test_each_parameter_is_described_and_no_other(self):
        self.assertEqual(complaints(WAIT.replace("int fd", "int fd, int n")),
                         ["11: rv_wait lacks @param n"])
        self.assertEqual(complaints(WAIT.replace("int fd", "int other")),
                         ["11: rv_wait lacks @param other, a parameter for its @param fd"])

    def test_void_returns_nothing_to_describe(self):
        text = WAIT.replace(" * @return 0\n", "").replace("int rv_wait", "void rv_wait")
        self.assertEqual(complaints(text), [])

    def test_void_pointers_are_something_to_describe(self):
        text = WAIT.replace(" * @return 0\n", "").replace("int rv_wait", "void *rv_wait")
        self.assertEqual(complaints(text), ["10: rv_wait lacks @return"])

    def test_a_docstring_serves_one_function(self):
        self.assertEqual(complaints(WAIT + "RV_API int rv_b(void);\n"),
                         ["12: rv_b lacks docstring (/** ... */)"])

    def test_inline_functions_owe_as_much(self):
        inline = "static inline int rv_wait(int fd)\n{\n    return fd ? 0 : -1;\n}\n"
        self.assertEqual(complaints(DOC + inline), [])
        self.assertEqual(complaints(inline), ["3: rv_wait lacks docstring (/** ... */)"])

    def test_what_is_ravels_own_business_owes_nothing(self):
        self.assertEqual(complaints("static inline int rvi_wait(int fd)\n{\n    return fd;\n}\n"
                                    "#define RVI_X 1\n#define OTHER_X 1\n"), [])


class Others(unittest.TestCase):
    def test_macros_types_and_objects_need_a_docstring(self):
        for line, name in (("#define RV_X 1", "RV_X"), ("#define rv_x(a) (a)", "rv_x"),
                           ("typedef struct rv_x rv_x;", "rv_x"),
                           ("struct rv_x {\n    int a; /* one */\n};", "rv_x"),
                           ("enum rv_x {\n    RV_A, /* one */\n};", "rv_x"),
                           ("RV_API extern const int rv_x;", "rv_x")):
            self.assertEqual(complaints(line + "\n"), [f"3: {name} lacks docstring (/** ... */)"])
            if "(a)" not in line:
                self.assertEqual(complaints("/** What it is. */\n" + line + "\n"), [])

    def test_macros_in_a_row_share_a_docstring(self):
        self.assertEqual(complaints("/** Lengths. */\n#define RV_A 1\n#define RV_B 2\n"), [])
        self.assertEqual(complaints("/** Lengths. */\n#define RV_A 1\n#define RV_B(x) (x)\n"),
                         ["5: RV_B lacks docstring (/** ... */)"])
        self.assertEqual(complaints("/** Lengths. */\n#define RV_A 1\n\n#define RV_B 2\n"),
                         ["6: RV_B lacks docstring (/** ... */)"])

    def test_a_macro_that_is_called_has_a_contract_or_calls_one(self):
        macro = "\n/** Wait, typed. */\n#define rv_wait_for(fd) {}((fd))\n"
        self.assertEqual(complaints(WAIT + macro.format("rv_wait")), [])
        self.assertEqual(complaints(WAIT + macro.format("wait")),
                         ["14: rv_wait_for lacks @param fd, Errors:, Blocks:, Threads:, Lifetime:"])
        self.assertEqual(complaints(WAIT + macro.format("rv_wait").replace("(fd)", "(fd, n)", 1)),
                         ["14: rv_wait_for lacks @param n"])
        statement = macro.format("wait").replace("rv_wait_for", "RV_WAIT")
        self.assertEqual(complaints(WAIT + statement), [])
        self.assertEqual(complaints(WAIT + statement.replace(". */", ".\n * Blocks: no */")),
                         ["15: RV_WAIT lacks @param fd, Errors:, Threads:, Lifetime:"])

    def test_each_field_and_each_constant_has_a_comment(self):
        self.assertEqual(complaints("/** It. */\nstruct rv_x {\n    int a; /* one */\n    int b;\n"
                                    "    /* three */\n    int c;\n};\n"),
                         ["6: rv_x: b lacks a comment"])
        self.assertEqual(complaints("/** It. */\nenum rv_x {\n    RV_A, /* one */\n    RV_B\n};\n"),
                         ["6: rv_x: RV_B lacks a comment"])
        self.assertEqual(complaints("/** It. */\nstruct rv_x {\n    long opaque[2];\n};\n"), [])

    def test_function_types_describe_what_they_are_handed(self):
        self.assertEqual(complaints("/** It. */\ntypedef int rv_f(void *arg);\n"),
                         ["4: rv_f lacks @param arg, @return"])

    def test_a_header_opens_with_an_essay(self):
        self.assertEqual(complaints("", "#pragma once\n"), ["1: a.h lacks an essay on top"])

    def test_variables_are_told_of_and_read(self):
        told = ("/** It. */\nstruct rv_x {\n    int a; /* one (RAVEL_A: 1 to 9) */\n};\n")
        self.assertEqual(complaints(told, source='getenv("RAVEL_A");\n'), [])
        self.assertEqual(complaints(told),
                         ["4: RAVEL_A is documented, and nothing in src/ reads it"])
        self.assertEqual(complaints("", source='\n\ngetenv("RAVEL_B");\n'),
                         ["src/a.c:3: RAVEL_B is read, and no docstring in include/ names it"])


class Reading(unittest.TestCase):
    def test_attributes_and_many_lines_do_not_hide_the_name(self):
        found, = symbols("RV_API RV_CHECK_RESULT\nint rv_wait(int a,\n    struct rv_b *b)\n"
                         "    __attribute__((nonnull(2)));\n")
        self.assertEqual((found.name, found.kind, found.params, found.line),
                         ("rv_wait", "function", ("a", "b"), 3))
        self.assertEqual(found.text, "int rv_wait(int a, struct rv_b *b);")

    def test_function_pointers_and_arrays_are_parameters(self):
        found, = symbols("RV_API int rv_wait(int (*fn)(void *, int), int v[2], char **, ...);\n")
        self.assertEqual(found.params[:2], ("fn", "v"))

    def test_members_of_every_shape_are_named(self):
        found, = symbols("struct rv_x {\n    unsigned a : 3; /* bits */\n"
                         "    int (*fn)(void *); /* call */\n    char b[4], c; /* both; too */\n"
                         "    union {\n        int i;\n    } u; /* nested */\n};\n")
        self.assertEqual([(m.name, m.doc, m.line) for m in found.members],
                         [("a", "bits", 4), ("fn", "call", 5), ("b, c", "both; too", 6),
                          ("u", "nested", 7)])

    def test_constants_without_a_type_speak_for_themselves(self):
        self.assertEqual(complaints("enum {\n    RV_A, /* one */\n    RV_B,\n};\n"),
                         ["5: RV_A: RV_B lacks a comment"])

    def test_only_what_is_exported_is_the_librarys_api(self):
        with Tree({"include/ravel/a.h": ESSAY + WAIT + "RV_API extern const int rv_never;\n"
                   "#define rv_x(a) (a)\nstatic inline int rv_y(void)\n{\n    return 0;\n}\n"
                   "RV_INLINE int rv_z(void)\n{\n    return 0;\n}\n"}) as root:
            self.assertEqual([d.name for d in public_api(root)], ["rv_wait", "rv_never"])

    def test_comments_and_strings_may_contain_anything(self):
        found = symbols('/* RV_API int rv_a(void); */\n// RV_API int rv_b(void);\n'
                        'RV_API int rv_c(void /* ; } */);\n')
        self.assertEqual([s.name for s in found], ["rv_c"])

    def test_what_cannot_be_read_is_an_error_with_its_place(self):
        with self.assertRaisesRegex(Unreadable, r"a\.h:3: "):
            symbols("RV_API int (*(*wait)(void))(int);\n")
        with self.assertRaises(Unreadable):
            symbols("struct rv_x {\n")


sys.exit(run_unittests())

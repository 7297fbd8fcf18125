#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_pairs.py wants a label at each ordered access and both ends of each label."""

import sys
import unittest

from tree import Tree

from check_pairs import problems_in
from tap import run_unittests

STORE = "void f(void) { rvi_store_release(&x, 1); /* pairs: x-set */ }\n"
LOAD = """int g(void)
{
    /* Sees what f wrote.
     * pairs: x-set */
    return rvi_load_acquire(&x);
}
"""


def problems(*texts):
    with Tree({f"src/queue/f{n}.c": text for n, text in enumerate(texts)}) as root:
        return problems_in(root)


class Pairs(unittest.TestCase):
    def test_two_ends_are_enough(self):
        self.assertEqual(problems(STORE, LOAD), [])

    def test_relaxed_accesses_need_no_label(self):
        self.assertEqual(problems("int g(void) { return rvi_load_relaxed(&x); }\n"), [])

    def test_a_missing_label_is_reported_with_its_place(self):
        said = problems("\nint g(void) { return rvi_load_acquire(&x); }\n")
        self.assertEqual(len(said), 1)
        self.assertTrue(said[0].startswith("src/queue/f0.c:2: rvi_load_acquire"))

    def test_a_label_with_one_end_is_reported(self):
        self.assertIn("has no other end", problems(STORE)[0])

    def test_two_acquiring_ends_are_no_pair(self):
        self.assertIn("no end that releases", problems(LOAD, LOAD)[0])

    def test_two_releasing_ends_are_no_pair(self):
        self.assertIn("no end that acquires", problems(STORE, STORE)[0])

    def test_one_access_may_have_two_partners(self):
        both = "void h(void) { rvi_fetch_add_acq_rel(&x, 1); /* pairs: x-set, y-set */ }\n"
        other = LOAD.replace("x-set", "y-set")
        self.assertEqual(problems(STORE, LOAD, both, other), [])

    def test_a_public_header_spells_its_orders_out(self):
        store = "atomic_store_explicit(&x, 1, memory_order_release);"
        with Tree({"include/ravel/x.h": f"void f(void) {{ {store} }} /* pairs: x-set */\n",
                   "src/queue/g.c": LOAD}) as root:
            self.assertEqual(problems_in(root), [])
        with Tree({"include/ravel/x.h": f"void f(void) {{ {store} }}\n"}) as root:
            self.assertIn("memory_order_release names no partner", problems_in(root)[0])

    def test_fences_are_accesses(self):
        self.assertIn("rvi_fence_seq_cst", problems("void f(void) { rvi_fence_seq_cst(); }\n")[0])

    def test_prose_is_not_an_access(self):
        self.assertEqual(problems("/* rvi_load_acquire(p) would do */\n"), [])

    def test_a_statement_between_separates_the_comment(self):
        text = "/* pairs: x-set */\nint y;\nint g(void) { return rvi_load_acquire(&x); }\n"
        self.assertEqual(len(problems(STORE, text)), 2)

    def test_atomics_around_the_shim_are_reported(self):
        said = problems("int g(void) { return __atomic_load_n(&x, __ATOMIC_ACQUIRE); }\n")
        self.assertIn("around", said[0])

    def test_the_shim_itself_is_not_read(self):
        with Tree({"src/base/atomic.h": "#define l(p) atomic_load_explicit(p, 0)\n"}) as root:
            self.assertEqual(problems_in(root), [])


sys.exit(run_unittests())

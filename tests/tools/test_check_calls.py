#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_calls.py wants a seam at each system call, and counts what it lets pass."""

import sys
import unittest

from tree import Tree

from check_calls import violations
from tap import run_unittests


def found(text, name="sys/stack.c"):
    with Tree({f"src/{name}": text}) as root:
        return [(line, call) for _, line, call in violations(root)]


class Calls(unittest.TestCase):
    def test_a_bare_call_is_reported_with_its_place(self):
        self.assertEqual(found("int f(void)\n{\n    return madvise(p, n, 4);\n}\n"),
                         [(3, "madvise")])

    def test_a_call_in_a_seam_passes(self):
        self.assertEqual(found("{ if (RVI_CALL(GUARD, madvise(p, n, 4)) != 0) return 1; }"), [])
        self.assertEqual(found("{ (void)RVI_CALL_AT(\n    call, syscall(SYS_x, 1)); }"), [])
        self.assertEqual(found("{ f = rvi_call_fails(RVI_CALL_X) ? NULL : fopen(a, b); }"), [])

    def test_a_seam_is_good_for_its_own_statement_only(self):
        self.assertEqual(found("{ RVI_CALL(GUARD, madvise(p, n, 4)); munmap(p, n); }"),
                         [(1, "munmap")])

    def test_other_rooms_are_looked_at_as_well(self):
        self.assertEqual(found("{ read(fd, p, n); }", "sched/a.c"), [(1, "read")])

    def test_comments_strings_and_longer_names_are_no_calls(self):
        self.assertEqual(found('{ /* mmap() */ say("write()"); rvi_write(1); s->read(2); }'), [])

    def test_an_exception_is_for_so_many_calls(self):
        self.assertEqual(found("{ write(2, p, n); }", "base/check.c"), [])
        self.assertEqual(len(found("{ write(2, p, n); write(2, p, n); }", "base/check.c")), 2)


if __name__ == "__main__":
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel tree` has each task under its scope, and each scope under its owner.

    test_tree.py ROOT RAVEL KNOWN KNOWN_STATIC
"""

import json
import sys
import tempfile
import unittest

from looking import Looking, core_of, parked_as_known, ravel, running, settled
from tap import run_unittests


def shape(task):
    """(name, [(scope, [tasks])])."""
    return (task["name"], [(scope.get("name"), sorted(shape(child) for child in scope["tasks"]))
                           for scope in task["scopes"]])


TOWN = ("entry", [("town", [
    ("knocker", []), ("landlord", [("house", [("tenant", [])])]), ("recipient", []),
    ("recipient", []), ("renamed", []), ("sleeper", [])])])


def tree(*words):
    status, out, err = ravel("tree", "--json", *words)
    assert status == 0, err
    return json.loads(out)


def count(task):
    return 1 + sum(count(child) for scope in task["scopes"] for child in scope["tasks"])


class Tree(Looking):
    def test_tasks_lie_under_their_scopes(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            seen = tree(process.pid)
            self.assertEqual([shape(task) for task in seen["tree"]], [TOWN])
            self.assertEqual((seen["unplaced"], seen["torn"], seen["lost"]), (0, 0, 0))

    def test_tasks_that_wait_alike_are_one_line_for_people(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            _, out, _ = ravel("tree", process.pid)
            self.assertRegex(out, r"\n    2 tasks like \d+ 'recipient', .* \(channel receive\)")
            self.assertRegex(out, r"\n  scope 'town', fail fast\n")
            self.assertRegex(out, r"\n      scope 'house', collect all, 1h\d\d to its deadline\n"
                                  r"        task \d+ 'tenant'")
            self.assertEqual(out.count("\n"), 10)
            _, out, _ = ravel("tree", "--all", process.pid)
            self.assertEqual(out.count("'recipient'"), 2)

    def test_under_load_each_task_has_one_place(self):
        with running("busy") as process:
            for _ in range(20):
                seen = tree(process.pid)
                self.assertEqual([task["name"] for task in seen["tree"]], ["entry"])
                self.assertGreaterEqual(count(seen["tree"][0]), 1)
                ravel("tree", process.pid)

    def test_a_core_file_has_a_tree_too(self):
        with tempfile.TemporaryDirectory() as folder:
            core = core_of(folder)
            if core is None:
                self.skipTest("the kernel leaves no core in the folder of the program")
            (task,) = tree("--core", core)["tree"]
            name, scopes = shape(task)
            self.assertEqual((name, scopes[0][0]), ("entry", "town"))
            self.assertEqual([child[0] for child in scopes[0][1]],
                             [child[0] for child in TOWN[1][0][1]])

    def test_a_wrong_command_line_is_refused(self):
        self.assertEqual(ravel("tree")[0], 2)
        self.assertIn("--all is not for this verb", ravel("ps", "--all", "1")[2])
        self.assertIn("ravel tree", ravel("tree", "--help")[1])


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

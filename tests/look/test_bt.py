#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel bt` tells the calls that a task is in.

    test_bt.py ROOT RAVEL KNOWN KNOWN_STATIC
"""

import json
import sys
import tempfile
import unittest

from looking import (KNOWN, KNOWN_STATIC, Looking, core_of, parked_as_known, ravel, running,
                     settled, snapshot)
from tap import run_unittests

CALLS = ["wait_for_letter", "go_to_the_door", "recipient"]


def backtraces(*words):
    """What is told of each task with that name, and the exit status."""
    status, out, err = ravel("bt", "--json", *words)
    assert out, err
    return json.loads(out), status


def functions(task, ours=False):
    return [frame.get("function") for frame in task["frames"] if frame["ravel"] == ours]


class Backtrace(Looking):
    def setUp(self):
        super().setUp()
        with running("parked") as process:
            settled(process, parked_as_known)
            _, _, err = ravel("bt", process.pid, "renamed")
        if "libdw" in err:
            self.skipTest(err.strip())

    def test_a_parked_task_is_in_the_calls_that_it_has_made(self):
        for program in (KNOWN, KNOWN_STATIC):
            with running("parked", program) as process:
                settled(process, parked_as_known)
                (task,), status = backtraces(process.pid, "renamed")
                self.assertEqual(status, 0)
                self.assertEqual(functions(task), CALLS)
                self.assertFalse(task["running"])
                inside = [frame for frame in task["frames"] if not frame["ravel"]]
                self.assertTrue(all(frame["file"].endswith("known.c") for frame in inside))
                lines = [frame["line"] for frame in inside]
                self.assertEqual(lines, sorted(lines))

    def test_the_runtimes_own_calls_are_told_when_asked_for(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            (task,), _ = backtraces("--all", process.pid, "renamed")
            self.assertEqual(functions(task), CALLS)
            self.assertEqual(task["frames"][0]["function"], "rvi_worker_park")
            self.assertEqual(task["frames"][-1]["function"], "rvi_ctx_first_frame")

    def test_a_number_or_a_name_says_which(self):
        with running("parked") as process:
            seen = settled(process, parked_as_known)
            tasks, _ = backtraces(process.pid, "recipient")
            self.assertEqual(len(tasks), 2)
            for task in tasks:
                (again,), _ = backtraces(process.pid, str(task["id"]))
                self.assertEqual(again["frames"], task["frames"])
            self.assertNotIn("0", [str(task["id"]) for task in seen["tasks"]])
            status, out, err = ravel("bt", process.pid, "nobody")
            self.assertEqual((status, out), (2, ""))
            self.assertIn("no task with the number or the name nobody", err)

    def test_it_is_readable(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            status, out, _ = ravel("bt", process.pid, "tenant")
            self.assertEqual(status, 0)
            self.assertRegex(out, r"task \d+ 'tenant', from .*known\.c:\d+: waits \(channel "
                                  r"receive\)\n"
                                  r"(  #\d .*\n)+"
                                  r"  #\d +recipient at look/known.c:\d+\n$")

    def test_who_runs_is_not_stopped_for_it(self):
        with running("spinning") as process:
            (task,), status = backtraces(process.pid, "spinner")
            if status == 2:     # where the kernel samples nobody for us
                self.assertRegex(task["trouble"], "runs just now.* does not sample it for us: ")
            else:
                self.assertEqual((task["running"], task["sampled"], task["cut"]),
                                 (True, True, False))
                self.assertEqual(functions(task), ["spin", "spinner"])
                self.assertTrue(all(frame["file"].endswith("known.c")
                                    for frame in task["frames"] if not frame["ravel"]))
                self.assertIn("(it runs, and is not stopped: its calls at one moment)",
                              ravel("bt", process.pid, "spinner")[1])
            with open(f"/proc/{process.pid}/stat") as stat:
                self.assertNotIn(stat.read().rpartition(")")[2].split()[0], "tT")

    def test_under_load_it_is_told_or_said_why_not(self):
        with running("busy") as process:
            told = 0
            for _ in range(20):
                word = next(str(task["id"]) for task in snapshot(process.pid)["tasks"]
                            if task["name"] == "generation")
                (task,), status = backtraces(process.pid, word)
                if status == 0:
                    told += 1
                    self.assertEqual(functions(task)[-1:], ["generation"])
                else:
                    self.assertRegex(task["trouble"], "runs just now|moved on|has not begun|ended")
            self.assertGreater(told, 0)

    def test_a_core_file_has_the_registers_of_who_ran_as_well(self):
        with tempfile.TemporaryDirectory() as folder:
            core = core_of(folder)
            if core is None:
                self.skipTest("the kernel leaves no core in the folder of the program")
            (task,), status = backtraces("--core", core, "entry")
            self.assertEqual(status, 0)
            self.assertTrue(task["running"])
            names = functions(task)
            self.assertIn("abort", names)
            self.assertTrue(names[-1].startswith("town"), names)
            (task,), _ = backtraces("--core", core, "renamed")
            self.assertEqual(functions(task), CALLS)


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/rv_gdb.py shows parked tasks of a live process and of a core.

The core is the kernel's: gdb's own gcore gives up on a mapping at the first page that cannot be
read, and that is the guard of the first stack.

    test_rv_gdb.py SCRIPT PROGRAM
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

from tap import run_unittests  # noqa: E402

PATIENCE = 200      # seconds, after which something hangs
SCRIPT, PROGRAM = (os.path.abspath(argument) for argument in sys.argv[1:3])

LOOK = ["info rv-tasks", "echo ==bt==\\n", "rv-task first bt", "echo ==apply==\\n",
        "rv-task second apply print number", "echo ==own==\\n", "bt",
        "rv-task nobody bt"]


def gdb(*commands, core=None):
    """What gdb says, and does not give up on."""
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex",
             "set pagination off", "-ex", "set width 0"]
    for command in (f"source {SCRIPT}", *commands):
        words += ["-ex", command]
    words += [PROGRAM] + ([core] if core else [])
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL)
    return done.stdout


def may_trace():
    """A sandbox may forbid it."""
    done = subprocess.run(["gdb", "-nx", "-batch", "-ex", "run", shutil.which("true")],
                          capture_output=True, text=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL)
    return "exited normally" in done.stdout


def raise_core_limit():
    """As far as we may."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def dump_core(folder):
    """The core of a program that has aborted in the folder; None where the kernel puts it elsewhere."""
    subprocess.run([PROGRAM, "die"], cwd=folder, stderr=subprocess.DEVNULL,
                   preexec_fn=raise_core_limit)
    return next(iter(Path(folder).iterdir()), None)


@unittest.skipUnless(shutil.which("gdb"), "gdb is missing")
class RvGdb(unittest.TestCase):
    def section(self, text, name):
        self.assertIn(f"=={name}==", text)
        return text.split(f"=={name}==")[1].split("\n==")[0]

    def check(self, text):
        self.assertIn("3 tasks\n", text)
        for name in ("'first'", "'second'"):
            line = next(line for line in text.splitlines() if name in line)
            self.assertIn("chan recv", line)
            self.assertIn("wait_for_letter at ", line)
        self.assertRegex(text, r"running +'entry'")
        frames = self.section(text, "bt")
        calls = ["rvi_worker_park (", "wait_for_letter (number=4711)", "go_to_the_door (",
                 "recipient ("]
        places = [frames.find(f" in {call}") for call in calls]
        self.assertNotIn(-1, places, frames)
        self.assertEqual(places, sorted(places))
        self.assertIn("= 4711", self.section(text, "apply"))
        self.assertIn("stop_here", self.section(text, "own"))
        self.assertIn("no task has the number or the name nobody", text)

    def test_a_live_process_shows_its_parked_tasks(self):
        if not may_trace():
            self.skipTest("gdb may not trace here")
        self.check(gdb("break stop_here", "run", *LOOK))

    def test_a_core_shows_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            core = dump_core(folder)
            if core is None:
                self.skipTest("the kernel leaves no core in the folder of the program")
            self.check(gdb(*LOOK, core=str(core)))


if __name__ == "__main__":
    os.environ["RAVEL_DUMP"] = "0"
    sys.argv[1:] = []
    sys.exit(run_unittests())

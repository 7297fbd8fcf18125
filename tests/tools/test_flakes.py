#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/flakes.py makes the conditions that it names, and counts and keeps what fails in them."""

import argparse
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tree  # noqa: F401  (finds tools/)

from flakes import (CONDITIONS, Condition, Hunt, descendants, may_be_halted, path_without,
                    surroundings, usable)
from run_tests import Case, Outcome
from tap import run_unittests


class Conditions(unittest.TestCase):
    def test_the_environment_is_as_it_was_afterwards(self):
        before = dict(os.environ)
        with surroundings(Condition("", "", env={"PATH": None, "FLAKES": "here"})):
            self.assertEqual((os.environ.get("PATH"), os.environ["FLAKES"]), (None, "here"))
        self.assertEqual(dict(os.environ), before)

    def test_a_path_lacks_what_it_is_to_lack(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(path_without(("ls",), Path(folder)), folder)
            self.assertTrue((Path(folder) / "sh").exists())
            self.assertFalse((Path(folder) / "ls").exists())

    def test_what_cannot_be_is_known_before(self):
        self.assertTrue(usable(CONDITIONS["plain"]))
        self.assertTrue(usable(CONDITIONS["no-stdin"]))
        self.assertFalse(usable(Condition("", "", before=("false",))))
        self.assertFalse(usable(Condition("", "", before=("/no/such/program",))))

    def test_who_stands_still_is_not_made_to_go_on(self):
        with subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], start_new_session=True,
                              stdout=subprocess.PIPE) as shell:
            shell.stdout.readline()
            self.assertEqual(len(descendants(shell.pid)), 2)
            self.assertTrue(may_be_halted(shell.pid))
            shell.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, shell.pid, os.WSTOPPED)
            self.assertFalse(may_be_halted(shell.pid))
            os.killpg(shell.pid, signal.SIGKILL)
        self.assertFalse(may_be_halted(shell.pid))


class Counting(unittest.TestCase):
    def test_what_fails_is_counted_and_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            hunt = Hunt(argparse.Namespace(minutes=None, keep=Path(folder)))
            with contextlib.redirect_stdout(io.StringIO()) as said:
                for status in ("passed", "failed", "skipped"):
                    hunt.note(CONDITIONS["plain"], Outcome("gcc", "unit", "io/test_a on uring", 0.1,
                                                           [Case("one", status)], "its words"))
            key = ("gcc", "io/test_a on uring", "plain")
            self.assertEqual((hunt.runs, hunt.failed), ({key: 3}, {key: 1}))
            (kept,) = Path(folder).iterdir()
            self.assertEqual(kept.read_text(), "its words\n")
            self.assertIn(str(kept), said.getvalue())


sys.exit(run_unittests())

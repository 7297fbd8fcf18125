#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/supervised starts in order, starts again who fails, gives up at last, stops in reverse.

    test_supervised.py SUPERVISED
"""

import os
import re
import signal
import subprocess
import sys
import time
import unittest
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE, WithCommandLine  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1]
MARK = "RAVEL_TEST_MARK"
ORDER = ["ledger", "north", "east", "south", "sensors", "summary"]
BACK = ["summary", "south", "east", "north", "sensors", "ledger"]
SIGNS = {"is started": "+", "was stopped": "-", "was killed": "!", "returned": "!", "gave up": "X"}


def marked(mark):
    """The processes that have the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:         # it has ended, or is not ours to look at
            pass
    return found


class Station:
    """A run of the program, until it ends or the block does."""

    def __init__(self, *args):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, MARK: self.mark})
        self.lines = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def read_until(self, what, count=1):
        """Until as many lines have had that."""
        while count > 0:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"no {what!r}: {self.lines}, {self.process.communicate()}")
            self.lines.append(line)
            count -= what in line

    def end(self):
        out, self.err = self.process.communicate(timeout=PATIENCE)
        self.lines += out.splitlines(keepends=True)
        return self.process.returncode

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.end()

    def journal(self):
        """What has happened, in order: +north is that it was started."""
        found = []
        for line in self.lines:
            match = re.match(r" *\d+\.\d\d  \w+: service '(\w+)' (\w+ \w+|returned)", line)
            if match:
                word = match[2] if match[2] in SIGNS else match[2].split()[0]
                found.append(SIGNS[word] + match[1])
        return found

    def starts(self):
        words = self.lines[-1].split()
        assert words[0] == "starts:", self.lines
        return dict(zip((path.split("/")[-1] for path in words[1::2]), map(int, words[2::2])))


class Supervised(unittest.TestCase):
    # ---- in order

    def check_orderly(self, station, status):
        self.assertEqual(status, 0, station.err)
        self.assertEqual(station.journal(), [f"+{name}" for name in ORDER] +
                         [f"-{name}" for name in BACK])
        self.assertEqual(set(station.starts().values()), {1})
        self.assertEqual(station.err, "")
        self.assertEqual(marked(station.mark), [])

    def test_a_signal_stops_all_the_last_first(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Station("--crash", "none") as station:
                station.read_until("'summary' is started")
                self.check_orderly(station, station.stop(number))
                self.assertIn(f"{number.name}: all is stopped, the last first\n", station.lines)

    def test_time_stops_all_the_last_first(self):
        with Station("--crash", "none", "--seconds", 1) as station:
            self.check_orderly(station, station.end())
            self.assertIn("time is over: all is stopped, the last first\n", station.lines)

    def test_readings_come_to_the_summary(self):
        with Station("--crash", "none", "--rate", 200) as station:
            station.read_until(" C of ")
            value = r"[\d.]+ C of [1-9]\d*"
            self.assertRegex(station.lines[-1], f"^ +north {value}  east {value}  south {value}$")
            self.assertEqual(station.stop(), 0)

    def test_killed_it_leaves_no_process(self):
        with Station("--crash", "none") as station:
            station.read_until("'summary' is started")
            self.assertEqual(len(marked(station.mark)), 4)
            self.assertEqual(station.stop(signal.SIGKILL), -signal.SIGKILL)
            while marked(station.mark):     # the kernel is at it; the runner's time limit ends this
                time.sleep(0.01)

    # ---- started again

    def crash(self, strategy, expected, service="east"):
        """One crash, and what it leads to."""
        with Station("--crash", service, "--strategy", strategy, "--rate", 20, "--after", 10,
                     "--intensity", 1000) as station:
            station.read_until("is started again")
            station.read_until(f"'{expected[-1][1:]}' is started")
            journal = station.journal()
            after = journal[journal.index(expected[0]):]
            # It may have come before all were started.
            self.assertEqual([one for one in after if one in expected], expected)
            self.assertEqual(station.stop(), 0)
            self.assertEqual(marked(station.mark), [])
        return station

    def test_one_that_crashes_is_started_again(self):
        station = self.crash("one", ["!east", "+east"])
        self.assertIn("'east' was killed by SIGSEGV, and is started again (1 of 1000 in 5 s)\n",
                      "".join(station.lines))
        self.assertGreaterEqual(station.starts()["east"], 2)
        self.assertEqual(station.starts()["north"], 1)
        self.assertRegex(station.err, r"^ravel: worker \d+: ended by SIGSEGV")

    def test_those_after_it_may_be_with_it(self):
        self.crash("rest", ["!east", "-south", "+east", "+south"])

    def test_all_may_be_with_it(self):
        self.crash("all", ["!east", "-south", "-north", "+north", "+east", "+south"])

    def test_a_task_that_fails_is_started_again_with_those_that_need_it(self):
        self.crash("one", ["!ledger", "-summary", "-south", "-east", "-north", "-sensors",
                           "+ledger", "+north", "+east", "+south", "+sensors", "+summary"],
                   "ledger")

    # ---- given up

    def test_too_many_crashes_end_it(self):
        with Station("--rate", 1000, "--after", 1, "--intensity", 2) as station:
            self.assertEqual(station.end(), 1)
            self.assertIn("supervised: starting again was in vain too often\n", station.err)
            self.assertEqual(marked(station.mark), [])
        text = "".join(station.lines)
        self.assertGreaterEqual(text.count("'sensors' gives up: more than 2 starts anew"), 3)
        self.assertEqual(text.count("'station' gives up: more than 2 starts anew"), 1)
        self.assertEqual(station.starts()["ledger"], 1)
        self.assertGreaterEqual(station.starts()["east"], 9)


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = PROGRAM, "supervised"

    def test_nonsense_is_refused(self):
        self.refuses(["--crash", "west"], 2, "--crash", "'west'")
        self.refuses(["--strategy", "some"], 2, "--strategy", "'some'")
        self.refuses(["--rate", "0"], 2, "--rate", "1 to 1000", "'0'")
        self.refuses(["--after", "5x"], 2, "'5x'")
        self.refuses(["--seconds", "-1"], 2, "'-1'")
        self.refuses(["more"], 2, "what is 'more'")
        self.refuses(["--nonsense"], 2, "--nonsense", "Try --help")


if __name__ == "__main__":
    sys.exit(run_unittests())

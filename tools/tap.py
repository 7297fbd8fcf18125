# SPDX-License-Identifier: MIT
"""Test Anything Protocol, as the Python tests speak it."""

import sys
import unittest
from pathlib import Path


class Tap:
    """Numbers results as they come; the plan goes last, when their count is known."""

    def __init__(self):
        self.count = 0
        self.failures = 0

    def result(self, name, passed, detail=""):
        self.count += 1
        self.failures += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        for line in detail.splitlines() if not passed else ():
            print(f"# {line}")
        sys.stdout.flush()

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def finish(self):
        """Print the plan. The exit status for the program."""
        print(f"1..{self.count}")
        return 1 if self.failures else 0


class TapResult(unittest.TestResult):
    def __init__(self, tap):
        super().__init__()
        self.tap = tap

    def addSuccess(self, test):
        self.tap.result(test.id().rpartition(".")[2], True)

    def addFailure(self, test, err):
        self.tap.result(test.id().rpartition(".")[2], False, self._exc_info_to_string(err, test))

    def addError(self, test, err):
        self.addFailure(test, err)

    def addSkip(self, test, reason):
        self.tap.skip(test.id().rpartition(".")[2], reason)


def run_unittests(module="__main__", lacking=None):
    """Run a module's unittest cases with TAP for output; where what they need is `lacking`, one skip
    that says so. The exit status for the program."""
    tap = Tap()
    if lacking:
        tap.skip(Path(sys.argv[0]).stem.removeprefix("test_"), lacking)
    else:
        unittest.defaultTestLoader.loadTestsFromName(module).run(TapResult(tap))
    return tap.finish()

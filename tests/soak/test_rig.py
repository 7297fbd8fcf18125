#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The soak finds what it looks for: its client is given false results, its rig false clients.

    test_rig.py SOURCE BUILD"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SOURCE, BUILD = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tools"))

import soak_cluster  # noqa: E402
from soak_cluster import children_of  # noqa: E402
from tap import run_unittests  # noqa: E402

JOBS = BUILD / "tests" / "soak" / "soak_jobs"


class Jobs(unittest.TestCase):
    """The client, on processes of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def launch(self, *words):
        process = subprocess.Popen([JOBS, "on=processes:1", f"folder={self.folder.name}", *words],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "RAVEL_STALL_MS": "0"})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start(self, *words):
        """One that says how it gets on."""
        process = self.launch(*words)
        process.stdout.readline()
        return process

    def report_of(self, process):
        out, _ = process.communicate(timeout=30)
        return process.returncode, json.loads(out.splitlines()[-1])

    def test_all_is_well_without_disturbance(self):
        status, report = self.report_of(self.start("jobs=100"))
        self.assertEqual((status, report["results"], report["wrong"]), (0, 100, 0))
        self.assertEqual(report["beyond_one"], report["kinds"]["stumble"]["beyond_one"])

    def test_a_job_that_began_twice_is_found(self):
        process = self.start("only=once")
        with open(Path(self.folder.name) / "executions", "ab") as log:
            log.write(bytes(8))
        status, report = self.report_of(process)
        self.assertEqual((status, report["wrong"]), (1, 1))
        self.assertEqual(report["words"], ["job 0 (once): executions: 2"])

    def test_a_job_without_outcome_is_a_hang(self):
        status, report = self.report_of(self.launch("only=once", "jobs=1", "once_ms=1000000",
                                                    "patience=1"))
        self.assertEqual((status, report["hung"]), (1, 1))
        self.assertIn("no outcome", report["words"][0])

    def test_a_dead_worker_is_no_excuse_where_none_is_killed(self):
        process = self.launch("only=once", "jobs=1", "once_ms=1000000")
        begun = Path(self.folder.name) / "executions"
        while not begun.exists() or begun.stat().st_size == 0:
            time.sleep(0.01)
        for child in children_of(process.pid):
            os.kill(child, signal.SIGKILL)
        status, report = self.report_of(process)
        self.assertEqual((status, report["wrong"]), (1, 1))


FALSE_CLIENT = """\
#!/bin/sh
{words}
"""
REPORT = ('echo \'{"jobs": 1, "words": ["job 0: wrong"], "results": 1, "hung": 0, "wrong": 1, '
          '"beyond_one": 0, "standstill": 0}\'')


class NoPlace(soak_cluster.Place):
    def make(self):
        self.servers = []


class FalseRig(unittest.TestCase):
    """The rig, with a shell script for a client."""

    def run_with(self, words):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            for path, text in (("cli/ravel", "exec sleep 60"), ("tests/soak/soak_jobs", words)):
                (tree / path).parent.mkdir(parents=True)
                (tree / path).write_text(FALSE_CLIENT.format(words=text))
                (tree / path).chmod(stat.S_IRWXU)
            args = soak_cluster.arguments(["--short", "--build", folder, "--times", "1"])
            scenario = soak_cluster.Scenario("calm", NoPlace, 1, 1, lambda rig: time.sleep(0.1))
            found = soak_cluster.run_scenario(scenario, args, 7)
        self.assertEqual(found["outcome"], "failed")
        self.assertIn("--seed 7", soak_cluster.line_of(found))
        return found["words"]

    def setUp(self):
        patience = soak_cluster.PATIENCE
        self.addCleanup(setattr, soak_cluster, "PATIENCE", patience)
        soak_cluster.PATIENCE = 1

    def test_a_standstill_is_found(self):
        self.assertIn("no job has ended",
                      self.run_with("echo '{\"ended\": 1}'; exec sleep 60"))

    def test_a_client_that_ends_early_is_found(self):
        self.assertIn("the client ended with 3", self.run_with("exit 3"))

    def test_a_wrong_result_is_told(self):
        words = "for i in 1 2 3 4 5 6; do echo '{\"ended\": '$i'}'; sleep 0.1; done"
        self.assertIn("job 0: wrong", self.run_with(f"{words}; {REPORT}; exit 1"))

    def test_a_client_that_does_not_end_is_found(self):
        words = "i=0; while true; do i=$((i+1)); echo '{\"ended\": '$i'}'; sleep 0.1; done"
        self.assertIn("does not end", self.run_with(words))


if __name__ == "__main__":
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel trace` writes exactly what a known program did, however it ends.

    test_trace.py ROOT RAVEL KNOWN KNOWN_STATIC TRACED
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from looking import ENVIRONMENT, KNOWN, KNOWN_STATIC, PATIENCE, RAVEL, snapshot
from tap import run_unittests

TRACED = Path(sys.argv[5]).resolve()

# Who ran, and how it ended, one after the other; who started or woke whom. That the last task of
# its scope ends wakes "entry" when nobody runs: no arrow.
RUNS = [("entry", "yields"), ("waiter", "waits for event #1"), ("entry", "waits for scope close"),
        ("ringer", "ends"), ("waiter", "ends"), ("entry", "ends")]
ARROWS = [("entry", "waiter"), ("entry", "ringer"), ("ringer", "waiter")]


def kind(event):
    return event["name"].rpartition(" ")[0]


class Trace(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ravel-trace-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def trace(self, *words, stdin=b"", **more):
        """The exit status, what was said, and the trace; None without one."""
        done = subprocess.run([str(word) for word in (RAVEL, "trace", *words)], cwd=self.folder,
                              input=stdin, capture_output=True, env=dict(ENVIRONMENT, **more),
                              timeout=PATIENCE)
        path = self.folder / "trace.json"
        made = json.loads(path.read_text()) if path.exists() else None
        return done.returncode, done.stderr.decode(), made

    def runs(self, made):
        return [event for event in made["traceEvents"] if event["cat"] == "run"]

    def arrows(self, made):
        """(from, to), in the order of time, by the bars that lie under their ends."""
        bars = sorted(self.runs(made), key=lambda bar: bar["ts"])

        def under(event):
            return [kind(bar) for bar in bars
                    if bar["tid"] == event["tid"] and bar["ts"] <= event["ts"]][-1]

        events = [event for event in made["traceEvents"] if event["cat"] == "wake"]
        ends = {event["id"]: event for event in events if event["ph"] == "f"}
        return [(under(event), under(ends[event["id"]]))
                for event in events if event["ph"] == "s" and event["id"] in ends]

    def test_a_known_program_did_what_is_known(self):
        status, err, made = self.trace("--", TRACED)
        self.assertEqual(status, 7)
        self.assertIn("events of 1 workers are in trace.json", err)
        self.assertEqual([(kind(bar), bar["args"]["end"]) for bar in self.runs(made)], RUNS)
        self.assertEqual(self.arrows(made), ARROWS)
        bands = [(event["ph"], event["name"]) for event in made["traceEvents"]
                 if event["cat"] == "scope"]
        self.assertEqual(bands, [("b", "pair"), ("e", "pair")])
        self.assertEqual(made["otherData"]["lost"], 0)
        (waiter,) = {(bar["args"]["file"], bar["args"]["line"]) for bar in self.runs(made)
                     if kind(bar) == "waiter"}
        self.assertTrue(waiter[0].endswith("traced.c"))

    def test_what_was_noted_before_a_crash_is_there(self):
        status, _, made = self.trace("--", TRACED, "dies")
        self.assertEqual(status, 128 + 6)
        self.assertEqual([(kind(bar), bar["args"]["end"]) for bar in self.runs(made)],
                         RUNS[:3] + [("ringer", "goes on")])

    def check_lanes(self, made):
        """In a lane one bar follows the other."""
        ends = {}
        bars = [event for event in made["traceEvents"] if event["ph"] == "X"]
        for bar in sorted(bars, key=lambda bar: bar["ts"]):
            self.assertLessEqual(ends.get(bar["tid"], 0), bar["ts"] + 0.002, bar)
            ends[bar["tid"]] = bar["ts"] + bar["dur"]

    def test_a_run_on_several_workers_is_told_whole(self):
        for program in (KNOWN, KNOWN_STATIC):
            status, _, made = self.trace("--", program, "busy")
            self.assertEqual(status, 0)
            self.assertEqual(made["otherData"]["lost"], 0)
            self.check_lanes(made)
            lanes = {event["args"]["name"] for event in made["traceEvents"]
                     if event["name"] == "thread_name"}
            self.assertEqual(lanes, {"worker 0", "worker 1"})
            starts = {event["id"] for event in made["traceEvents"] if event["ph"] == "s"}
            ends = {event["id"] for event in made["traceEvents"] if event["ph"] == "f"}
            self.assertLessEqual(ends, starts)
            depth = {}
            for event in made["traceEvents"]:
                if event["cat"] == "scope":
                    depth[event["id"]] = depth.get(event["id"], 0) + (
                        1 if event["ph"] == "b" else -1)
                    self.assertGreaterEqual(depth[event["id"]], 0)
            self.assertEqual(set(depth.values()), {0})

    def test_what_was_overwritten_is_counted(self):
        read, write = os.pipe()
        command = [str(word) for word in (RAVEL, "trace", "--memory", 1, "--", KNOWN, "busy")]
        with subprocess.Popen(command, cwd=self.folder, stdin=read, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.send_signal(signal.SIGSTOP)     # the recorder, not the program
            self.addCleanup(os.close, read)
            self.wait_for_many_events(process.pid)
            process.send_signal(signal.SIGCONT)
            os.close(write)
            _, err = process.communicate(timeout=PATIENCE)
        made = json.loads((self.folder / "trace.json").read_text())
        self.assertGreater(made["otherData"]["lost"], 0)
        self.assertIn(b"more were overwritten", err)
        self.check_lanes(made)

    def wait_for_many_events(self, recorder):
        """Far more than a megabyte has room for: each switch is two of 24 bytes."""
        program = Path(f"/proc/{recorder}/task/{recorder}/children").read_text().split()[0]
        until = time.monotonic() + PATIENCE
        while True:
            workers = snapshot(program)["runtimes"][0]["workers"]
            if sum(worker["switches"] for worker in workers) > 200000:
                return
            assert time.monotonic() < until, workers
            time.sleep(0.05)

    def test_what_cannot_be_recorded_is_refused(self):
        status, err, made = self.trace("--", "true")
        self.assertEqual((status, made), (2, None))
        self.assertIn("no runtime of Ravel has run in true", err)
        status, err, made = self.trace("--", "/nowhere/program")
        self.assertEqual((status, made), (2, None))
        self.assertIn("No such file", err)
        status, err, _ = self.trace("--output", "/nowhere/trace", "--", TRACED)
        self.assertEqual(status, 2)
        self.assertIn("/nowhere/trace", err)
        self.assertIn("which program", self.trace()[1])
        self.assertIn("megabytes from 1", self.trace("--memory", "x", "--", TRACED)[1])

    def test_what_cannot_be_read_back_is_written_all_the_same(self):
        self.assertEqual(self.trace("--output", "/dev/null", "--", TRACED)[0], 7)

    def test_a_number_that_is_no_recorder_is_left_alone(self):
        for number in ("0", "1", "999", "-1", "x", ""):
            done = subprocess.run([TRACED], env=dict(ENVIRONMENT, RAVEL_RECORD=number),
                                  stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(done.returncode, 7)


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel worker` makes a program an agent, whichever way it is linked, and says clearly why not.

    test_worker.py SOURCE_ROOT RAVEL MEMBER STATIC_MEMBER MEMBER_WITH_ENGINE"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from ravel_cli import InFolder, RAVEL

from tap import run_unittests

MEMBER, STATIC, MEMORY = (Path(p).resolve() for p in sys.argv[3:6])
URL = "memory://here/pool"
NOWHERE = "nowhere://host/pool"


class Workers(InFolder):
    def setUp(self):
        super().setUp()
        self.started = []
        self.addCleanup(lambda: [one.kill() for one in self.started if one.poll() is None])

    def start(self, *args, **more):
        one = subprocess.Popen([str(a) for a in (RAVEL, "worker", *args)], text=True,
                               cwd=self.folder, env=dict(os.environ, RAVEL_STALL_MS="0"), **more)
        self.started.append(one)
        return one

    def start_piped(self, *args):
        return self.start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def refused(self, *args, **env):
        said, complaint = self.ravel("worker", *args, status=2, **env)
        self.assertNotIn("main was run", said)
        self.assertTrue(complaint.startswith("ravel: "), complaint)
        return complaint


class Joins(Workers):
    def test_events_are_told_as_json(self):
        worker = self.start_piped("--json", "--cluster", URL, MEMORY, "--slots", "3")
        joined = json.loads(worker.stdout.readline())
        self.assertEqual((joined["event"], joined["pool"], joined["slots"]), ("joined", "pool", 3))
        worker.send_signal(signal.SIGTERM)
        said, complaints = worker.communicate(timeout=60)
        self.assertEqual([json.loads(line)["event"] for line in said.splitlines()],
                         ["leaving", "left"])
        self.assertEqual((worker.returncode, complaints), (0, ""))

    def test_without_a_terminal_nothing_is_said(self):
        worker = self.start_piped("--cluster", URL, MEMORY, "--", "argument")
        self.wait_for_child(worker)
        worker.send_signal(signal.SIGINT)
        self.assertEqual(worker.communicate(timeout=60), ("", ""))
        self.assertEqual(worker.returncode, 0)

    def wait_for_child(self, worker):
        """Until it has a worker process: its signals are heard by then."""
        tasks = Path(f"/proc/{worker.pid}/task")
        for _ in range(3000):
            if any(listing.read_text() for listing in tasks.glob("*/children")):
                return
            time.sleep(0.01)
        self.fail("it has no worker process")

    def test_on_a_terminal_there_is_a_line(self):
        ours, theirs = pty.openpty()
        worker = self.start("--cluster", URL, MEMORY, "--slots", "2", stderr=theirs,
                            stdout=subprocess.DEVNULL)
        os.close(theirs)
        said = ""
        while "running 0 of 2" not in said:
            said += os.read(ours, 1000).decode()
        self.assertIn("joined pool pool at memory://here, 2 at one time", said)
        worker.send_signal(signal.SIGTERM)
        while "pool: left" not in said:
            said += os.read(ours, 1000).decode()
        self.assertEqual(worker.wait(timeout=60), 0)
        os.close(ours)

    def test_the_environment_says_where_the_cluster_is(self):
        complaint = self.refused(MEMBER, RAVEL_CLUSTER=NOWHERE)
        self.assertIn("no engine for nowhere://host", complaint)

    def test_a_program_joins_whichever_way_it_is_linked(self):
        for member in (MEMBER, STATIC):
            complaint = self.refused(member, "--cluster", NOWHERE)
            self.assertIn("no engine for nowhere://host", complaint)

    def test_constructors_find_the_arguments(self):
        _, complaint = self.ravel("worker", MEMBER, "--cluster", NOWHERE, "--", "--slots",
                                  status=2, MEMBER_SAYS="told")
        self.assertIn("told --slots\n", complaint)

    def test_a_stripped_program_is_known(self):
        self.run_in("strip", "-o", "stripped", STATIC)
        self.assertIn("no engine", self.refused("./stripped", "--cluster", NOWHERE))


@unittest.skipUnless(shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin"),
                     "nats-server is not installed")
class Works(Workers):
    def setUp(self):
        super().setUp()
        if "no engine for" in self.refused(MEMBER, "--cluster", "nats://127.0.0.1:1/pool"):
            self.skipTest("this build has no libnats")

    def test_a_worker_runs_what_its_program_submits(self):
        told, _ = self.ravel("cluster", "up", "--dir", "server")
        self.addCleanup(self.ravel, "cluster", "down", "--dir", "server")
        where = told.partition("RAVEL_CLUSTER=")[2].strip().strip("'")
        worker = self.start("--cluster", where, MEMBER, "--json", stdout=subprocess.PIPE)
        for _ in range(2):
            said, _ = self.run_in(MEMBER, "submit", RAVEL_CLUSTER=where)
            self.assertEqual(said, "value 42\n")
        worker.send_signal(signal.SIGTERM)
        events = [json.loads(line) for line in worker.communicate(timeout=60)[0].splitlines()]
        self.assertEqual((events[-1]["event"], events[-1]["values"]), ("left", 2))


class Refuses(Workers):
    def test_what_is_no_program_of_ours(self):
        self.assertIn("is not a Ravel program", self.refused("/bin/true", "--cluster", URL))
        self.assertIn("no program ./missing", self.refused("./missing", "--cluster", URL))
        self.write("text", "text")
        self.assertIn("cannot be executed: Permission denied",
                      self.refused("./text", "--cluster", URL))
        (self.folder / "text").chmod(0o755)
        self.assertIn("is no program for this machine", self.refused("./text", "--cluster", URL))
        self.write("text", "#!/bin/sh\n")
        self.assertIn("is a script", self.refused("./text", "--cluster", URL))

    def test_options_that_make_no_sense(self):
        self.assertIn("where is the cluster", self.refused(MEMBER, RAVEL_CLUSTER=""))
        self.assertIn("no program was named", self.refused("--cluster", URL))
        for slots in ("0", "-1", "many", "65537", ""):
            self.assertIn("no number", self.refused(MEMBER, "--cluster", URL, "--slots", slots))
        for name in ("", "a b", "x" * 64):
            self.assertIn("a name has", self.refused(MEMBER, "--cluster", URL, "--name", name))
        self.assertIn("cannot read ./missing: No such file",
                      self.refused(MEMBER, "--cluster", URL, "--nkey", "./missing"))
        self.assertIn("is no cluster's address", self.refused(MEMBER, "--cluster", "here"))
        self.assertIn("a user in it",
                      self.refused(MEMBER, "--cluster", "nats://me:secret@host/pool"))

    def test_the_variable_set_by_hand(self):
        _, complaint = self.run_in(MEMBER, status=2, RAVEL_AGENT="what", RAVEL_CLUSTER=URL)
        self.assertIn("RAVEL_AGENT makes no sense", complaint)

    def test_the_help_is_one_screen(self):
        said, _ = self.ravel("worker", "--help")
        self.assertLessEqual(len(said.splitlines()), 40)
        self.assertLessEqual(max(map(len, said.splitlines())), 100)


if __name__ == "__main__":
    sys.exit(run_unittests())

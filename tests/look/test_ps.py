#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel ps` tells what tasks do, of programs in a known state, busy, ending, dead and foreign.

    test_ps.py ROOT RAVEL KNOWN KNOWN_STATIC
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from looking import (ENVIRONMENT, KNOWN, KNOWN_STATIC, PARKED, PATIENCE, RAVEL, Looking, core_of, parked_as_known,
                     ravel, running, settled, snapshot)
from tap import run_unittests


def by_name(seen, name):
    return [task for task in seen["tasks"] if task["name"] == name]


class Known(Looking):
    def check_parked(self, seen):
        self.assertEqual(seen["torn"], 0)
        self.assertEqual(seen["lost"], 0)
        found = {}
        for task in seen["tasks"]:
            found.setdefault(task["name"], set()).add(task["waits_for"])
        self.assertEqual(found, {name: {why} for name, why in PARKED.items()})
        self.assertEqual(len(by_name(seen, "recipient")), 2)
        self.check_places(seen)

    def check_places(self, seen):
        scopes = {scope.get("name"): scope for scope in seen["scopes"]}
        self.assertEqual(set(scopes), {"town", "house"})
        entry, landlord, tenant = (by_name(seen, name)[0]
                                   for name in ("entry", "landlord", "tenant"))
        self.assertNotIn("scope", entry)
        self.assertEqual(scopes["town"]["owner"], entry["id"])
        self.assertEqual(scopes["house"]["owner"], landlord["id"])
        self.assertEqual(seen["scopes"][tenant["scope"]], scopes["house"])
        self.assertEqual(tenant["parent"], landlord["id"])
        self.assertEqual(scopes["house"]["policy"], "collect all")
        self.assertTrue(scopes["house"]["closing"])
        self.assertLess(scopes["house"]["deadline_in_ns"], 7200e9)
        self.assertGreater(scopes["house"]["deadline_in_ns"], 7000e9)
        self.assertEqual(landlord["function"], "town")
        self.assertTrue(landlord["file"].endswith("known.c"))

    def check_workers(self, seen):
        (runtime,) = seen["runtimes"]
        self.assertEqual([w["index"] for w in runtime["workers"]], [0, 1])
        self.assertEqual(sum(w["ready"] + w["not_begun"] for w in runtime["workers"]), 0)
        self.assertEqual(sum(w["spawned"] - w["finished"] for w in runtime["workers"]), 8)
        for worker in runtime["workers"]:
            self.assertTrue(os.path.isdir(f"/proc/{seen['pid']}/task/{worker['thread']}"))

    def test_every_task_of_a_known_program_is_told(self):
        for program in (KNOWN, KNOWN_STATIC):
            with running("parked", program) as process:
                seen = settled(process, parked_as_known)
                self.check_parked(seen)
                self.check_workers(seen)

    def test_a_stripped_program_tells_as_much(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder) / "bare"
            subprocess.run(["strip", "-s", "-o", bare, KNOWN_STATIC], check=True)
            with running("parked", bare) as process:
                self.check_parked(settled(process, parked_as_known))

    def test_accounts_are_told_where_they_are_kept(self):
        with running("parked", RAVEL_ACCOUNT="1") as process:
            seen = settled(process, parked_as_known)
            for task in seen["tasks"]:
                self.assertGreaterEqual(task["parks"], 1)
                self.assertEqual(task["yields"] + task["migrations"], 0)
                self.assertGreater(task["run_ns"], 0)
                self.assertGreaterEqual(task["age_ns"], task["run_ns"] + task["queued_ns"])
        with running("parked") as process:
            seen = settled(process, parked_as_known)
            self.assertNotIn("run_ns", seen["tasks"][0])

    def test_who_runs_is_told_with_the_time_so_far(self):
        def is_spinning(seen):
            return any(task["state"] == "running" for task in by_name(seen, "spinner"))

        with running("spinning", RAVEL_ACCOUNT="1") as process:
            seen = settled(process, is_spinning)
            (spinner,) = by_name(seen, "spinner")
            (holder,) = [w for w in seen["runtimes"][0]["workers"] if w["state"] == "runs"]
            self.assertEqual(holder["task"], spinner["id"])
            self.assertEqual(holder["index"], spinner["worker"])
            (later,) = by_name(snapshot(process.pid), "spinner")
            self.assertGreater(later["run_ns"], spinner["run_ns"])

    def test_a_line_each_for_people(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            status, out, err = ravel("ps", process.pid)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("8 tasks\n", out)
            for name, why in PARKED.items():
                self.assertRegex(out, rf"waits +{why} .* {name}, ")

    def test_it_goes_on_as_if_nobody_had_looked(self):
        with running("parked") as process:
            for _ in range(20):
                snapshot(process.pid)
            process.stdin.close()
            self.assertEqual(process.wait(timeout=60), 0)
            process.stdin = open(os.devnull)


class Many(Looking):
    """As many as RAVEL_TEST_SCALE says: 2,000 at 100, a million in `make soak`."""

    COUNT = 20 * int(os.environ.get("RAVEL_TEST_SCALE", "100"))

    def measure(self, *words):
        """What it tells, and what that took."""
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen([str(RAVEL), *map(str, words)], stdout=out, env=ENVIRONMENT)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            out.seek(0)
            text = out.read()
        print(f"# ravel {words[0]} of {self.COUNT} tasks: {time.monotonic() - began:.1f} s, "
              f"{used.ru_maxrss / 1024:.0f} MiB, {len(text) / 1e6:.0f} MB of text")
        return text, used.ru_maxrss * 1024

    def test_each_of_many_is_told_in_memory_that_grows_with_them_alone(self):
        with running("many", KNOWN, str(self.COUNT)) as process:
            end = time.monotonic() + 10 * PATIENCE
            while True:
                text, memory = self.measure("tree", process.pid)
                if f"{self.COUNT} tasks like " in text and "waits (event)" in text:
                    break
                self.assertLess(time.monotonic(), end, text)
                time.sleep(0.1)
            self.assertLess(memory, (128 << 20) + self.COUNT * 400)
            text, _ = self.measure("ps", "--json", process.pid)
            seen = json.loads(text)
            self.assertEqual(len(by_name(seen, "listener")), self.COUNT)
            self.assertEqual((seen["torn"], seen["lost"]), (0, 0))


class Moving(Looking):
    def check_sound(self, seen):
        """Whatever is told goes together."""
        ids = [task["id"] for task in seen["tasks"]]
        self.assertEqual(len(ids), len(set(ids)))
        for task in seen["tasks"]:
            self.assertIn(task["state"],
                          ("not begun", "ready", "running", "waits", "moving", "has ended", "torn"))
            self.assertIn(task["name"], ("entry", "generation", "passer_by"))
            if "scope" in task:
                self.assertEqual(task["parent"], seen["scopes"][task["scope"]]["owner"])
        for scope in seen["scopes"]:
            self.assertIn(scope["owner"], ids)
            self.assertIn(scope["name"], ("crowd", "street"))

    def test_under_load_what_is_told_goes_together(self):
        with running("busy", RAVEL_ACCOUNT="1") as process:
            switches = []
            for _ in range(40):
                seen = snapshot(process.pid)
                self.check_sound(seen)
                self.assertEqual(len(by_name(seen, "entry")), 1)
                switches.append(sum(w["switches"] for w in seen["runtimes"][0]["workers"]))
            self.assertEqual(switches, sorted(switches))
            self.assertLess(switches[0], switches[-1])

    def test_while_it_ends_there_is_an_answer_or_a_refusal(self):
        refusals = set()
        for _ in range(8):
            with running("busy") as process:
                process.stdin.close()
                while True:
                    status, out, err = ravel("ps", "--json", process.pid)
                    if status != 0:
                        break
                    json.loads(out)
                process.stdin = open(os.devnull)
            self.assertEqual((status, out), (2, ""))
            refusals.add(err.split(str(process.pid))[-1].strip())
        for refusal in refusals:
            self.assertRegex(refusal, "no process|has ended|has no memory|come and go|^$")

    def test_runtimes_that_come_and_go_are_seen_or_not(self):
        with running("brief") as process:
            while process.poll() is None:
                status, out, err = ravel("ps", "--json", process.pid)
                if status == 0:
                    self.assertLessEqual(len(json.loads(out)["runtimes"]), 1)
                else:
                    self.assertRegex(err, "come and go|no process|has ended|has no memory")


class Refused(Looking):
    def refuses(self, *words, **more):
        status, out, err = ravel("ps", *words, **more)
        self.assertEqual((status, out), (2, ""), err)
        self.assertTrue(err.startswith("ravel: ") and err.count("\n") == 1, err)
        return err

    def test_a_program_without_ravel_is_refused(self):
        with subprocess.Popen(["sleep", "60"]) as process:
            err = self.refuses(process.pid)
            process.kill()
        self.assertIn(f"process {process.pid} (", err)
        self.assertIn("has no Ravel in it", err)
        self.assertIn("there is no process", self.refuses(process.pid))

    def test_no_runtime_is_no_error(self):
        with running("none") as process:
            status, out, _ = ravel("ps", process.pid)
            self.assertEqual(status, 0)
            self.assertIn("no runtime at the moment", out)
            self.assertEqual(snapshot(process.pid)["tasks"], [])

    def test_another_version_is_refused_by_its_name(self):
        with tempfile.TemporaryDirectory() as folder:
            other = Path(folder) / "other"
            text = KNOWN_STATIC.read_bytes()
            self.assertEqual(text.count(b"rvlayout"), 1)
            at = text.index(b"rvlayout") + 16
            other.write_bytes(text[:at] + b"9.8.7\0" + text[at + 6:])
            other.chmod(0o755)
            with running("none", other) as process:
                self.assertIn("has libravel 9.8.7 ", self.refuses(process.pid))

    def test_somebody_elses_is_refused_with_what_to_do(self):
        if os.geteuid() != 0:
            err = self.refuses(1)
            self.assertIn("belongs to root and may not be read by", err)
            return
        with tempfile.TemporaryDirectory() as folder, running("parked") as process:
            os.chmod(folder, 0o755)
            mine = Path(shutil.copy(RAVEL, folder))
            done = subprocess.run([mine, "ps", str(process.pid)], user=65534, group=65534,
                                  extra_groups=[], capture_output=True, text=True, cwd="/")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("belongs to root and may not be read by nobody: run this command as root",
                          done.stderr)

    def test_a_wrong_command_line_is_refused(self):
        self.assertIn("which process", self.refuses())
        self.assertIn("is no process number", self.refuses("12x"))
        self.assertIn("is no process number", self.refuses("0"))
        self.assertIn("one word too many", self.refuses("1", "2"))
        self.assertIn("ravel ps", ravel("ps", "--help")[1])


class Core(Looking):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.core = core_of(cls.folder.name)

    def setUp(self):
        if self.core is None:
            self.skipTest("the kernel leaves no core in the folder of the program")

    def test_a_core_file_tells_the_same(self):
        seen = snapshot("--core", self.core)
        found = {task["name"]: task.get("waits_for") for task in seen["tasks"]
                 if task["state"] == "waits"}
        del found["landlord"] # it may not have come as far
        expected = {name: why for name, why in PARKED.items() if name in found}
        self.assertEqual(found, expected)
        (entry,) = by_name(seen, "entry")
        self.assertEqual(entry["state"], "running")
        self.assertGreater(entry["run_ns"], 0)
        status, out, _ = ravel("ps", "--core", self.core)
        self.assertEqual(status, 0)
        self.assertIn("not to the end", out)

    def test_a_core_that_is_cut_short_is_refused(self):
        short = Path(self.folder.name) / "short"
        text = self.core.read_bytes()
        for part in (0.999, 0.3, 0.01, 0.001):
            short.write_bytes(text[:int(len(text) * part)])
            status, out, err = ravel("ps", "--core", short)
            self.assertIn(status, (0, 2))
            if status == 2:
                self.assertRegex(err, "cut short|no Ravel|no core")
        self.assertEqual(status, 2)

    def test_what_is_no_core_is_refused(self):
        self.assertIn("is no core file", ravel("ps", "--core", KNOWN)[2])
        self.assertIn("No such file", ravel("ps", "--core", "/nowhere")[2])


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

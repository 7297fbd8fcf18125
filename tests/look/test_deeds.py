#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel trace` writes every call, wait and job of known programs, started by it or running already.

    test_deeds.py ROOT RAVEL KNOWN KNOWN_STATIC DEEDS
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from looking import ENVIRONMENT, PATIENCE, RAVEL, ROOT, Looking, running, settled, snapshot
from tap import run_unittests

sys.path.insert(0, str(ROOT / "tests" / "cli"))
from cluster_cli import LACKING, InCluster, lacking_engine  # noqa: E402

DEEDS = Path(sys.argv[5]).resolve()


def kind(event):
    return event["name"].rpartition(" ")[0]


def of(made, category, phase=None):
    return [event for event in made["traceEvents"]
            if event["cat"] == category and phase in (None, event["ph"])]


def lanes(made, what="thread_name"):
    return {(event["pid"], event["tid"]): event["args"]["name"]
            for event in of(made, "__metadata") if event["name"] == what}


def tasks(made):
    """Names by numbers, of the first runtime."""
    return {event["args"]["task"]: kind(event) for event in of(made, "run") if event["pid"] == 1}


def bands(made, category):
    """(task, what, arguments at the beginning, at the end), in the order of their beginnings."""
    names, found, is_open = tasks(made), [], {}
    for event in of(made, category):
        if event["ph"] == "b":
            band = [names[event["id"]], event["name"], dict(event["args"]), None]
            del band[2]["task"]
            found.append(band)
            is_open[event["id"]] = band
        else:
            is_open.pop(event["id"])[3] = event.get("args")
    assert not is_open, is_open
    return found


class Traced(Looking):
    def setUp(self):
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="ravel-deeds-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def trace(self, *words):
        done = subprocess.run([str(word) for word in (RAVEL, "trace", *words)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT,
                              timeout=PATIENCE)
        path = self.folder / "trace.json"
        made = json.loads(path.read_text()) if path.exists() else None
        return done.returncode, done.stderr.decode(), made


class Known(Traced):
    def deeds(self, mode):
        status, err, made = self.trace("--", DEEDS, mode)
        self.assertEqual(status, 0, err)
        self.assertEqual(made["otherData"]["lost"], 0)
        return made

    def test_each_call_is_told_with_its_descriptor_and_what_came_of_it(self):
        made = self.deeds("calls")
        (first, second, third) = bands(made, "io")
        self.assertEqual((first[0], first[1], first[3]), ("bookworm", "read", {"result": 5}))
        self.assertEqual((second[0], second[1], second[3]), ("entry", "write", {"result": 5}))
        self.assertEqual(third, ["bookworm", "read", {}, {"error": "EBADF"}])
        self.assertNotEqual(first[2]["fd"], second[2]["fd"])

    def test_a_name_that_a_task_was_given_is_its_own_from_the_beginning(self):
        made = self.deeds("calls")
        self.assertEqual(set(tasks(made).values()), {"entry", "bookworm"})
        (place,) = {Path(bar["args"]["file"]).name for bar in of(made, "run")
                    if kind(bar) == "bookworm"}
        self.assertEqual(place, "deeds.c")

    def test_each_wait_for_a_lock_is_told_with_who_holds_it(self):
        made = self.deeds("locks")
        found = {band[0]: band for band in bands(made, "wait")}
        self.assertEqual(set(found), {"knocker", "author", "guest", "sleeper"})
        entry = next(number for number, name in tasks(made).items() if name == "entry")
        for name, what in (("knocker", "mutex"), ("author", "write lock"), ("guest", "semaphore")):
            object_ = found[name][2]["object"]
            self.assertRegex(object_, r"^#[123]$")
            self.assertRegex(found[name][2]["address"], r"^0x[0-9a-f]+$")
            self.assertEqual(found[name][1], f"{what} {object_}")
            self.assertIn(f"waits for {what} {object_}", self.ends(made, name))
        self.assertEqual(found["knocker"][2]["held_by"], entry)
        self.assertEqual(found["author"][2]["held_by"], entry)
        self.assertNotIn("held_by", found["guest"][2])
        self.assertEqual(found["sleeper"][1:3], ["sleep", {}])
        self.assertEqual(len({band[2].get("object") for band in found.values()}), 4)

    def ends(self, made, name):
        return [bar["args"]["end"] for bar in of(made, "run") if kind(bar) == name]

    def test_what_has_a_name_is_told_by_it_as_long_as_it_has_it(self):
        made = self.deeds("things")
        waits = {}
        for name, what, begin, _ in bands(made, "wait"):
            waits.setdefault(name, []).append((what, begin["object"]))
        self.assertEqual(waits, {
            "buyer": [("channel receive orders", "orders"), ("channel receive returns", "returns"),
                      ("channel receive #2", "#2")],
            "stranger": [("channel receive #1", "#1")] * 2,
            "clerk": [("channel receive letters", "letters")],
            "boss": [("future read_byte", "read_byte")],
            "cleaner": [("executor threads:1", "threads:1")]})
        self.assertIn("waits for channel receive letters", self.ends(made, "clerk"))
        by = {event["args"]["object"] for event in of(made, "wake", "s") if "args" in event}
        self.assertLessEqual({"orders", "returns", "#1", "#2", "letters"}, by)
        self.assertEqual(lanes(made, "process_name").keys(), {(1, 1), (1002, 1)})

    def test_jobs_lie_in_lanes_of_their_threads_and_processes(self):
        made = self.deeds("jobs")
        names = lanes(made)
        jobs = [(re.sub(r" \d+$", "", names[bar["pid"], bar["tid"]]), bar["name"],
                 bar["args"]["end"]) for bar in sorted(of(made, "job"), key=lambda bar: bar["ts"])]
        self.assertEqual(jobs, [("thread", "halve", "value"), ("thread", "halve", "error"),
                                ("worker process", "halve", "value"),
                                ("worker process", "halve", "error")])
        (process,) = {bar["pid"] for bar in of(made, "job")}
        self.assertTrue(lanes(made, "process_name")[process, 1].startswith("executors of "))

    def test_all_runtimes_are_there(self):
        made = self.deeds("runtimes")
        names = {}
        for bar in of(made, "run"):
            names.setdefault(bar["pid"], set()).add(kind(bar))
        self.assertEqual(names, {1: {"alone"}, 2: {"alone"}, 3: {"alone"}, 4: {"one of two"},
                                 5: {"one of two"}})


@unittest.skipIf(LACKING or lacking_engine(), LACKING or lacking_engine())
class Away(InCluster):
    maxDiff = None

    def test_jobs_of_a_cluster_lie_in_lanes_of_both_sides(self):
        url = self.up()["url"]
        agent = self.recorded("agent.json", RAVEL, "worker", "--json", "--slots", 1,
                              "--cluster", url, DEEDS)
        self.assertEqual(json.loads(agent.stdout.readline())["event"], "joined")
        client = self.recorded("client.json", DEEDS, "away", f"cluster:{url}")
        self.assertEqual(client.wait(timeout=PATIENCE), 0)
        agent.send_signal(signal.SIGTERM)       # which is the agent's
        self.assertEqual(agent.wait(timeout=PATIENCE), 0)
        self.assertEqual(self.jobs("client.json"),
                         [("cluster 1", "halve", "value"), ("cluster 1", "halve", "error")])
        self.assertEqual([(lane.rpartition(" ")[0], *job) for lane, *job in self.jobs("agent.json")],
                         [("worker process", "halve", "value"),
                          ("worker process", "halve", "error")])

    def recorded(self, output, *command):
        one = subprocess.Popen([str(word) for word in (RAVEL, "trace", "--output", output, "--",
                                                       *command)],
                               cwd=self.folder, env=dict(self.env(), RAVEL_STALL_MS="0"), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        self.addCleanup(one.communicate)
        self.addCleanup(one.kill)
        return one

    def jobs(self, name):
        made = json.loads((self.folder / name).read_text())
        bars = of(made, "job")
        for bar in bars:
            if name == "client.json":       # it was away for longer than it ran
                self.assertLessEqual(bar["args"].get("ran_ns", 0), bar["dur"] * 1000 + 1)
        return [(lanes(made)[bar["pid"], bar["tid"]], bar["name"], bar["args"]["end"])
                for bar in bars]


def memory_of(process):
    """Whether it has what a recording takes."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    links = [os.readlink(path) for path in Path(f"/proc/{process.pid}/fd").iterdir()
             if path.is_symlink()]
    return "ravel-trace" in maps or any("ravel-trace" in link for link in links)


def until(holds):
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def reads_of(made):
    return [event for event in of(made, "io", "e") if event.get("args") == {"result": 1}]


def switches_of(process):
    return sum(worker["switches"] for runtime in snapshot(process.pid)["runtimes"]
               for worker in runtime["workers"])


class Attached(Traced):
    def record(self, process):
        """It serves meanwhile, which on a busy machine takes its time."""
        for seconds in (0.1, 2, 40):
            status, err, made = self.trace("--seconds", seconds, process.pid)
            if status == 0 and len(reads_of(made)) > 2:
                break
        self.assertEqual(status, 0, err)
        return made

    def test_a_running_process_is_recorded_and_goes_on(self):
        with running("serve", DEEDS) as process:
            for _ in range(2):
                self.check_service(self.record(process), process.pid)
                until(lambda: not memory_of(process))
            process.stdin.close()
            self.assertEqual(process.wait(timeout=PATIENCE), 0)
            process.stdin = open(os.devnull)

    def check_service(self, made, pid):
        self.assertEqual(made["otherData"]["lost"], 0)
        self.assertEqual(lanes(made, "process_name"), {(1, 1): f"process {pid}"})
        self.assertEqual(set(tasks(made).values()), {"entry", "old hand"})
        (place,) = {Path(bar["args"]["file"]).name for bar in of(made, "run")
                    if kind(bar) == "old hand"}
        self.assertEqual(place, "deeds.c")
        self.assertGreater(len(reads_of(made)), 2)

    def test_it_ends_when_the_process_does_or_it_is_told_to(self):
        for ends in (lambda process, _: process.kill(),
                     lambda _, tracer: tracer.send_signal(signal.SIGINT)):
            with running("serve", DEEDS) as process:
                with self.tracer(process) as tracer:
                    ends(process, tracer)
                    _, err = tracer.communicate(timeout=PATIENCE)
                self.assertEqual(tracer.returncode, 0, err)
            self.check_service(json.loads((self.folder / "trace.json").read_text()), process.pid)

    def tracer(self, process):
        """One that records it already, and has seen something of its service."""
        tracer = subprocess.Popen([str(RAVEL), "trace", str(process.pid)], cwd=self.folder,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
        until(lambda: memory_of(process) and "ravel-trace" in
              Path(f"/proc/{tracer.pid}/maps").read_text())
        before = switches_of(process)
        until(lambda: switches_of(process) > before + 40)
        return tracer

    def test_it_is_recorded_by_one_at_a_time(self):
        with running("serve", DEEDS) as process, self.tracer(process) as tracer:
            status, err, _ = self.trace("--seconds", 0.1, process.pid)
            self.assertEqual(status, 2)
            self.assertIn("is being recorded already", err)
            tracer.send_signal(signal.SIGTERM)
            _, err = tracer.communicate(timeout=PATIENCE)
            self.assertEqual(tracer.returncode, 0, err)

    def test_one_that_was_killed_leaves_nothing_behind(self):
        with running("serve", DEEDS) as process:
            with self.tracer(process) as tracer:
                tracer.kill()
                tracer.communicate()
            until(lambda: not memory_of(process))
            self.check_service(self.record(process), process.pid)

    def test_one_that_does_nothing_is_not_made_to(self):
        with running("rest", DEEDS) as process:
            settled(process, lambda seen: all(worker["state"] == "asleep"
                                              for runtime in seen["runtimes"]
                                              for worker in runtime["workers"]))
            status, err, made = self.trace("--seconds", 0.1, process.pid)
            self.assertEqual((status, made), (2, None))
            self.assertIn("did nothing that could be recorded", err)
            self.assertFalse(memory_of(process))

    def test_who_cannot_be_recorded_is_told_why(self):
        status, err, _ = self.trace(os.getpid())
        self.assertEqual(status, 2)
        self.assertIn("has no Ravel in it", err)
        with running("serve", DEEDS) as process:
            pass
        status, err, _ = self.trace(process.pid)
        self.assertEqual(status, 2)
        self.assertIn(f"there is no process {process.pid}", err)
        for words, why in ((("--seconds", "x", 1), "seconds from 0.001"),
                           (("--seconds", "1", "--", DEEDS), "recorded to its end"),
                           ((1, "more"), "what comes after a PID")):
            status, err, _ = self.trace(*words)
            self.assertEqual(status, 2)
            self.assertIn(why, err)

    def test_under_a_runtime_that_records_for_its_parent_it_is_refused(self):
        command = [str(RAVEL), "trace", "--output", "other.json", "--", str(DEEDS), "serve"]
        with subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=ENVIRONMENT) as tracer:
            self.assertEqual(tracer.stdout.readline(), b"ready\n")
            children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
            status, err, _ = self.trace(children.read_text().split()[0])
            self.assertEqual(status, 2)
            self.assertIn("is being recorded already", err)
            tracer.stdin.close()
            self.assertEqual(tracer.wait(timeout=PATIENCE), 0)


@unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
class SomebodyElses(Traced):
    def test_it_is_refused(self):
        with running("serve", DEEDS) as process:
            done = subprocess.run([str(RAVEL), "trace", str(process.pid)], cwd="/", user=65534,
                                  group=65534, extra_groups=[], capture_output=True,
                                  env=ENVIRONMENT, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"may not be read", done.stderr)


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

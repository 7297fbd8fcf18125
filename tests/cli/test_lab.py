#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel lab` measures all that it names, in figures that can be, and refuses clearly.

    test_lab.py SOURCE_ROOT RAVEL

Every probe is run once, quickly, and its figures are held against what is possible at all: a table
of bounds that no machine leaves, not against what one should take."""

import copy
import json
import os
import pty
import re
import subprocess
import sys
import unittest

from cluster_cli import InCluster, LACKING, lacking_engine
from ravel_cli import InFolder, RAVEL

from tap import run_unittests

POSSIBLE = {"ns": (0.01, 60e9), "bytes": (0, 1e9), "1/s": (1, 1e9), "x": (0.001, 1000),
      "%": (0.01, 100), "switches": (0, 1000), "": (1, 1e9)}

# What each probe has at least, by name; "..." stands for anything behind it.
EXPECTED = {
    "create": ["process, by fork", "worker process", "thread", "task",
               "process, by fork, parent...", "worker process, parent...", "thread, parent...",
               "task, parent..."],
    "memory": ["process, by fork", "process, by fork, parent...", "worker process", "thread", "task"],
    "fit": ["processes", "threads", "tasks"],
    "switch": ["call of a function", "generator resumed", "task", "system call...",
               "threads, one processor", "processes, one processor"],
    "lock": ["pthread_mutex, by one thread", "pthread_mutex, by 2 threads", "rv_mutex, by one task",
             "rv_mutex, by 2 tasks..."],
    "atomics": ["one counter", "one each, in the same line", "one each, apart"],
    "pass": ["channel, two tasks of one worker", "channel, tasks of two workers",
             "queue, two threads", "pipes, two processes", "Unix socket, two processes",
             "TCP on loopback, two processes", "shared memory, two processes sleeping",
             "job to a worker process"],
    "serialise": ["its address", "a copy", "a text, written and read"],
    "waiting": ["threads", "processes", "tasks"],
    "computing": ["threads", "processes", "tasks"],
    "one-lock": ["computing, no lock", "computing, one lock", "waiting, no lock",
                 "waiting, one lock"],
    "python-computing": ["Ravel, tasks", "CPython ..., threads", "CPython ..., processes",
                         "CPython ..., asyncio"],
    "python-waiting": ["Ravel, tasks", "CPython ..., threads", "CPython ..., processes",
                       "CPython ..., asyncio"],
    "nice": ["share of the second"],
    "smt": ["alone", "whole core busy, alone"],
    "serve": ["a task for each client", "a thread for each client"],
    "print": ["write(2), a call a line", "printf, written line by line", "rv_print by 4 tasks",
              "rv_print by 4 tasks, from one to another", "printf to a terminal"],
}


class Lab(InFolder):
    def lab(self, *args, **more):
        return self.ravel("lab", *args, **more)


class Measures(Lab):
    """One quick run of everything, looked at by all tests."""

    @classmethod
    def setUpClass(cls):
        done = subprocess.run([RAVEL, "lab", "--quick", "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=200, env=dict(os.environ, RAVEL_CLUSTER=""))
        cls.said = done
        cls.report = json.loads(done.stdout)

    def figures(self):
        for probe in self.report["probes"]:
            for figure in probe["figures"]:
                yield probe, figure

    def probe(self, name):
        return next(p for p in self.report["probes"] if p["name"] == name)

    def test_nothing_fails_and_nothing_is_said_besides(self):
        self.assertEqual(self.said.returncode, 0, self.said.stderr)
        self.assertEqual(self.said.stderr, "")

    def test_every_probe_has_its_figures(self):
        self.assertEqual([p["name"] for p in self.report["probes"]], list(EXPECTED))
        for name, wanted in EXPECTED.items():
            had = [f["name"] for f in self.probe(name)["figures"]]
            for one in wanted:
                pattern = ".*".join(map(re.escape, one.split("...")))
                self.assertTrue(any(re.fullmatch(pattern, h) for h in had), (name, one, had))

    def test_every_figure_is_possible(self):
        for probe, f in self.figures():
            low, high = POSSIBLE[f["unit"]]
            self.assertTrue(low <= f["median"] <= high, (probe["name"], f))

    def test_every_figure_lies_within_its_own_bounds(self):
        for probe, f in self.figures():
            where = (probe["name"], f)
            self.assertTrue(f["low"] <= f["median"] <= f["high"], where)
            self.assertTrue(f["q1"] <= f["median"] <= f["q3"], where)
            self.assertGreaterEqual(f["samples"], 1, where)
            beyond = f["q3"] - f["q1"] - 0.15 * abs(f["median"])
            if abs(beyond) > 1e-4 * abs(f["median"]):       # what is told is rounded
                self.assertEqual(f["noisy"], beyond > 0, where)

    def test_figures_over_an_axis_have_a_place_on_it_once(self):
        for probe in self.report["probes"]:
            places = [(f["name"], f["unit"], f["at"]) for f in probe["figures"]]
            self.assertEqual(len(places), len(set(places)), probe["name"])
            for f in probe["figures"]:
                self.assertEqual(f["at"] is not None, probe["axis"] is not None, (probe["name"], f))

    def test_each_probe_asks_and_answers_in_a_sentence(self):
        for probe in self.report["probes"]:
            self.assertTrue(probe["title"], probe["name"])
            self.assertTrue(probe["method"].endswith("."), probe["name"])

    def test_what_has_an_order_by_nature_has_it(self):
        """Ratios of ten and more, inside one run: no load turns them round."""
        of = {f["name"]: f["median"] for f in self.probe("switch")["figures"]}
        self.assertLess(of["call of a function"], of["threads, one processor"])
        of = {f["name"]: f["median"] for f in self.probe("memory")["figures"]}
        self.assertLess(of["task"], of["process, by fork"])
        of = [f for f in self.probe("serialise")["figures"] if f["at"] == 16384]
        of = {f["name"]: f["median"] for f in of}
        self.assertLess(of["a copy"], of["a text, written and read"])

    def test_the_machine_and_the_day_are_named(self):
        self.assertRegex(self.report["when"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertGreaterEqual(self.report["machine"]["processors"], 1)
        self.assertGreater(self.report["machine"]["memory_bytes"], 1 << 20)

    def test_what_could_not_be_measured_is_said(self):
        self.assertIn("RAVEL_CLUSTER", self.probe("pass")["why_not"])


class Chooses(Lab):
    def test_only_what_was_asked_for(self):
        out, err = self.lab("--quick", "--only", "switch,lock", "--only", "fit", "--json")
        self.assertEqual([p["name"] for p in json.loads(out)["probes"]], ["fit", "switch", "lock"])
        self.assertEqual(err, "")

    def test_the_table_has_every_figure_of_the_json(self):
        out, _ = self.lab("--quick", "--only", "switch", COLUMNS="100")
        for wanted in ("switch: ", "median between", "call of a function", "ns", "µs"):
            self.assertIn(wanted, out)
        self.assertNotIn("\033", out)

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one processor has no sibling")
    def test_threads_of_a_core_are_found_where_there_are_any(self):
        everybody = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        for processor in os.sched_getaffinity(0):
            folder = self.folder / f"cpu{processor}" / "topology"
            folder.mkdir(parents=True)
            (folder / "thread_siblings_list").write_text(f"{everybody}\n")
        out, _ = self.lab("--quick", "--only", "smt", "--json", RAVEL_LAB_TOPOLOGY=str(self.folder))
        probe = json.loads(out)["probes"][0]
        self.assertEqual([f["name"] for f in probe["figures"]],
                         ["alone", "beside another, on the same core", "whole core busy, alone",
                          "whole core busy, beside another, on the same core"])
        self.assertEqual(probe["why_not"], "")
        out, _ = self.lab("--quick", "--only", "smt", "--json", RAVEL_LAB_TOPOLOGY="/nowhere")
        probe = json.loads(out)["probes"][0]
        self.assertIn("beside another, on another core", [f["name"] for f in probe["figures"]])
        self.assertIn("no core here shows two threads", probe["why_not"])

    def test_without_python_that_is_said(self):
        out, _ = self.lab("--quick", "--only", "python-waiting", "--json", PATH="/nowhere")
        probe = json.loads(out)["probes"][0]
        self.assertEqual(probe["why_not"], "there is no python3")
        self.assertTrue(all(f["name"].startswith("Ravel") for f in probe["figures"]))

    def test_a_bar_is_drawn_on_a_terminal_alone(self):
        ours, theirs = pty.openpty()
        with open(self.folder / "out.json", "w") as out:
            done = subprocess.Popen([RAVEL, "lab", "--quick", "--only", "switch", "--json"],
                                    stdout=out, stderr=theirs, cwd=self.folder)
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(ours, 4096):
                drawn += chunk
        except OSError:         # how a terminal ends
            pass
        os.close(ours)
        self.assertEqual(done.wait(60), 0)
        self.assertRegex(drawn, rb"\r\x1b\[K\[#* *\] +\d+% switch")
        self.assertTrue(drawn.endswith(b"\r\x1b[K"), drawn[-50:])
        json.loads((self.folder / "out.json").read_text())

    def test_the_list_names_all(self):
        out, _ = self.lab("--list")
        self.assertEqual([line.split()[0] for line in out.splitlines()], list(EXPECTED))


class Refuses(Lab):
    def refused(self, *args):
        out, err = self.lab(*args, status=2)
        self.assertEqual(out, "")
        return err

    def test_options_that_are_none(self):
        self.assertIn("--help", self.refused("--quack"))
        self.assertIn("no such probe", self.refused("--only", "switch,swatch"))
        self.assertIn("no such probe", self.refused("--only", ""))
        self.assertIn("no such probe", self.refused("--only", "switch,"))
        self.assertIn("takes no such argument", self.refused("--quick", "switch"))
        self.assertIn("two reports", self.refused("--compare", "one.json"))
        self.assertIn("--html alone", self.refused("--compare", "--quick", "a", "b"))

    def test_a_page_that_cannot_be_written(self):
        out, err = self.lab("--quick", "--only", "smt", "--html", "/nowhere/x.html", status=2)
        self.assertIn("cannot write /nowhere/x.html: No such file or directory", err)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([RAVEL, "lab", "--quick", "--only", "smt", "--json"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot write", done.stderr)

    def test_a_broken_report_is_told_with_file_and_place(self):
        self.write("fine.json", self.lab("--quick", "--only", "smt", "--json")[0])
        self.write("broken.json", '{"ravel_lab": 1,\n  "version" "x"}')
        self.assertIn("broken.json: line 2, column 13: a colon is expected",
                      self.refused("--compare", "fine.json", "broken.json"))
        self.assertIn("nowhere.json: No such file",
                      self.refused("--compare", "nowhere.json", "fine.json"))


class Compares(Lab):
    def reports(self):
        one = json.loads(self.lab("--quick", "--only", "switch,nice", "--json")[0])
        two = copy.deepcopy(one)
        for report in (one, two):
            for f in report["probes"][0]["figures"]:
                f.update(median=100, low=99, high=101, q1=99, q3=101, noisy=False)
        two["probes"][0]["figures"][0].update(median=50, low=49, high=51, q1=49, q3=51)
        two["probes"][0]["figures"][1].update(median=300, low=299, high=301, q1=299, q3=301)
        two["probes"][0]["figures"][2].update(median=300, low=200, high=301, noisy=True)
        two["machine"]["host"] = "elsewhere"
        return one, two

    def test_side_by_side(self):
        for name, report in zip(("a.json", "b.json"), self.reports()):
            self.write(name, json.dumps(report))
        out, _ = self.lab("--compare", "a.json", "b.json")
        self.assertIn("second: elsewhere", out)
        self.assertRegex(out, r"call of a function +100 ns +50.0 ns +0.50 +better\n")
        self.assertRegex(out, r"generator resumed +100 ns +300 ns +3.00 +worse\n")
        self.assertRegex(out, r"task +100 ns +300 ns +3.00 +noisy\n")
        self.assertRegex(out, r"threads, one processor +100 ns +100 ns +1.00\n")

    def test_nothing_in_common(self):
        self.write("a.json", self.lab("--quick", "--only", "smt", "--json")[0])
        self.write("b.json", self.lab("--quick", "--only", "fit", "--json")[0])
        out, err = self.lab("--compare", "a.json", "b.json", status=1)
        self.assertIn("no figure in common", err)


@unittest.skipIf(LACKING or lacking_engine(), LACKING or lacking_engine() or "")
class AsksACluster(InCluster):
    def passed(self, url):
        out, _ = self.run_with(self.env(RAVEL_CLUSTER=url), RAVEL, "lab", "--quick", "--json",
                               "--only", "pass")
        probe = json.loads(out)["probes"][0]
        return {f["name"]: f["median"] for f in probe["figures"]}, probe["why_not"]

    def test_a_job_goes_to_a_cluster_and_back(self):
        url = self.up()["url"]
        figures, why_not = self.passed(url)
        self.assertNotIn("job to the cluster", figures)
        self.assertIn("the cluster has no worker of this command", why_not)
        self.start_worker(url, RAVEL, 1)
        figures, why_not = self.passed(url)
        self.assertTrue(POSSIBLE["ns"][0] <= figures["job to the cluster"] <= POSSIBLE["ns"][1])
        self.assertEqual(why_not, "")


if __name__ == "__main__":
    sys.exit(run_unittests())

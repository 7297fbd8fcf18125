#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel advise` measures a job or a command on each tier, and says what follows, or that nothing
does.

    test_advise.py SOURCE_ROOT RAVEL PROGRAM_WITH_JOBS

What is advised for which figures is tests/unit/lab/test_advise.c's; here figures are measured, on a
machine that may be busy, so only what no load changes is asked for."""

import json
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from cluster_cli import InCluster, LACKING, lacking_engine
from ravel_cli import InFolder, RAVEL

from tap import run_unittests

JOBS = Path(sys.argv[3]).resolve()


class Advise(InFolder):
    def advise(self, *args, status=0):
        return self.ravel("advise", *args, status=status)

    def measured(self, *args):
        """The JSON; whether there is advice depends on what else the machine does."""
        done = self.either("--json", *args)
        report = json.loads(done.stdout)
        self.assertEqual(report["known"], done.returncode == 0)
        return report

    def either(self, *args):
        done = subprocess.run([RAVEL, "advise", "--quick", *map(str, args)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done

    def job(self, name, us, *args):
        (self.folder / "input").write_bytes(struct.pack("i", us))
        return self.measured("--most", "4", "--job", name, "--input", "input", *args, JOBS)

    @staticmethod
    def rates(report):
        return {(f["name"], f["at"]): f["median"]
                for f in report["report"]["probes"][0]["figures"] if f["unit"] == "1/s"}


class Measures(Advise):
    def test_every_tier_is_measured_with_more_and_more_workers(self):
        report = self.job("compute", 200)
        rates = self.rates(report)
        self.assertEqual({tier for tier, _ in rates}, {"inline", "tasks", "threads", "processes"})
        for tier in ("tasks", "threads", "processes"):
            self.assertLessEqual({1, 2}, {at for name, at in rates if name == tier})
        self.assertTrue(all(rate > 0 for rate in rates.values()))
        units = {f["unit"] for f in report["report"]["probes"][0]["figures"]}
        self.assertEqual(units, {"1/s", "ns", "switches", "bytes"})
        self.assertTrue(report["reasons"])
        self.assertLessEqual({law["tier"] for law in report["laws"]}, {tier for tier, _ in rates})
        alone = {f["name"]: f for f in report["report"]["probes"][1]["figures"]}
        self.assertEqual(list(alone), ["inline", "tasks", "threads", "processes"])
        self.assertTrue(all(f["median"] > 0 and f["unit"] == "ns" for f in alone.values()))
        self.assertTrue(any("8.00 B of input and result" in r for r in report["reasons"]))

    def test_what_waits_is_seen_to_wait(self):
        report = self.job("wait_only", 3000)
        rates = self.rates(report)
        self.assertGreater(report["job_ns"], 3e6)
        for tier in ("tasks", "threads"):
            self.assertLess(rates[tier, 1], 1 / 3e-3)
            self.assertLess(rates[tier, 4], 4 / 3e-3)
        self.assertIn("waits", report["reasons"][0])

    def test_a_job_that_takes_nothing_is_measured_as_well(self):
        report = self.job("tiny", 0)
        self.assertTrue(all(rate > 0 for rate in self.rates(report).values()))
        self.assertTrue(any("Processes: " in r for r in report["reasons"]) or
                        report["tier"] == "processes")

    def test_a_job_that_fails_is_told(self):
        _, err = self.advise("--quick", "--job", "fail", "--input", self.zeros(4), JOBS, status=2)
        self.assertIn("inline, 1 workers: Numerical result out of range", err)

    def test_a_job_that_kills_its_program_is_told(self):
        _, err = self.advise("--quick", "--job", "crash", "--input", self.zeros(4), JOBS, status=2)
        self.assertIn("was killed by signal 9", err)

    def zeros(self, count):
        (self.folder / "zeros").write_bytes(bytes(count))
        return "zeros"

    def test_a_command_is_run_several_at_once(self):
        report = self.measured("--most", "4", "--", "sleep", "0.05")
        rates = self.rates(report)
        self.assertEqual({tier for tier, _ in rates}, {"processes"})
        self.assertTrue(0 < rates["processes", 1] < 1 / 0.05)
        self.assertTrue(0 < rates["processes", 4] < 4 / 0.05)

    def test_the_text_has_a_table_and_reasons(self):
        out = self.either("--most", "2", "--", "true").stdout
        self.assertIn("processor time of one", out)
        self.assertRegex(out, r"\n(Advice: |It is not known)")
        self.assertRegex(out, r"\n  One takes .*%")

    def test_jobs_are_listed(self):
        out, _ = self.advise("--jobs", JOBS)
        self.assertEqual(sorted(out.splitlines()),
                         [f"{name} 4 4" for name in
                          ("compute", "crash", "fail", "tiny", "wait_only")])
        self.assertNotIn("main()", out)

    def test_a_program_with_the_static_library_answers_as_well(self):
        out, _ = self.advise("--jobs", RAVEL)
        self.assertIn("lab_throw_back 8 8\n", out)


@unittest.skipIf(LACKING or lacking_engine(), LACKING or lacking_engine() or "")
class AsksACluster(InCluster):
    def setUp(self):
        super().setUp()
        self.url = self.up()["url"]
        (self.folder / "input").write_bytes(struct.pack("i", 100))

    def advise(self):
        done = subprocess.run([RAVEL, "advise", "--quick", "--json", "--most", "2", "--job",
                               "compute", "--input", "input", JOBS], text=True, timeout=120,
                              cwd=self.folder, env=self.env(RAVEL_CLUSTER=self.url),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        self.assertIn(done.returncode, (0, 1))
        return json.loads(done.stdout)

    def test_what_its_workers_do_is_measured(self):
        self.start_worker(self.url, JOBS, 2)
        report = self.advise()
        measured, alone = report["report"]["probes"]
        found = {(f["at"], f["unit"]) for f in measured["figures"] if f["name"] == "cluster"}
        self.assertEqual(found, {(at, unit) for at in (1, 2)
                                 for unit in ("1/s", "ns", "switches", "bytes")})
        self.assertEqual(alone["figures"][-1]["name"], "cluster")
        self.assertTrue(any(" in the cluster." in reason for reason in report["reasons"]))

    def test_one_without_workers_is_told_and_the_rest_measured(self):
        report = self.advise()
        self.assertEqual(report["report"]["probes"][0]["why_not"], "cluster, 1 workers: no worker "
                         "of this program is there (ravel worker PROGRAM)")
        self.assertIn("processes", {f["name"] for f in report["report"]["probes"][0]["figures"]})

    def test_one_that_is_not_there_is_told(self):
        self.cluster("down")
        why = self.advise()["report"]["probes"][0]["why_not"]
        self.assertTrue(why.startswith("cluster, 1 workers: "), why)
        self.assertIn("127.0.0.1", why)


class Refuses(Advise):
    def refused(self, *args):
        out, err = self.advise(*args, status=2)
        self.assertNotIn("main()", out)
        return err

    def test_options_that_are_none(self):
        self.assertIn("nothing was named", self.refused())
        self.assertIn("--help", self.refused("--quack"))
        self.assertIn("go together", self.refused("--job", "tiny", JOBS))
        self.assertIn("1 to 1024", self.refused("--most", "0", "--", "true"))
        self.assertIn("no arguments", self.refused("--jobs", JOBS, "more"))

    def test_a_page_that_cannot_be_written(self):
        self.assertIn("cannot write /nowhere/page.html",
                      self.refused("--quick", "--html", "/nowhere/page.html", "--most", "1", "--",
                                   "true"))

    def test_what_cannot_be_measured(self):
        (self.folder / "input").write_bytes(bytes(6))
        with_input = ("--input", "input")
        self.assertIn("has no job nothing", self.refused("--job", "nothing", *with_input, JOBS))
        self.assertIn("no whole inputs", self.refused("--job", "tiny", *with_input, JOBS))
        self.assertIn("No such file", self.refused("--job", "tiny", "--input", "none", JOBS))
        self.assertIn("not linked with libravel",
                      self.refused("--job", "tiny", *with_input, "/bin/true"))
        self.assertIn("cannot read", self.refused("--jobs", "/nowhere/program"))
        self.assertIn("cannot start", self.refused("--", "/nowhere/program"))
        self.assertIn("false failed, run 1 at once", self.refused("--", "false"))


if __name__ == "__main__":
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel ps`, `tree` and `top` tell of executors, worker processes, services, channels and queues.

    test_things.py ROOT RAVEL KNOWN KNOWN_STATIC TRACED TURNS THINGS
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

THINGS = Path(sys.argv[7]).resolve()

from looking import ENVIRONMENT, PATIENCE, RAVEL, Looking, ravel, running, snapshot  # noqa: E402
from screen import OnTerminal  # noqa: E402
from tap import run_unittests  # noqa: E402

IN_FLIGHT = {"width": 2, "workers": 2, "busy": 2, "running": 2, "waiting": 3, "submitted": 5,
             "ended": 0, "cancelled": 0, "deaths": 0, "retried": 0, "poisoned": 0, "recycled": 0,
             "closing": False, "torn": False}


def by(things, member, name):
    (found,) = [thing for thing in things if thing[member] == name]
    return found


def counts(executor):
    return {name: executor[name] for name in IN_FLIGHT}


def until(process, holds):
    """A snapshot of which that holds; what it does not is said when it never does."""
    end = time.monotonic() + PATIENCE
    while True:
        seen = snapshot(process.pid)
        if holds(seen):
            return seen
        assert time.monotonic() < end, seen
        time.sleep(0.01)


class Here(Looking):
    """All in one process; it is looked at once."""

    @classmethod
    def setUpClass(cls):
        cls.running = running("here", THINGS)
        cls.process = cls.running.__enter__()
        cls.addClassCleanup(cls.running.__exit__, None, None, None)

    def look(self):
        def is_settled(seen):
            return (by(seen["queues"], "name", "letters")["receivers"] == 2
                    and by(seen["queues"], "name", "to do")["joiners"] == 1
                    and by(seen["executors"], "tier", "threads")["busy"] == 2)

        return until(self.process, is_settled)

    def test_executors_with_their_jobs(self):
        executors = self.look()["executors"]
        self.assertEqual([ex["tier"] for ex in executors], ["threads", "inline", "tasks"])
        threads, direct, tasks = executors
        self.assertEqual(threads["choice"], "threads:2")
        self.assertEqual(counts(threads), IN_FLIGHT)
        self.assertEqual([job["name"] for job in threads["jobs"]], ["stay", "stay"])
        self.assertTrue(all(job["since_ns"] > 0 for job in threads["jobs"]))
        self.assertEqual((direct["submitted"], direct["ended"], direct["jobs"]), (2, 2, []))
        self.assertEqual((tasks["running"], tasks["waiting"], tasks["width"]), (1, 0, 2))
        self.assertEqual([job["name"] for job in tasks["jobs"]], ["sleep_long"])
        self.assertEqual([ex["processes"] for ex in executors], [[], [], []])

    def test_services_under_their_supervisors(self):
        village, inn = self.look()["supervisors"]
        self.assertEqual((village["name"], village["strategy"]), ("village", "rest for one"))
        self.assertEqual((village["restarts"], "above" in village), (0, False))
        self.assertEqual([(s["name"], s["state"], s["starts"]) for s in village["services"]],
                         [("well", "running", 1), ("inn", "running", 1)])
        self.assertEqual((village["services"][1]["supervisor"], inn["above"]), (1, 0))
        self.assertEqual((inn["name"], inn["strategy"], inn["restarts"]), ("inn", "one for one", 1))
        guest, door = inn["services"]
        self.assertEqual((guest["state"], guest["starts"], guest["error"], guest["end"]),
                         ("ended", 2, 0, "returned 0"))
        self.assertEqual((door["state"], "end" in door, "pid" in door), ("running", False, False))
        self.assertGreater(door["age_ns"], 0)

    def test_channels_and_queues_with_a_name(self):
        queues = self.look()["queues"]
        self.assertEqual([queue["name"] for queue in queues], ["letters", "signals", "to do"])
        letters, signals, to_do = queues
        self.assertEqual(letters, {"name": "letters", "kind": "channel", "place": "here",
                                   "items": 0, "capacity": 4, "senders": 0, "receivers": 2,
                                   "closed": False})
        self.assertEqual((signals["items"], signals["capacity"], signals["receivers"]), (3, 8, 0))
        self.assertEqual((to_do["kind"], to_do["items"], to_do["capacity"], to_do["unfinished"],
                          to_do["joiners"]), ("queue", 4, 10, 6, 1))

    def test_lines_for_people(self):
        self.look()
        for verb in ("ps", "tree"):
            status, out, err = ravel(verb, self.process.pid)
            self.assertEqual((status, err), (0, ""))
            for line in (r"executor threads:2: 2 workers of 2, 2 busy; 2 jobs run, 3 wait; "
                         r"5 submitted, 0 ended\n  job stay for \S+\n  job stay for \S+\n",
                         r"executor tasks:2: 1 worker of 2, 1 busy; 1 job runs, 0 wait; ",
                         r"supervisor 'village', rest for one\n  service 'well': running, begun ",
                         r"    supervisor 'inn', one for one, 1 restart\n      service 'guest': "
                         r"ended, started 2 times; last it returned 0\n",
                         r"channel 'letters': 0 of 4 inside, 2 wait to receive\n",
                         r"queue 'to do': 4 of 10 inside, 6 unfinished, 1 waits for its end\n"):
                self.assertRegex(out, line)

    def test_the_tree_has_them_as_well(self):
        self.look()
        status, out, _ = ravel("tree", "--json", self.process.pid)
        self.assertEqual(status, 0)
        tree = json.loads(out)
        self.assertEqual([len(tree[name]) for name in ("executors", "supervisors", "queues")],
                         [3, 2, 3])

    def test_top_shows_them_on_a_page_of_their_own(self):
        _, _, err = ravel("top", "1")
        if "without ncurses" in err:
            self.skipTest(err.strip())
        self.look()
        with OnTerminal([RAVEL, "top", "--delay", "0.2", self.process.pid], rows=12, columns=90,
                        env=ENVIRONMENT) as screen:
            screen.shows("^every")
            screen.press("x")
            text = screen.shows("^executor threads:2: 2 workers of 2, 2 busy")
            self.assertNotIn("queue 'to do'", text)
            screen.press("\x1bOF")              # to the end
            screen.shows("^queue 'to do': 4 of 10 inside, 6 unfinished")
            screen.press("\x1bOH")
            screen.shows("^executor threads:2")
            screen.press("x")
            screen.shows("^every")
            screen.press("q")
            self.assertEqual(screen.end(), 0)


class Processes(Looking):
    def check(self, seen):
        (executor,) = seen["executors"]
        self.assertEqual(counts(executor), IN_FLIGHT)
        self.assertEqual(executor["started"], 2)
        self.assertEqual(executor["jobs"], [])
        self.assertEqual(sorted(p["waiting"] for p in executor["processes"]), [0, 3])
        self.assertEqual([p["number"] for p in executor["processes"]], [1, 2])
        for process in executor["processes"]:
            self.assertEqual(process["state"], "ready")
            self.assertEqual(process["job"]["name"], "stay")
            self.assertGreater(process["job"]["since_ns"], 0)
            self.assertGreater(process["age_ns"], 0)
            self.assertTrue(Path(f"/proc/{process['pid']}/exe").samefile(THINGS))

    def test_worker_processes_with_what_they_run(self):
        def is_settled(seen):
            (executor,) = seen["executors"]
            return executor["busy"] == 2

        with running("processes", THINGS) as process:
            seen = until(process, is_settled)
            self.check(seen)
            (queue,) = seen["queues"]
            self.assertEqual(queue, {"name": "shared", "kind": "queue", "place": "shared",
                                     "capacity": 100, "unfinished": 5})
            status, out, _ = ravel("ps", process.pid)
            self.assertEqual(status, 0)
            self.assertRegex(out, r"  process \d+: runs stay for \S+, 3 more wait there; 4 jobs so "
                                  r"far, started \S+ ago\n  process \d+: runs stay for \S+; 1 job so "
                                  r"far, started ")
            self.assertIn("queue 'shared': shared by processes, 5 of 100 unfinished\n", out)

    def test_one_that_has_died_is_replaced_and_counted(self):
        def has_other(pid):
            def holds(seen):
                (executor,) = seen["executors"]
                return executor["deaths"] == 1 and executor["started"] == 3 and all(
                    p["pid"] != pid for p in executor["processes"])
            return holds

        with running("processes", THINGS) as process:
            seen = until(process, lambda seen: seen["executors"][0]["busy"] == 2)
            pid = seen["executors"][0]["processes"][0]["pid"]
            os.kill(pid, signal.SIGKILL)
            executor = until(process, has_other(pid))["executors"][0]
            self.assertEqual(executor["ended"], 1)
            self.assertIn("1 processes died", ravel("ps", process.pid)[1])


class Moving(Looking):
    def check_sound(self, seen):
        for executor in seen["executors"]:
            self.assertIn(executor["tier"], ("threads", "tasks"))
            self.assertIn(executor["choice"], ("threads:2", "tasks:1"))
            self.assertLessEqual(executor["busy"], executor["width"])
            self.assertTrue(all(job["name"] == "pass" for job in executor["jobs"]))
            if not executor["torn"]:
                self.assertGreaterEqual(executor["submitted"], executor["ended"])
        for queue in seen["queues"]:
            self.assertEqual(queue["name"], "brief")
            self.assertEqual((queue["items"], queue["capacity"]), (0, 4))

    def test_what_comes_and_goes_is_seen_or_not(self):
        with running("busy", THINGS) as process:
            ended = []
            for _ in range(30):
                seen = snapshot(process.pid)
                self.check_sound(seen)
                ended += [ex["ended"] for ex in seen["executors"] if ex["tier"] == "threads"]
            self.assertEqual(ended, sorted(ended))
            self.assertLess(ended[0], ended[-1])
            process.stdin.close()
            self.assertEqual(process.wait(timeout=PATIENCE), 0)
            process.stdin = open(os.devnull)

    def test_who_has_none_says_nothing_of_them(self):
        with running("parked") as process:
            seen = snapshot(process.pid)
            self.assertEqual([seen[name] for name in ("executors", "supervisors", "queues")],
                             [[], [], []])
            self.assertNotRegex(ravel("ps", process.pid)[1], "executor|supervisor|queue '")


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/parallel runs a command for each line, keeps the order, and ends all of it when told to.

    test_parallel.py PARALLEL
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])


def run(*args, lines=(), **options):
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run([PROGRAM, *map(str, args)], input=text, text=True, timeout=PATIENCE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def begin(*args, lines, **options):
    """Started, with its lines written and its input still open."""
    process = subprocess.Popen([PROGRAM, *map(str, args)], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                               **options)
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()
    return process


def until(condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Parallel(unittest.TestCase):
    def test_output_is_whole_and_in_the_order_of_the_lines(self):
        lines = list(range(60))
        script = "sleep 0.0$((9 - $1 % 10)); echo a $1; echo b $1"
        done = run("-j", 8, "sh", "-c", script, "sh", lines=lines)
        self.assertEqual(done.stdout, "".join(f"a {i}\nb {i}\n" for i in lines))
        self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_the_line_stands_where_it_is_wanted(self):
        lines = ["x", "two words", "", "$HOME", "'"]
        done = run("printf", "<%s>", "{}", "a{}b{}", lines=lines)
        self.assertEqual(done.stdout, "".join(f"<{line}><a{line}b{line}>" for line in lines))
        done = run("echo", "-n", lines=["last"])
        self.assertEqual(done.stdout, "last")

    def test_no_more_run_than_are_allowed(self):
        with tempfile.TemporaryDirectory() as folder:
            script = f"touch {folder}/$1; ls {folder} | wc -l; sleep 0.02; rm {folder}/$1"
            done = run("-j", 3, "sh", "-c", script, "sh", lines=range(30))
        counts = [int(line) for line in done.stdout.split()]
        self.assertEqual(len(counts), 30)
        self.assertLessEqual(max(counts), 3)

    def test_what_failed_is_said_and_the_others_go_on(self):
        done = run("sh", "-c", "case $1 in 2) exit 3;; 3) kill -SEGV $$;; esac; echo $1", "sh",
                   lines=[1, 2, 3, 4])
        self.assertEqual(done.stdout, "1\n4\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("parallel: 2: exit status 3\n", done.stderr)
        self.assertIn("parallel: 3: killed by SIGSEGV", done.stderr)

    def test_a_program_that_is_not_there_is_said(self):
        done = run("/no/such/program", lines=["x"])     # whatever PATH has
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "parallel: /no/such/program: cannot run it: "
                                      "No such file or directory\n")

    def test_what_takes_too_long_is_ended(self):
        done = run("-t", "0.2", "sleep", lines=[1000])
        self.assertEqual(done.stderr, "parallel: 1000: took too long\n")
        self.assertEqual((done.stdout, done.returncode), ("", 1))

    def test_what_ends_in_time_is_not_ended(self):
        done = run("-t", PATIENCE, "sh", "-c", "sleep $1; echo $1", "sh", lines=["0.05", 0])
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("0.05\n0\n", "", 0))

    def test_wrong_use_is_refused(self):
        for args in ([], ["-j", "0", "true"], ["-j", "x", "true"], ["-t", "-1", "true"], ["-x"]):
            done = run(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertNotEqual(done.stderr, "")

    def test_output_that_nobody_reads_ends_it(self):
        command = f"seq 100000 | {PROGRAM} echo 2>&1 >&3 | cat >&2"
        done = subprocess.run(["bash", "-c", f"{{ {command}; }} 3>&1 | head -n 1"], text=True,
                              timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.stdout, "1\n")
        self.assertEqual(done.stderr, "parallel: Broken pipe\n")

    def test_a_signal_ends_what_runs_and_prints_what_has_ended(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with tempfile.TemporaryDirectory() as folder:
                script = f"echo $1; [ $1 = 1 ] && exit; sleep 1000 & echo $$ $! > {folder}/$1; wait"
                process = begin("-j", 2, "sh", "-c", script, "sh", lines=[1, 2, 3, 4])
                files = [Path(folder) / "2", Path(folder) / "3"]
                until(lambda: all(f.exists() and f.read_text().endswith("\n") for f in files))
                process.send_signal(number)
                out, err = process.communicate(timeout=PATIENCE)
                pids = [int(pid) for f in files for pid in f.read_text().split()]
                started = len(list(Path(folder).iterdir()))
            self.assertEqual(out, "1\n")
            self.assertEqual(process.returncode, 128 + number)
            self.assertEqual(started, 2)
            until(lambda: not any(map(is_running, pids)))

    def test_a_second_signal_ends_it_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            script = f"trap '' TERM; touch {folder}/$1; sleep 1000; sleep 1000"
            process = begin("sh", "-c", script, "sh", lines=[1])
            until((Path(folder) / "1").exists)
            process.send_signal(signal.SIGINT)
            until(lambda: process.poll() is not None or process.send_signal(signal.SIGINT))
            process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, (-signal.SIGINT, 128 + signal.SIGINT))

    def test_it_says_how_far_it_is(self):
        process = begin("sh", "-c", "[ $1 = 1 ] && echo one || sleep 1000", "sh", lines=[1, 2])
        self.assertEqual(process.stdout.readline(), "one\n")    # so it listens
        process.send_signal(signal.SIGUSR1)
        line = process.stderr.readline()
        self.assertRegex(line, r"^parallel: \d+ lines read, \d+ done, 0 failed\n$")
        process.terminate()
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)


sys.exit(run_unittests())

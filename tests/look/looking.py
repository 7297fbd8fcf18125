# SPDX-License-Identifier: MIT
"""What the tests of looking at programs share: programs in a known state, and the command."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
import unittest
from pathlib import Path

ROOT, RAVEL, KNOWN, KNOWN_STATIC = (Path(word).resolve() for word in sys.argv[1:5])
sys.path.insert(0, str(ROOT / "tools"))

PATIENCE = 60       # seconds, after which something hangs
ENVIRONMENT = dict(os.environ, RAVEL_STALL_MS="0", RAVEL_DUMP="0", LC_ALL="C.UTF-8")

# What each task of `known parked` waits for, by name.
PARKED = {"entry": "read", "renamed": "channel receive", "recipient": "channel receive",
          "sleeper": "sleep", "knocker": "mutex", "landlord": "scope close",
          "tenant": "channel receive"}


def ravel(*words, **more):
    """The command's status, output and complaints."""
    more = dict({"env": ENVIRONMENT, "timeout": PATIENCE}, **more)
    done = subprocess.run([str(RAVEL), *map(str, words)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **more)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def running(mode, program=KNOWN, *words, **env):
    """The program, once it says that it is there; it has ended afterwards."""
    process = subprocess.Popen([str(program), mode, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=dict(ENVIRONMENT, **env))
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def snapshot(*words):
    status, out, err = ravel("ps", "--json", *words)
    assert status == 0, err
    return json.loads(out)


def settled(process, is_settled):
    """A snapshot of which that holds: what a program says of itself comes a little earlier."""
    until = time.monotonic() + PATIENCE
    while True:
        seen = snapshot(process.pid)
        if is_settled(seen):
            return seen
        assert time.monotonic() < until, seen
        time.sleep(0.01)


def all_wait(seen):
    return len(seen["tasks"]) == 8 and all(task["state"] == "waits" for task in seen["tasks"])


def parked_as_known(seen):
    return all_wait(seen) and all(task["waits_for"] == PARKED[task["name"]]
                                  for task in seen["tasks"])


def core_of(folder, program=KNOWN):
    """The core of `known dying` in the folder; None where the kernel puts it elsewhere."""
    def raise_core_limit():
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))

    subprocess.run([str(program), "dying"], cwd=folder, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, env=dict(ENVIRONMENT, RAVEL_ACCOUNT="1"),
                   preexec_fn=raise_core_limit, timeout=PATIENCE)
    return next((path for path in Path(folder).iterdir() if path.name.startswith("core")), None)


class Looking(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        with running("none") as process:
            status, _, err = ravel("ps", process.pid)
        if status != 0 and "may not be read" in err:
            self.skipTest("processes may not be read here: " + err.strip())

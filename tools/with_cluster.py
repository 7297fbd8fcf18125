#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command with a cluster of its own: a server of NATS on this machine, and worker processes
that run PROGRAM's jobs. The command finds it by RAVEL_CLUSTER; when it ends, so does the cluster.

Where there can be no cluster, because nats-server is not installed or this build has no client of
it, the command is run all the same, without; --must makes that a failure.

    with_cluster.py [--must] RAVEL PROGRAM COMMAND [ARGUMENT ...]"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack

WORKERS = 2
POOL = "demo"
SBIN = "/usr/sbin:/usr/local/sbin"


def lacking(ravel):
    """Why there can be no cluster here; None: there can be."""
    if not any(shutil.which(os.environ.get("RAVEL_NATS_SERVER", "nats-server"), path=path)
               for path in (None, SBIN)):
        return "there is no nats-server"
    asked = subprocess.run([ravel, "cluster", "status", "nats://127.0.0.1:1"], text=True,
                           stdin=subprocess.DEVNULL, capture_output=True)
    return "this build has no client of NATS" if "has no engine" in asked.stderr else None


def start_server(ravel, folder, ending):
    """Its URL. None: there can be none here."""
    done = subprocess.run([ravel, "cluster", "up", "--json", "--dir", folder], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        print(done.stderr, end="", file=sys.stderr)
        return None
    ending.callback(subprocess.run, [ravel, "cluster", "down", "--dir", folder],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)["url"]


def end(worker):
    worker.send_signal(signal.SIGTERM)
    try:
        worker.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.communicate()


def start_worker(ravel, program, address, slots, ending):
    """Whether it has joined."""
    worker = subprocess.Popen([ravel, "worker", program, "--cluster", address, "--json", "--quiet",
                               "--slots", str(slots)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    ending.callback(end, worker)
    joined = worker.stdout.readline()
    return bool(joined) and json.loads(joined)["event"] == "joined"


def start(ravel, program, ending):
    """The cluster's address. None: there can be none here."""
    if lacking(ravel):
        return None
    folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="ravel-cluster-"))
    url = start_server(ravel, folder, ending)
    slots = max(1, len(os.sched_getaffinity(0)) // WORKERS)
    address = f"{url}/{POOL}"
    if url and all(start_worker(ravel, program, address, slots, ending) for _ in range(WORKERS)):
        return address
    return None


def main(arguments):
    must = arguments[:1] == ["--must"]
    ravel, program, *command = arguments[must:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as ending:
        address = start(ravel, program, ending)
        if must and not address:
            return 1
        env = dict(os.environ, RAVEL_CLUSTER=address) if address else None
        return subprocess.call(command, env=env)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

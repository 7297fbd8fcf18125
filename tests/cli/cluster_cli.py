# SPDX-License-Identifier: MIT
"""What tests of `ravel cluster` share: folders of their own, servers that end with the test."""

import json
import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from ravel_cli import InFolder, RAVEL

SBIN = "/usr/sbin:/usr/local/sbin"
NATS_SERVER = shutil.which("nats-server") or shutil.which("nats-server", path=SBIN)
LACKING = None if NATS_SERVER else "there is no nats-server"


def lacking_engine():
    """Why this build cannot ask a cluster; None: it can."""
    asked = subprocess.run([str(RAVEL), "cluster", "status", "--timeout", "0.01",
                            "nats://127.0.0.1:1"], text=True,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return "this build has no client of NATS" if "has no engine" in asked.stderr else None


class InCluster(InFolder):
    """The usual folder lies in the test's, and no cluster is named by the environment."""

    def setUp(self):
        super().setUp()
        self.home = self.folder / "home"
        self.home.mkdir()
        self.usual = self.home / ".local" / "state" / "ravel" / "cluster"
        self.dirs = [self.usual]
        self.addCleanup(self.end_all)

    def env(self, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAVEL_", "XDG_"))}
        return dict(kept, LC_ALL="C.UTF-8", HOME=str(self.home), **more)

    def run_with(self, env, *command, status=0):
        done = subprocess.run([str(c) for c in command], cwd=self.folder, text=True, env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, status, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def cluster(self, *args, status=0, **more):
        return self.run_with(self.env(**more), RAVEL, "cluster", *args, status=status)

    def start_worker(self, url, program, slots):
        """One that has joined; it ends with the test."""
        worker = subprocess.Popen([str(RAVEL), "worker", "--json", "--slots", str(slots),
                                   "--cluster", url, str(program)], env=self.env(), text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(worker.communicate)
        self.addCleanup(worker.kill)
        self.assertEqual(json.loads(worker.stdout.readline())["event"], "joined")

    def up(self, *args, **more):
        """What was started, as `up` says it."""
        out, _ = self.cluster("up", "--json", *args, **more)
        said = json.loads(out)
        self.dirs.append(Path(said["dir"]))
        return said

    def end_all(self):
        for folder in self.dirs:
            if (folder / "state").exists():
                subprocess.run([str(RAVEL), "cluster", "down", "--dir", str(folder)],
                               env=self.env(), stderr=subprocess.DEVNULL, check=False, timeout=60)


def greeting(port):
    """The server's first words to anybody."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        return json.loads(s.makefile().readline().removeprefix("INFO "))


def converse(port, *lines, ca=None):
    """The server's answers to a client that says this, after TLS if there is an authority."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        words = b""
        while not words.endswith(b"\n"):
            words += s.recv(1)
        if ca:
            context = ssl.create_default_context(cafile=str(ca))
            s = context.wrap_socket(s, server_hostname="127.0.0.1")
        s.sendall("".join(f"{line}\r\n" for line in lines).encode())
        said = b""
        try:
            while b"PONG" not in said:
                more = s.recv(4096)
                if not more:
                    break
                said += more
        except (ConnectionError, ssl.SSLError):
            pass
        return said.decode(errors="replace")

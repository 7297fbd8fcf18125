# SPDX-License-Identifier: MIT
"""Three servers by deploy/nats/server.conf, in a folder, on ports of loopback."""

import os
import shutil
import signal
import subprocess
import time

from nats import free_port


def free_ports(count):
    """Ports that nobody has at the moment, each another one."""
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


class Servers:
    def __init__(self, program, config, folder):
        """The folder has keys/, with server.pem and server.key for 127.0.0.1."""
        self.program, self.folder = program, folder
        shutil.copy(config, folder / "server.conf")
        ports = free_ports(6)
        self.ports, self.route_ports = ports[:3], ports[3:]
        self.processes = [None] * 3
        self.url = ",".join(f"tls://127.0.0.1:{port}" for port in self.ports)

    def environment(self, i):
        keys = self.folder / "keys"
        routes = ", ".join(f'"tls://127.0.0.1:{port}"' for port in self.route_ports)
        return dict(os.environ, RAVEL_NATS_NAME=f"nats-{i}", RAVEL_NATS_HOST='"127.0.0.1"',
                    RAVEL_NATS_PORT=str(self.ports[i]), RAVEL_NATS_ROUTES=f"[{routes}]",
                    RAVEL_NATS_ROUTE_PORT=str(self.route_ports[i]),
                    RAVEL_NATS_STORE=str(self.folder / f"store-{i}"),
                    RAVEL_NATS_CERT=str(keys / "server.pem"),
                    RAVEL_NATS_KEY=str(keys / "server.key"), RAVEL_NATS_CA=str(keys / "ca.pem"))

    def log(self, i):
        return self.folder / f"log-{i}"

    def start(self, i):
        with open(self.log(i), "ab") as log:
            self.processes[i] = subprocess.Popen(
                [self.program, "-c", "server.conf"], cwd=self.folder, env=self.environment(i),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, i, how=signal.SIGKILL):
        self.processes[i].send_signal(how)
        self.processes[i].wait()
        self.processes[i] = None

    def wait_for(self, is_so, what):
        """Until all logs together satisfy it; a minute at most."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            logs = [log.read_text() if log.exists() else "" for log in map(self.log, range(3))]
            if is_so(logs):
                return
            gone = [i for i, p in enumerate(self.processes) if p and p.poll() is not None]
            if gone:
                raise RuntimeError(f"server {gone[0]} has ended:\n{logs[gone[0]]}")
            time.sleep(0.05)
        raise RuntimeError(f"{what}: not within a minute\n" + "\n".join(logs))

    def start_all(self):
        """One after another: of three that connect to each other at the same moment, both ends of
        a route may take it for the one too many, and a server is left without any."""
        for i in range(3):
            self.start(i)
            self.wait_for(lambda logs: "Listening for route connections" in logs[i], "a server")
        self.wait_for(lambda logs: all("new metadata leader" in log or "Self is new" in log
                                       for log in logs), "a leader that all know")

    def end_all(self):
        for i, process in enumerate(self.processes):
            if process:
                self.kill(i)

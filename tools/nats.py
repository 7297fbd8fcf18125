# SPDX-License-Identifier: MIT
"""Private NATS servers, for whoever measures or maltreats them.

A server has a folder of its own and a port that was free when it was chosen; it keeps both when it
is started again. It listens on one address only: on all of them it would also offer those by which
nobody here is to come."""

import contextlib
import json
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

START_LIMIT = 20    # seconds until it answers
READY = "Server is ready"
CONFIG = """\
server_name: {name}
listen: "{host}:{port}"
{monitor}
jetstream {{ store_dir: "{folder}/store"{limit} }}
{cluster}
"""
CLUSTER = """\
cluster {{ name: soak, listen: "{host}:{route}", no_advertise: true, routes: [{routes}] }}
"""


def is_installed():
    return shutil.which("nats-server") is not None


def free_port():
    """Of those that the kernel gives to nobody unasked: one of its own choice may be another
    program's before the server has it, or while the server is dead."""
    while True:
        port = random.randrange(10000, 30000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


class Server:
    """One server; `within` is put before its command (another network, say)."""

    def __init__(self, folder, name="alone", host="127.0.0.1", within=(), limit=""):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.host, self.within, self.limit = name, host, list(within), limit
        self.port, self.route, self.monitor, self.peers = free_port(), None, None, []
        self.process = None
        self.starts = 0

    @property
    def url(self):
        return f"nats://{self.host}:{self.port}"

    def config(self):
        cluster, monitor = "", ""
        if self.route:
            routes = ", ".join(f'"nats://{peer.host}:{peer.route}"' for peer in self.peers)
            cluster = CLUSTER.format(host=self.host, route=self.route, routes=routes)
            monitor = f'http: "{self.host}:{self.monitor}"'
        limit = f", max_file_store: {self.limit}" if self.limit else ""
        return CONFIG.format(name=self.name, host=self.host, port=self.port, folder=self.folder,
                             limit=limit, cluster=cluster, monitor=monitor)

    def start(self):
        path = self.folder / "server.conf"
        path.write_text(self.config())
        self.starts += 1
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*self.within, "nats-server", "-c", path], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    def words(self):
        return (self.folder / "log").read_text(errors="replace")

    def version(self):
        """As it says it to whoever connects."""
        with socket.create_connection((self.host, self.port), 5) as s:
            return json.loads(s.makefile().readline().removeprefix("INFO "))["version"]

    def is_current(self):
        """Of a cluster: whether it has what the others have."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.monitor}/healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def is_up(self):
        return self.words().count(READY) >= self.starts and (not self.route or self.is_current())

    def wait_until_up(self):
        end = time.monotonic() + START_LIMIT
        while not self.is_up():
            if not self.is_running() or time.monotonic() > end:
                raise RuntimeError(f"nats-server does not come up: {self.words()[-500:]}")
            time.sleep(0.01)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=signal.SIGKILL):
        if self.is_running():
            self.process.send_signal(how)
            self.process.wait()


def cluster(folder, count=3):
    """So many servers that know each other, not started."""
    servers = [Server(Path(folder) / f"s{i}", f"s{i}") for i in range(count)]
    for server in servers:
        server.route, server.monitor = free_port(), free_port()
        server.peers = [other for other in servers if other is not server]
    return servers


class Running:
    """Servers, until the block ends."""

    def __init__(self, *servers):
        self.servers = servers

    def __enter__(self):
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self.servers

    def __exit__(self, *_):
        for server in self.servers:
            server.end()

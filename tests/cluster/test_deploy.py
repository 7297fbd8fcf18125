#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""deploy/: its three servers come up as they are described, and let nobody in who should not be.

    test_deploy.py SOURCE_ROOT RAVEL PARTY"""

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "tests" / "cli"))

from cluster_cli import (InCluster, LACKING, NATS_SERVER, converse, greeting,  # noqa: E402
                         lacking_engine)
from ravel_cli import RAVEL, ROOT  # noqa: E402
from three_servers import Servers  # noqa: E402

from tap import run_unittests  # noqa: E402

DEPLOY = ROOT / "deploy"
PARTY = Path(sys.argv[3]).resolve()
LACKING_ENGINE = lacking_engine()
needs_engine = unittest.skipIf(LACKING_ENGINE, LACKING_ENGINE or "")


@unittest.skipIf(LACKING, LACKING or "")
class Three(InCluster):
    @classmethod
    def setUpClass(cls):
        cls.place = Path(tempfile.mkdtemp(prefix="ravel-three-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.keys = cls.place / "keys"
        subprocess.run([str(RAVEL), "cluster", "keys", "--dir", str(cls.keys), "--user", "client",
                        "--server", "server,127.0.0.1"], check=True, stdout=subprocess.DEVNULL)
        cls.servers = Servers(NATS_SERVER, DEPLOY / "nats" / "server.conf", cls.place)
        cls.addClassCleanup(cls.servers.end_all)
        cls.servers.start_all()

    def address(self, nkey="client.nk", ca="ca.pem", url=None):
        env = {"RAVEL_CLUSTER": url or self.servers.url}
        if nkey:
            env["RAVEL_NKEY_FILE"] = str(self.keys / nkey)
        if ca:
            env["RAVEL_CA_FILE"] = str(self.keys / ca)
        return env

    def status(self, *args, status=0, **address):
        return self.cluster("status", *args, status=status, **self.address(**address))

    def test_they_are_one_cluster_on_loopback_with_tls(self):
        for port in self.servers.ports:
            info = greeting(port)
            self.assertEqual((info["cluster"], info["host"]), ("ravel", "127.0.0.1"))
            self.assertTrue(info["jetstream"] and info["tls_required"])
            self.assertNotIn("connect_urls", info)

    def test_strangers_are_refused_by_each(self):
        for port in self.servers.ports:
            self.assertEqual(converse(port, 'CONNECT {"verbose":false}', "PING"), "")
            said = converse(port, 'CONNECT {"verbose":false}', "PING", ca=self.keys / "ca.pem")
            self.assertIn("Authorization Violation", said)

    def route_says(self, certificate=None):
        """The first words of a route's other side."""
        context = ssl.create_default_context(cafile=str(self.keys / "ca.pem"))
        if certificate:
            context.load_cert_chain(self.keys / "server.pem", self.keys / "server.key")
        with socket.create_connection(("127.0.0.1", self.servers.route_ports[0]), 10) as s:
            with context.wrap_socket(s, server_hostname="127.0.0.1") as t:
                return t.recv(4096)

    def test_routes_are_for_servers_with_certificates(self):
        self.assertIn(b"INFO", self.route_says(certificate=True))
        with self.assertRaisesRegex(ssl.SSLError, "certificate"):
            self.route_says()

    @needs_engine
    def test_who_has_the_key_has_jobs_run_with_three_copies(self):
        env = self.env(**self.address())
        self.run_with(env, PARTY, "double", "0") # makes the pool, when the servers are ready for it
        worker = subprocess.Popen([str(RAVEL), "worker", "--slots", "2", str(PARTY)], env=env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        self.assertEqual(self.run_with(env, PARTY, "double", "20")[0], "380\n")
        pool, = json.loads(self.status("--json")[0])["pools"]
        self.assertEqual((pool["results"], len(pool["workers"])), (20, 1))
        for i in range(3):
            streams = self.place / f"store-{i}" / "jetstream" / "$G" / "streams"
            self.assertTrue((streams / "RAVEL_ravel_TASKS").is_dir(), i)

    @needs_engine
    def test_each_wrong_credential_is_told_apart(self):
        self.run_with(self.env(), RAVEL, "cluster", "keys", "--dir", "other", "--user", "client",
                      "--server", "server,127.0.0.1")
        other = self.folder / "other"
        _, unknown = self.status(status=2, nkey=other / "client.nk")
        self.assertRegex(unknown, "(?i)authoriz|not known|refuse")
        _, without = self.status(status=2, nkey=None)
        self.assertRegex(without, "(?i)authoriz|nkey")
        _, stranger = self.status(status=2, ca=other / "ca.pem")
        self.assertRegex(stranger, "(?i)certificate")
        _, plain = self.status(status=2, url=self.servers.url.replace("tls://", "nats://"), ca=None)
        self.assertRegex(plain, "(?i)tls|certificate")
        _, missing = self.status(status=2, nkey=other / "nobody.nk")
        self.assertIn("nobody.nk", missing)


class Files(unittest.TestCase):
    def test_each_file_says_whether_it_was_run(self):
        """The table of deploy/README.md names all that is there, and nothing else."""
        rows = re.findall(r"^\| `([^`]+)` \|", (DEPLOY / "README.md").read_text(), re.M)
        there = [str(p.relative_to(DEPLOY)) for p in DEPLOY.rglob("*") if p.is_file()]
        self.assertEqual(sorted(rows), sorted(set(there) - {"README.md"}))

    def test_the_environment_is_what_the_configuration_asks_for(self):
        asked = set(re.findall(r"\$(RAVEL_\w+)", (DEPLOY / "nats/server.conf").read_text()))
        given = set(re.findall(r"^(RAVEL_\w+)=", (DEPLOY / "nats/server.env").read_text(), re.M))
        self.assertEqual(asked, given)
        pods = (DEPLOY / "kubernetes/ravel.yaml").read_text()
        pods = set(re.findall(r"name: (RAVEL_NATS_\w+)", pods))
        self.assertEqual(asked, pods)

    def test_scripts_are_scripts(self):
        subprocess.run(["sh", "-n", str(DEPLOY / "slurm/workers.sh")], check=True)


if __name__ == "__main__":
    sys.exit(run_unittests())

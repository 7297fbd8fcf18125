#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/tlscat against openssl's own client and server, and curl.

    test_tls_peers.py TLSCAT
"""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1]
PATIENCE = 200      # seconds for what should happen at once
BODY = "".join(f"line {n} of the answer\n" for n in range(20000))
ANSWER = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nConnection: close\r\n\r\n{BODY}"
QUESTION = "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"

folder = tempfile.TemporaryDirectory()
here = Path(folder.name)


def openssl(*args, **keywords):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True,
                          timeout=PATIENCE, **keywords)


def make_certificates():
    """An authority, and two that it has signed; a bystander signed by nobody else."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "bystander"):
        openssl("req", "-x509", *key, "-keyout", here / f"{name}.key", "-out", here / f"{name}.pem",
                "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:server.test", "-days", 2)
    for name in ("server", "client"):
        openssl("req", *key, "-keyout", here / f"{name}.key", "-out", here / "csr",
                "-subj", f"/CN={name}.test")
        (here / "ext").write_text(f"subjectAltName=DNS:{name}.test\n")
        openssl("x509", "-req", "-in", here / "csr", "-CA", here / "ca.pem", "-CAkey",
                here / "ca.key", "-CAcreateserial", "-out", here / f"{name}.pem", "-days", 2,
                "-extfile", here / "ext")
    (here / "answer").write_text(ANSWER)


class Process:
    """A server that says where it listens, until the block ends."""

    def __init__(self, args, pattern):
        self.log = open(here / "log", "w+")
        self.process = subprocess.Popen(list(map(str, args)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                self.port = int(found.group(1))
                return
        raise RuntimeError(self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.log.close()


def our_server(*args, cert="server"):
    return Process([PROGRAM, "--cert", here / f"{cert}.pem", "--key", here / f"{cert}.key", *args,
                    "--answer", here / "answer", "127.0.0.1:0"], r"tlscat: .*:(\d+)$")


def their_server(*args, cert="server"):
    return Process(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", here / f"{cert}.pem",
                    "-key", here / f"{cert}.key", *args], r"^ACCEPT .*:(\d+)$")


def our_client(port, *args, text=""):
    return subprocess.run([PROGRAM, "--ca", here / "ca.pem", "--name", "server.test",
                           *map(str, args), f"127.0.0.1:{port}"], input=text, text=True,
                          capture_output=True, timeout=PATIENCE)


def their_client(port, *args, text=QUESTION):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                           here / "ca.pem", "-verify_hostname", "server.test", "-servername",
                           "server.test", "-verify_return_error", *map(str, args)],
                          input=text, text=True, capture_output=True, timeout=PATIENCE)


class AgainstOpensslClient(unittest.TestCase):
    def test_it_gets_the_answer_in_each_version(self):
        with our_server() as server:
            for version in ("-tls1_2", "-tls1_3"):
                done = their_client(server.port, version, "-quiet", "-ign_eof")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(BODY, done.stdout.replace("\r\n", "\n"))

    def test_older_versions_are_refused(self):
        with our_server() as server:
            done = their_client(server.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
            self.assertNotEqual(done.returncode, 0)

    def test_alpn_is_agreed_on(self):
        with our_server("--alpn", "h2,http/1.1") as server:
            done = their_client(server.port, "-alpn", "http/1.1,h2", "-ign_eof")
            self.assertIn("ALPN protocol: h2", done.stdout)
            done = their_client(server.port, "-alpn", "spdy")
            self.assertIn("no application protocol", done.stderr)

    def test_it_resumes(self):
        with our_server() as server:
            for version in ("-tls1_2", "-tls1_3"):
                first = their_client(server.port, version, "-ign_eof", "-sess_out", here / "sess")
                self.assertIn("New, ", first.stdout)
                again = their_client(server.port, version, "-ign_eof", "-sess_in", here / "sess")
                self.assertIn("Reused, ", again.stdout)

    def test_its_certificate_is_demanded(self):
        with our_server("--demand", "--ca", here / "ca.pem") as server:
            done = their_client(server.port, "-ign_eof")
            self.assertNotIn(BODY[:100], done.stdout)
            self.assertIn("certificate required", done.stderr)
            done = their_client(server.port, "-ign_eof", "-cert", here / "client.pem", "-key",
                                here / "client.key")
            self.assertIn(BODY[:100], done.stdout)


class AgainstOpensslServer(unittest.TestCase):
    def test_lines_come_back_in_each_version(self):
        for version in ("-tls1_2", "-tls1_3"):
            with their_server("-rev", version) as server:
                done = our_client(server.port, text="hello\nworld\nCLOSE\n")
                self.assertIn("olleh\ndlrow\n", done.stdout, done.stderr)
                self.assertIn("CN=server.test", done.stderr)

    def test_alpn_is_agreed_on(self):
        with their_server("-www", "-alpn", "http/1.1") as server:
            done = our_client(server.port, "--alpn", "h2,http/1.1", text=QUESTION)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("alpn 'http/1.1'", done.stderr)

    def test_sessions_are_resumed(self):
        for version in ("-tls1_2", "-tls1_3"):
            with their_server("-www", version) as server:
                session = here / f"session{version}"
                first = our_client(server.port, "--session", session, text=QUESTION)
                self.assertIn(", new,", first.stderr)
                again = our_client(server.port, "--session", session, text=QUESTION)
                self.assertIn(", resumed,", again.stderr)
                self.assertEqual((first.returncode, again.returncode), (0, 0))

    def test_whom_it_does_not_believe_it_names(self):
        with their_server("-www", cert="bystander") as server:
            done = our_client(server.port)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("the certificate of bystander is signed by itself", done.stderr)
            self.assertEqual(our_client(server.port, "--insecure", text=QUESTION).returncode, 0)
        with their_server("-www") as server:
            done = our_client(server.port, "--name", "other.test")
            self.assertIn("is for server.test, not for other.test", done.stderr)

    def test_a_killed_server_is_no_end(self):
        with their_server("-rev") as server:
            client = subprocess.Popen([PROGRAM, "--ca", here / "ca.pem", "--name", "server.test",
                                       f"127.0.0.1:{server.port}"], stdin=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
            self.assertIn("CN=server.test", client.stderr.readline())
            server.process.kill()
            self.assertRegex(client.stderr.readline(), "cut|reset")
            client.communicate()
            self.assertEqual(client.returncode, 1)


@unittest.skipUnless(shutil.which("curl"), "no curl")
class AgainstCurl(unittest.TestCase):
    def curl(self, port, *args):
        return subprocess.run(["curl", "-sS", "--cacert", here / "ca.pem", "--resolve",
                               f"server.test:{port}:127.0.0.1", "--max-time", str(PATIENCE), *args,
                               f"https://server.test:{port}/"], text=True, capture_output=True)

    def test_it_gets_the_answer(self):
        with our_server("--alpn", "http/1.1") as server:
            for args in ((), ("--tls-max", "1.2"), ("--http1.1",)):
                done = self.curl(server.port, *args)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, BODY)

    def test_it_does_not_believe_a_bystander(self):
        with our_server(cert="bystander") as server:
            self.assertEqual(self.curl(server.port).returncode, 60)


if not shutil.which("openssl"):
    print("1..0 # SKIP no openssl")
    sys.exit(0)
make_certificates()
sys.exit(run_unittests())

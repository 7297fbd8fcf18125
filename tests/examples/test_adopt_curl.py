#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/adopt_curl fetches what a server has, several files at a time, and says what went wrong.

    test_adopt_curl.py [ADOPT_CURL]
"""

import http.server
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else None
TOGETHER = 5


def files():
    rng = random.Random(1)
    sizes = {"empty": 0, "byte": 1, "small": 1000, "page": 16384, "room": 65536, "more": 65537,
             "big": 3 << 20}
    return {name: rng.randbytes(size) for name, size in sizes.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, data, headers=()):
        self.send_response(200)
        for name, value in headers or (("Content-Length", str(len(data))),):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.ports.add(self.client_address[1])
        name = self.path.lstrip("/").partition("?")[0]
        if name in self.server.files:
            self.send(self.server.files[name])
        elif name.startswith("together"):       # answered when all are there
            self.server.together.wait(PATIENCE)
            self.send(name.encode())
        elif name == "moved":
            self.send_response(302)
            self.send_header("Location", "/small")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name == "in-pieces":
            data = b"".join(b"%x\r\n%s\r\n" % (n, b"x" * n) for n in range(1, 400)) + b"0\r\n\r\n"
            self.send(data, (("Transfer-Encoding", "chunked"),))
        elif name == "cut-short":
            self.send(b"half", (("Content-Length", "8"),))
            self.close_connection = True
        elif name == "never":
            self.server.over.wait(PATIENCE)
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        """Clients that hang up are part of the test."""


class AdoptCurl(unittest.TestCase):
    def setUp(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.files = files()
        self.server.ports = set()
        self.server.together = threading.Barrier(TOGETHER)
        self.server.over = threading.Event()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.server.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.folder.cleanup()

    def url(self, name):
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def fetch(self, *names, options=(), env=None):
        urls = [name if "://" in name else self.url(name) for name in names]
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return subprocess.run([PROGRAM, *options, "-o", self.folder.name, *urls],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, env=dict(clean, **env or {}))

    def got(self):
        return {p.name: p.read_bytes() for p in Path(self.folder.name).iterdir()}

    def assertAll(self, done, names):
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(self.got(), {name: self.server.files[name] for name in names})

    def test_files_of_all_sizes_arrive_whole(self):
        self.assertAll(self.fetch(*self.server.files), self.server.files)

    def test_workers_do_not_matter(self):
        for workers in "1", "4":
            self.folder.cleanup()
            self.folder = tempfile.TemporaryDirectory()
            self.assertAll(self.fetch(*self.server.files, env={"RAVEL_WORKERS": workers}),
                           self.server.files)

    def test_transfers_wait_for_each_other(self):
        names = [f"together{i}" for i in range(TOGETHER)]
        done = self.fetch(*names)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.got(), {name: name.encode() for name in names})

    def test_one_after_another_they_share_a_connection(self):
        self.assertAll(self.fetch(*self.server.files, options=("-j", "1")), self.server.files)
        self.assertEqual(len(self.server.ports), 1)

    def test_more_than_may_run_at_a_time(self):
        urls = [f"small?{i}" for i in range(40)]
        done = self.fetch(*urls, options=("-j", "3"))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 40)        # all but the first find the file there
        self.assertEqual(sum("File exists" in line for line in lines), 39)
        self.assertEqual(self.got(), {"small": self.server.files["small"]})

    def test_redirections_and_pieces(self):
        done = self.fetch("moved", "in-pieces")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.got(), {"moved": self.server.files["small"],
                                      "in-pieces": b"x" * sum(range(1, 400))})

    def test_what_fails_says_why_and_leaves_no_file(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            refusing = f"http://127.0.0.1:{unused.getsockname()[1]}/refused"
            done = self.fetch("missing", "small", refusing, "cut-short", "nonsense://x/y")
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], "^failed .*/missing: .*404")
        self.assertRegex(lines[1], "^200 +1000 .*/small$")
        self.assertRegex(lines[2], "^failed .*/refused: .*[Cc]onnect")
        self.assertRegex(lines[3], "^failed .*/cut-short: .*transfer closed")
        self.assertRegex(lines[4], "^failed .*/y: .*not supported")
        self.assertEqual(self.got(), {"small": self.server.files["small"]})

    def test_a_deadline_ends_a_transfer(self):
        done = self.fetch("never", options=("-t", "0.2"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "^failed .*/never: Timer expired$")
        self.assertEqual(self.got(), {})

    def test_what_it_does_not_understand(self):
        for arguments in [], ["-j", "0", "x"], ["-j", "many", "x"], ["-z"], ["-t", "-1", "x"]:
            done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, "usage:")


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=None if PROGRAM else "built without libcurl"))

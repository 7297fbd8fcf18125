#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure examples/httpd beside other servers; nothing here passes or fails.

Each server has one core to itself and wrk the other. A case is a path and a number of connections;
its servers are measured one after the other, then again, for as many rounds as asked, so that a
ratio is taken inside a round and the median of these ratios is shown. wrk is often the first to
have no time left: then all servers answer as many requests, and what tells them apart is the
processor time that each takes for one, user and system, from the kernel's books.

"epoll" is no peer: it is a loop by hand that looks for the end of a request and no further
(bench/io/epoll.c), which is what the kernel allows. All ratios are to it, or to nginx where it
takes no part. /hello is a text in memory, but for h2o, which has none and sends a file that it
keeps open.

Memory is what the pages of a server's processes grow by for each connection that has asked once and
waits; what the kernel holds beside that is the same for all.
"""

import argparse
import contextlib
import json
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from bench import NOISY, ROOT, load, say, short, spread

HZ = os.sysconf("SC_CLK_TCK")
HELLO = "Hello, World!\n"
FILE = "file.txt"
FILE_BYTES = 1024
CONNECTIONS = (64, 1024, 8192)
SETTLED = 2048          # more connections take longer: to connect them is to be a small part
IDLE = 5000             # connections that wait, for the memory of one
START_LIMIT = 10        # seconds for a server to answer


class Metric(NamedTuple):
    key: str
    head: str
    digits: int


METRICS = (Metric("requests_s", "requests/s", 0), Metric("cpu_us", "cpu µs", 2),
           Metric("p50_ms", "p50 ms", 2), Metric("p99_ms", "p99 ms", 2))
TARGETS = (("ravel", "cpu_us", "epoll", "at most", 1.05),
           ("ravel", "requests_s", "epoll", "at least", 0.95),
           ("ravel", "p99_ms", "epoll", "at most", 1.10),
           ("ravel", "requests_s", "nginx", "at least", 1.1),
           ("ravel", "requests_s", "go", "at least", 1.5))


# ---- the servers ---------------------------------------------------------------------------------

NGINX = """\
worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/nginx.log crit;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; multi_accept on; }}
http {{
    access_log off; keepalive_requests 1000000000; sendfile on; tcp_nodelay on;
    client_body_temp_path {work}/n1; proxy_temp_path {work}/n2; fastcgi_temp_path {work}/n3;
    uwsgi_temp_path {work}/n4; scgi_temp_path {work}/n5;
    types {{ text/plain txt; }}
    server {{
        listen 127.0.0.1:{port} backlog=65535;
        location = /hello {{ default_type text/plain; return 200 "{hello}\\n"; }}
        location / {{ root {root}; }}
    }}
}}
"""

H2O = """\
num-threads: 1
user: {user}
max-connections: {connections}
pid-file: {work}/h2o.pid
error-log: {work}/h2o.log
listen: {{ host: 127.0.0.1, port: {port} }}
hosts:
  default:
    paths:
      /hello: {{ file.file: {root}/hello.txt }}
      /: {{ file.dir: {root} }}
"""


class Place(NamedTuple):
    """Where a server works."""
    tree: Path
    work: Path
    root: Path
    port: int

    def config(self, name, text):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        path = self.work / name
        path.write_text(text.format(work=self.work, root=self.root, port=self.port, files=files,
                                    connections=files - 100, hello=HELLO.strip(),
                                    user=pwd.getpwuid(os.getuid()).pw_name))
        return path

    def example(self, name):
        return [self.tree / "examples" / "httpd" / name, f"--listen=127.0.0.1:{self.port}",
                "--hello", self.root]

    def ours(self, name):
        return self.tree / "bench" / "io" / name


class Server(NamedTuple):
    name: str
    command: object         # of a Place
    env: dict = {}
    paths: tuple = ("/hello", f"/{FILE}")


def ravel(place):
    return [*place.example("httpd"), "--workers=1"]


SERVERS = (
    Server("ravel-uring", ravel, {"RAVEL_BACKEND": "uring"}),
    Server("ravel-epoll", ravel, {"RAVEL_BACKEND": "epoll"}),
    Server("epoll", lambda p: [p.ours("io-epoll"), str(p.port)], paths=("/hello",)),
    Server("nginx", lambda p: ["nginx", "-p", p.work, "-c", p.config("nginx.conf", NGINX)]),
    Server("h2o", lambda p: ["h2o", "-m", "worker", "-c", p.config("h2o.conf", H2O)]),
    Server("go", lambda p: [p.ours("io-go"), str(p.port), p.root], {"GOMAXPROCS": "1"}),
    Server("threads", lambda p: p.example("httpd_threads")),
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, path, client=None):
    """The body of an answer; the connection is left open."""
    client = client or socket.create_connection(("127.0.0.1", port), START_LIMIT)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if found and length and len(body) == int(length.group(1)):
            return body
        more = client.recv(65536)
        if not more:
            raise ConnectionError(f"no whole answer to {path}: {data!r}")
        data += more


class Running:
    """A server on one core, in a session of its own, until the block ends."""

    def __init__(self, server, tree, core):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-io-")
        work = Path(self.folder.name)
        work.chmod(0o755)
        root = work / "root"
        root.mkdir()
        (root / FILE).write_text("x" * FILE_BYTES)
        (root / "hello.txt").write_text(HELLO)
        self.server = server
        self.port = free_port()
        self.process = subprocess.Popen(
            [str(word) for word in server.command(Place(tree, work, root, self.port))],
            env={**os.environ, **server.env}, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def last_words(self):
        return self.process.stderr.read().decode().strip().replace(f":{self.port}", "")

    def wait_until_up(self):
        end = time.monotonic() + START_LIMIT
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                    if ask(self.port, "/hello", client).decode() == HELLO:
                        return
                    raise RuntimeError("answers something else")
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(self.last_words() or "ended")
                if time.monotonic() > end:
                    raise RuntimeError("does not answer")
                time.sleep(0.05)

    def __enter__(self):
        try:
            self.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process.stderr.close()
        self.folder.cleanup()

    def processes(self):
        """Of its session."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.getsid(int(entry.name)) == self.process.pid:
                    yield entry

    def cpu(self):
        """Seconds of processor time so far, of threads that have ended, too."""
        ticks = 0
        for entry in self.processes():
            with contextlib.suppress(OSError):
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks += int(words[11]) + int(words[12])
        return ticks / HZ

    def resident(self):
        """Bytes of its own pages."""
        total = 0
        for entry in self.processes():
            with contextlib.suppress(OSError):
                found = re.search(r"RssAnon:\s*(\d+) kB", (entry / "status").read_text())
                total += 1024 * int(found.group(1)) if found else 0
        return total


# ---- measuring -----------------------------------------------------------------------------------

def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def wrk(port, path, connections, seconds, core):
    """wrk's findings, and how many requests there were."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout=10",
         f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    out = done.stdout
    if done.returncode or "requests in" not in out:
        raise RuntimeError(f"wrk: {done.stderr.strip() or out}")
    found = {"requests_s": float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1)),
             "p50_ms": milliseconds(re.search(r"(?m)^ +50% +(\S+)", out).group(1)),
             "p99_ms": milliseconds(re.search(r"(?m)^ +99% +(\S+)", out).group(1))}
    wrong = re.search(r"Non-2xx.*|Socket errors:.*", out)
    return found, int(re.search(r"(\d+) requests in", out).group(1)), wrong and wrong.group()


def measure_once(running, path, connections, args):
    """The figures of one run, and a word on what went wrong in it."""
    before = running.cpu()
    seconds = args.seconds * max(1, connections // SETTLED)
    found, requests, wrong = wrk(running.port, path, connections, seconds, args.cores[1])
    found["cpu_us"] = 1e6 * (running.cpu() - before) / max(requests, 1)
    return found, wrong


def note(notes, text):
    if text not in notes:
        notes.append(text)


@contextlib.contextmanager
def all_running(servers, args, notes):
    """Those that could be started."""
    with contextlib.ExitStack() as stack:
        running = []
        for server in servers:
            try:
                running.append(stack.enter_context(Running(server, args.build, args.cores[0])))
            except (OSError, RuntimeError) as trouble:
                note(notes, f"{server.name} left out: {str(trouble).splitlines()[-1]}")
        yield running


def measure(path, connections, servers, args, notes):
    """{metric: {server: [a value a round]}}"""
    figures = defaultdict(lambda: defaultdict(list))
    with all_running([s for s in servers if path in s.paths], args, notes) as running:
        for number in range(args.rounds):
            for one in running:
                name = one.server.name
                say(f"{path}, {connections} connections: round {number + 1} of {args.rounds}, "
                    f"{name}")
                try:
                    found, wrong = measure_once(one, path, connections, args)
                except RuntimeError as trouble:
                    note(notes, f"{name} {path} {connections}: {trouble}")
                    continue
                if wrong:
                    note(notes, f"{name} {path} {connections}: {wrong}")
                for metric in METRICS:
                    figures[metric.key][name].append(found[metric.key])
    return figures


def idle_bytes(running):
    """Bytes for a connection that has asked once and waits."""
    clients = []
    try:
        for _ in range(100):        # what is needed once
            clients.append(socket.create_connection(("127.0.0.1", running.port)))
            ask(running.port, "/hello", clients[-1])
        before = running.resident()
        for _ in range(IDLE):
            clients.append(socket.create_connection(("127.0.0.1", running.port)))
            ask(running.port, "/hello", clients[-1])
        return (running.resident() - before) / IDLE
    finally:
        for client in clients:
            client.close()


def measure_memory(servers, args, notes):
    found = {}
    for server in servers:
        say(f"{IDLE} connections that wait: {server.name}")
        with all_running([server], args, notes) as running:
            for one in running:
                try:
                    found[server.name] = idle_bytes(one)
                except OSError as trouble:
                    note(notes, f"{server.name}, idle connections: {trouble}")
    return found


# ---- showing -------------------------------------------------------------------------------------

def ratio(figures, metric, who, base):
    """The median of the rounds' ratios; None where there is none."""
    by_who = figures[metric]
    pairs = [(a, b) for a, b in zip(by_who.get(who, ()), by_who.get(base, ())) if b]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def better_backend(figures, metric):
    """Of the two that Ravel has, the one that does better by the median."""
    here = [who for who in ("ravel-uring", "ravel-epoll") if figures[metric].get(who)]
    if not here:
        return None
    pick = max if metric == "requests_s" else min
    return pick(here, key=lambda who: statistics.median(figures[metric][who]))


def row_of(figures, who, base):
    row = {"who": who}
    for metric in METRICS:
        values = figures[metric.key][who]
        row[metric.key] = {"median": statistics.median(values), "values": list(values),
                           "spread": spread(values), "ratio": ratio(figures, metric.key, who, base)}
    return row


def case_of(path, connections, figures):
    """What --json holds of one case."""
    names = list(figures["cpu_us"])
    base = next((who for who in ("epoll", "nginx") if who in names), names[0] if names else None)
    targets = []
    for _, metric, against, how, bound in TARGETS if path == "/hello" else ():
        who = better_backend(figures, metric)
        value = ratio(figures, metric, who, against) if who else None
        if value is not None:
            targets.append({"who": who, "metric": metric, "against": against, "ratio": value,
                            "target": f"{how} {bound}"})
    return {"path": path, "connections": connections, "base": base,
            "rows": [row_of(figures, who, base) for who in names], "targets": targets}


def cell(found, metric):
    """"131,000  1.02", with a mark when the rounds do not agree."""
    mark = "?" if (found["spread"] or 0) > NOISY else " "
    value = f"{found['median']:,.{metric.digits}f}"
    times = "-" if found["ratio"] is None else f"{found['ratio']:.2f}"
    return f"{value:>10}{mark}{times:>5}"


def print_case(case):
    title = f"{case['path']}, {case['connections']} connections"
    print(f"\n{title}\n{'x: to ' + str(case['base']):24}"
          + "".join(f"{m.head:>12}{'x':>4}" for m in METRICS))
    for row in case["rows"]:
        print(f"  {row['who']:22}" + "".join(cell(row[m.key], m) for m in METRICS))
    for t in case["targets"]:
        name = next(m.head for m in METRICS if m.key == t["metric"])
        print(f"  target: {name} of {t['who']} {t['target']} of {t['against']}'s: {t['ratio']:.2f}")


def print_all(found):
    for case in found["cases"]:
        print_case(case)
    if found["idle_bytes"]:
        print("\nbytes for a connection that waits (target: 6 KiB)")
        for who, value in found["idle_bytes"].items():
            print(f"  {who:22}{value:>10,.0f}")
    print(f"\nx: the median of the ratios inside a round; ?: the middle half of the rounds lies "
          f"more than {NOISY:.0%} apart\nload {found['load']['before']} before, "
          f"{found['load']['after']} after")
    for text in found["notes"]:
        print(f"note: {text}")


# ---- the command ---------------------------------------------------------------------------------

def build(tree):
    """Bring the tree up to date. Its output is shown only when it fails."""
    targets = ["examples/httpd/httpd", "examples/httpd/httpd_threads", "io-servers"]
    steps = [["ninja", "-C", tree, *targets]]
    if not (tree / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", tree, ROOT, "-Dbench=auto", "-Dtests=disabled",
                         "-Ddocs=disabled"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncould not build the servers in {tree}; "
                     "tools/install_deps.sh --for bench gets what they need")


def arguments():
    parser = argparse.ArgumentParser(description="Measure examples/httpd beside other servers.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=int, default=2, metavar="N",
                        help="of one run of wrk; many connections take more")
    parser.add_argument("--connections", metavar="N,N", default=",".join(map(str, CONNECTIONS)))
    parser.add_argument("--only", metavar="WORDS", help="servers, such as ravel-epoll,nginx; "
                        "there are " + ", ".join(server.name for server in SERVERS))
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--no-memory", action="store_true", help="leave idle connections out")
    parser.add_argument("--json", metavar="FILE", help="write every value there as well")
    parser.add_argument("--build", metavar="DIR", type=Path, default=ROOT / "build" / "bench-io",
                        help="the build tree (default build/bench-io)")
    args = parser.parse_args()
    if args.quick:
        args.rounds = args.seconds = 1
    if args.rounds < 1 or args.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    args.connections = [int(word) for word in args.connections.split(",")]
    args.cores = sorted(os.sched_getaffinity(0))[:2]
    if len(args.cores) < 2:
        parser.error("this wants two cores: one for the server, one for wrk")
    names = args.only.split(",") if args.only else [server.name for server in SERVERS]
    args.servers = [server for server in SERVERS if server.name in names]
    return args


def main():
    args = arguments()
    if not shutil.which("wrk"):
        sys.exit("wrk is not here: tools/install_deps.sh --for bench")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    build(args.build)
    before, notes = load(), []
    wanted = [("/hello", n) for n in args.connections] + [(f"/{FILE}", args.connections[0])]
    cases = [case_of(*case, measure(*case, args.servers, args, notes)) for case in wanted]
    memory = {} if args.no_memory else measure_memory(args.servers, args, notes)
    say("")
    found = {"cases": cases, "idle_bytes": memory, "notes": notes, "cpus": os.cpu_count(),
             "load": {"before": before, "after": load()}}
    print_all(found)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

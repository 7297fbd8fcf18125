#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Maltreat a cluster under load, and demand that every job ends with exactly one right result.

    tools/soak_cluster.py                            # all scenarios, some minutes
    tools/soak_cluster.py --scenario server --times 200
    tools/soak_cluster.py --scenario partition --seed 7

Each scenario has servers of its own, workers as `ravel worker` starts them, and a client
(tests/soak/soak_jobs.c) that submits jobs of several kinds until it is told to stop. Meanwhile
something is done to one of them, again and again; after each time the client has to see jobs end
again. The client judges every outcome; jobs without one are a hang. Executions beyond the first are
no failure, and are counted: the tier runs jobs at least once, those that call themselves idempotent
that is. Of the others none may begin twice, but where servers crash, as these then have forgotten
what they had lent.

What is done and when follows from the seed, which is printed where something fails, together with
the folder that has everybody's words. The same seed does the same things in the same order; what
they meet is up to the machine.

Networks of their own, and full disks, need rights; without them these scenarios are skipped by
name. Where the kernel cannot delay packets (tc netem), the scenario "relay" does with bytes what it
would."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import nats
from bench import ROOT, load, say

POOL = "soak"
PATIENCE = 60       # seconds without a result, or for one job: then it is a hang
AGENTS = 2
NOT_HERE = 77       # the client's exit status without a tier to run on


class Skipped(Exception):
    """A scenario that cannot be had here, and why."""


class Failed(Exception):
    """What a scenario found."""


# ---- places: where servers, workers and the client are -------------------------------------------

class Place:
    """One server; everybody is on loopback."""
    parties = ("client", "worker0", "worker1")

    def __init__(self, folder):
        self.folder = folder
        self.stack = contextlib.ExitStack()

    def make(self):
        self.run(nats.Server(self.folder / "server"))

    def run(self, *servers):
        self.servers = self.stack.enter_context(nats.Running(*servers))

    def url(self, party):
        return f"{','.join(server.url for server in self.servers)}/{POOL}"

    def within(self, party):
        return []

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()


class ThreeServers(Place):
    def make(self):
        self.run(*nats.cluster(self.folder))


class Relay:
    """Bytes from one party to the server and back; they can be held, delayed, or the way cut."""

    def __init__(self, loop, target):
        self.loop, self.target = loop, target
        self.delay = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.writers = set()
        self.server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", 0), loop).result()
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        mine = {writer, far_writer}
        self.writers |= mine
        try:
            await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
        finally:
            self.writers -= mine
            for one in mine:
                one.transport.abort()

    async def pump(self, reader, writer):
        queue = asyncio.Queue(64)
        sender = asyncio.ensure_future(self.send(queue, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await queue.put((self.loop.time() + self.delay, data))
        await queue.put((0, b""))
        await sender
        writer.transport.abort()

    async def send(self, queue, writer):
        while (item := await queue.get())[1]:
            await asyncio.sleep(max(0, item[0] - self.loop.time()))
            await self.open.wait()
            with contextlib.suppress(OSError):
                writer.write(item[1])
                await writer.drain()

    def hold(self, is_held):
        self.loop.call_soon_threadsafe(self.open.clear if is_held else self.open.set)

    def cut(self):
        def abort_all():
            for writer in list(self.writers):
                writer.transport.abort()
        self.loop.call_soon_threadsafe(abort_all)


class Relayed(Place):
    """Everybody reaches the server through a relay of his own."""

    def make(self):
        super().make()
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)     # what a cut leaves behind
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        self.stack.callback(loop.call_soon_threadsafe, loop.stop)
        target = self.servers[0].host, self.servers[0].port
        self.relays = {party: Relay(loop, target) for party in self.parties}

    def url(self, party):
        return f"nats://127.0.0.1:{self.relays[party].port}/{POOL}"


def ip(*words, check=True):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if check and done.returncode:
        raise Skipped(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


class Namespaces(Place):
    """A network each for the server, the workers and the client, joined by a bridge in one more."""
    netem = ()

    def make(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise Skipped("networks of their own need root and iproute2")
        self.prefix = f"rvsoak{os.getpid()}"
        self.add("hub")
        ip("-n", self.name("hub"), "link", "add", "bridge", "type", "bridge")
        ip("-n", self.name("hub"), "link", "set", "bridge", "up")
        for number, party in enumerate(("server", *self.parties)):
            self.join(party, f"10.203.1.{number + 1}")
        self.run(nats.Server(self.folder / "server", host="10.203.1.1",
                             within=self.within("server")))

    def name(self, party):
        return f"{self.prefix}{party}"

    def add(self, party):
        ip("netns", "add", self.name(party))
        self.stack.callback(ip, "netns", "del", self.name(party), check=False)

    def join(self, party, address):
        self.add(party)
        ip("-n", self.name("hub"), "link", "add", party, "type", "veth", "peer", "name", "eth0",
           "netns", self.name(party))
        ip("-n", self.name("hub"), "link", "set", party, "master", "bridge", "up")
        ip("-n", self.name(party), "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", self.name(party), "link", "set", "eth0", "up")
        ip("-n", self.name(party), "link", "set", "lo", "up")
        if self.netem:
            self.slow_down(party)

    def slow_down(self, party):
        done = subprocess.run(["tc", "-n", self.name(party), "qdisc", "add", "dev", "eth0", "root",
                               "netem", *self.netem], capture_output=True, text=True)
        if done.returncode:
            raise Skipped(f"tc netem: {done.stderr.strip()}")

    def within(self, party):
        return ["ip", "netns", "exec", self.name(party)]

    def part(self, party, is_parted):
        ip("-n", self.name("hub"), "link", "set", party, "down" if is_parted else "up")


class SlowNamespaces(Namespaces):
    netem = ("delay", "20ms", "10ms", "loss", "1%")


class SmallStore(Place):
    """A server that may store little."""

    def make(self):
        self.run(nats.Server(self.folder / "server", limit="24MB"))


class SmallDisk(Place):
    """A server that may store much, on a disk that has not the room."""

    def make(self):
        disk = self.folder / "server"
        disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "soak", disk],
                              capture_output=True, text=True)
        if done.returncode:
            raise Skipped(f"a disk of its own: {done.stderr.strip()}")
        self.stack.callback(subprocess.run, ["umount", "-l", disk])
        self.run(nats.Server(disk, limit="1GB"))


# ---- those who work ------------------------------------------------------------------------------

def children_of(pid):
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


class Agent:
    """A worker of the user's, as `ravel worker` starts it."""

    def __init__(self, rig, party):
        self.rig, self.party, self.process = rig, party, None

    def start(self):
        rig = self.rig
        command = [*rig.place.within(self.party), rig.tree / "cli" / "ravel", "worker",
                   rig.program, "--cluster", rig.place.url(self.party), "--slots", "2"]
        with open(rig.folder / f"{self.party}.log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            env=rig.env)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kill_child(self, rng):
        """One of the processes in which jobs run; False when there is none."""
        children = sorted(children_of(self.process.pid))
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children), signal.SIGKILL)
        return True

    def end(self, patience=15):
        """SIGTERM: it finishes what it holds. False when it had to be killed."""
        if self.process is None or self.process.poll() is not None:
            return self.process is None or self.process.returncode == 0
        self.process.terminate()
        try:
            return self.process.wait(patience) == 0
        except subprocess.TimeoutExpired:
            self.kill()
            return False


class Client:
    """The program that submits; its lines are read as they come."""

    def __init__(self, rig, *words):
        self.rig = rig
        self.ended, self.report = 0, None
        counted = rig.folder / f"client{len(rig.clients)}"  # what a dead one left may still run
        counted.mkdir()
        command = [*rig.place.within("client"), rig.program, f"on=cluster:{rig.place.url('client')}",
                   f"folder={counted}", f"seed={rig.seed}", f"patience={PATIENCE}", *words]
        self.errors = open(rig.folder / "client.log", "ab")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        start_new_session=True, env=rig.env)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if "jobs" in found:
                    self.report = found
                else:
                    self.ended = found["ended"]
        self.process.stdout.close()

    def wait_for_more(self):
        """Until another job has ended than had when this was asked."""
        before, end = self.ended, time.monotonic() + PATIENCE
        while self.ended == before:
            if self.process.poll() == NOT_HERE:
                raise Skipped("the tier is not in this build")
            if self.process.poll() is not None:
                raise Failed(f"the client ended with {self.process.returncode}: {self.words()}")
            if time.monotonic() > end:
                raise Failed(f"no job has ended for {PATIENCE} s; {before} had")
            time.sleep(0.005)

    def words(self):
        self.reader.join(5)
        told = "; ".join(self.report["words"]) if self.report else ""
        return told or (self.rig.folder / "client.log").read_text(errors="replace")[-300:]

    def finish(self):
        """Have it stop, and judge its report."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("the client does not end") from None
        if self.process.returncode:
            raise Failed(f"the client ended with {self.process.returncode}: {self.words()}")
        self.reader.join()
        return self.report

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.errors.close()


class Rig:
    """A scenario under way."""

    def __init__(self, scenario, args, seed, folder):
        self.scenario, self.seed, self.folder = scenario, seed, folder
        self.tree = args.build
        self.program = args.build / "tests" / "soak" / "soak_jobs"
        self.rng = random.Random(f"{scenario.name} {seed}")
        self.times = args.times or (scenario.short if args.short else scenario.times)
        self.pace = 0.3 if args.short else 1.0
        self.done = Counter()
        self.clients, self.agents = [], []
        self.env = {**os.environ, "RAVEL_STALL_MS": "0"}

    def start_agents(self, count=AGENTS):
        self.agents = [Agent(self, f"worker{i}") for i in range(count)]
        for agent in self.agents:
            agent.start()

    def start_client(self, *words):
        client = Client(self, *words)
        self.clients.append(client)
        return client

    def make_room(self):
        server = self.place.servers[0]
        server.end()
        shutil.rmtree(server.folder / "store")
        server.start()
        server.wait_until_up()

    def pause(self, least, most):
        time.sleep(self.pace * self.rng.uniform(least, most))

    def end_all(self):
        for client in self.clients:
            client.kill()
        for agent in self.agents:
            if agent.process and agent.process.poll() is None:
                agent.kill()

    def end_agents(self):
        for agent in self.agents:
            if not agent.end():
                raise Failed(f"{agent.party} did not end on SIGTERM")


# ---- what is done to them ------------------------------------------------------------------------

def do_nothing(rig):
    rig.pause(0.5, 1)


def kill_worker(rig):
    agent = rig.rng.choice(rig.agents)
    rig.pause(0.1, 1.5)
    agent.kill()
    rig.done["workers killed"] += 1
    rig.pause(0, 0.5)
    agent.start()


def kill_child(rig):
    rig.pause(0.05, 0.5)
    rig.done["children killed"] += rig.rng.choice(rig.agents).kill_child(rig.rng)


def kill_server(rig):
    server = rig.rng.choice(rig.place.servers)
    rig.pause(0.2, 1.5)
    server.end()
    rig.done["servers killed"] += 1
    rig.pause(0, 1)
    server.start()
    server.wait_until_up()


def disturb_relay(rig):
    party = rig.rng.choice(rig.place.parties)
    relay = rig.place.relays[party]
    how = rig.rng.choice(("cut", "held", "delayed"))
    rig.pause(0.1, 1)
    rig.done[f"{how}: {party.rstrip('01')}"] += 1
    if how == "cut":
        relay.cut()
    elif how == "held":
        relay.hold(True)
        rig.pause(0.1, 8 if rig.rng.random() < 0.2 else 2)     # the former is longer than a lease
        relay.hold(False)
    else:
        relay.delay = rig.rng.uniform(0.001, 0.1)
        rig.pause(0.5, 2)
        relay.delay = 0.0


def part(rig):
    party = rig.rng.choice(("server", *rig.place.parties))
    rig.pause(0.2, 1.5)
    rig.place.part(party, True)
    rig.done[f"parted: {party.rstrip('01')}"] += 1
    rig.pause(0.1, 12 if rig.rng.random() < 0.2 else 3)
    rig.place.part(party, False)


# ---- scenarios -----------------------------------------------------------------------------------

def under_load(rig):
    """The usual course: a client, something done again and again, a report."""
    rig.start_agents()
    client = rig.start_client(f"dies={int(rig.scenario.dies)}",
                              f"forgets={int(rig.scenario.forgets)}")
    client.wait_for_more()
    for number in range(rig.times):
        say(f"{rig.scenario.name}: {number + 1} of {rig.times}, {client.ended} jobs")
        rig.scenario.disturb(rig)
        client.wait_for_more()
    report = client.finish()
    rig.end_agents()
    return report


def clients_killed(rig):
    """What a dead client has left behind is in nobody's way."""
    rig.start_agents()
    for number in range(rig.times):
        say(f"{rig.scenario.name}: {number + 1} of {rig.times}")
        client = rig.start_client("dies=0")
        client.wait_for_more()
        rig.pause(0.1, 1)
        client.kill()
        rig.done["clients killed"] += 1
    client = rig.start_client("dies=0", "jobs=300")
    report = client.finish()
    rig.end_agents()
    return report


def disk_full(rig):
    """Who submits what there is no room for is told, or it is over when he gives up. With room again,
    and the server started anew, all is well. (nats-server 2.9 goes on counting what it has refused,
    and does without streams once a disk was full.)"""
    say(f"{rig.scenario.name}: filling")
    client = rig.start_client("only=bulky", "jobs=60", "in_flight=60", "also=28", "gives_up=1")
    found = client.finish()["kinds"]["bulky"]
    rig.done["jobs refused"] = found.get("error", 0)
    rig.done["jobs cancelled"] = found.get("cancelled", 0)
    if not found.get("error") and rig.scenario.place is SmallStore:
        raise Failed("nobody was told that there is no room")
    rig.make_room()
    rig.start_agents()
    say(f"{rig.scenario.name}: with room again")
    report = rig.start_client("jobs=200", "in_flight=8").finish()
    rig.end_agents()
    return report


class Scenario(NamedTuple):
    name: str
    place: type
    times: int              # that something is done
    short: int              # the same in the short form; 0: not in it
    disturb: object = None
    dies: bool = True       # jobs may die with a worker, if they are not to be run again
    forgets: bool = False   # they may begin twice all the same
    course: object = under_load


SCENARIOS = (
    Scenario("calm", Place, 10, 0, do_nothing, dies=False),
    Scenario("children", Place, 60, 5, kill_child),
    Scenario("workers", Place, 40, 2, kill_worker),
    Scenario("server", Place, 200, 2, kill_server, forgets=True),
    Scenario("servers", ThreeServers, 20, 0, kill_server, forgets=True),
    Scenario("relay", Relayed, 40, 4, disturb_relay),
    Scenario("partition", Namespaces, 20, 0, part),
    Scenario("packets", SlowNamespaces, 10, 0, part),
    Scenario("clients", Place, 20, 2, course=clients_killed),
    Scenario("store", SmallStore, 1, 0, course=disk_full),
    Scenario("disk", SmallDisk, 1, 0, course=disk_full),
)


def run_scenario(scenario, args, seed):
    """What came of it, as --json holds it. A folder with words is left where it failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"soak-{scenario.name}-"))
    rig = Rig(scenario, args, seed, folder)
    found = {"scenario": scenario.name, "seed": seed, "outcome": "passed", "words": ""}
    begin = time.monotonic()
    try:
        with scenario.place(folder) as rig.place:
            try:
                found["report"] = scenario.course(rig)
            finally:
                rig.end_all()
    except Skipped as why:
        found |= {"outcome": "skipped", "words": str(why)}
    except (Failed, RuntimeError, OSError) as why:
        found |= {"outcome": "failed", "words": str(why), "folder": str(folder),
                  "report": rig.clients[-1].report if rig.clients else None}
    finally:
        if found["outcome"] != "failed" or args.short:
            shutil.rmtree(folder, ignore_errors=True)
    return found | {"done": dict(rig.done), "seconds": round(time.monotonic() - begin, 1)}


# ---- the command ---------------------------------------------------------------------------------

def line_of(found):
    """One scenario, for people."""
    head = f"{found['scenario']:10} {found['outcome']:8} {found['seconds']:6.1f} s"
    report = found.get("report")
    if report:
        head += (f"  {report['jobs']} jobs, {report['results']} results, {report['hung']} hung, "
                 f"{report['wrong']} wrong, {report['beyond_one']} executions beyond one, "
                 f"longest standstill {report['standstill']:.1f} s")
    if found["done"]:
        head += "; " + ", ".join(f"{n} {what}" for what, n in sorted(found["done"].items()))
    if found["words"]:
        head += f"\n           {found['words']}"
    if found["outcome"] == "failed":
        head += (f"\n           again: tools/soak_cluster.py --scenario {found['scenario']} "
                 f"--seed {found['seed']}; everybody's words: {found.get('folder')}")
    return head


def build(tree):
    steps = [["ninja", "-C", tree, "tests/soak/soak_jobs", "cli/ravel"]]
    if not (tree / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", tree, ROOT, "-Dexamples=false"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncould not build in {tree}")


def arguments(argv=None):
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description="Maltreat a cluster under load.")
    parser.add_argument("--scenario", action="append", choices=names, metavar="NAME",
                        help=f"{', '.join(names)}; may be repeated (default: all)")
    parser.add_argument("--times", type=int, metavar="N", help="that something is done, in each")
    parser.add_argument("--short", action="store_true", help="the form that CI has: some seconds")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--build", metavar="DIR", type=Path, default=ROOT / "build" / "gcc",
                        help="the build tree (default build/gcc, as for the tests)")
    args = parser.parse_args(argv)
    args.build = args.build.resolve()
    return args


def chosen(args):
    if args.scenario:
        return [s for s in SCENARIOS if s.name in args.scenario]
    return [s for s in SCENARIOS if s.short or not args.short]


def main():
    args = arguments()
    if not nats.is_installed():
        sys.exit("nats-server is not installed (tools/install_deps.sh --for test)")
    build(args.build)
    print(f"seed {args.seed}, load {load()}", flush=True)
    results = []
    for scenario in chosen(args):
        results.append(run_scenario(scenario, args, args.seed))
        say("")
        print(line_of(results[-1]), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    counts = Counter(found["outcome"] for found in results)
    print(", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped")))
    return 1 if counts["failed"] else 0


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    sys.exit(main())

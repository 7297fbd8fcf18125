#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server, workers and clients as a user has them: what they do together, what is seen of it, and
what strangers can make of it.

    test_cluster.py SOURCE_ROOT RAVEL PARTY"""

import json
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "tests" / "cli"))

from cluster_cli import InCluster, LACKING, lacking_engine  # noqa: E402
from ravel_cli import RAVEL  # noqa: E402

from tap import run_unittests  # noqa: E402

PARTY = Path(sys.argv[3]).resolve()
VALUE, ERROR = 0, 1     # enum rv_outcome_kind


class Raw:
    """A client of NATS's that says what it likes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rb")
        self.subscriptions = 0
        self.file.readline()
        self.say(b'CONNECT {"verbose":false,"headers":true}', b"PING")
        while self.file.readline() != b"PONG\r\n":
            pass

    def say(self, *lines):
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def subscribe(self, subject):
        self.subscriptions += 1
        self.say(b"SUB %s %d" % (subject.encode(), self.subscriptions), b"PING")
        while self.file.readline() != b"PONG\r\n":
            pass

    def publish_for_answer(self, subject, reply, payload):
        self.say(b"PUB %s %s %d" % (subject.encode(), reply.encode(), len(payload)), payload)

    def publish(self, subject, payload):
        self.say(b"PUB %s %d" % (subject.encode(), len(payload)), payload)

    def next(self):
        """Subject and payload, without headers, of the next message."""
        while True:
            words = self.file.readline().split()
            if words and words[0] in (b"MSG", b"HMSG"):
                payload = self.file.read(int(words[-1]))
                self.file.readline()
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                return words[1].decode(), payload[head:]
            if not words:
                raise ConnectionError("the server has hung up")

    def close(self):
        self.file.close()
        self.socket.close()


class Cluster(InCluster):
    """A server, and what is started for it, which ends before it."""

    secure = False

    def setUp(self):
        super().setUp()
        self.said = self.up(*["--secure"] * self.secure)
        self.address = {"RAVEL_CLUSTER": self.said["url"]}
        if self.secure:
            self.address.update(RAVEL_NKEY_FILE=self.said["nkey_file"],
                                RAVEL_CA_FILE=self.said["ca_file"])

    def worker(self, *args, **address):
        process = subprocess.Popen([str(RAVEL), "worker", *args, str(PARTY)], cwd=self.folder,
                                   env=self.env(**dict(self.address, **address)), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        """One that has ended by itself, unasked, has said why."""
        if process.poll() is None:
            process.kill()
        words = process.communicate()[1]
        if process.returncode > 0:
            print(f"# worker {process.pid} ended with {process.returncode}: {words.strip()}")

    def party(self, *args, status=0, **address):
        return self.run_with(self.env(**dict(self.address, **address)), PARTY, *args, status=status)

    def pool(self, name="ravel"):
        """What is seen of a pool; None: nothing, at the moment."""
        done = subprocess.run([str(RAVEL), "cluster", "status", "--json"], text=True, check=False,
                              env=self.env(**self.address), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        pools = json.loads(done.stdout)["pools"] if done.stdout else []
        return next((p for p in pools if p["name"] == name), None)

    def until(self, is_so):
        """The pool when it is so; half a minute at most."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pool = self.pool()
            if pool and is_so(pool):
                return pool
            time.sleep(0.05)
        self.fail(f"it did not come to that: {pool}")

    def dead(self, *args, **more):
        return self.run_with(self.env(**self.address), RAVEL, "cluster", "dead", *args, **more)[0]


class Together(Cluster):
    def test_a_worker_joins_works_and_leaves(self):
        worker = self.worker("--slots", "2", "--name", "first")
        pool = self.until(lambda p: p["workers"])
        member = pool["workers"][0]
        self.assertEqual((member["name"], member["slots"], member["pid"], member["program"]),
                         ("first", 2, worker.pid, "cluster_party"))
        out, _ = self.party("double", "100")
        self.assertEqual(out, "9900\n")
        pool = self.until(lambda p: sum(p["leased"].values()) == 0)
        self.assertEqual(sum(pool["waiting"].values()), 0)
        self.assertEqual(pool["results"], 100)
        text, _ = self.run_with(self.env(**self.address), RAVEL, "cluster", "status")
        self.assertIn("pool ravel", text)
        self.assertRegex(text, r"worker first: 0 of 2 busy, cluster_party \(build [0-9a-f]{8}\)")
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30), 0)
        self.until(lambda p: not p["workers"])

    def test_what_waits_for_a_worker_that_is_nowhere_is_pointed_out(self):
        client = subprocess.Popen([str(PARTY), "double", "7"], env=self.env(**self.address),
                                  stdout=subprocess.PIPE, text=True)
        pool = self.until(lambda p: p["waiting"]["normal"] == 7)
        self.assertEqual([b["waiting"] for b in pool["builds"]], [7])
        text, _ = self.run_with(self.env(**self.address), RAVEL, "cluster", "status", status=1)
        self.assertIn("no worker of this build", text)
        self.worker()
        self.assertEqual(client.communicate(timeout=30)[0], "42\n")

    def test_a_worker_is_seen_with_what_it_holds(self):
        self.worker("--slots", "3")
        client = subprocess.Popen([str(PARTY), "linger", "5000"], env=self.env(**self.address),
                                  stdout=subprocess.PIPE, text=True)
        pool = self.until(lambda p: p["workers"] and p["workers"][0]["busy"] == 1)
        self.assertEqual(pool["leased"]["normal"], 1)
        self.assertEqual(client.communicate(timeout=30)[0], "value\n")

    def test_dead_letters_are_listed_given_back_and_dropped(self):
        self.worker("--slots", "1")
        self.assertEqual(self.party("fragile", ".")[0], "signal\n")
        self.assertEqual(self.party("fragile", ".")[0], "signal\n")
        letters = json.loads(self.dead("list", "--json"))
        self.assertEqual(letters["pool"], "ravel")
        first, second = letters["letters"]
        self.assertEqual((first["job"], first["outcome"], first["signal"], first["attempts"],
                          first["in_bytes"], first["words"]),
                         ("fragile", "signal", signal.SIGKILL, 2, 512, ""))
        self.assertIn("fragile", self.dead("list"))
        self.assertIn("after 2 attempts", self.dead("list"))
        self.dead("drop", str(first["number"]))
        self.dead("drop", str(first["number"]), status=1)
        (self.folder / "mended").write_text("")
        self.dead("retry", "--all")
        end = time.monotonic() + 30
        while not (self.folder / "done").exists() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertTrue((self.folder / "done").exists())
        self.assertIn("no dead letters", self.dead("list"))
        self.dead("retry", str(second["number"]), status=1)

    def test_a_server_that_comes_back_has_what_it_had(self):
        client = subprocess.Popen([str(PARTY), "double", "5"], env=self.env(**self.address),
                                  stdout=subprocess.PIPE, text=True)
        self.until(lambda p: p["waiting"]["normal"] == 5)
        self.cluster("down")
        self.assertEqual(self.up()["url"], self.said["url"])
        self.worker()
        self.assertEqual(client.communicate(timeout=40)[0], "20\n")


class Strangers(Cluster):
    """The network says what it likes; here it may, as the server is not a secure one."""

    IDENTITY = slice(56, 78)    # in a task's message

    def capture(self, raw):
        """A task as it is published, and its subject."""
        raw.subscribe("ravel.ravel.task.>")
        raw.subscribe("ravel.ravel.result.>")
        self.assertEqual(self.party("double", "2")[0], "2\n")
        subject, payload = raw.next()
        self.assertRegex(subject, r"^ravel\.ravel\.task\.normal\.[0-9a-f]{32}$")
        self.assertRegex(payload[self.IDENTITY], b"^[0-9A-Za-z]{22}$")
        return subject, payload

    def results_of(self, raw, identity):
        """What is stored as its result: kind and error."""
        while True:
            subject, payload = raw.next()
            if subject.startswith("ravel.ravel.result.") and subject.endswith("." + identity):
                return struct.unpack_from("<ii", payload, 4)

    def test_a_worker_runs_nothing_but_what_its_program_has_registered(self):
        self.worker("--slots", "1")
        raw = Raw(self.said["port"])
        self.addCleanup(raw.close)
        subject, payload = self.capture(raw)
        identity = payload[self.IDENTITY]
        for job, kind in (("twice", VALUE), ("other", ERROR), ("execv", ERROR), ("x\ny./", ERROR)):
            other = (job.encode().hex() + "0" * 22)[:22]
            message = payload.replace(identity, other.encode())
            message = message.replace(b"twice\0", job.encode() + b"\0")
            raw.publish(subject, message)
            said, error = self.results_of(raw, other)
            self.assertEqual((said, error < 0), (kind, kind == ERROR), job)
        self.assertEqual(self.party("double", "3")[0], "6\n")

    def ask(self, raw, verb, **what):
        """JetStream's answer; what is sent to it later is answered later."""
        raw.publish_for_answer(f"$JS.API.STREAM.{verb}.OTHER", "answer", json.dumps(what).encode())
        while True:
            subject, payload = raw.next()
            if subject == "answer":
                self.assertNotIn("error", json.loads(payload))
                return

    def test_regress_who_makes_the_pool_at_the_same_time_is_waited_for(self):
        """The server refuses subjects before it knows whose they are; here for longer."""
        raw = Raw(self.said["port"])
        self.addCleanup(raw.close)
        raw.subscribe("answer")
        self.ask(raw, "CREATE", name="OTHER", subjects=["ravel.ravel.task.>"])
        _, err = self.party("double", "2", status=2)
        self.assertIn("the pool cannot be made: subjects overlap", err)
        raw.subscribe("$JS.API.STREAM.CREATE.RAVEL_ravel_TASKS")
        client = subprocess.Popen([str(PARTY), "double", "2"], env=self.env(**self.address),
                                  stdout=subprocess.PIPE, text=True)
        while raw.next()[0] == "answer":
            pass
        self.ask(raw, "DELETE")
        self.worker()
        self.assertEqual(client.communicate(timeout=40)[0], "2\n")

    def test_nonsense_is_set_aside_and_harms_nobody(self):
        worker = self.worker("--slots", "1")
        raw = Raw(self.said["port"])
        self.addCleanup(raw.close)
        subject, payload = self.capture(raw)
        wrong = [b"", b"\0", b"RVT1", payload[:-1], payload + b"x", payload[:100], b"\xff" * 4096,
                 payload[:40] + b"\xff" * 8 + payload[48:], payload.replace(b"twice", b"tw\0ce")]
        for message in wrong:
            raw.publish(subject, message)
        self.until(lambda p: p["dead"] == len(wrong))
        self.assertIsNone(worker.poll())
        self.assertEqual(self.party("double", "3")[0], "6\n")
        self.assertEqual(len(json.loads(self.dead("list", "--json"))["letters"]), len(wrong))
        self.dead("drop", "--all")
        self.until(lambda p: p["dead"] == 0)


class Signature(InCluster):
    """A server that draws what it likes to have signed."""

    SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
    UNLUCKY = "nonce0000000135"     # this seed's signature of it begins with a zero

    def refuse_unsigned(self, listener, nonces):
        """What a client says to each of these until it signs one."""
        said = []
        for nonce in nonces:
            client, _ = listener.accept()
            with client, client.makefile("rb") as lines:
                info = {"server_id": "x", "version": "2.9.10", "proto": 1, "headers": True,
                        "max_payload": 1 << 20, "auth_required": True, "nonce": nonce}
                client.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
                said.append(json.loads(lines.readline().removeprefix(b"CONNECT ")))
                if "sig" in said[-1]:
                    return said
                client.sendall(b"-ERR 'Authorization Violation'\r\n")
        return said

    def test_regress_a_signature_that_begins_with_zero_is_no_refusal(self):
        (self.folder / "seed.nk").write_text(self.SEED)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(20)
            url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
            client = subprocess.Popen([str(RAVEL), "cluster", "status", "--nkey", "seed.nk", url],
                                      cwd=self.folder, env=self.env(), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            try:
                said = self.refuse_unsigned(listener, (self.UNLUCKY, "nonce0000000001"))
            finally:
                client.kill()
                client.wait()
        self.assertIn("sig", said[-1])


class Secure(Cluster):
    secure = True

    def test_who_has_a_key_works_and_others_are_refused(self):
        self.worker("--slots", "2")
        self.assertEqual(self.party("double", "10")[0], "90\n")
        self.cluster("keys", "--dir", "other", "--server", "server,127.0.0.1")
        other = self.folder / "other"
        wrongs = ({"RAVEL_NKEY_FILE": ""}, {"RAVEL_NKEY_FILE": str(other / "ravel.nk")},
                  {"RAVEL_CA_FILE": str(other / "ca.pem")}, {"RAVEL_CA_FILE": ""},
                  {"RAVEL_NKEY_FILE": "nowhere"}, {"RAVEL_NKEY_FILE": str(other / "ca.pem")})
        refused = [self.worker(**wrong) for wrong in wrongs]
        for worker, wrong in zip(refused, wrongs):
            _, err = self.party("double", "1", status=2, **wrong)
            self.assertRegex(err, r"rv_executor_open: Permission denied: \S")
            self.assertEqual(worker.wait(30), 2, wrong)
            self.assertRegex(worker.stderr.read(), "Authorization|certificate|seed|refused")
        self.assertEqual(self.party("double", "3")[0], "6\n")


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=LACKING or lacking_engine()))

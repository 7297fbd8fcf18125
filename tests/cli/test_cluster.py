#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel cluster`: a server of one's own comes and goes; keys are what they should be.

    test_cluster.py SOURCE_ROOT RAVEL"""

import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

from cluster_cli import InCluster, LACKING, NATS_SERVER, converse, greeting
from ravel_cli import RAVEL

from tap import run_unittests

needs_server = unittest.skipIf(LACKING, LACKING or "")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def has_ended(pid):
    """With all its threads; also one that nobody has buried."""
    try:
        fd = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return True
    ended = select.select([fd], [], [], 0)[0]
    os.close(fd)
    return bool(ended)


@needs_server
class Up(InCluster):
    def test_a_server_is_ready_when_up_returns(self):
        said = self.up()
        self.assertEqual(said["url"], f"nats://127.0.0.1:{said['port']}")
        self.assertEqual(said["dir"], str(self.usual))
        info = greeting(said["port"])
        self.assertTrue(info["jetstream"])
        self.assertEqual(info["host"], "127.0.0.1")
        self.assertIn("PONG", converse(said["port"], 'CONNECT {"verbose":false}', "PING"))

    def test_a_shell_is_told_what_to_export(self):
        out, err = self.cluster("up")
        value, _ = self.run_with(self.env(), "sh", "-c", f'{out}\nprintf %s "$RAVEL_CLUSTER"')
        self.assertRegex(value, r"^nats://127\.0\.0\.1:\d+$")
        self.assertIn(str(self.usual), err)

    def test_a_second_one_is_refused_and_told_of_the_first(self):
        said = self.up()
        _, err = self.cluster("up", status=2)
        self.assertIn(f"process {said['pid']}", err)
        self.assertIn(said["url"], err)
        self.assertFalse(has_ended(said["pid"]))

    def test_of_many_at_once_one_comes_up(self):
        command = [str(RAVEL), "cluster", "up"]
        many = [subprocess.Popen(command, env=self.env(), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for _ in range(4)]
        self.assertEqual(sorted(p.wait(60) for p in many), [0, 2, 2, 2])

    def test_folders_are_apart_and_may_have_odd_names(self):
        one, other = self.up("--dir", "it's \"one\" \\ two"), self.up("--dir", "x/y/z")
        self.assertNotEqual(one["port"], other["port"])
        self.assertTrue((self.folder / "it's \"one\" \\ two" / "store").is_dir())
        self.assertTrue((self.folder / "x/y/z/store").is_dir())

    def test_xdg_state_home_is_respected(self):
        said = self.up(XDG_STATE_HOME=str(self.folder / "xdg"))
        self.assertEqual(said["dir"], str(self.folder / "xdg/ravel/cluster"))

    def test_the_address_stays_and_so_do_the_data(self):
        first = self.up()
        stored = self.usual / "store" / "kept"
        stored.write_text("")
        self.cluster("down")
        second = self.up()
        self.assertEqual(first["port"], second["port"])
        self.assertTrue(stored.exists())

    def test_where_the_last_port_is_taken_another_is_had(self):
        first = self.up()
        self.cluster("down")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", first["port"]))
            taken.listen()
            self.assertNotEqual(self.up()["port"], first["port"])

    def test_a_port_that_is_taken_is_refused(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            _, err = self.cluster("up", "--port", port, status=2)
        self.assertIn(f"port {port} of 127.0.0.1 cannot be used", err)
        self.assertEqual(self.up("--port", port)["port"], port)

    def test_a_server_that_cannot_start_is_quoted(self):
        wrong = self.folder / "wrong"
        wrong.write_text("#!/bin/sh\necho '[7] 2026/01/01 00:00:00 [FTL] no room for that' >&2\n"
                         "exit 1\n")
        wrong.chmod(0o755)
        for name in (wrong, "./wrong"):
            _, err = self.cluster("up", "--server", name, status=2)
            self.assertIn("the server has ended: no room for that", err)
        self.cluster("down", status=1)
        self.up()

    def test_a_server_that_never_gets_ready_is_ended(self):
        idle = self.folder / "idle"
        idle.write_text("#!/bin/sh\necho $$ >pid\nexec sleep 100\n")
        idle.chmod(0o755)
        _, err = self.cluster("up", "--server", idle, "--timeout", 1, status=2)
        self.assertIn("not ready after 1 s", err)
        self.assertTrue(has_ended((self.usual / "pid").read_text().strip()))

    def test_a_missing_server_is_told_with_its_package(self):
        if NATS_SERVER.startswith("/usr/"):
            _, err = self.cluster("up", "--server", "/nowhere/nats-server", status=2)
            self.assertIn("/nowhere/nats-server cannot be run", err)
        else:
            _, err = self.run_with(dict(self.env(), PATH="/nowhere"), RAVEL, "cluster", "up",
                                   status=2)
            self.assertIn("apt-get install nats-server", err)

    def test_folders_that_cannot_be_used_are_refused(self):
        (self.folder / "file").write_text("")
        _, err = self.cluster("up", "--dir", "file", status=2)
        self.assertIn("is no folder", err)
        _, err = self.cluster("up", "--dir", "file/below", status=2)
        self.assertIn("cannot make", err)
        loose = self.folder / "loose"
        loose.mkdir()
        loose.chmod(0o777)
        _, err = self.cluster("up", "--dir", loose, status=2)
        self.assertIn("others may write", err)
        _, err = self.run_with({"PATH": os.environ["PATH"]}, RAVEL, "cluster", "up", status=2)
        self.assertIn("--dir", err)

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_a_folder_without_permission_is_refused(self):
        closed = self.folder / "closed"
        closed.mkdir(mode=0o500)
        _, err = self.cluster("up", "--dir", closed, status=2)
        self.assertIn("cannot write into", err)

    def test_nothing_of_the_callers_stays_open(self):
        """A pipe's reader sees its end when `up` has ended, not the server."""
        reader, writer = os.pipe()
        subprocess.run([str(RAVEL), "cluster", "up"], env=self.env(), pass_fds=[writer], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        os.close(writer)
        self.assertEqual(os.read(reader, 1), b"")
        os.close(reader)

    def test_limits_reach_the_server(self):
        said = self.up("--limit", "300M")
        self.assertRegex(Path(said["log"]).read_text(), r"Max Storage: +286\.10 MB")


@needs_server
class Down(InCluster):
    def test_the_server_is_gone_when_down_returns(self):
        said = self.up()
        self.cluster("down")
        self.assertTrue(has_ended(said["pid"]))
        _, err = self.cluster("down", status=1)
        self.assertIn("does not run any more", err)

    def test_without_a_server_nothing_is_ended(self):
        _, err = self.cluster("down", status=1)
        self.assertIn("no server was started", err)

    def test_a_process_that_merely_has_its_number_lives_on(self):
        said = self.up()
        self.cluster("down")
        other = subprocess.Popen(["sleep", "100"])
        state = self.usual / "state"
        state.write_text(re.sub(r"pid \d+", f"pid {other.pid}", state.read_text()))
        self.assertIn(f"port {said['port']}", state.read_text())
        self.cluster("down", status=1)
        self.assertIsNone(other.poll())
        other.kill()
        other.wait()

    def test_a_state_that_makes_no_sense_ends_nobody(self):
        self.up()
        state = self.usual / "state"
        was = state.read_text()
        for wrong in ("", "pid 1", "pid -1\n" + was.partition("\n")[2], "\0" * 300, "x" * 5000):
            state.write_text(wrong)
            self.cluster("down", status=1)
        state.write_text(was)
        self.cluster("down")

    def test_a_killed_server_leaves_the_folder_usable(self):
        said = self.up()
        os.kill(said["pid"], signal.SIGKILL)
        while not has_ended(said["pid"]):
            time.sleep(0.01)
        self.cluster("down", status=1)
        self.assertEqual(self.up()["port"], said["port"])

    def test_it_waits_until_the_server_has_ended(self):
        said = self.up()
        os.kill(said["pid"], signal.SIGSTOP)
        down = subprocess.Popen([str(RAVEL), "cluster", "down"], env=self.env(),
                                stderr=subprocess.DEVNULL)
        time.sleep(0.1)
        self.assertIsNone(down.poll())
        os.kill(said["pid"], signal.SIGCONT)
        self.assertEqual(down.wait(60), 0)
        self.assertTrue(has_ended(said["pid"]))


@needs_server
class Secure(InCluster):
    def test_strangers_are_refused(self):
        said = self.up("--secure")
        self.assertTrue(said["url"].startswith("tls://"))
        self.assertTrue(greeting(said["port"])["tls_required"])
        plain = converse(said["port"], 'CONNECT {"verbose":false}', "PING")
        self.assertEqual(plain, "") # no TLS: it hangs up
        nobody = converse(said["port"], 'CONNECT {"verbose":false}', "PING", ca=said["ca_file"])
        self.assertIn("Authorization Violation", nobody)
        self.assertNotIn("PONG", nobody)

    def test_a_folder_stays_secure(self):
        first = self.up("--secure")
        seed = Path(first["nkey_file"]).read_text()
        self.cluster("down")
        again = self.up()
        self.assertTrue(again["url"].startswith("tls://"))
        self.assertEqual(Path(again["nkey_file"]).read_text(), seed)

    def test_a_shell_is_told_of_its_keys(self):
        out, _ = self.cluster("up", "--secure")
        value, _ = self.run_with(self.env(), "sh", "-c",
                                 f'{out}\ncat "$RAVEL_NKEY_FILE" "$RAVEL_CA_FILE"')
        self.assertRegex(value, r"^SU[A-Z2-7]{56}\n-----BEGIN CERTIFICATE-----\n")


class Keys(InCluster):
    def keys(self, *args, **more):
        return self.cluster("keys", "--dir", "keys", *args, **more)[0]

    def test_seeds_are_their_owners_alone(self):
        out = self.keys("--user", "client", "--user", "worker")
        self.assertRegex(out, r"^client U[A-Z2-7]{55}\nworker U[A-Z2-7]{55}\n$")
        for name in ("client", "worker"):
            seed = self.folder / "keys" / f"{name}.nk"
            self.assertEqual(mode(seed), 0o600)
            self.assertRegex(seed.read_text(), r"^SU[A-Z2-7]{56}\n$")
        self.assertEqual(mode(self.folder / "keys"), 0o700)
        listed = (self.folder / "keys" / "users.conf").read_text()
        for public in re.findall(r"U[A-Z2-7]{55}", out):
            self.assertIn(f"nkey: {public}", listed)

    def test_what_is_there_is_kept(self):
        first = self.keys("--user", "a")
        both = self.keys("--user", "a", "--user", "b")
        self.assertTrue(both.startswith(first))
        self.assertEqual(self.keys("--user", "b"), both[len(first):])
        self.assertEqual((self.folder / "keys/users.conf").read_text().count("nkey:"), 2)

    def test_a_damaged_seed_is_no_seed(self):
        self.keys("--user", "a")
        path = self.folder / "keys" / "a.nk"
        seed = path.read_text()
        path.write_text(seed[:20] + ("A" if seed[20] != "A" else "B") + seed[21:])
        _, err = self.cluster("keys", "--dir", "keys", "--user", "a", status=2)
        self.assertIn("has no seed", err)
        self.assertIn(seed[:20], path.read_text())

    def test_names_that_are_none_are_refused(self):
        for name in ("", "a/b", "../up", "a.b", "x" * 64):
            self.keys("--user", name, status=2)
        for name in ("", "a b", "a/b", "x,DNS:y", "-x", "ca", "ok,not:ok"):
            self.keys("--server", name, status=2)

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl")
    def test_servers_have_their_names_and_one_authority(self):
        self.keys("--server", "one.example,10.0.0.1,::1", "--server", "two.example")
        folder = self.folder / "keys"
        self.run_in("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile",
                    folder / "ca.pem", folder / "one.example.pem", folder / "two.example.pem")
        self.run_in("openssl", "verify", "-purpose", "sslclient", "-CAfile", folder / "ca.pem",
                    folder / "one.example.pem")
        out, _ = self.run_in("openssl", "x509", "-noout", "-text", "-in",
                             folder / "one.example.pem")
        self.assertIn("DNS:one.example, IP Address:10.0.0.1", out)
        self.assertIn("CA:FALSE", out)
        for name in ("ca", "one.example", "two.example"):
            self.assertEqual(mode(folder / f"{name}.key"), 0o600)

    def test_an_authority_whose_key_lies_elsewhere_is_not_replaced(self):
        self.keys("--server", "one.example")
        authority = (self.folder / "keys/ca.pem").read_text()
        (self.folder / "keys/ca.key").rename(self.folder / "elsewhere")
        _, err = self.cluster("keys", "--dir", "keys", "--server", "two.example", status=2)
        self.assertIn("ca.key", err)
        self.assertEqual((self.folder / "keys/ca.pem").read_text(), authority)


class Words(InCluster):
    def test_each_verb_has_help_on_one_screen(self):
        for verb in ((), ("up",), ("down",), ("status",), ("dead",), ("keys",)):
            out, _ = self.cluster(*verb, "--help")
            self.assertLessEqual(out.count("\n"), 30, verb)
            self.assertLessEqual(max(map(len, out.splitlines())), 100, verb)

    def test_what_makes_no_sense_is_refused(self):
        for args in ((), ("nothing",), ("up", "x"), ("up", "--port", "65536"),
                     ("up", "--port", "x"), ("up", "--limit", "-1"), ("up", "--limit", "5X"),
                     ("up", "--timeout", "0"), ("up", "--nothing"), ("down", "x"),
                     ("status", "a", "b"), ("status", "--watch=0"), ("status", "--timeout", "-1"),
                     ("dead",), ("dead", "bury"), ("dead", "list", "3"), ("dead", "retry"),
                     ("dead", "drop", "1", "--all"), ("keys", "x")):
            self.cluster(*args, status=2)

    def test_without_a_cluster_status_says_where_it_has_looked(self):
        _, err = self.cluster("status", status=2)
        self.assertIn("RAVEL_CLUSTER", err)
        self.assertIn(str(self.usual), err)
        _, err = self.cluster("status", "--dir", "elsewhere", status=2)
        self.assertIn("no server runs in", err)

    def test_status_of_a_port_where_nobody_listens_does_not_wait(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        _, err = self.cluster("status", f"nats://127.0.0.1:{port}", "--timeout", 3600, status=2)
        self.assertIn(str(port), err)

    def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(self):
        _, err = self.cluster("status", "nats://me:secret@127.0.0.1:1", status=2)
        self.assertNotIn("secret@", err)


if __name__ == "__main__":
    sys.exit(run_unittests())

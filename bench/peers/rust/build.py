#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a Rust peer with what Debian packages, and nothing from a network.

    build.py PEER FOLDER LIBBENCH           is all there that it needs?
    build.py PEER FOLDER LIBBENCH OUTPUT    build it

Debian's librust packages put their sources into /usr/share/cargo/registry in the layout of Cargo's
directory sources, so a configuration that replaces the default registry by that folder is all that
it takes. Manifest, configuration, lock file and Cargo's own cache are written into FOLDER, never
beside the sources. Debian patches some crates and leaves their checksums out, which a directory
source allows.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
DEBIAN = Path("/usr/share/cargo/registry")
NEEDS = {
    "tokio": 'tokio = { version = "1", features = ["rt-multi-thread", "sync", "time"] }',
    "rayon": 'rayon = "1"',
    "crossbeam": 'crossbeam-channel = "0.5"',
}
CONFIG = f"""[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "{DEBIAN}"
"""
MANIFEST = """[package]
name = "peer-{peer}"
version = "0.0.0"
edition = "2021"
build = "build.rs"
[[bin]]
name = "peer-{peer}"
path = "{sources}/{peer}.rs"
[dependencies]
{needs}
[workspace]
"""
# Relinks when bench.c has changed, which Cargo would not notice.
BUILD_RS = """fn main() {{
    println!("cargo:rustc-link-arg-bins={library}");
    println!("cargo:rerun-if-changed={library}");
}}
"""


def put(path, text):
    """Write what has changed only, so that Cargo has nothing to do when nothing has."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def prepare(peer, folder, library):
    folder.mkdir(parents=True, exist_ok=True)
    put(folder / "config.toml", CONFIG)
    put(folder / "Cargo.toml",
        MANIFEST.format(peer=peer, sources=SOURCES, needs=NEEDS[peer]))
    put(folder / "build.rs", BUILD_RS.format(library=library))


def cargo(folder, *words):
    """Run Cargo without a network and without the user's own configuration."""
    command = ["cargo", *words, "--offline", "--config", folder / "config.toml",
               "--manifest-path", folder / "Cargo.toml"]
    done = subprocess.run(command, env=dict(os.environ, CARGO_HOME=folder / "home"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(done.stdout)


def main():
    peer, (folder, library, *output) = sys.argv[1], (Path(w).resolve() for w in sys.argv[2:])
    if not DEBIAN.is_dir():
        sys.exit(f"there is no {DEBIAN}")
    prepare(peer, folder, library)
    if not output:
        cargo(folder, "generate-lockfile")
        return
    cargo(folder, "build", "--release", "--target-dir", folder / "target")
    shutil.copy2(folder / "target" / "release" / f"peer-{peer}", output[0])


if __name__ == "__main__":
    main()

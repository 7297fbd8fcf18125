#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed can be used: by pkg-config and by CMake, from a program outside the tree.

The build tree is installed below a DESTDIR and moved to a place that the build never heard of, as a
package manager would do; nothing of the source tree is on any path. The installed files are held
against the list of what belongs there.

    test_install.py SOURCE_ROOT BUILD_TREE VERSION
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

root, build, version = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, str(root / "tools"))

from docs.model import load  # noqa: E402
from public_api import public_headers, read_headers  # noqa: E402
from tap import Tap  # noqa: E402


class Failed(Exception):
    pass


def run(command, **env):
    """Run a command that has to succeed; its output."""
    done = subprocess.run([str(c) for c in command], env=dict(os.environ, **env), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failed(f"$ {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def greets(program, prefix):
    said = run([program], LD_LIBRARY_PATH=str(library_folder(prefix)))
    if said != f"hello from a task, ravel {version}\n":
        raise Failed(f"it said {said!r}")


def library_folder(prefix):
    return next(prefix.rglob("libravel.so")).parent


def install(prefix, scratch):
    """Install below a DESTDIR, then move the tree to prefix."""
    run(["meson", "install", "--quiet", "--no-rebuild", "-C", build, "--destdir", scratch / "dest"])
    configured = next((scratch / "dest").rglob("include")).parent
    shutil.move(configured, prefix)


def pages(found):
    """Manual pages and the reference, where the tree was set up to make them."""
    if not any(name.startswith("share/man/") for name in found):
        return set()
    named = {f"share/man/man3/{name}.3" for name in load(root, version).by_name()}
    concepts = {f"share/man/man7/ravel-{h.concept}.7" for h in read_headers(root) if h.symbols}
    verbs = ("advise", "bt", "cc", "check", "cluster", "lab", "ps", "top", "trace", "tree", "worker")
    command = {f"share/man/man1/ravel-{verb}.1" for verb in verbs}
    return named | concepts | command | {"share/man/man7/ravel.7", "share/man/man7/ravel-usdt.7",
                                        "share/doc/ravel/html/index.html",
                                        "share/doc/ravel/html/guide.html"}


def map_pages(found):
    """The map's, where the tree was set up to make them."""
    if "share/doc/ravel/guide/index.html" not in found:
        return set()
    folder = root / "doc" / "guide"
    names = {p.stem for p in folder.glob("*.md")} - {"README"} | {"index", "commands"}
    names |= {"cluster", "bugs-found"} | {p.name for p in (root / "doc" / "man").glob("*.1")}
    files = {f"{name}.html" for name in names} | {"map.css", "map.js", "lab.json"}
    files |= {f"pictures/{p.name}" for p in (folder / "pictures").iterdir()}
    return {f"share/doc/ravel/guide/{name}" for name in files}


def installs_what_belongs_there(prefix, scratch):
    install(prefix, scratch)
    found = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
    lib = library_folder(prefix).relative_to(prefix)
    wanted = {str(h.relative_to(root)) for h in public_headers(root)}
    wanted |= {f"{lib}/{name}" for name in
               ("libravel.a", "libravel.so", "libravel.so.0", f"libravel.so.{version}",
                "pkgconfig/ravel.pc", "cmake/ravel/ravel-config.cmake",
                "cmake/ravel/ravel-config-version.cmake")}
    wanted |= {"share/ravel/rv_gdb.py", "bin/ravel", f"{lib}/libravel_check.so"}
    wanted |= pages(found) | map_pages(found)
    if found != wanted:
        raise Failed(f"missing: {sorted(wanted - found)}\ntoo many: {sorted(found - wanted)}")


def a_program_builds_by_pkg_config(prefix, scratch):
    flags = run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs",
                 f"ravel = {version}"],
                PKG_CONFIG_PATH=str(library_folder(prefix) / "pkgconfig")).split()
    program = scratch / "by-pkg-config"
    run(["cc", "-Wall", "-Werror", scratch / "hello" / "hello.c", "-o", program, *flags])
    greets(program, prefix)


def a_program_builds_against_the_static_library(prefix, scratch):
    flags = run(["pkg-config", f"--define-variable=prefix={prefix}", "--static", "--cflags",
                 "--libs", "ravel"],
                PKG_CONFIG_PATH=str(library_folder(prefix) / "pkgconfig")).split()
    archive = library_folder(prefix) / "libravel.a"
    program = scratch / "static"
    run(["cc", "-Wall", "-Werror", scratch / "hello" / "hello.c", "-o", program,
         *(archive if flag == "-lravel" else flag for flag in flags)])
    if run([program]) != f"hello from a task, ravel {version}\n":
        raise Failed("the static program said something else")


def the_command_finds_its_runtime(prefix, scratch):
    source, program = scratch / "checked.c", scratch / "checked"
    source.write_text("#include <pthread.h>\nstatic pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n"
                      "int main(void) { pthread_mutex_lock(&m); return pthread_mutex_lock(&m); }\n")
    command = prefix / "bin" / "ravel"
    run([command, "cc", "-o", program, source])
    done = subprocess.run([command, "check", "--schedules", "3", "--", program], text=True,
                          cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 1 or "checked.c:3" not in done.stdout:
        raise Failed(f"status {done.returncode}: {done.stdout}")


def a_program_builds_by_cmake(prefix, scratch):
    tree = scratch / "by-cmake"
    run(["cmake", "-S", scratch / "hello", "-B", tree, f"-DCMAKE_PREFIX_PATH={prefix}",
         f"-DRAVEL_VERSION={version}"])
    run(["cmake", "--build", tree])
    greets(tree / "hello", prefix)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        shutil.copytree(root / "tests" / "install", scratch / "hello")
        for step in (installs_what_belongs_there, a_program_builds_by_pkg_config,
                     a_program_builds_against_the_static_library, a_program_builds_by_cmake,
                     the_command_finds_its_runtime):
            try:
                step(scratch / "prefix", scratch)
                tap.result(step.__name__, True)
            except (Failed, StopIteration) as error:
                tap.result(step.__name__, False, str(error) or "no such file")
    return tap.finish()


sys.exit(main())

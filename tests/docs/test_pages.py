#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages made from this tree: every public name has one, links lead somewhere, mandoc finds
nothing to complain of, and making them twice gives the same bytes.

    test_pages.py SOURCE_ROOT VERSION
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

root, version = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(root / "tools"))

from docs.model import environment, load  # noqa: E402
from tap import run_unittests  # noqa: E402


def make(out, **env):
    subprocess.run([sys.executable, root / "tools" / "make_docs.py", "--version", version,
                    "--out", out], check=True, env=dict(os.environ, **env))


def contents(folder):
    return {str(p.relative_to(folder)): p.read_text("utf-8")
            for p in folder.rglob("*") if p.is_file()}


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = Path(cls.folder.name)
        make(cls.out)
        cls.files = contents(cls.out)
        cls.model = load(root, version)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_public_name_has_a_manual_page(self):
        for name in self.model.by_name():
            self.assertIn(f"man3/{name}.3", self.files)

    def test_aliases_lead_to_pages_that_name_them(self):
        for path, text in self.files.items():
            if text.startswith(".so "):
                target = text[4:].strip()
                self.assertIn(target, self.files)
                self.assertFalse(self.files[target].startswith(".so "))
                self.assertIn(Path(path).stem, self.files[target])

    def test_every_reference_to_a_page_of_ours_finds_it(self):
        for path, text in self.files.items():
            for name, section in re.findall(r"^\.BR (\S+) \((\d)\)", text, re.M):
                name = name.replace("\\-", "-")
                self.assertIn(f"man{section}/{name}.{section}", self.files, path)

    def test_mandoc_finds_nothing(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        pages = [self.out / p for p, text in self.files.items()
                 if p.startswith("man") and not text.startswith(".so ")]
        done = subprocess.run(["mandoc", "-Tlint", "-Wall", *pages], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.returncode, 0)

    def test_each_error_has_a_line_of_its_own(self):
        page = self.files["man3/rv_chan_send.3"]
        errors = page.partition(".SH ERRORS")[2].partition(".SH")[0]
        self.assertEqual(re.findall(r"^\.TP 7\n\\fB\\-(E\w+)\\fP$", errors, re.M),
                         ["EPIPE", "ETIME", "ECANCELED", "ENOMEM"])

    def test_the_overview_names_every_variable_and_every_concept(self):
        page = self.files["man7/ravel.7"]
        for variable in environment(self.model):
            self.assertIn(variable.name, page)
        for concept in self.model.concepts:
            self.assertIn(f"ravel\\-{concept.name} (7)", page)

    def test_every_link_leads_somewhere(self):
        pages = {n: self.files[f"html/{n}"] for n in ("index.html", "guide.html")}
        anchors = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
        for name, text in pages.items():
            for link in map(html.unescape, re.findall(r'\bhref="([^"]*)"', text)):
                if re.match(r"https?:|data:", link):
                    continue
                page, _, anchor = link.partition("#")
                self.assertIn(page or name, anchors, link)
                if anchor:
                    self.assertIn(anchor, anchors[page or name], f"{link} in {name}")

    def test_every_anchor_is_there_once(self):
        for name in ("index.html", "guide.html"):
            ids = re.findall(r'\bid="([^"]+)"', self.files[f"html/{name}"])
            self.assertEqual(len(ids), len(set(ids)), sorted({i for i in ids if ids.count(i) > 1}))

    def test_every_public_name_is_in_the_reference(self):
        for name in self.model.by_name():
            self.assertIn(f'id="{name}"', self.files["html/index.html"])

    def test_nothing_is_loaded_from_elsewhere(self):
        for name in ("index.html", "guide.html"):
            loads = r'<(?:script|img|iframe)[^>]*\bsrc=|<link[^>]*href="(?!data:)|@import|url\('
            self.assertEqual(re.findall(loads, self.files[f"html/{name}"]), [])

    def test_the_same_sources_give_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as again:
            make(Path(again), TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="7")
            self.assertEqual(contents(Path(again)), self.files)

    def test_the_readme_lists_the_variables_that_the_headers_tell_of(self):
        readme = (root / "README.md").read_text("utf-8")
        rows = re.findall(r"^\| `(RAVEL_\w+)` \|", readme, re.M)
        self.assertEqual(sorted(rows), sorted(v.name for v in environment(self.model)))


sys.argv = sys.argv[:1]
sys.exit(run_unittests())

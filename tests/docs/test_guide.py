#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doc/guide/ says what its report says, in words and in pictures; its pages are whole.

    test_guide.py SOURCE_ROOT VERSION
"""

import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

root, version = Path(sys.argv[1]).resolve(), sys.argv[2]
sys.path[:0] = [str(root / "tools"), str(root / "tests" / "cli")]

import chromium  # noqa: E402
import guide_figures  # noqa: E402
import guide_links  # noqa: E402
from docs import lab  # noqa: E402
from docs.draw import picture  # noqa: E402
from docs.guide import Misled, Pages as Chapters  # noqa: E402
from docs.model import load  # noqa: E402
from tap import run_unittests  # noqa: E402

LACKING = next((f"{p} is not installed" for p in ("mkdocs", "mandoc") if not shutil.which(p)), None)


def figure(name, median, at=None, unit="ns"):
    return {"name": name, "unit": unit, "at": at, "samples": 9, "median": median,
            "low": median * 0.9, "high": median * 1.1, "noisy": False, "note": ""}


def small_report():
    figures = [figure("task", 22.66), figure("threads", 1765.5), figure("CPython 3.11.7", 90)]
    curve = [figure("tasks", 1e6 / n, n) for n in (1.0, 2.0, 4.0)]
    return {"when": "2026-01-02T03:04:05Z", "version": version,
            "machine": {"host": "h", "cpu": "A(R) B", "kernel": "Linux 6.1.0-9", "processors": 2,
                        "memory_bytes": 2**34},
            "probes": [{"name": "switch", "title": "T", "method": "M", "axis": None, "why_not": "",
                        "figures": figures},
                       {"name": "waiting", "title": "T", "method": "M", "axis": "workers",
                        "why_not": "", "figures": curve}]}


class Words(unittest.TestCase):
    def test_a_value_has_two_digits_that_count(self):
        for value, unit, words in ((22.66, "ns", "23 ns"), (1765.5, "ns", "1.8 µs"),
                                   (999.7, "ns", "1.0 µs"), (4449, "bytes", "4.3 KiB"),
                                   (194835, "1/s", "190,000 a second"), (0.068, "switches", "0.068"),
                                   (10.24, "%", "10%"), (200000, "", "200,000"), (0, "ns", "0 ns"),
                                   (24.7375e6, "ns", "25 ms"), (3.2e12, "ns", "3,200 s")):
            self.assertEqual(lab.shown(value, unit), words)

    def test_an_order_of_magnitude_is_the_nearest_one(self):
        for ratio, word in ((1, "one"), (3.1, "one"), (3.2, "ten"), (400, "a thousand"),
                            (0.9, "one"), (31, "ten"), (3.3e5, "a million")):
            self.assertEqual(lab.order(ratio), word)
        for ratio in (0, -1, 0.01, 1e12):
            with self.assertRaises(lab.Unknown):
                lab.order(ratio)


class Figures(unittest.TestCase):
    """guide_figures.py on a guide of a few lines."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "doc" / "guide").mkdir(parents=True)
        (self.root / "examples" / "guide").mkdir(parents=True)
        self.chapter = self.root / "doc" / "guide" / "one.md"
        (self.root / "doc" / "guide" / "lab.json").write_text(json.dumps(small_report()))

    def written(self, text):
        self.chapter.write_text(text, "utf-8")
        self.assertEqual(guide_figures.settle(self.root, True), [])
        self.assertEqual(guide_figures.settle(self.root, False), [])
        return self.chapter.read_text("utf-8")

    def complaint(self, text):
        self.chapter.write_text(text, "utf-8")
        return "\n".join(guide_figures.settle(self.root, True))

    def test_a_figure_is_filled_in_and_its_comment_stays(self):
        self.assertEqual(self.written('Takes <!--lab switch "task"-->?<!--/lab-->.\n'),
                         'Takes <!--lab switch "task"-->23 ns<!--/lab-->.\n')

    def test_a_comment_may_go_on_in_the_next_line(self):
        self.assertIn("23 ns", self.written('Takes <!--lab\nswitch "task"-->?<!--/lab-->.\n'))

    def test_ratios_orders_places_and_stars(self):
        text = self.written('R <!--ratio switch "threads" / "task"--><!--/ratio-->'
                            ' <!--about switch "threads" / "task"--><!--/about-->'
                            ' <!--lab waiting "tasks" at 4--><!--/lab-->'
                            ' <!--lab switch "CPython *"--><!--/lab-->'
                            ' <!--machine kernel--><!--/machine-->'
                            ' <!--machine cpu--><!--/machine-->\n')
        self.assertEqual(re.findall(r"-->([^<]+)<!--/", text),
                         ["78", "a hundred", "250 µs", "90 ns", "Linux 6.1", "A B"])

    def test_a_changed_figure_is_told(self):
        self.written('Takes <!--lab switch "task"-->?<!--/lab-->.\n')
        self.chapter.write_text('Takes <!--lab switch "task"-->24 ns<!--/lab-->.\n')
        done = subprocess.run([sys.executable, root / "tools" / "guide_figures.py", "--check",
                               "--root", self.root], text=True, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("one.md: not what the report says", done.stderr)

    def test_what_the_report_lacks_is_told_with_its_line(self):
        for words in ('switch "nobody"', 'nothing "task"', 'waiting "tasks"', 'switch "t*"',
                      'switch "task" in bytes', 'switch "task" and more', '"task"'):
            self.assertIn("one.md:2: ",
                          self.complaint(f"\nTakes <!--lab {words}-->?<!--/lab-->.\n"), words)

    def test_a_claim_holds_or_is_told(self):
        claim = 'A <!--claim switch "threads" > {} "task"-->much slower<!--/claim-->.\n'
        self.assertEqual(self.written(claim.format(70)), claim.format(70))
        self.assertIn("the report says otherwise", self.complaint(claim.format(80)))

    def test_times_are_not_compared_with_sizes(self):
        report = small_report()
        report["probes"][0]["figures"].append(figure("memory", 9, unit="bytes"))
        (self.root / "doc" / "guide" / "lab.json").write_text(json.dumps(report))
        self.assertIn("do not compare", self.complaint(
            'A <!--ratio switch "task" / "memory"-->?<!--/ratio-->.\n'))

    def test_a_line_that_begins_with_a_comment_is_told(self):
        self.assertIn("one.md:2: a line begins", self.complaint(
            'Takes\n<!--lab switch "task"-->?<!--/lab-->.\n'))

    def test_a_program_is_shown_as_it_is(self):
        program = self.root / "examples" / "guide" / "one_try.c"
        program.write_text("/* SPDX-License-Identifier: MIT */\nint main(void)\n{\n}\n")
        text = self.written("<!--program one_try.c-->\n```c\nold\n```\n\nEnd.\n")
        self.assertIn("```c\nint main(void)\n{\n}\n```\n\nEnd.\n", text)
        self.assertIn("no program two.c", self.complaint("<!--program two.c-->\n```c\n```\n"))
        self.assertIn("is no ```c", self.complaint("<!--program one_try.c-->\n\nText.\n"))

    def test_a_picture_is_drawn_and_a_changed_one_told(self):
        self.written('<!--picture a.svg\nbars Time\nswitch "task": a task\n'
                     '"threads": a thread\n-->\n![A](pictures/a.svg)\n')
        drawn = self.root / "doc" / "guide" / "pictures" / "a.svg"
        self.assertIn("1.8 µs", drawn.read_text("utf-8"))
        drawn.write_text(drawn.read_text("utf-8").replace("1.8", "1.9"))
        self.assertIn("a.svg: not what", "\n".join(guide_figures.settle(self.root, False)))

    def test_pictures_of_nothing_are_told(self):
        report = lab.Report(self.root / "doc" / "guide" / "lab.json")
        for words in ('pie\nswitch "task": a', 'bars', 'bars B\nswitch "task"',
                      'bars B\nswitch "nobody": a', 'lines waiting: W\n"nobody": a',
                      'lines switch: S\n"task": a', 'lines W\n"tasks": a',
                      'lines waiting: W\ntasks'):
            with self.assertRaises(lab.Unknown, msg=words):
                picture(report, words)

    def test_a_curve_falls_as_its_figures_do(self):
        report = lab.Report(self.root / "doc" / "guide" / "lab.json")
        drawn = picture(report, 'lines waiting: W\n"tasks": tasks')
        points = [tuple(map(float, p.split(",")))
                  for p in re.search(r'points="([^"]+)"', drawn).group(1).split()]
        self.assertEqual(len(points), 3)
        self.assertAlmostEqual(points[1][1] - points[0][1], points[2][1] - points[1][1], delta=0.3)
        self.assertGreater(points[1][1], points[0][1])      # down a picture, y grows


class Links(unittest.TestCase):
    def test_a_chapter_leads_to_where_things_are_in_the_pages(self):
        pages = Chapters(root, load(root, version), None)
        for link, target in (("tiers.md", "tiers.md"), ("README.md#which-one", "README.md#which-one"),
                             ("#when-not", "latency.md#when-not"), ("lab.json", "lab.json"),
                             ("../guide.md#tasks", "../html/guide.html#tasks"),
                             ("../man/ravel-lab.1", "ravel-lab.1.md"),
                             ("../cluster.md", "cluster.md"), ("../../lab/README.md", None),
                             ("../../include/ravel/chan.h", "../html/index.html")):
            self.assertEqual(pages.target("doc/guide/latency.md", link), target)

    def test_a_chapter_that_leads_nowhere_is_told(self):
        pages = Chapters(root, load(root, version), None)
        for link in ("nowhere.md", "tiers.md#nowhere", "#nowhere", "../guide.md#nowhere"):
            with self.assertRaises(Misled, msg=link):
                pages.target("doc/guide/latency.md", link)

    def test_addresses_are_asked_for_when_it_is_wished(self):
        class Peer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/there" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        with tempfile.TemporaryDirectory() as folder, \
                http.server.HTTPServer(("127.0.0.1", 0), Peer) as peer:
            threading.Thread(target=peer.serve_forever, daemon=True).start()
            at = f"http://127.0.0.1:{peer.server_port}"
            page = Path(folder) / "page.html"
            page.write_text(f'<a href="{at}/there#part">a</a> <a href="{at}/not">b</a>')
            self.assertEqual(list(guide_links.broken(Path(folder), False)), [])
            told = list(guide_links.broken(Path(folder), True))
            self.assertEqual(len(told), 1)
            self.assertIn("/not: HTTP Error 404", told[0])
            peer.shutdown()


class Guide(unittest.TestCase):
    """The guide that is there."""

    def test_it_says_what_its_report_says(self):
        self.assertEqual(guide_figures.settle(root, False), [])

    def test_every_picture_is_shown(self):
        texts = "".join(p.read_text("utf-8") for p in (root / "doc" / "guide").glob("*.md"))
        for path in (root / "doc" / "guide" / "pictures").iterdir():
            self.assertIn(f"](pictures/{path.name})", texts)


@unittest.skipIf(LACKING, LACKING or "")
class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = Path(cls.folder.name)
        cls.make("make_docs.py", cls.out, "--map")
        cls.make("make_guide.py", cls.out)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @staticmethod
    def make(program, out, *options):
        subprocess.run([sys.executable, root / "tools" / program, "--version", version,
                        "--out", out, *options], check=True)

    def test_every_link_leads_somewhere(self):
        self.assertEqual(list(guide_links.broken(self.out, False)), [])

    def test_a_link_that_leads_nowhere_is_told(self):
        page = self.out / "guide" / "astray.html"
        page.write_text('<a href="latency.html#nowhere">a</a> <a href="none.html">b</a> '
                        '<img src="none.png"> <a href="#none">c</a> <a href="index.html">d</a>')
        self.addCleanup(page.unlink)
        self.assertEqual(len(list(guide_links.broken(self.out, False))), 4)

    def test_every_chapter_is_in_the_contents(self):
        text = (self.out / "guide" / "index.html").read_text("utf-8")
        contents = text.partition("<nav")[2].partition("</nav>")[0]
        for path in (root / "doc" / "guide").glob("*.md"):
            name = "index" if path.stem == "README" else path.stem
            self.assertIn(f'href="{name}.html"', contents)

    def test_every_command_has_its_page(self):
        for path in (root / "doc" / "man").glob("*.1"):
            self.assertIn(f'href="{path.name}.html"',
                          (self.out / "guide" / "commands.html").read_text("utf-8"))

    def test_nothing_is_loaded_from_elsewhere(self):
        for path in (self.out / "guide").iterdir():
            if path.suffix in (".html", ".css", ".js"):
                loads = r'<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?//|@import|url\('
                self.assertEqual(re.findall(loads, path.read_text("utf-8")), [], path.name)

    def test_no_comment_of_a_figure_is_left(self):
        for path in (self.out / "guide").glob("*.html"):
            self.assertNotIn("<!--", path.read_text("utf-8").replace("<!DOCTYPE", ""), path.name)

    def test_the_same_sources_give_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as again:
            self.make("make_guide.py", Path(again))
            for path in (self.out / "guide").rglob("*"):
                if path.is_file():
                    other = Path(again) / path.relative_to(self.out)
                    self.assertEqual(path.read_bytes(), other.read_bytes(), path.name)

    @unittest.skipIf(chromium.LACKING, chromium.LACKING or "")
    def test_a_browser_shows_it_wide_and_narrow(self):
        browser = chromium.Browser()
        self.addCleanup(browser.close)
        chapters = sorted((root / "doc" / "guide").glob("*.md"))
        for width, scheme, paths in ((1280, "light", chapters[:1]), (390, "dark", chapters)):
            browser.look_as(width, 900, scheme)
            for path in paths:
                name = "index" if path.stem == "README" else path.stem
                browser.open(self.out / "guide" / f"{name}.html")
                self.assertEqual(browser.errors, [])
                self.assertEqual(browser.run("document.documentElement.dataset.theme"), scheme)
                wide = browser.run("document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, f"{name} is wider than {width}")


sys.argv = sys.argv[:1]
sys.exit(run_unittests())

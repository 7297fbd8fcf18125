#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pictures of `ravel trace`: a sequence diagram that shows what a known program did, and a page
that shows every event in a real browser: it asks for nothing, has the numbers of the JSON, and can
be used by mouse, touch and keyboard, in the dark, on a phone and on paper.

    test_trace_page.py ROOT RAVEL KNOWN KNOWN_STATIC TRACED TURNS"""

import atexit
import html.parser
import json
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

from looking import ROOT, ravel
from tap import run_unittests

sys.path.insert(0, str(ROOT / "tests" / "cli"))
from chromium import LACKING, Browser  # noqa: E402

TRACED, TURNS = (Path(word).resolve() for word in sys.argv[5:7])


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ravel-trace-page-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def trace(self, *words, status=0):
        got, _, err = ravel("trace", *words, cwd=self.folder)
        self.assertEqual(got, status, err)
        return err

    def write(self, name, events):
        (self.folder / name).write_text(json.dumps({"traceEvents": events}))


class Picture:
    """What stands in an SVG, by class."""

    def __init__(self, path):
        self.root = xml.parse(path).getroot()

    def all(self, tag, word):
        return [e for e in self.root.iter("{http://www.w3.org/2000/svg}" + tag)
                if word in e.get("class", "").split()]

    def texts(self, word):
        return [e.text for e in self.all("text", word)]

    def bars(self, word):
        """(left, top, bottom), without the legend's."""
        bars = [(float(e.get("x")), float(e.get("y")), float(e.get("y")) + float(e.get("height")))
                for e in self.all("rect", word)]
        return [bar for bar in bars if bar[2] < float(self.root.get("height")) - 40]


class Sequence(InFolder):
    def picture(self, *words, status=0):
        self.trace("--sequence", "made.svg", *words, status=status)
        return Picture(self.folder / "made.svg")

    def test_each_run_and_who_woke_whom(self):
        made = self.picture("--", TRACED, status=7)
        self.assertEqual(made.texts("head"), ["worker 0", "entry", "waiter", "ringer"])
        self.assertEqual(len(made.bars("run")), 2 * 6)  # in the worker's line and in the task's
        self.assertEqual(made.texts("verb"), ["starts", "starts", "wakes"])
        self.assertEqual(made.texts("why"), ["yields", "waits for event #1", "waits for scope close"])
        self.assertEqual(len(made.all("path", "cross")), 3)
        self.assertEqual(made.texts("title"), ["traced"])
        self.assertFalse((self.folder / "trace.json").exists())

    def test_one_thing_after_the_other_in_the_worker(self):
        made = self.picture("--", TRACED, status=7)
        bars = sorted(made.bars("run"))[:6]
        self.assertEqual(len({left for left, _, _ in bars}), 1)
        bars.sort(key=lambda bar: bar[1])
        for (_, _, bottom), (_, top, _) in zip(bars, bars[1:]):
            self.assertLessEqual(bottom, top + 0.2)

    def test_waits_one_by_one_stand_below_each_other_and_together_side_by_side(self):
        self.trace("--output", "one.json", "--", TURNS)
        self.trace("--output", "all.json", "--", TURNS, "together")
        made = self.picture("--from", "one.json", "--from", "all.json")
        self.assertEqual(made.texts("title"), ["turns", "turns together"])
        bars = made.bars("op")
        self.assertEqual(len(bars), 6)
        one, together = bars[:3], bars[3:]
        self.assertEqual(len({left for left, _, _ in one}), 1)
        self.assertTrue(all(a[2] < b[1] for a, b in zip(one, one[1:])), one)
        self.assertEqual(len({left for left, _, _ in together}), 3)
        self.assertLess(max(top for _, top, _ in together),
                        min(bottom for _, _, bottom in together))
        # The same length of time has the same height in both.
        (first, *_), heights = made.bars("op"), [bottom - top for _, top, bottom in bars]
        self.assertLess(max(heights), 3 * (first[2] - first[1]))

    def test_of_many_tasks_the_first_are_shown_and_the_rest_is_said(self):
        self.write("many.json", [
            {"ph": "X", "cat": "run", "pid": 1, "tid": 1, "ts": i, "dur": 0.5,
             "name": f"one <&> {i}", "args": {"task": i, "end": "ends"}} for i in range(100)])
        made = self.picture("--from", "many.json")
        self.assertEqual(len(made.texts("head")), 1 + 8)
        self.assertIn("one <&>", made.texts("head"))
        self.assertIn("92 more runs are not shown", made.texts("soft"))

    def test_tasks_and_time_can_be_chosen(self):
        self.write("many.json", [bar(1, i, 0.5, f"one {i}", task=i, end="ends") for i in range(100)]
                   + [bar(2, 0, 1, "two 100", task=100, end="yields"),
                      bar(2, 50, 20, "two 100", task=100, end="waits for mutex door")])
        made = self.picture("--from", "many.json", "--tasks", "one 7,one 9?,tw*")
        self.assertEqual([text for text in made.texts("soft") if text.startswith("task ")],
                         ["task 100", "task 7"] + [f"task {i}" for i in range(90, 100)])
        self.assertIn("waits for mutex door", made.texts("why"))
        made = self.picture("--from", "many.json", "--from-time", "50us", "--to-time", "0.06ms")
        self.assertEqual(made.texts("head")[2:], ["one", "two"] + ["one"] * 9)
        self.assertEqual(made.texts("why"), ["goes on"])        # cut off where the picture ends
        self.assertIn("10.0 µs from 50.00 µs on", " ".join(made.texts("soft")))
        made = self.picture("--from", "many.json", "--tasks", "one")
        self.assertIn("68 more runs are not shown", made.texts("soft"))
        for words, why in ((("--tasks", "three"), "no task that was chosen ran"),
                           (("--from-time", "1s"), "no task that was chosen ran"),
                           (("--from-time", "2us", "--to-time", "2us"), "it is not after"),
                           (("--to-time", "5"), "a time such as"),
                           (("--to-time", "-5s"), "a time such as")):
            self.assertIn(why, self.trace("--from", "many.json", "--sequence", "made.svg", *words,
                                          status=2))
        self.assertIn("they choose for --sequence",
                      self.trace("--tasks", "one", "--from", "many.json", "--html", "x", status=2))

    def test_what_is_no_trace_is_refused(self):
        for text, why in (("", "line 1, column 1: an object is expected"), ("{}", 'no "traceEvents"'),
                          ('{"traceEvents": [', "an object is expected"),
                          ('{"traceEvents": [{"ph": "X", "ts": "x"}]}', "a number is expected"),
                          ('{"traceEvents": [{"ph": "X", "ts": -5}]}', "before the begin"),
                          ('{"traceEvents": [{"name": "a', "the end of a text is expected"),
                          ('{"a": ' + "[" * 99, "nested too deeply"),
                          ('{"traceEvents": []} 1', "the end is expected")):
            (self.folder / "bad.json").write_text(text)
            self.assertIn(why, self.trace("--from", "bad.json", "--sequence", "x.svg", status=2))
        (self.folder / "bad.json").write_text('{"traceEvents": []}')
        self.assertIn("no task ran",
                      self.trace("--from", "bad.json", "--sequence", "x.svg", status=2))
        self.assertIn("No such file",
                      self.trace("--from", "none.json", "--sequence", "x.svg", status=2))
        self.assertIn("to what?", self.trace("--from", "none.json", status=2))
        self.assertIn("nothing is recorded",
                      self.trace("--from", "none.json", "--", TRACED, status=2))


def bar(lane, ts, dur, name, category="run", process=1, **args):
    return {"ph": "X", "cat": category, "pid": process, "tid": lane, "ts": ts, "dur": dur,
            "name": name, "args": args}


def event(phase, category, lane, ts, name, process=1, **more):
    return {"ph": phase, "cat": category, "pid": process, "tid": lane, "ts": ts, "name": name,
            **more}


def called(what, name, lane=1, process=1):
    return event("M", "__metadata", lane, 0, what, process, args={"name": name})


# Of everything something, and what is hard to write: two runtimes, calls that overlap, kinds that
# nobody has heard of.
ODD = [
    called("process_name", "./odd --flag"), called("thread_name", "worker 0"),
    called("thread_name", "worker 1", 2), called("process_name", "executors", process=1001),
    called("thread_name", "thread 0", process=1001),
    bar(1, 0, 10, "entry 1", task=1,
        end="waits for </script> & \"quotes\" \\ \u00e9\u4e16\U0001f600"),
    bar(1, 10, 5, "asleep", "asleep"),
    bar(2, 0.001, 3.5, "reader 2", task=2, end="waits for read", file="a/b.c", line=17),
    event("b", "scope", 1, 1, "outer", id=1), event("b", "scope", 1, 2, "inner", id=1),
    event("e", "scope", 1, 8, "inner", id=1), event("e", "scope", 1, 9, "outer", id=1),
    event("b", "io", 2, 3, "read", id=2, args={"fd": 7}),
    event("b", "io", 1, 4, "read", id=3, args={"fd": 8}),
    event("e", "io", 2, 12, "read", id=2, args={"result": -104, "error": "ECONNRESET"}),
    event("s", "wake", 1, 5, "wakes", id="0x1f"), event("f", "wake", 2, 13, "wakes", id="0x1f"),
    bar(2, 13, 1.25, "reader 2", task=2, end="ends"),
    event("i", "mark", 1, 6, "steals", s="t", args={"many": 3}),
    bar(1, 2, 9, "resize 4", "job", 1001, end="done", share=0.5, list=[1, {"a": None}],
        big=2 ** 60),
    bar(1, 16, 2, "turtle", "a kind of tomorrow", weight=-12, no=0),
    {"ph": "C", "name": "a counter", "pid": 1, "ts": 3, "args": {"n": 1}},
]


def as_shown(made):
    """What the page is to say of an event of the JSON."""
    return {"phase": made["ph"], "category": made["cat"], "name": made["name"],
            "begin": round(made["ts"] * 1000), "lasts": round(made.get("dur", 0) * 1000),
            "values": {key: value if isinstance(value, (str, int)) and value != 2 ** 60
                       else json.dumps(value) for key, value in made.get("args", {}).items()}}


class Words(html.parser.HTMLParser):
    """Cells with data, and whatever the page would fetch."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.rows, self.row = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [v for k, v in attrs.items() if k in ("src", "href", "action", "data")]
        if tag == "tr":
            self.row = {}
            self.rows.append(self.row)
        if tag == "td":
            self.row.update((k, int(v)) for k, v in attrs.items() if k.startswith("data-"))

    def handle_data(self, data):
        if self.row is not None and not self.row.get("name"):
            self.row["name"] = data.strip()


@unittest.skipIf(LACKING, LACKING)
class Page(InFolder):
    browser = None  # one for all

    def setUp(self):
        super().setUp()
        if not Page.browser:
            Page.browser = Browser()
            atexit.register(Page.browser.close)
        self.browser.look_as(1000, 900)

    def show(self, events=None):
        """The events that the page has, in their order."""
        if events is None:
            self.trace("--output", "made.json", "--html", "made.html", "--", TRACED, status=7)
            events = json.loads((self.folder / "made.json").read_text())["traceEvents"]
        else:
            self.write("made.json", events)
            self.trace("--from", "made.json", "--html", "made.html")
        self.browser.open(self.folder / "made.html")
        self.assertEqual(self.browser.errors, [])
        return [one for one in events if one["ph"] in "Xbesfi"]

    def run_js(self, expression):
        made = self.browser.run(expression)
        self.browser.settle()
        self.assertEqual(self.browser.errors, [])
        return made

    def focus(self):
        self.run_js("document.querySelector('#lanes canvas').focus()")

    def heading(self):
        return self.run_js("(document.querySelector('#details h2') || {}).textContent || null")

    def detail(self, key):
        return self.run_js(f"document.querySelector('#details [data-key={key}]').textContent")

    def view(self):
        return self.run_js("[trace.view.from, trace.view.to]")

    def spot(self, number):
        """Where a bar is drawn, in the window."""
        return self.run_js(f"""(() => {{
            const edge = document.querySelector('#lanes canvas').getBoundingClientRect();
            const spot = trace.spot({number});
            return [edge.x + spot.x, edge.y + spot.y];
        }})()""")

    def mouse(self, kind, x, y, **more):
        self.browser.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, x, y, to_x, to_y):
        self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        for part in (1, 2, 3, 4):
            self.mouse("mouseMoved", x + (to_x - x) * part / 4, y + (to_y - y) * part / 4,
                       button="left", buttons=1)
        self.mouse("mouseReleased", to_x, to_y, button="left", clickCount=1)
        self.browser.settle()

    def click(self, x, y):
        self.drag(x, y, x, y)

    # --- what it shows ---

    def test_it_has_every_event_of_the_json_and_asks_for_nothing(self):
        for made in (None, ODD):
            events = self.show(made)
            self.assertEqual(self.browser.requests, [f"file://{self.folder / 'made.html'}"])
            self.assertEqual(self.run_js("trace.count"), len(events))
            shown = self.run_js("Array.from({length: trace.count}, (_, e) => trace.event(e))")
            for one, other in zip(events, shown):
                wanted = as_shown(one)
                if one["ph"] == "b":        # with what its end knows
                    ends = [e for e in events if e["ph"] == "e" and e["cat"] == one["cat"] and
                            e["id"] == one["id"] and e["name"] == one["name"]]
                    for end in ends:
                        wanted["values"].update(as_shown(end)["values"])
                    wanted["lasts"] = (round((ends[0]["ts"] if ends else 18) * 1000) -
                                       wanted["begin"])
                self.assertEqual({key: other[key] for key in wanted}, wanted)
        text = (self.folder / "made.html").read_text()
        self.assertEqual(Words(text).addresses, [])
        self.assertIn("default-src 'none'", text)

    def test_the_table_is_the_sum_of_the_bars_and_needs_no_scripts(self):
        self.show(ODD)
        rows = {row["name"]: row for row in Words((self.folder / "made.html").read_text()).rows}
        self.assertEqual(rows["reader"], {"name": "reader", "data-count": 2, "data-total": 4750,
                                          "data-mean": 2375, "data-longest": 3500})
        self.browser.ask("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open_without_scripts(self.folder / "made.html")
        finally:
            self.browser.ask("Emulation.setScriptExecutionDisabled", value=False)
        self.assertIn("odd --flag", self.browser.text_of(None))

    def test_lanes_are_those_of_the_trace(self):
        self.show(ODD)
        tracks = [(one["label"], one["rows"]) for one in self.run_js("trace.tracks()")]
        self.assertEqual(tracks, [
            ("./odd --flag", [0]), ("worker 0", [2]), ("a kind of tomorrow", [1]),
            ("worker 1", [2]),
            ("scopes", [1, 1]), ("I/O", [1, 1]), ("executors", [0]), ("thread 0", [1])])

    def test_what_lies_over_each_other_has_rows_and_the_last_has_the_rest(self):
        self.show([called("thread_name", "worker 0"), bar(1, 0, 50, "one 1")] +
                  [event("b", "io", 1, i, "read", id=i) for i in range(40)])
        (_, calls) = self.run_js("trace.tracks()")
        self.assertEqual(calls["rows"], [1] * 13 + [27])
        self.run_js("trace.show(trace.about.ends - 100, trace.about.ends)")
        self.assertEqual(self.run_js("+document.querySelector('#lanes canvas').dataset.drawn"), 41)

    def test_each_bar_is_drawn_where_it_belongs(self):
        events = self.show()
        for number, one in enumerate(events):
            if one["ph"] != "X" or one["cat"] != "run":
                continue
            ink = self.run_js(f"""(() => {{
                const canvas = document.querySelector('#lanes canvas'), spot = trace.spot({number});
                trace.show({one["ts"] * 1000} - 2, {(one["ts"] + one["dur"]) * 1000} + 2);
                const frame = requestAnimationFrame;
                return new Promise(done => frame(() => frame(() => {{
                    const at = trace.spot({number}), scale = canvas.width / canvas.clientWidth;
                    done([...canvas.getContext('2d').getImageData(
                        at.x * scale + 200, (at.y + 7) * scale, 1, 1).data]);
                }})));
            }})()""")
            self.assertNotEqual(ink[:3], [255, 255, 255], one)

    # --- how it is used ---

    def test_by_keyboard_alone(self):
        self.show()
        self.focus()
        names = []
        for _ in range(6):
            self.browser.press("ArrowRight")
            names.append(self.heading())
        self.assertEqual(names, ["entry 1", "waiter 2", "entry 1", "ringer 3", "waiter 2",
                                 "entry 1"])
        self.assertEqual(self.detail("end"), "ends")
        self.browser.press("ArrowLeft")
        self.browser.press("ArrowDown")
        self.assertEqual(self.heading(), "pair")
        self.browser.press("ArrowUp")
        self.browser.press("Enter")
        near = self.view()
        lasts = self.run_js("trace.event(trace.chosen()).lasts")
        self.assertTrue(0.8 * (near[1] - near[0]) <= lasts <= near[1] - near[0], (near, lasts))
        self.run_js("trace.show(trace.about.ends * .4, trace.about.ends * .6)")
        for key, is_so in (("w", lambda a, b: b[1] - b[0] < a[1] - a[0]),
                           ("s", lambda a, b: b[1] - b[0] > a[1] - a[0]),
                           ("a", lambda a, b: b[0] < a[0]), ("d", lambda a, b: b[0] > a[0]),
                           ("Home", lambda a, b: b == [0, self.run_js("trace.about.ends")])):
            before = self.view()
            self.browser.press(key)
            self.assertTrue(is_so(before, self.view()), (key, before, self.view()))
        self.browser.press("Escape")
        self.assertIsNone(self.heading())
        self.browser.press("/")
        self.assertEqual(self.run_js("document.activeElement.type"), "search")

    def test_everything_that_can_be_used_can_be_reached(self):
        self.show()
        wanted = self.run_js("[...document.querySelectorAll('button, input, summary, [tabindex]')]"
                             ".filter(e => e.checkVisibility()).length")
        reached = set()
        for _ in range(wanted):
            self.browser.press("Tab")
            reached.add(self.run_js("[...document.querySelectorAll('*')]"
                                    ".indexOf(document.activeElement)"))
        self.assertEqual(len(reached), wanted)
        self.assertEqual(self.run_js(
            "[...document.querySelectorAll('button, canvas[tabindex], input')].filter("
            "e => !(e.ariaLabel || e.textContent.trim())).length"), 0)

    def test_arrows_lead_from_who_woke_to_who_was_woken(self):
        events = self.show()
        woken = [number for number, one in enumerate(events) if one["name"] == "waiter 2"][1]
        self.run_js(f"trace.choose({woken})")
        self.run_js("[...document.querySelectorAll('#details button')]"
                    ".find(b => b.textContent == 'woken by ringer 3, from #1').click()")
        self.assertEqual(self.heading(), "ringer 3")
        self.run_js("[...document.querySelectorAll('#details button')]"
                    ".find(b => b.textContent == 'wakes waiter 2, from #1').click()")
        self.assertEqual(self.run_js("trace.chosen()"), woken)
        self.run_js("[...document.querySelectorAll('#details button')]"
                    ".find(b => b.textContent == 'its run before').click()")
        self.assertEqual(self.detail("end"), "waits for event #1")

    def test_search_finds_names_and_arguments(self):
        self.show(ODD)
        for wanted, count in (("READER", 2), ("reader 2", 2), ("b.c", 1), ("connreset", 1),
                              ("read", 4), ("nowhere", 0), ("\u4e16", 1)):
            self.run_js("(i => {i.value = %s; i.dispatchEvent(new Event('input'));})"
                        "(document.querySelector('input'))" % json.dumps(wanted))
            self.assertEqual(self.run_js("document.querySelector('output').textContent"),
                             f"{count} found", wanted)
        self.run_js("(i => {i.value = 'reader'; i.dispatchEvent(new Event('input')); i.focus();})"
                    "(document.querySelector('input'))")
        ends = []
        for _ in range(3):
            self.browser.press("Enter")
            ends.append(self.detail("end"))
        self.assertEqual(ends, ["waits for read", "ends", "waits for read"])

    def test_by_mouse(self):
        events = self.show()
        ringer = [number for number, one in enumerate(events) if one["name"] == "ringer 3"][0]
        x, y = self.spot(ringer)
        self.click(x, y)
        self.assertEqual(self.heading(), "ringer 3")
        whole = self.view()
        self.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
        self.browser.settle()
        near = self.view()
        self.assertLess(near[1] - near[0], whole[1] - whole[0])
        self.drag(x, y, x - 80, y)
        self.assertGreater(self.view()[0], near[0])
        self.browser.run("trace.show(0, trace.about.ends)")
        self.browser.settle()
        left, top = self.run_js("(e => [e.x, e.y])(document.querySelector('#lanes canvas')"
                                ".getBoundingClientRect())")
        self.drag(left + 300, top + 8, left + 500, top + 8)         # over the ruler
        ruled = self.view()
        self.assertLess(ruled[1] - ruled[0], (whole[1] - whole[0]) / 3)
        left, top = self.run_js("(e => [e.x, e.y])(document.querySelector('#over .u-over')"
                                ".getBoundingClientRect())")
        self.drag(left + 100, top + 30, left + 600, top + 30)       # over the overview
        self.assertGreater(self.view()[1] - self.view()[0], ruled[1] - ruled[0])

    def touch(self, kind, *points):
        self.browser.ask("Input.dispatchTouchEvent", type=kind,
                         touchPoints=[{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)])

    def test_by_touch_on_a_phone(self):
        self.browser.look_as(390, 800)
        self.browser.ask("Emulation.setTouchEmulationEnabled", enabled=True)
        self.addCleanup(self.browser.ask, "Emulation.setTouchEmulationEnabled", enabled=False)
        events = self.show()
        self.assertLessEqual(self.run_js("document.documentElement.scrollWidth"), 390)
        entry = [number for number, one in enumerate(events) if one["name"] == "entry 1"][0]
        x, y = self.spot(entry)
        self.touch("touchStart", (x, y))
        self.touch("touchEnd")
        self.browser.settle()
        self.assertEqual(self.heading(), "entry 1")
        whole = self.view()
        self.touch("touchStart", (180, y), (220, y))
        for wide in (40, 60, 80, 100):
            self.touch("touchMove", (200 - wide, y), (200 + wide, y))
        self.touch("touchEnd")
        self.browser.settle()
        near = self.view()
        self.assertLess(near[1] - near[0], (whole[1] - whole[0]) / 2)

    def test_in_the_dark_and_on_paper(self):
        self.show()
        canvas = "document.querySelector('#lanes canvas')"
        light = self.run_js(f"{canvas}.toDataURL()")
        self.browser.look_as(1000, 900, "dark")
        self.assertEqual(self.run_js("getComputedStyle(document.body).backgroundColor"),
                         "rgb(21, 23, 26)")
        self.assertNotEqual(self.run_js(f"{canvas}.toDataURL()"), light)
        self.run_js("window.ink = 0; addEventListener('beforeprint', () => queueMicrotask(() => {"
                    "  const c = document.querySelector('#lanes canvas');"
                    "  window.ink = [...c.getContext('2d').getImageData(20, c.height - 4, 1, 1)"
                    "                .data];"
                    "}))")
        self.assertTrue(self.browser.paper().startswith(b"%PDF"))
        self.assertEqual(self.run_js("window.ink"), [255, 255, 255, 255])
        self.assertGreater(self.run_js(f"{canvas}.clientWidth"), 700)

    def test_of_many_events_no_more_is_drawn_than_there_is_room_for(self):
        count = 50000
        self.show([called("thread_name", "worker 0")] +
                  [bar(1, i, 0.9, f"one {i % 7}", task=i % 7, end="yields") for i in range(count)])
        self.assertEqual(self.run_js("trace.count"), count)
        for from_ns, to_ns in ((0, count * 1000), (3e7, 3.2e7), (4e7, 4.001e7)):
            self.run_js(f"trace.show({from_ns}, {to_ns})")
            drawn = int(self.run_js("document.querySelector('#lanes canvas').dataset.drawn"))
            self.assertLessEqual(drawn, 2000)
            self.assertGreaterEqual(drawn, min(800, (to_ns - from_ns) / 1000))
        self.focus()
        self.run_js("trace.choose(37777)")
        self.browser.press("ArrowRight")
        self.assertEqual(self.run_js("trace.chosen()"), 37778)
        self.assertEqual(self.heading(), f"one {37778 % 7}")


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())

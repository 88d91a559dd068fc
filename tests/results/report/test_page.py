"""The content of the page, parsed as by a browser without scripts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

from nakama_bots import observer
from nakama_bots.observer import FinishedCall
from nakama_bots.results.compare.compare import compare
from nakama_bots.results.compare.profile import profile_of
from nakama_bots.results.latency import latency
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline, gauges_only
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.run_folder import read_traces, write_summary, write_timeline, write_traces
from nakama_bots.results.show.report.files import read_run, write_report
from nakama_bots.results.show.report.page import render
from nakama_bots.results.show.report.view import RunView, bins_of
from nakama_bots.results.summary import build_summary
from nakama_bots.results.traces.explain import explain
from nakama_bots.results.traces.tracer import event_of

from .conftest import START, STARTED

SECTIONS = (
    "load", "realtime", "rest", "matchmaking", "delivery", "ticks", "paced", "errors", "ledger", "server",
    "own", "about",
)  # fmt: skip
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Texts and sections by id, captions of charts, and a check that every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.texts = []
        self.sections = {}
        self.links = set()
        self.loaded = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loaded += [attributes[name] for name in ("src", "srcset", "data") if name in attributes]
        if tag == "a":
            self.links.add(attributes["href"])
        elif "href" in attributes:
            self.loaded.append(attributes["href"])
        if tag not in VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if not any(tag in {"style", "script"} for tag, _ in self.open) and data.strip():
            self.texts.append(data.strip())
            for tag, identity in self.open:
                if tag == "section" and identity:
                    self.sections.setdefault(identity, []).append(data.strip())

    @property
    def text(self):
        return "\n".join(self.texts)


def test_every_part_of_a_run_is_shown(view):
    text = render([view])
    page = Page(text)
    assert tuple(page.sections) == SECTIONS
    assert page.links == {f"#{section}" for section in SECTIONS}
    for section, expected in (
        ("load", "Users and sockets"), ("realtime", "match_join"), ("realtime", "Latency distribution"),
        ("rest", "/v2/account/authenticate/device"), ("matchmaking", "Funnel"),
        ("matchmaking", "Time to match"), ("server", "Sessions, presences, matches"),
        ("server", "latency p95"), ("server", "server.fish"),
        ("delivery", "delivery, corrected"), ("delivery", "2,985"), ("delivery", "missed while away"),
        ("delivery", "Reconnects"), ("ticks", "Tick lateness over time"),
        ("errors", "RequestTimeout: no answer within 10.0 s"), ("ledger", "1,234"),
        ("own", "fishing_time"), ("own", "fish_caught"), ("about", "2.47.0"), ("about", "nbots"),
    ):  # fmt: skip
        assert expected in "\n".join(page.sections[section]), (section, expected)


def test_the_slowest_calls_are_folded_lines_of_explain(view, tmp_path):
    event = event_of(FinishedCall("WS", "rpc</pre>", 3.0, 0.9, 10, None), START) | {
        "why": "slow",
        "source": "worker-1",
    }
    write_summary(tmp_path, view.summary)
    timeline = Timeline(START)
    timeline.add(gauges_only("worker-1", START + 3, 1.0, {"hub_lag_max": 0.8}))
    write_timeline(tmp_path, timeline)
    assert "slowest" not in Page(render([read_run(tmp_path, "run")])).sections
    write_traces(tmp_path, [event], timeline)
    lines = explain(read_traces(tmp_path), timeline)
    assert any(line.endswith("-> generator") for line in lines)
    for text in (
        render([read_run(tmp_path, "run")]),
        write_report(tmp_path, view.summary, timeline, view.verdict, [event]).read_text(),
    ):
        assert "\n".join(lines).strip() in "\n".join(Page(text).sections["slowest"])
        assert '<section id="slowest"><details class="fold"><summary>' in text
    beside = Page(render([view, read_run(tmp_path, "run")])).sections["slowest"]
    assert "not in this run" in beside


def test_a_kind_without_any_delivery_is_shown(view):
    lost = dict.fromkeys(observer.DELIVERY_FIELDS, 0) | {"expected": 7, "lost": 7, "latency_ms": latency(None)}
    counts = view.summary["counts"] | {"delivery.party_expected": 7, "delivery.party_lost": 7}
    summary = view.summary | {"deliveries": view.summary["deliveries"] | {"party": lost}, "counts": counts}
    section = Page(render([replace(view, summary=summary)])).sections["delivery"]
    row = section[section.index("party") :][: 2 + len(observer.DELIVERY_FIELDS)]
    assert dict(zip(observer.DELIVERY_FIELDS, row[1:], strict=False))["lost"] == "7"
    assert row[-1] == "-"


def test_delivery_by_kind(view):
    sections = Page(render([view])).sections
    for kind, expected in (("chat", "78"), ("chat.Duel", "0")):
        row = sections["delivery"][sections["delivery"].index(kind) :][:9]
        # Expected, received, missed, lost, unknown, duplicated, reordered.
        assert row[:2] == [kind, expected]
        assert row[3:] == ["0", "60", "0", "0", "0", "4.00"]
    assert "Delivery distribution by kind" in sections["delivery"]
    assert "delivery.chat" not in "\n".join(sections["own"])


def test_published_figures_are_beside_the_measured_ones(view):
    row = {
        "workload": "lua_rpc", "figure": "RPC in Lua, mean", "unit": "ms", "published": 20.22, "measured": 0.98,
        "by": "Heroic Labs",
    }  # fmt: skip
    silent = {**row, "figure": "calls", "measured": None}
    summary = {**view.summary, "published": [row, silent]}
    summary["matchmaking"] = {
        **summary["matchmaking"], "match_sizes": {"2": 32}, "interval_s": 15.0,
        "intervals_to_match": {"p50": 0.5, "p95": 0.9},
    }  # fmt: skip
    sections = Page(render([replace(view, summary=summary)])).sections
    assert sections["published"][-8:] == [
        "RPC in Lua, mean", "20.22 ms", "0.98 ms", "Heroic Labs", "calls", "20.22 ms", "-", "Heroic Labs",
    ]  # fmt: skip
    matchmaking = "\n".join(sections["matchmaking"])
    assert "Sizes of matches" in matchmaking
    assert "intervals of 15 s" in matchmaking


def test_the_verdict_and_its_reasons_are_at_the_top(view):
    page = Page(render([view]))
    top = "\n".join(page.texts[:12])
    assert "FAILED" in top
    assert "gate ci.toml" in top
    assert "join p99: p99 48 ms, limit 20 ms (WS match_join, 600 samples)" in top
    assert page.texts.index("FAILED") < page.texts.index("duration")
    assert "WS match_join p99 <= 20 ms" not in page.text  # the limit is shown once


def test_the_page_loads_nothing(view):
    text = render([view, view])
    assert Page(text).loaded == []
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/|game\.example\.com)", text)


def test_each_chart_has_a_table_and_a_label(view):
    text = render([view])
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) > 12
    for figure in figures:
        rows = figure.count("<tr>") - 1
        places = re.search(r'data-places="([^"]*)"', figure)
        assert places is not None
        assert len(places[1].split()) == rows > 0
        assert 'role="img"' in figure
        assert "aria-label=" in figure


def test_text_of_the_server_is_escaped(view, run):
    named = replace(view, label="<i>label</i>", summary=view.summary | {"run": view.summary["run"] | {
        "scenario": "<script>alert(1)</script>"}})  # fmt: skip
    text = render([named])
    assert "&lt;b&gt;not&lt;/b&gt;" in text
    assert "<b>not</b>" not in text
    assert "<script>alert" not in text
    assert "<i>label" not in text
    Page(text)


def test_control_characters_are_shown_escaped(view):
    shown = render([replace(view, label="label\x1b[2J\u202e\x9b")])
    assert not set("\x1b\x9b\u202e") & set(shown)
    assert "label\\x1b[2J\\u202e\\x9b" in shown


def test_the_emulator_is_prominent(view):
    target = {"url": "http://127.0.0.1:7350", "is_emulator": True}
    assert "THE EMULATOR" not in render([view])
    assert "THE EMULATOR was the target" in render([replace(view, summary=view.summary | {"target": target})])


def test_empty_parts_are_left_out(run):
    summary = build_summary(run, Recorder(0.0), ended=STARTED, duration=0.0)
    page = Page(render([RunView("empty", summary, bins_of(None))]))
    assert tuple(page.sections) == ("ledger", "about")
    assert "NO VERDICT" in page.text


def test_summaries_of_older_and_newer_versions(view):
    older = {key: value for key, value in view.summary.items() if key != "timing"}
    newer = older | {
        "weather": {"lag_ms": view.summary["ticks"]["lateness_ms"], "verdict": "sunny", "days": [1, 2]},
        "workers": [{"index": 0, "state": "MISSING"}],
        "health": {
            "valid": False,
            "reasons": ["local: CPU above 90 %"],
            "processes": [
                {
                    "source": "local",
                    "valid": False,
                    "seconds": 30.0,
                    "figures": {"cpu": {"mean": 0.9, "max": 1.0}},
                }
            ],
        },
        "lobby": [{"kind": "ranked", "waited_ms": view.summary["ticks"]["lateness_ms"]}],
    }
    page = Page(render([replace(view, summary=newer)]))
    assert {"MISSING", "TOO SLOW", "local: CPU above 90 %"} <= set(page.sections["health"])
    assert {"ranked", "Weather", "sunny", "lag ms p95", "1, 2"} <= set(page.sections["own"])


def test_several_runs_side_by_side(view, run, emulator_run):
    summary = build_summary(emulator_run, Recorder(0.0), ended=STARTED, duration=0.0)
    page = Page(render([view, RunView("other", summary, bins_of(None))]))
    assert "2 runs" in page.texts
    assert page.texts.count("not in this run") > 10
    assert page.texts.count("other") > 10


def test_a_comparison_is_shown(view, timeline):
    profile = profile_of("baselines/duel.json", view.summary, timeline)
    comparison = compare(profile, [profile])
    page = Page(render([view], comparison))
    section = "\n".join(page.sections["comparison"])
    assert "baselines/duel.json" in section
    assert "WS match_join" in section
    assert "#comparison" in page.links


def test_the_page_size_for_ten_minutes_of_forty_names(run):
    timeline = Timeline(START)
    for second in range(600):
        recorder = Recorder(0.0)
        for name in range(40):
            kind, called = ("WS", f"message_{name}") if name < 25 else ("GET", f"/v2/route/{name}")
            for call in range(6):
                recorder.call(
                    FinishedCall(
                        kind, called, 0.0, 0.001 * (1 + (second * 7 + name * 3 + call * 5) % 97), 9, None
                    )
                )
        timeline.add({
            "source": "local", "at": START + second, "seconds": 1.0, "recorded": recorder.drain(),
            "gauges": {"users": 40.0, "sockets": 40.0},
        })  # fmt: skip
    total = without_ends(timeline, 0.0, 0.0).recorder
    summary = build_summary(run, total, ended=STARTED + timedelta(seconds=600), duration=600.0)
    text = render([RunView("long", summary, bins_of(timeline))])
    assert text.count("<figure") == 2 + 2 + 40
    assert len(text.encode()) < 1_500_000


def test_the_sample_report_is_complete_and_from_a_real_server():
    text = (Path(__file__).parents[3] / "reports" / "sample" / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 1_500_000
    assert "THE EMULATOR" not in text
    assert "nothing was measured" not in text
    assert set(Page(text).sections) == {*SECTIONS, "comparison", "health"} - {"errors"}


def test_the_same_run_gives_the_same_page(view):
    assert render([view]) == render([view])


def test_runs_share_charts_with_few_lines(view):
    other = replace(view, label="other")
    text = render([view, other])
    page = Page(text)
    assert f"{view.label}: users" in page.sections["load"]
    assert "other: users" in page.sections["load"]
    # Three runs would have nine latency lines: only p95 of each is drawn.
    third = Page(render([view, other, replace(view, label="third")]))
    assert "third: p95" in third.sections["realtime"]
    assert "third: p99" not in third.sections["realtime"]


def test_failures_are_marked(view):
    assert 'class="n bad"' in render([view])


def test_the_most_important_sections_are_unfolded(view):
    text = render([view])
    for identity, shown in (("load", True), ("realtime", True), ("ledger", False), ("about", False)):
        assert (f'<section id="{identity}"><details class="fold" open>' in text) is shown

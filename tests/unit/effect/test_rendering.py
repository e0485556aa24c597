"""Notices in people's words and in machines': wording, Slack, webhook."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.effect import slack, webhook, wording
from streamspc.model import Contribution, MetricKind, MetricSpec, Notice, Signal, Span, StreamSpec

GOLDEN = Path(__file__).parents[2] / "golden"
DAY = 86_400_000_000
BLIZZARD = 1_360_299_600_000_000  # 2013-02-08 00:00 in New York
SPEC = StreamSpec(
    name="departures",
    topic="flights.departures",
    timezone="America/New_York",
    metrics=(
        MetricSpec(name="cancelled", kind=MetricKind.PROPORTION, where="dep_time is null"),
        MetricSpec(name="volume", kind=MetricKind.COUNT),
    ),
    clean_topic="flights.clean",
    quarantine_topic="flights.quarantine",
)
OPEN = Signal(
    kind="open",
    stream="departures",
    config="0123456789abcdef",
    episode="5f1d2c3b4a596877",
    metric="cancelled",
    segment="EWR",
    charts=("shewhart", "cusum"),
    side="up",
    start=BLIZZARD,
    end=BLIZZARD + DAY,
    value=0.5123,
    n=913,
    centre=0.0312,
    sigma=0.02,
    lcl=0.0,
    ucl=0.0912,
    z=24.05,
    shewhart_limit=3.0,
    cusum_limit=5.0,
    ewma_width=2.86,
    opened=BLIZZARD,
    windows=1,
    onset=BLIZZARD - DAY,
    onset_sources=(Span(3, 12_000, 12_456),),
    sources=(Span(3, 12_100, 12_456),),
    baseline_version=1,
    rejected=True,
)
TOGETHER = Signal(
    kind="open",
    stream="departures",
    config="0123456789abcdef",
    episode="5f1d2c3b4a596878",
    metric="together",
    charts=("ewma",),
    side="up",
    start=BLIZZARD,
    end=BLIZZARD + DAY,
    value=35.125,
    n=913,
    centre=2.0,
    ucl=14.25,
    z=4.71,
    shewhart_limit=3.0,
    ewma_width=3.0,
    opened=BLIZZARD,
    windows=1,
    onset=BLIZZARD - DAY,
    baseline_version=1,
    contributions=(Contribution("cancelled", 0.71), Contribution("volume", 0.29)),
)
CLOSE = Signal(
    kind="resolve",
    stream="departures",
    config="0123456789abcdef",
    episode="aa1d2c3b4a596877",
    metric="volume",
    start=BLIZZARD,
    end=BLIZZARD + DAY,
    value=905.0,
    n=905,
    centre=900.25,
    sigma=30.0,
    lcl=None,
    ucl=990.25,
    z=0.158,
    shewhart_limit=3.0,
    cusum_limit=5.0,
    ewma_width=2.86,
    opened=BLIZZARD - 2 * DAY,
    windows=2,
    onset=BLIZZARD - 2 * DAY,
    baseline_version=1,
)
GAP = Signal(kind="gap", stream="departures", config="c", start=BLIZZARD, end=BLIZZARD + 9 * DAY)


def notice(*signals, more=0):
    """A notice about these signals."""
    resolved = all(signal.kind == "resolve" for signal in signals)
    return Notice("00112233445566778899aabbccddeeff", "departures", signals[0].end, "resolved" if resolved else "firing", signals, more)


NOTICES = {
    "one that fires": notice(OPEN),
    "one that resolves": notice(CLOSE),
    "a gap": notice(GAP),
    "a storm": notice(*([OPEN] * 7), CLOSE, more=22),
}


@pytest.mark.parametrize(("name", "render"), [("webhook", webhook.render), ("slack", slack.render)])
def test_bodies_are_golden(name, render):
    """The bodies of each kind of notice are those that were agreed on."""
    bodies = {title: json.loads(render(one, SPEC, "https://spc.example/").body) for title, one in NOTICES.items()}

    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / f"{name}.json").write_text(json.dumps(bodies, indent=2, ensure_ascii=False) + "\n")
    assert bodies == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("signal", "title"),
    [
        (OPEN, "cancelled (EWR) out of control: one point beyond 3 sigma and a lasting shift (CUSUM beyond 5 sigma)"),
        (CLOSE, "volume back in control"),
        (GAP, "departures is silent: a long run of windows without records"),
    ],
)
def test_titles(signal, title):
    """A title says what happened, to what, and by which rule."""
    assert wording.title(signal, SPEC) == title


def test_facts_hold_everything_to_judge_by():
    """An alert has value, centre, limits, distance, sample, window, onset, baseline and action."""
    assert dict(wording.facts(OPEN, SPEC)) == {
        "Stream": "departures",
        "Segment": "EWR",
        "Value": "51.2 % against 3.12 %, +24.1 sigma",
        "Limits": "LCL 0 %, UCL 9.12 %, n = 913",
        "Window": "2013-02-08 00:00 to 2013-02-09 00:00 EST (America/New_York)",
        "Since": "up, estimated from 2013-02-07 00:00 EST (partition 3: 12000 to 12456)",
        "Baseline": "version 1",
        "Action": "the window is rejected, its records are quarantined in flights.quarantine",
    }
    assert dict(wording.facts(CLOSE, SPEC))["Lasted"] == "3 d, 2 windows signalled"
    assert dict(wording.facts(CLOSE, SPEC))["Limits"] == "LCL none, UCL 990.2, n = 905"


def test_window_of_a_change_of_the_clocks():
    """A day on which the clocks change names the zone at both ends."""
    start = 1_362_891_600_000_000  # 2013-03-10 00:00 in New York, a day of 23 hours

    assert wording.window(start, start + 23 * 3_600_000_000, SPEC) == "2013-03-10 00:00 EST to 2013-03-11 00:00 EDT (America/New_York)"


def test_short_windows_show_what_tells_them_apart():
    """A window that does not begin and end at a full minute is told to the millisecond, in UTC for an unknown stream."""
    assert wording.window(0, 250_000, None) == "1970-01-01 00:00:00.000 to 1970-01-01 00:00:00.250 UTC (UTC)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (float("nan"), "none"),
        (0.0, "0"),
        (12.3456, "12.35"),
        (1234.5, "1,234"),
        (-1e6, "-1,000,000"),
        (1e20, "1e+20"),
        (float("inf"), "inf"),
    ],
)
def test_numbers(value, text):
    """Numbers are short, with thousands apart."""
    assert wording.number(value) == text


@pytest.mark.parametrize(("us", "text"), [(0, "0 s"), (-5, "0 s"), (61_000_000, "1 min 1 s"), (2 * DAY + 3_600_000_000 + 1, "2 d 1 h")])
def test_durations(us, text):
    """Durations have their two largest units."""
    assert wording.span_of_time(us) == text


def test_names_from_the_data_do_nothing():
    """A segment is shown on one line, cut, and neither mentions anybody nor makes a link."""
    nasty = "<!channel>\n<https://evil.example|click> & \x07" + "x" * 200
    signal = Signal(kind="open", stream="departures", config="c", metric="cancelled", segment=nasty)
    message = json.loads(slack.render(notice(signal), SPEC, "").body)
    markdown = [message["text"], *re.findall(r"'type': 'mrkdwn', 'text': (.*?)}", str(message))]

    assert not any("<!" in text or "<h" in text or "\x07" in text for text in markdown)
    assert len(wording.plain(nasty)) == wording.NAME


def texts(block):
    """The texts of a block."""
    return [block["text"], *block.get("fields", [])] if "text" in block else block.get("fields", block.get("elements"))


@given(
    name=st.text(min_size=1, max_size=4000),
    number=st.one_of(st.none(), st.floats()),
    at=st.integers(-(2**63), 2**63 - 1),
    spans=st.integers(0, 40),
    listed=st.integers(1, 8),
)
def test_any_signal_is_rendered_within_the_limits(name, number, at, spans, listed):
    """Whatever a signal holds, both bodies are made, and Slack's is within Slack's limits."""
    places = tuple(Span(i, 2**62, 2**63 - 1) for i in range(spans))
    fields = {"segment": name, "episode": name, "value": number, "z": number, "lcl": number, "start": at, "end": at, "onset": at}
    one = Signal(kind="open", stream=name, config="c", metric=name, charts=(name,), onset_sources=places, **fields)
    message = json.loads(slack.render(notice(*([one] * listed), more=3), None, "https://spc.example").body)

    json.loads(webhook.render(notice(one), None, "").body)
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        limit = {"header": 150, "section": 3000, "context": 3000}[block["type"]]
        assert all(1 <= len(text["text"]) <= limit for text in texts(block))
        assert len(block.get("fields", ())) <= 10
    assert len(json.dumps(message, ensure_ascii=False)) < 60_000


@pytest.mark.parametrize(
    ("rejected", "clean", "quarantine", "text"),
    [
        (False, "c", "q", "none: the records pass"),
        (True, "c", "q", "the window is rejected, its records are quarantined in q"),
        (True, None, "q", "the window is rejected, its records are copied to q"),
        (True, None, None, "the window is rejected"),
    ],
)
def test_action(rejected, clean, quarantine, text):
    """The action is what the gate does."""
    signal = Signal(kind="open", stream="s", config="c", rejected=rejected)
    spec = StreamSpec(name="s", topic="t", metrics=(), clean_topic=clean, quarantine_topic=quarantine)

    assert wording.action(signal, spec) == text


def test_a_chart_of_several_metrics_names_them():
    """In the title, with their shares, and in the webhook as numbers; the largest first."""
    assert wording.title(TOGETHER, SPEC) == "together out of control: cancelled and volume drift together (MEWMA beyond 14.25)"
    facts = {fact.label: fact.text for fact in wording.facts(TOGETHER, SPEC)}
    assert facts["Metrics"] == "cancelled 71 %, volume 29 %"
    assert facts["Limits"] == "LCL none, UCL 14.25, n = 913"
    message = notice(TOGETHER)
    body = json.loads(webhook.render(message, SPEC, "").body)
    assert body["episodes"][0]["contributions"] == [{"metric": "cancelled", "share": 0.71}, {"metric": "volume", "share": 0.29}]
    assert "cancelled 71 %, volume 29 %" in slack.render(message, SPEC, "").body

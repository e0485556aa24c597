"""Notices in people's words and in machines': wording, and the body of each kind of receiver."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamspc.effect import alertmanager, discord, google_chat, mattermost, pagerduty, picture, slack, teams, times, webhook, wording
from streamspc.effect.shorten import cut
from streamspc.effect.wording import Words
from streamspc.model import Contribution, Labels, Links, MetricKind, MetricSpec, Notice, Signal, Span, StreamSpec, Told

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
SHIFTED = replace(OPEN, kind="shift", awaiting=True, windows=24)
ACCEPTED = Signal(
    kind="resolve",
    stream="departures",
    config="0123456789abcdef",
    episode=OPEN.episode,
    metric="cancelled",
    segment="EWR",
    side="up",
    start=BLIZZARD + 30 * DAY,
    end=BLIZZARD + 31 * DAY,
    centre=0.4987,
    opened=BLIZZARD,
    windows=29,
    onset=BLIZZARD - DAY,
    baseline_version=2,
    awaiting=True,
    answer="accept",
    command="0011223344556677",
    by="ann",
    why="flights are sold twice now",
)
GAP = Signal(kind="gap", stream="departures", config="c", start=BLIZZARD, end=BLIZZARD + 9 * DAY)


LINKS = Links(
    page="https://spc.example/",
    dashboard="https://grafana.example/d/series?var-segment={segment}&from={from}&to={to}",
    runbook="https://wiki.example/{metric}",
)
WORDS = Words("flights", {"departures": SPEC}, LINKS)
LABELS = Labels("departures", "cancelled", "EWR", "critical", "ops", str(BLIZZARD), OPEN.episode)


def told(signal, course=(), rejected=None):
    """An episode of this signal."""
    labels = LABELS._replace(metric=signal.metric, segment=signal.segment, episode=signal.episode)
    return Told(signal, labels, course, int(signal.rejected) if rejected is None else rejected)


def notice(*signals, more=0, **fields):
    """A notice about these signals."""
    resolved = all(signal.kind == "resolve" for signal in signals)
    return Notice(
        id="00112233445566778899aabbccddeeff",
        group="0123456789abcdef",
        status="resolved" if resolved else "firing",
        told=tuple(map(told, signals)),
        more=more,
        **fields,
    )


NOTICES = {
    "one that fires": notice(OPEN),
    "one that goes on": notice(OPEN, number=3)._replace(told=(told(OPEN, (3.1, 5.0, 11.0, 24.05), 4),)),
    "one that resolves": notice(CLOSE),
    "a gap": notice(GAP),
    "a storm": notice(*([OPEN] * 7), CLOSE, more=22),
    "a level shift": notice(SHIFTED, number=2)._replace(told=(told(SHIFTED, (24.05, 23.0), 24),)),
    "a level that was accepted": notice(ACCEPTED),
}
KINDS = {
    "slack": slack.render,
    "teams": teams.render,
    "discord": discord.render,
    "google_chat": google_chat.render,
    "mattermost": mattermost.render,
    "pagerduty": pagerduty.render,
    "webhook": webhook.render,
    "cloudevents": webhook.render_event,
}


def golden(name, found):
    """The golden of that name, written anew where asked."""
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return json.loads(path.read_text())


@pytest.mark.parametrize(("name", "render"), KINDS.items(), ids=KINDS)
def test_bodies_are_golden(name, render):
    """The bodies of each kind of notice are those that were agreed on."""
    bodies = {title: json.loads(render(one, WORDS).body) for title, one in NOTICES.items()}

    assert bodies == golden(name, bodies)


def test_alerts_are_golden():
    """What an Alertmanager is told of an open episode, of one that is over, and of a gap."""
    now = BLIZZARD + 2 * DAY
    (body, content_type) = alertmanager.render([told(OPEN), told(CLOSE), told(GAP)], WORDS, now)[0]
    alerts = json.loads(body)

    assert alerts == golden("alertmanager", alerts)
    assert content_type == "application/json"
    assert [set(alert["labels"]) - {"owner"} for alert in alerts[:2]] == [{"alertname", "stream", "metric", "segment", "severity"}] * 2
    assert (alerts[0]["startsAt"], alerts[0]["endsAt"]) == ("2013-02-08T05:00:00.000Z", "2013-02-10T05:05:00.000Z")
    assert alerts[1]["endsAt"] == "2013-02-09T05:00:00.000Z", "what is over ended with its last window"


def test_an_alert_from_the_future_begins_now():
    """A clock of the records that runs ahead neither delays the alert nor lets it end before it begins."""
    alert = json.loads(alertmanager.render([told(CLOSE)], WORDS, BLIZZARD - 9 * DAY)[0].body)[0]

    assert alert["startsAt"] == alert["endsAt"] == "2013-01-30T05:00:00.000Z"


def test_many_alerts_are_several_requests():
    """No request is so large that it is refused."""
    bodies = alertmanager.render([told(OPEN)] * 501, WORDS, BLIZZARD)

    assert [len(json.loads(body)) for body, _ in bodies] == [250, 250, 1]
    assert max(len(body) for body, _ in bodies) < 1_000_000


def test_an_incident_is_one_from_its_beginning_to_its_end():
    """PagerDuty's key is the group's, for every message; the routing key is added as it leaves, and not before."""
    bodies = [pagerduty.render(one, WORDS).body for one in (notice(OPEN), notice(OPEN, number=2), notice(CLOSE))]
    events = [json.loads(body) for body in bodies]

    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"flights/0123456789abcdef"}
    assert not any("routing_key" in event for event in events)
    assert json.loads(pagerduty.keyed(bodies[0], "R0UT1NG")) == {**events[0], "routing_key": "R0UT1NG"}


def test_links_lead_to_the_time_of_the_episode():
    """The dashboard shows a day of windows before the onset; what is in the data cannot change where a link leads."""
    nasty = Signal(
        kind="open", stream="departures", config="c", metric="cancelled", segment="a&b=c#d/../{from}", start=BLIZZARD, end=BLIZZARD + DAY
    )
    places = dict(wording.links(told(nasty), WORDS))

    begin, end = (BLIZZARD - 24 * SPEC.window_us) // 1000, (BLIZZARD + DAY + 6 * SPEC.window_us) // 1000
    assert places["Dashboard"] == f"https://grafana.example/d/series?var-segment=a%26b%3Dc%23d%2F..%2F%7Bfrom%7D&from={begin}&to={end}"
    assert places["Runbook"] == "https://wiki.example/cancelled"
    assert dict(wording.links(told(OPEN), Words("flights", {}, Links(runbooks={("departures", "cancelled"): "https://own.example"}))))[
        "Runbook"
    ] == ("https://own.example")
    assert wording.links(told(OPEN), Words()) == []


@pytest.mark.parametrize(
    ("value", "lcl", "ucl", "text"),
    [
        (0.0, -1.0, 1.0, "········├───●───┤········"),
        (1.0, -1.0, 1.0, "········├───┼───●········"),
        (2.0, -1.0, 1.0, "········├───┼───┤···●····"),
        (-2.5, -1.0, 1.0, "··●·····├───┼───┤········"),
        (99.0, -1.0, 1.0, "········├───┼───┤·······▶"),
        (-99.0, -1.0, 1.0, "◀·······├───┼───┤········"),
        (2.0, None, 1.0, "············┼───┤···●····"),
        (2.0, None, None, ""),
        (2.0, 0.0, 0.0, ""),
        (None, -1.0, 1.0, ""),
    ],
)
def test_gauge(value, lcl, ucl, text):
    """The value lies where it lies against the limits, one that is beyond the scale is an arrow, and without a scale there is none."""
    assert picture.gauge(Signal(kind="open", stream="s", config="c", value=value, centre=0.0, lcl=lcl, ucl=ucl)) == text


@pytest.mark.parametrize(
    ("course", "text"),
    [((), ""), ((1.0,), ""), ((-3.0, 0.0, 3.0), "▁▅█"), ((0.0, 30.0), "▁█"), ((0.0,) * 30, "▅" * 24), ((float("nan"), 1.0), "")],
)
def test_sparkline(course, text):
    """Bars for the newest windows, on a scale that has at least three sigma either way."""
    assert picture.sparkline(course) == text


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


def test_a_provisional_signal_says_so():
    """In its title, and in the fact about the baseline; other signals say nothing of it."""
    early = msgspec.structs.replace(OPEN, provisional=True)
    assert "out of control (provisional): " in wording.title(early, SPEC)
    facts = {one.label: one.text for one in wording.facts(told(early), SPEC)}
    assert facts["Baseline"] == "version 1, provisional: too little is known yet to promise anything, so nothing is rejected"
    assert "provisional" not in str(wording.facts(told(OPEN), SPEC)) + wording.title(OPEN, SPEC)


def test_facts_hold_everything_to_judge_by():
    """An alert has value, centre, limits, distance, sample, window, onset, baseline and action."""
    assert dict(wording.facts(told(OPEN), SPEC)) == {
        "Stream": "departures",
        "Segment": "EWR",
        "Value": "51.2 % against 3.12 %, +48.1 pp, +24.1 sigma",
        "Limits": "LCL 0 %, UCL 9.12 %, n = 913",
        "Window": "2013-02-08 00:00 to 2013-02-09 00:00 EST (America/New_York)",
        "Since": "up, estimated from 2013-02-07 00:00 EST (partition 3: 12000 to 12456)",
        "Baseline": "version 1",
        "Severity": "critical, owner ops",
        "Action": "the window is rejected, its records are quarantined in flights.quarantine",
    }
    assert dict(wording.facts(told(CLOSE), SPEC))["Lasted"] == "3 d, 2 windows signalled"
    assert dict(wording.facts(told(CLOSE), SPEC))["Limits"] == "LCL none, UCL 990.2, n = 905"


def test_window_of_a_change_of_the_clocks():
    """A day on which the clocks change names the zone at both ends."""
    start = 1_362_891_600_000_000  # 2013-03-10 00:00 in New York, a day of 23 hours

    assert times.window(start, start + 23 * 3_600_000_000, SPEC) == "2013-03-10 00:00 EST to 2013-03-11 00:00 EDT (America/New_York)"


def test_short_windows_show_what_tells_them_apart():
    """A window that does not begin and end at a full minute is told to the millisecond, in UTC for an unknown stream."""
    assert times.window(0, 250_000, None) == "1970-01-01 00:00:00.000 to 1970-01-01 00:00:00.250 UTC (UTC)"


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


def strings(value):
    """All texts in a message, but those that their service shows as they are."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict) and value.get("type") == "plain_text":
        return []
    inner = [v for k, v in value.items() if k not in {"header", "fallbackText"}] if isinstance(value, dict) else value
    return [text for one in inner or () for text in strings(one)] if isinstance(inner, list) else []


NASTY = "<!channel> <users/all> @everyone\n<https://evil.example|click> [click](https://evil.example) & <i>\x07" + "x" * 200
ACTIVE = {
    "slack": "<[!@h]",
    "teams": r"(?<!\\)\]\(|(?<!\\)<",
    "discord": r"(?<!\\)\]\(|(?<!\\)<|@everyone",
    "google_chat": "<(?!/?b>|br>)",
    "mattermost": r"(?<!\\)\]\(|(?<!\\)<|@everyone",
}


@pytest.mark.parametrize(("name", "active"), ACTIVE.items(), ids=ACTIVE)
def test_names_from_the_data_do_nothing(name, active):
    """A segment is shown on one line, cut, and neither mentions anybody nor makes a link, in a message of one or of several."""
    signal = Signal(kind="open", stream="departures", config="c", metric="cancelled", segment=NASTY)
    for one in (notice(signal), notice(signal, signal)):
        found = strings(json.loads(KINDS[name](one, Words()).body))

        assert any("channel" in text for text in found)
        assert [text for text in found if re.search(active, text) or "\x07" in text] == []
    assert len(wording.plain(NASTY)) == wording.NAME
    assert wording.plain(" \t") == "(blank)"


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@st.composite
def anything(draw):
    """A notice whose data are whatever they like; names of the configuration are names."""
    name, segment, at = draw(NAMES), draw(st.text(min_size=1, max_size=4000)), draw(st.integers(-(2**63), 2**63 - 1))
    number = draw(st.one_of(st.none(), st.floats()))
    spans = tuple(Span(i, 2**62, 2**63 - 1) for i in range(draw(st.integers(0, 40))))
    kind = draw(st.sampled_from(["open", "update", "resolve", "gap"]))
    fields = {
        "segment": segment,
        "value": number,
        "z": number,
        "lcl": number,
        "ucl": 1.0,
        "centre": 0.5,
        "start": at,
        "end": at,
        "onset": at,
    }
    signal = Signal(kind=kind, stream=name, config="c", metric=name, charts=(name,), episode="e", onset_sources=spans, **fields)
    labels = Labels(name, name, segment, "warning", draw(st.text(max_size=500)), "0", "e")
    course = tuple(draw(st.lists(st.floats(), max_size=40)))
    listed = (Told(signal, labels, course, draw(st.integers(0, 10**9))),) * draw(st.integers(1, 8))
    return Notice("0" * 32, "1" * 16, draw(st.sampled_from(["firing", "resolved"])), listed, draw(st.integers(0, 10**6)))


def utf16(text):
    """How most services count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def slack_takes(message):
    """Block Kit's limits."""
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        limit = {"header": 150, "section": 3000, "context": 3000}[block["type"]]
        texts = [block["text"], *block.get("fields", [])] if "text" in block else block.get("fields", block.get("elements"))
        assert all(1 <= utf16(text["text"]) <= min(limit, 2000 if text in block.get("fields", ()) else limit) for text in texts)
        assert len(block.get("fields", ())) <= 10
    assert utf16(json.dumps(message, ensure_ascii=False)) < 13_000


def teams_takes(message):
    """28 KB, and texts that are not empty."""
    assert len(json.dumps(message, ensure_ascii=False).encode()) < 28_000
    assert all(block.get("text", "x") for block in message["attachments"][0]["content"]["body"])


def discord_takes(message):
    """The limits of a message and of its embed."""
    (embed,) = message["embeds"]
    fields = embed.get("fields", [])
    texts = [
        embed.get("description", "x"),
        embed["footer"]["text"],
        *(f["name"] for f in fields),
        *(f["value"] for f in fields),
    ]
    assert all(texts)
    assert 1 <= utf16(message["content"]) <= 2000
    assert utf16(embed.get("description", "")) <= 4096
    assert utf16(embed["footer"]["text"]) <= 2048
    assert len(fields) <= 25
    assert all(utf16(field["value"]) <= 1024 and utf16(field["name"]) <= 256 for field in fields)
    assert sum(map(utf16, texts)) <= 6000


def google_chat_takes(message):
    """32,000 bytes, and at most a hundred widgets."""
    assert len(json.dumps(message, ensure_ascii=False).encode()) < 32_000
    assert len(message["cardsV2"][0]["card"]["sections"][0]["widgets"]) <= 100


def mattermost_takes(message):
    """16,383 characters."""
    assert utf16(json.dumps(message, ensure_ascii=False)) < 16_383


def pagerduty_takes(message):
    """Summary, key and all."""
    assert 1 <= len(message["dedup_key"]) <= 255
    assert utf16(message.get("payload", {}).get("summary", "x")) <= 1024
    assert len(json.dumps(message, ensure_ascii=False).encode()) < 512_000


TAKES = {
    "slack": slack_takes,
    "teams": teams_takes,
    "discord": discord_takes,
    "google_chat": google_chat_takes,
    "mattermost": mattermost_takes,
    "pagerduty": pagerduty_takes,
    "webhook": lambda message: None,
    "cloudevents": lambda message: None,
}


@given(anything(), st.booleans())
def test_any_notice_is_rendered_within_the_limits(one, linked):
    """Whatever a notice holds, each body is JSON that its service takes."""
    words = Words("flights", {}, LINKS) if linked else Words()
    for name, takes in TAKES.items():
        takes(json.loads(KINDS[name](one, words).body))
    json.loads(alertmanager.render(one.told, words, 0)[0].body)


@given(st.text(), st.integers(1, 50))
def test_cut(text, limit):
    """A text that fits is left alone; another one is its beginning and an ellipsis, and fits."""
    short = cut(text, limit)

    assert utf16(short) <= limit
    assert short == text if utf16(text) <= limit else text.startswith(short[:-1]) and short.endswith("…")


@pytest.mark.parametrize(
    ("rejected", "clean", "quarantine", "text"),
    [
        (0, "c", "q", "none: the records pass"),
        (3, "c", "q", "3 windows are rejected, their records are quarantined in q"),
        (1, "c", "q", "the window is rejected, its records are quarantined in q"),
        (1, None, "q", "the window is rejected, its records are copied to q"),
        (1, None, None, "the window is rejected"),
    ],
)
def test_action(rejected, clean, quarantine, text):
    """The action is what the gate does."""
    signal = Signal(kind="open", stream="s", config="c")
    spec = StreamSpec(name="s", topic="t", metrics=(), clean_topic=clean, quarantine_topic=quarantine)

    assert wording.action(told(signal, rejected=rejected), spec) == text


def test_a_chart_of_several_metrics_names_them():
    """In the title, with their shares, and in the webhook as numbers; the largest first."""
    assert wording.title(TOGETHER, SPEC) == "together out of control: cancelled and volume drift together (MEWMA beyond 14.25)"
    facts = {fact.label: fact.text for fact in wording.facts(told(TOGETHER), SPEC)}
    assert facts["Metrics"] == "cancelled 71 %, volume 29 %"
    assert facts["Limits"] == "LCL none, UCL 14.25, n = 913"
    message = notice(TOGETHER)
    body = json.loads(webhook.render(message, WORDS).body)
    assert body["episodes"][0]["contributions"] == [{"metric": "cancelled", "share": 0.71}, {"metric": "volume", "share": 0.29}]
    assert "cancelled 71 %, volume 29 %" in slack.render(message, WORDS).body

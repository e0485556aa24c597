"""From a Kafka topic to points, alerts and quarantined records, against an oracle that shares nothing with the program."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from standardwebhooks.webhooks import Webhook

from e2e.compare import (
    amiss,
    check_numbers,
    check_signal,
    close,
    differs,
    expected_signals,
    headers_of,
    input_of,
    near,
    originals,
    series,
    signals_of,
    transitions,
)
from e2e.conftest import SOURCE
from e2e.oracle_windows import MINUTE, WHOLE, numbers, shares
from e2e.orders import STREAM
from e2e.outcome import judged
from e2e.stage import KEY
from streamspc.bucket import exact
from streamspc.bucket.merge import merge
from streamspc.bucket.plan import plan
from streamspc.model import END, Moments, Ratio, Rejection
from streamspc.settings import load

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]  # the runs that a module shares are in its first test


def test_tallies_hold_what_the_records_say(reference, foreseen):
    """All blocks together hold the records of each window and segment, with their counts, hits, sums and extremes."""
    app, out = reference
    tally_of = plan(load(app.file).semantics.streams[0]).of_metric
    found = {}
    for blocks in out.blocks.values():
        table = merge([block.table for block in blocks])
        for cell in range(len(table)):
            index, segment = foreseen.index[int(table.start[cell])], table.names[table.segment[cell]]
            assert (index, segment) not in found
            found[index, segment] = int(table.records[cell])
            for metric, at in zip(STREAM["metrics"], tally_of, strict=True):
                check_tally(table.tallies[at], cell, metric, foreseen.rows[index][segment])

    assert found == {(i, segment): n for i, by in foreseen.records.items() for segment, n in by.items()}


def check_tally(tally, cell, metric, rows):
    """One cell of one metric."""
    if metric["kind"] == "count":
        assert tally.n[cell] == len(rows)
    elif isinstance(tally, Ratio):
        assert (tally.hits[cell], tally.n[cell]) == shares(metric["kind"], rows)
    else:
        values = numbers(metric, rows)
        assert tally.n[cell] == len(values)
        if isinstance(tally, Moments):
            assert close(exact.value(tally.total)[cell], math.fsum(values))
            assert (tally.least[cell], tally.most[cell]) == (min(values, default=math.inf), max(values, default=-math.inf))


def test_points_are_the_oracles(reference, foreseen):
    """Each series has one point a window: counts are exact, floats agree to 1e-9, and quantiles over a sketch to 1 %."""
    _, out = reference
    sketched = {(metric, segment) for (_, metric, segment), found in foreseen.statistics.items() if not found.exact}
    seen: Counter[tuple[str, str, int]] = Counter()
    for rows in out.points.values():
        for points in rows:
            index = foreseen.index[points.start]
            assert (points.end, sum(points.counts.values())) == (points.start + MINUTE, 0)
            assert points.gap == (points.start in foreseen.gaps)
            assert list(zip(points.sources.partition, points.sources.first, points.sources.last, strict=True)) == foreseen.spans[index]
            assert points.records.tolist() == [foreseen.records[index].get(segment, 0) for segment in points.segments]
            for metric, segment, at in series(points):
                expected = foreseen.points[metric, segment][index - foreseen.first[segment]]
                seen[metric, segment, index] += 1
                assert points.n[at] == expected.n
                assert points.phase[at] == _phase(expected)
                if (metric, segment) in sketched:
                    assert near(points.value[at], foreseen.statistics[index, metric, segment])
                else:
                    assert close(points.value[at], expected.value)
                    assert differs(points, at, expected) == [], (metric, segment, index)

    assert seen == Counter((metric, segment, index) for index, metric, segment in foreseen.statistics)
    assert {segment for _, segment, _ in seen} == {WHOLE, "north", "south", "west"}
    assert sketched == {("median", WHOLE), ("median", "west"), ("p90", WHOLE), ("p90", "west")}


def _phase(expected):
    """Learning, judged, records without a value, nothing at all."""
    if math.isnan(expected.value):
        return 2 if expected.n else 255
    return int(expected.judged)


def test_episodes_are_the_oracles(reference, foreseen):
    """Each signal is there once, with its numbers, offsets and onset; all signals of an episode name it alike."""
    _, out = reference
    expected = expected_signals(foreseen)
    found = {(s.metric, s.segment, foreseen.index[s.start]): s for s in signals_of(out)}
    named = {(s.metric, s.segment, s.opened): s.episode for s in found.values()}

    assert len(signals_of(out)) == len(found)
    assert sorted(found) == sorted(expected)
    for where, signal in found.items():
        check_signal(signal, expected[where])
        assert signal.episode == named[signal.metric, signal.segment, signal.opened]
        guilty = foreseen.rejected.get(where[2], {})
        assert signal.rejected == rejecting(signal, guilty)
    assert len(set(named.values())) == len(named)
    assert {kind for signal in found.values() for kind in [signal.kind]} == {"open", "update", "resolve"}
    assert any(signal.muted for signal in found.values())
    of_stream = [s for rows in out.signals.values() for s in rows if not s.episode]
    assert sorted(s.kind for s in of_stream) == ["end", "end", "gap"]
    assert [s.start for s in of_stream if s.kind == "gap"] == list(foreseen.gaps)


def rejecting(signal, guilty):
    """Whether a metric of this name is itself a reason to reject: no segment of this stream has two of them in one window."""
    return signal.segment in guilty and guilty[signal.segment].metric == signal.metric


def test_verdicts_are_the_oracles(reference, foreseen):
    """Rejections name segment, metric, chart and numbers; each window is marked as judged once by each chart partition."""
    _, out = reference
    found: dict[tuple[int, str], Rejection] = {}
    windows: Counter[tuple[str, int]] = Counter()
    for rows in judged(out.verdicts).values():
        waiting = 0
        for one in rows:
            index = foreseen.index.get(one.start, -1)
            if isinstance(one, Rejection):
                waiting += 1
                found[index, one.segment] = one
            elif one.until != END:
                assert (one.rejections, one.until) == (waiting, one.start + MINUTE)
                windows["markers", index] += 1
                windows["records", index] += one.records
                windows["unjudged", index] += one.unjudged
                waiting = 0
    expected = {(index, segment): why for index, guilty in foreseen.rejected.items() for segment, why in guilty.items()}

    assert sorted(found) == sorted(expected)
    for where, one in found.items():
        why = expected[where]
        assert (one.metric, one.chart, one.n) == (why.metric, why.chart, why.n)
        assert (one.value, one.lcl, one.ucl) == pytest.approx((why.point.value, why.point.lcl, why.point.ucl), rel=1e-9)
    for index in range(len(foreseen.starts)):
        assert windows["markers", index] == 2
        assert windows["records", index] == foreseen.records[index].get(WHOLE, 0)
        assert windows["unjudged", index] == foreseen.unjudged[index]


def test_input_is_clean_and_quarantine(reference, source):
    """Every committed record of the source is in one of the two topics, once; aborted ones are in none."""
    _, out = reference

    assert Counter([*originals(out.clean), *originals(out.quarantine, quarantined=True)]) == Counter(map(input_of, source))


def test_each_record_goes_its_way(reference, foreseen):
    """Clean and quarantine hold what the verdicts say, in the order of the source, with headers that say why."""
    _, out = reference
    episodes = {(s.metric, s.segment, s.start): s.episode for s in signals_of(out)}
    for found, bad in ((out.clean, False), (out.quarantine, True)):
        ways = [way for way in foreseen.ways if bool(way.reason) == bad]

        assert originals(found, quarantined=bad) == [input_of(way.record) for way in ways]
        for one, way in zip(found, ways, strict=True):
            added = one.headers[len(way.record.headers) :]
            headers = dict(added)
            expected = headers_of(way, SOURCE, episodes)
            assert len(headers) == len(added)
            assert expected.items() <= {name: (value or b"").decode() for name, value in added}.items()
            more = {"__connect.errors.exception.message"} if bad else set()
            if way.rejected is not None:
                check_numbers(headers, way.rejected)
                more |= {"streamspc.value", "streamspc.limits"}
            assert set(headers) - set(expected) == more
    assert {way.reason for way in foreseen.ways} >= {"rejected", "undecodable", "wrong_type", "future", "no_event_time", "bad_event_time"}
    assert {(way.late, way.storm) for way in foreseen.ways} == {(False, False), (True, False), (False, True), (True, True)}


def heard(message):
    """How many episodes a chat message shows, between its header and its origin; one alone may have a picture."""
    return 1 if any("fields" in block for block in message["blocks"]) else len(message["blocks"]) - 2


def test_receivers_are_told_once(reference):
    """Each episode's beginning and end is told in one signed message, the refused one again with the same body; the chat hears as much."""
    app, out = reference
    hook, chat = (app.receivers.at(f"/{path}/{app.app}") for path in ("hook", "chat"))
    for delivery in hook:
        Webhook(KEY).verify(delivery.body, delivery.headers)
    told = transitions(hook)
    times = Counter(delivery.headers["webhook-id"] for delivery in hook)

    assert amiss(told, out) == []
    assert sorted(times.values()) == [1] * (len(times) - 1) + [2]
    assert len({(delivery.headers["webhook-id"], delivery.body) for delivery in hook}) == len(told)
    spoken = {delivery.headers["webhook-id"]: json.loads(delivery.body) for delivery in chat}
    assert len(chat) == len(spoken) + 1
    assert sum(map(heard, spoken.values())) == sum(map(len, told.values()))

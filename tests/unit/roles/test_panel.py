from __future__ import annotations

import sys
import threading
from collections import Counter

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from driving import LOCAL, Roles, prepare, produce, read, run
from strategies import METRICS, SHOPS, blocks, folded, quick, semantics, source
from streamspc import wire
from streamspc.flow import State, fold, ready
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.model import RUN_RULES, ChartKind, ChartSpec, View
from streamspc.roles.chart import ChartRole
from streamspc.roles.meters import Meters
from streamspc.roles.panel import Panel
from streamspc.serve.gather import gather

SPEC = semantics(2)


@pytest.fixture(scope="module")
def ran():
    """A whole run in memory: the cluster, and the roles after it."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        kafka = MemoryKafka()
        prepare(kafka, SPEC, 2)
        for partition in range(2):
            one = source(partition + 1, 150)
            produce(kafka, "source", zip([partition] * 150, one.keys, one.values, one.stamps, strict=True))
        roles = Roles(kafka, SPEC).all()
        run(roles)
    return kafka, roles


def rows(view: View) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by family and labels; a series that comes twice fails."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in view.families:
        assert len(set(family.labels)) == len(family.labels), family.name
        found[family.name] = dict(zip(family.labels, family.values, strict=True))
    return found


def labels(panel: Panel, family: str) -> set[tuple[str, ...]]:
    """Label values of a family."""
    return set(rows(View("chart", tuple(panel.families())))[family])


def test_every_series_of_every_role_is_shown_once_and_has_a_name(ran):
    """Two chart partitions in one process share families and no series; all names and labels are those of the table."""
    _, roles = ran
    families = gather([role.view for role in roles], "hash")

    for found in families.values():
        for family in found:
            assert len(set(family.labels)) == len(family.labels), family.name
    shown = {name for name, found in families.items() if any(len(family.labels) for family in found)}
    assert {"spc_value", "spc_consumer_lag_records", "spc_storm_active", "spc_txn_total"} <= shown


def test_the_last_points_are_the_gauges(ran):
    """What is shown of a series is its last point, number for number."""
    kafka, (_, chart, _) = ran
    shown = rows(chart.view)
    last = {}
    for batch in read(kafka, "app.points"):
        for value in batch.values:
            points = wire.decode_points(value or b"")
            last[batch.partition] = points
    for points in last.values():
        for family, array in (("spc_value", points.value), ("spc_center", points.centre), ("spc_sigma", points.sigma)):
            for (m, s), number in np.ndenumerate(array):
                labels = "s", points.metrics[m], points.segments[s]
                assert shown[family].get(labels, np.nan) == number or np.isnan(number)
    assert {labels[2] for labels in shown["spc_value"]} <= {"*", *SHOPS} | {segment for p in last.values() for segment in p.segments}
    assert len(shown["spc_value"]) == sum(int(np.isfinite(points.value).sum()) for points in last.values())


def test_what_happened_is_counted_once(ran):
    """Windows and records of the whole stream are counted in the partition where it lives; signals and rejections in their own."""
    kafka, (_, chart, gate) = ran
    shown = rows(chart.view)
    points = [wire.decode_points(v or b"") for batch in read(kafka, "app.points") for v in batch.values]
    whole = {p.start for p in points if "*" in p.segments}
    verdicts = [v for batch in read(kafka, "app.verdicts") for v in batch.values if b'"rejected"' in (v or b"")[:20]]
    opened = Counter(v and b'"kind":"open"' in v for batch in read(kafka, "app.signals") for v in batch.values)[True]
    gates = rows(gate.view)["spc_records_total"]

    charted = sum(int((p.phase != 255).any(axis=0).sum()) for p in points)
    assert len(whole) == shown["spc_windows_total"]["s",] > 10
    assert shown["spc_verdicts_total"]["s", "rejected"] == len(verdicts) > 3
    assert shown["spc_verdicts_total"]["s", "accepted"] == charted - len(verdicts) > 3
    assert sum(shown["spc_episodes_total"].values()) == opened > 3
    assert sum(shown["spc_violations_total"].values()) == sum(int(np.bitwise_count(p.broken).sum()) for p in points)
    assert gates["s", "gate", "read"] == gates["s", "gate", "clean"] + gates["s", "gate", "quarantine"] == 300


def test_baselines_are_counted_and_those_in_doubt_shown():
    """Versions and windows that screening left out, by metric; a gauge of series that are provisional; a line of the log."""
    priced = msgspec.structs.replace(METRICS[1], charts=ChartSpec(), signal_by=(ChartKind.SHEWHART,))
    spec, panel, meters = semantics(1, metrics=(priced, METRICS[3])), Panel(), Meters("chart")
    state = State.begin(spec, 0)
    with capture_logs() as said:
        for out in folded(state, blocks(ready(spec.streams[0]), [source(1, 400)], 1)):
            panel.show(0, state, out, meters)
    again = folded(State.begin(spec, 0), blocks(ready(spec.streams[0]), [source(1, 400)], 1))
    some = [points.learnt for out in again for points in out.points if points.learnt is not None]
    for name, expected in (("spc_baselines_total", "metric"), ("spc_baseline_windows_dropped_total", "dropped")):
        assert sum(n for (at, _), n in meters.counts.items() if at == name) == sum(len(getattr(one, expected)) for one in some) > 0
    shown = rows(View("chart", tuple(panel.families())))["spc_series_provisional"]
    assert shown == {("s",): float((state.streams["s"].bank.baseline.doubt != 0).sum())}
    assert state.streams["s"].bank.baseline.doubt[0].any()
    lines = [line for line in said if line["event"] == "baselines estimated"]
    assert [(line["series"], line["dropped"]) for line in lines] == [(len(one.metric), len(one.dropped)) for one in some]


def test_rules_that_signal_are_counted_by_metric():
    """Each point counts once for each of its rules."""
    spec, panel, meters = semantics(1, metrics=(msgspec.structs.replace(METRICS[1], rules=RUN_RULES), METRICS[3])), Panel(), Meters("chart")
    state, bits = State.begin(spec, 0), 0
    for out in folded(state, blocks(ready(spec.streams[0]), [source(1, 400)], 1)):
        panel.show(0, state, out, meters)
        bits += sum(int(np.bitwise_count(points.rules).sum()) for points in out.points if points.rules is not None)
    counted = {labels: n for (name, labels), n in meters.counts.items() if name == "spc_rule_violations_total"}
    assert sum(counted.values()) == bits > 3
    assert {labels[:2] for labels in counted} == {("s", "price")}


def test_a_partition_that_moves_takes_its_series_along(ran):
    """What another process charts is not shown here."""
    _, (_, chart, _) = ran
    panel, meters = Panel(), Meters("chart")
    for place, owned in chart.owned.items():
        state = State.begin(SPEC, place.partition)
        for out in folded(state, blocks(ready(SPEC.streams[0]), [source(1, 90)], 1)):
            panel.show(place.partition, owned.state, out, meters)
    both = labels(panel, "spc_violations_total")
    panel.keep({1})

    assert labels(panel, "spc_violations_total") < both
    panel.keep(set())
    assert panel.families() == []


def test_times_are_those_of_the_partition_that_is_behind():
    """A frontier holds for the stream when every chart partition has come so far; numbers of series add up."""
    spec, panel = semantics(2), Panel()
    log = blocks(ready(spec.streams[0]), [source(1, 90)], 1)
    for partition, upto in ((0, len(log) - 1), (1, len(log) // 2)):
        state = State.begin(spec, partition)
        for out in folded(state, log[:upto]):
            panel.show(partition, state, out, Meters("chart"))
        if partition == 1:
            behind = state.streams["s"]
    found = rows(View("chart", tuple(panel.families())))

    assert found["spc_frontier_timestamp_seconds"] == {("s",): behind.frontier.at / 1e6}
    assert found["spc_window_end_timestamp_seconds"] == {("s",): behind.windows.next / 1e6}
    assert set(found["spc_series"]) == {("s",)}


class Shown:
    """One chart partition that is folded block by block and shown, on a clock of its own."""

    def __init__(self, most=5_000):
        self.spec, self.now = semantics(1), 1000.0
        self.panel, self.meters = Panel(most, lambda: self.now), Meters("chart")
        self.log = blocks(ready(self.spec.streams[0]), [source(1, 150)], 1)
        self.state = State.begin(self.spec, 0)

    def steps(self):
        """After each block: what is shown, and what came of the block."""
        for out in (fold(self.state, block) for block in self.log):
            self.panel.show(0, self.state, out, self.meters)
            yield rows(View("chart", tuple(self.panel.families()))), out


def test_an_episode_is_shown_for_a_while_after_it_ended():
    """Out of control is what has an open episode, or had one in the last two minutes, however soon it was over; then it is 0."""
    one = Shown()
    opened = ended = 0
    for shown, out in one.steps():
        of = one.state.streams["s"].episodes
        for row, segment in np.argwhere(of.state.open).tolist():
            opened += 1
            assert shown["spc_out_of_control"]["s", one.spec.streams[0].series[row], of.segments[segment]] == 1.0
        for signal in out.signals:
            if signal.kind == "resolve":
                ended += 1
                assert shown["spc_out_of_control"]["s", signal.metric, signal.segment] == 1.0
    held = sum(shown["spc_out_of_control"].values())
    one.now += 121.0
    later = rows(View("chart", tuple(one.panel.families())))["spc_out_of_control"]

    assert opened > 3
    assert ended > 3
    assert sum(later.values()) == int(of.state.open.sum()) < held


def test_counters_of_series_begin_at_nothing():
    """A counter is there at 0 before its first event, so that a rate sees that one, too."""
    seen: set[bool] = set()
    before: set[tuple[str, ...]] = set()
    for shown, out in Shown().steps():
        for points in out.points:
            for metric, segment in zip(*np.nonzero(points.broken), strict=True):
                for bit, chart in enumerate(("shewhart", "cusum", "ewma")):
                    if points.broken[metric, segment] >> bit & 1:
                        seen.add(("s", points.metrics[metric], points.segments[segment], chart) in before)
        before = set(shown.get("spc_violations_total", {}))

    assert seen == {True}


def test_more_series_than_may_be_shown_are_counted():
    """At most so many series have rows; the whole stream always has, those that came first stay, and the rest is a number."""
    kept: set[tuple[str, ...]] = set()
    all_of_it, few = Shown(), Shown(4)
    *_, (everything, _) = all_of_it.steps()
    for shown, _ in few.steps():
        now = set(shown.get("spc_value", {}))
        assert {row[2] for row in kept} <= {row[2] for row in shown.get("spc_out_of_control", {})}
        kept = now
    metrics = len(few.spec.streams[0].series)

    assert "*" in {row[2] for row in kept}
    assert len(shown["spc_out_of_control"]) <= max(4, metrics) < len(everything["spc_out_of_control"])
    assert shown["spc_series_hidden"]["s",] == len(everything["spc_out_of_control"]) - len(shown["spc_out_of_control"]) > 0
    assert everything["spc_series_hidden"]["s",] == 0.0


def test_the_promise_grows_with_the_windows_that_are_judged():
    """Expected false episodes are the judged windows over the promised average between them."""
    one, judged = Shown(), 0
    for _, out in one.steps():
        judged += sum(bool((points.phase == 1).any()) for points in out.points)
    arl0 = one.spec.streams[0].budget.arl0
    counted = one.meters.counts["spc_expected_false_episodes_total", ("s",)]

    assert judged > 10
    assert counted == pytest.approx(judged / arl0)


def test_a_scrape_may_come_at_any_moment():
    """Views are made in other threads while the role turns: none of them fails."""
    spec, failures, stop = semantics(2), [], threading.Event()
    role = ChartRole(MemoryKafka(), spec, LOCAL)
    log = blocks(ready(spec.streams[0]), [source(1, 60)], 1)

    def scrape() -> None:
        while not stop.is_set():
            try:
                gather([role.view], "hash")
            except Exception as error:  # noqa: BLE001 - told to the test
                failures.append(error)
                return

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=scrape)
    thread.start()
    for life in range(3):
        for partition in range(2):
            state = State.begin(spec, partition)
            for out in folded(state, log):
                role.panel.show(partition, state, out, role.meters)
        role.panel.keep({life % 2})
    for number in range(20_000):
        role.meters.count("spc_records_total", (f"s{number}", "chart", "read"))
    stop.set()
    thread.join(10)
    sys.setswitchinterval(before)

    assert failures == []

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import blocks, folded, logs, said, semantics, source
from streamspc.flow import State, ready
from streamspc.model import ChartKind

SEEDS = st.integers(0, 10**6)
SPEC = semantics()
STREAM = ready(SPEC.streams[0])


@settings(max_examples=30, deadline=None)
@given(one=st.builds(source, SEEDS, st.sampled_from([1, 30, 150])), first=SEEDS, second=SEEDS)
def test_what_a_window_holds_does_not_depend_on_the_batches(one, first, second):
    """Two ways to cut one partition into batches give the same points, signals and verdicts, to the last bit."""
    outputs = [said(folded(State.begin(SPEC, 0), blocks(STREAM, [one], seed))) for seed in (first, second)]

    assert outputs[0] == outputs[1]


@settings(max_examples=30, deadline=None)
@given(sources=logs(), charts=st.integers(1, 4), first=SEEDS, second=SEEDS)
def test_nor_on_how_the_partitions_are_interleaved(sources, charts, first, second):
    """Two ways to read several partitions, cut and interleaved anyhow, give the same in each chart partition."""
    spec = semantics(charts)
    logs_read = [blocks(STREAM, sources, seed) for seed in (first, second)]
    for chart_partition in range(charts):
        one, other = (said(folded(State.begin(spec, chart_partition), log)) for log in logs_read)
        assert one == other


def test_those_logs_hold_what_the_law_is_about():
    """The records that the laws run on are late, unreadable, tombstones; they make episodes, rejections, gaps and Phase II points."""
    sources = [source(seed, 150) for seed in range(3)]
    log = blocks(STREAM, sources, 1)
    outputs = folded(State.begin(SPEC, 0), log)
    refused = sum((Counter(told.refused) for block in log for told in block.progress), Counter())
    points = [points for out in outputs for points in out.points]

    assert {"late", "undecodable", "tombstone", "future", "no_event_time"} <= set(refused)
    assert {signal.kind for out in outputs for signal in out.signals} == {"open", "update", "resolve", "gap", "end"}
    assert sum(verdict.start and hasattr(verdict, "segment") for out in outputs for verdict in out.verdicts) > 5
    assert set(points[-1].segments) == {"*", "north", "south", "east", ""} or len(points[-1].segments) == 5
    assert {int(phase) for p in points for phase in np.unique(p.phase)} == {0, 1, 2, 255}
    assert {bit for p in points for bit, _ in enumerate(ChartKind) if (p.broken >> bit & 1).any()} == {0, 1, 2}


def test_without_a_fault_nothing_comes_after_its_window_has_closed():
    """With no partition idle, a tally is never too late: the frontier waits for each partition's own watermark."""
    sources = [source(seed, 150) for seed in range(3)]
    outputs = [out for seed in range(20) for out in folded(State.begin(SPEC, 0), blocks(STREAM, sources, seed))]

    assert all(points.counts.get("late_after_close", 0) == 0 for out in outputs for points in out.points)

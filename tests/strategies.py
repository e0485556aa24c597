"""What laws about the whole way share: logs of source records, blocks made of them in any cut and order, and what a fold says."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from charting import TEXTBOOK
from driving import produce
from streamspc.bucket.merge import merge, scatter
from streamspc.bucket.tally import empty
from streamspc.flow import Outputs, State, Stream, fold, tally
from streamspc.kafka_io.port import Kafka
from streamspc.model import (
    END,
    NEVER,
    BaselineSpec,
    Batch,
    Block,
    ChartKind,
    EpisodeSpec,
    EventTime,
    Headers,
    Judged,
    JudgeRule,
    MetricKind,
    MetricSpec,
    MultivariateSpec,
    Progress,
    Semantics,
    StormSpec,
    StreamSpec,
)
from streamspc.roles import chart, gate, observe
from tallying import bits

WINDOW_MS = 10_000
BEGIN_MS = 1_700_000_000_000
SHOPS = ("north", "south", "east", "")

METRICS = (
    MetricSpec(name="volume", kind=MetricKind.COUNT, charts=TEXTBOOK),
    MetricSpec(name="price", kind=MetricKind.MEAN, field="price", signal_by=tuple(ChartKind), charts=TEXTBOOK),
    MetricSpec(name="p90", kind=MetricKind.QUANTILE, field="price", q=0.9, charts=TEXTBOOK),
    MetricSpec(name="failed", kind=MetricKind.PROPORTION, where="failed", direction="up", charts=TEXTBOOK),
)


def semantics(charts: int = 1, **stream: Any) -> Semantics:
    """One stream `s` of topic `source`: windows of ten seconds by shop, quick to learn; `failed` may reject."""
    settings: dict[str, Any] = {
        "event_time": EventTime(field="at", unit="ms"),
        "window_us": WINDOW_MS * 1000,
        "disorder_us": 3_000_000,
        "lateness_us": 5_000_000,
        "segment_by": ("shop",),
        "metrics": METRICS,
        "multivariate": (MultivariateSpec(name="together", metrics=("price", "volume"), weight=1.0, limit=30.0),),
        "baseline": BaselineSpec(windows=4),
        "episodes": EpisodeSpec(quiet=2, refractory=1),
        "judge_by": (JudgeRule(metric="failed"),),
        "min_records": 2,
        "max_empty_windows": 3,
        "max_open_windows": 4,
        "clock": "log",
        "clean_topic": "clean",
        "quarantine_topic": "quarantine",
        "storm": StormSpec(max_share=0.9, windows=3),
    }
    if "metrics" in stream:
        del settings["multivariate"]
    return Semantics(app="app", chart_partitions=charts, streams=(StreamSpec(name="s", topic="source", **settings | stream),))


@dataclass(frozen=True)
class Source:
    """The records of one source partition; offsets have gaps, as markers of transactions leave them."""

    offsets: list[int]
    stamps: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers]

    def batch(self, partition: int, first: int, last: int) -> Batch:
        """Records first to last (excluded) as consumed."""
        rows = slice(first, last)
        offsets = np.array(self.offsets[rows], np.int64)
        stamps = np.array(self.stamps[rows], np.int64)
        return Batch("source", partition, offsets, stamps, self.keys[rows], self.values[rows], self.headers[rows], int(offsets[-1]) + 1)


def value(at: int, shop: str = "north", price: float | None = 1.0, *, failed: bool = False) -> bytes:
    """A record as JSON; `at` is milliseconds."""
    return msgspec.json.encode({"at": at, "shop": shop, "price": price, "failed": failed})


def source(seed: int, count: int) -> Source:
    """Records that come out of order, late, unreadable and as tombstones, with silences; some spells of windows fail."""
    chance = random.Random(seed)
    at, offset = BEGIN_MS, 0
    found = Source([], [], [], [], [])
    for number in range(count):
        at += int(chance.expovariate(1 / 900)) + (chance.random() < 0.02) * chance.choice([WINDOW_MS * 2, WINDOW_MS * 9])
        when = at - int(chance.expovariate(1 / 2500)) - (chance.random() < 0.05) * chance.randrange(30_000)
        spell = (when - BEGIN_MS) // WINDOW_MS % 11 in {7, 8}
        price = None if chance.random() < 0.1 else round(chance.lognormvariate(1, 1), 2) * (3 if spell else 1)
        good = value(when, chance.choice(SHOPS), price, failed=chance.random() < (0.9 if spell else 0.1))
        body = chance.choices([good, None, b"{", value(when + 10**9), b'{"shop": 1}'], [40, 1, 1, 1, 1])[0]
        found.offsets.append(offset)
        found.stamps.append(when + 500)
        found.keys.append(chance.choice([None, b"k%d" % number]))
        found.values.append(body)
        found.headers.append(chance.choice([[], [], [("trace", b"%d" % number), ("none", None)]]))
        offset += chance.choice([1, 1, 1, 2])
    return found


def logs(most: int = 3) -> st.SearchStrategy[list[Source]]:
    """Source partitions, some of them empty."""
    return st.lists(st.builds(source, st.integers(0, 10**6), st.sampled_from([0, 1, 30, 90, 150])), min_size=1, max_size=most)


def cuts(seed: int, count: int) -> list[tuple[int, int]]:
    """One way to cut so many records into batches."""
    chance = random.Random(seed)
    size = chance.choice([1, 7, 40, 1000])
    at = sorted({0, count, *(chance.randrange(count) for _ in range(count // size))} if count else {0})
    return list(pairwise(at))


def blocks(stream: Stream, sources: list[Source], seed: int) -> list[Block]:
    """One way to read a log to its end: cut into batches, the partitions interleaved, several of them in a block now and then."""
    chance = random.Random(seed)
    queues = []
    for partition, one in enumerate(sources):
        watermark, queue = NEVER, []
        for first, last in cuts(chance.randrange(10**6), len(one.offsets)):
            table, told = tally(stream, one.batch(partition, first, last), watermark)
            watermark = told.watermark
            queue.append((table, told))
        end = one.offsets[-1] + 1 if one.offsets else 0
        queues.append([*queue, (empty(stream.plan), Progress(partition, end, end, END))])
    made = []
    config = semantics_hash(stream)
    while queues := [queue for queue in queues if queue]:
        parts = [queue.pop(0) for queue in chance.sample(queues, chance.randint(1, len(queues)))]
        table = merge([empty(stream.plan), *(table for table, _ in parts)])
        made.append(Block(stream.spec.name, config, len(sources), tuple(told for _, told in parts), table))
    return made


def semantics_hash(stream: Stream) -> str:
    """Blocks carry some hash; the fold itself does not look at it."""
    return f"of {stream.spec.name}"


def folded(state: State, log: list[Block]) -> list[Outputs]:
    """What each block makes in the state's chart partition."""
    charts, name = state.semantics.chart_partitions, state.semantics.streams[0].name
    return [
        fold(state, Block(b.stream, b.config, b.source_partitions, b.progress, scatter(b.table, name, charts)[state.chart_partition]))
        for b in log
    ]


def said(outputs: list[Outputs]) -> dict[str, list[Any]]:
    """All that the outputs say of windows, to the last bit; what only says how far the log was read is left out."""
    verdicts = [settled(v) for out in outputs for v in out.verdicts if v.start != NEVER]
    return {
        "points": [comparable(points) for out in outputs for points in out.points],
        "signals": [signal for out in outputs for signal in out.signals],
        "verdicts": verdicts,
    }


def settled(verdict: Any) -> Any:
    """A verdict without the frontier, which tells how far the log was read by then."""
    return msgspec.structs.replace(verdict, frontier=0) if isinstance(verdict, Judged) else verdict


def comparable(points: Any) -> Any:
    """Points as nested tuples that are equal only when every bit is."""
    return tuple(tuple(sorted(it.items())) if isinstance(it, dict) else it for it in bits(points))


def quick(patch: pytest.MonkeyPatch) -> None:
    """Roles ask without waiting: in these tests nobody else writes meanwhile."""
    for module, names in ((observe, ("BUSY", "POLL")), (gate, ("BUSY", "QUIET")), (chart, ("POLL",))):
        for name in names:
            patch.setattr(module, name, 0.0)


def at(window: float, shop: str = "north", **fields: Any) -> bytes:
    """A record of that window; halves are in the middle of it."""
    return value(BEGIN_MS + int(window * WINDOW_MS), shop, **fields)


def put(kafka: Kafka, partition: int, *values: bytes | None, stamp: int = BEGIN_MS + 10**9) -> None:
    """These values in a partition of the source, their Kafka timestamps far ahead."""
    produce(kafka, "source", [(partition, None, value, stamp) for value in values])

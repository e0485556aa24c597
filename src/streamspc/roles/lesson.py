"""Windows of the past as a lesson: a range of the source topic, read again and tallied as observe does it, for Phase I to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.bucket.merge import merge, split
from streamspc.bucket.tally import empty
from streamspc.errors import Fatal
from streamspc.flow import ready, tally
from streamspc.model import NEVER
from streamspc.roles.span import Span

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import StreamSpec, TallyTable
    from streamspc.roles.span import Where

TABLES = 64  # are merged at a time
MOST = 20  # times as many windows as Phase I has


def lesson(kafka: Kafka, spec: StreamSpec, begin: Where, end: Where) -> TallyTable:
    """The whole windows of a range. The first and the last, of which it may hold a part, are left out.

    Raises Transient; Fatal where the topic has no such range, or it holds no window, or far more of them than Phase I could use.
    """
    stream, marks, tables = ready(spec), dict[int, int](), list["TallyTable"]()
    span = Span.open(kafka, spec.topic, begin, end)
    try:
        for batch in span.batches(lambda: ()):
            if len(batch):
                table, told = tally(stream, batch, marks.get(batch.partition, NEVER))
                marks[batch.partition] = told.watermark
                tables.append(table)
            if len(tables) >= TABLES:
                tables = [merge(tables)]
    finally:
        span.close()
    whole = merge([empty(stream.plan), *tables])
    starts = np.unique(whole.start)
    if len(starts) < 3:
        raise Fatal(
            f"the range of {spec.topic} holds no whole window: it has the records of {len(starts)}, and the first and last do not count"
        )
    _, inner = split(whole, int(starts[1]))
    inner, _ = split(inner, int(starts[-1]))
    many, most = int(starts[-2] - starts[1]) // spec.window_us + 1, MOST * spec.baseline.windows
    if many > most:
        raise Fatal(f"the range has {many} windows; Phase I learns from the first {spec.baseline.windows}: choose {most} or fewer")
    return inner

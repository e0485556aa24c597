"""What whole numbers of hits allow of a promise, for series of the whole stream that have few of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streamspc.chart.attainable import arl0
from streamspc.check.report import Attainable
from streamspc.model import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.chart import Bank
    from streamspc.check import Report


def attainable(bank: Bank, report: Report) -> Iterator[Attainable]:
    """Series of the whole stream whose hits are few, by metric. Those of segments are as the records that they have."""
    if WHOLE not in bank.segments:
        return
    column, sizes = bank.segments.index(WHOLE), report.sizes()
    for row, metric in enumerate(bank.plan.metrics):
        n = float(sizes[row, column])
        found = None if math.isnan(n) else arl0(bank, (row, column), n)
        if found is not None:
            yield Attainable(metric, WHOLE, float(bank.limits.arl0[row, column]), found if math.isfinite(found) else None)

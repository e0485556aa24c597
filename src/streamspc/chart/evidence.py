"""Evidence: whether a Phase I says enough to make a promise on.

A baseline whose evidence does not suffice is provisional. Its series is charted and signals, marked so; no window is rejected, its records
are `unjudged`, and no rate of false alarms is promised. It goes on to learn from the windows that do not signal, the newest
`memory` of them, and is estimated again every `AGAIN` of them, each time a new version, until nothing is in doubt.

| doubt | rule | reason |
|---|---|---|
| `few_windows` | fewer than 20 windows kept | sigma is uncertain by a sixth and more: limits that allow for it find nothing |
| `few_pairs` | fewer than 20 pairs of neighbours kept | nothing is known of autocorrelation, and .6 has ten times the false alarms |
| `alike` | phi at its largest, or m (1 - phi) / (1 + phi) < 4 | the level of windows so much alike is that of a few independent ones |
| `no_hits` | no hit in 100 records of a rate, or 30 windows of a count | up to 3 / k may be usual: 3 % of records, 0.1 a window |

`few_pairs` and `alike` are not asked of rare series, whose limits take no autocorrelation into account. The fewest windows are one more
than the pairs. Where all limits of a series were written by somebody, or none of its charts may signal, there is no promise, so nothing
is in doubt.

Sources: Jensen et al. (2006) (few windows); Hanley & Lippman-Hand (1983), If nothing goes wrong, is everything all right?, JAMA 249(13)
(rule of three); Bayley & Hammersley (1946) (effective number of autocorrelated observations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamspc.chart import order
from streamspc.chart.autocorrelation import MOST, PAIRS
from streamspc.chart.plan import RATIOS
from streamspc.model import Doubt, MetricKind

if TYPE_CHECKING:
    from streamspc.chart.rare import Sides
    from streamspc.model import Bools, Floats, Ints

    Doubts = npt.NDArray[np.uint8]

WINDOWS = 20
EFFECTIVE = 4.0  # independent windows
RECORDS, EMPTY = 100, 30  # records of a rate, windows of a count, none of them a hit
AGAIN = 10  # windows between two estimates of a provisional baseline
MEMORY = 60  # windows that are remembered at least, so that a short Phase I can come to suffice
BIT = {doubt: np.uint8(1 << at) for at, doubt in enumerate(Doubt)}


def memory(windows: int) -> int:
    """Windows that a series remembers while it learns, where Phase I has so many."""
    return max(windows, MEMORY)


def doubts(kind: MetricKind, windows: tuple[Floats, Ints], keep: Bools, phi: Floats, side: Sides) -> Doubts:
    """What is in doubt of q series, as bits of `Doubt`: values and n of the windows, and which are kept [m, q]; phi and side [q]."""
    m, pairs = order.kept(keep), order.kept(keep[1:] & keep[:-1])
    common = side == 0
    found = (m < WINDOWS) * BIT[Doubt.FEW_WINDOWS]
    found |= (common & (pairs < PAIRS)) * BIT[Doubt.FEW_PAIRS]
    found |= (common & ((phi >= MOST) | (m * (1.0 - phi) / (1.0 + phi) < EFFECTIVE))) * BIT[Doubt.ALIKE]
    found |= _no_hits(kind, windows, keep, side) * BIT[Doubt.NO_HITS]
    return found.astype(np.uint8)


def _no_hits(kind: MetricKind, windows: tuple[Floats, Ints], keep: Bools, side: Sides) -> Bools:
    value, n = windows
    if kind is MetricKind.COUNT:
        return np.asarray((order.total(np.where(keep, value, 0.0)) == 0.0) & (order.kept(keep) < EMPTY))
    if kind not in RATIOS:
        return np.zeros(keep.shape[1], bool)
    records, hits = (order.total(np.where(keep, part, 0.0)) for part in (n, np.round(value * n)))
    return np.asarray((np.where(side < 0, records - hits, hits) == 0.0) & (records < RECORDS))

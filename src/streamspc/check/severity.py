"""Severity: how unlikely a point is while nothing has changed, as one number from 0 to 1 for all charts and series.

A statistic's surprise is the logarithm of the probability of one at least as extreme while in control; divided by that of the
chart's own limit it is 0 where nothing is odd and 1 exactly at the limit, whichever chart and whatever the limit. Of the charts that
may signal for the metric (of all where none may) the most surprising counts, with surprise u:

    severity = u / (1 + u)            0.5 exactly at a limit, above it beyond, towards 1 without reaching it

| chart | tail | u |
|---|---|---|
| Shewhart | normal: both tails, or the one of `direction` | ln P(z) / ln P(limit) |
| EWMA | normal, with the sigma of its exact limit | the same |
| CUSUM | exponential in the statistic, at the rate 2k (Siegmund 1985) | C / h |

It grows with the unlikelihood, strictly. Rejected: one less the probability, which is the double 1.0 beyond 8 sigma, so that the worst
points of a file could not be told from bad ones. A point that signals for a reason that is no statistic beyond a limit (a run rule) has
0.5 at least; one that is too small to matter (`min_effect`) keeps its severity, for it is unlikely all the same. In Phase I it is 0.

Source: Siegmund, D. (1985), Sequential analysis (the tail of a random walk that is reflected at 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from streamspc.model import ChartKind, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Bools, Floats, Points, StreamSpec

MONITORING = list(Phase).index(Phase.MONITORING)
AT_LIMIT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What severities need of M metrics, [M, 1] each."""

    up: Bools
    down: Bools
    counts: dict[ChartKind, Bools]  # does this chart count

    @classmethod
    def of(cls, spec: StreamSpec) -> Scale:
        """The scale of a stream's metrics."""
        metrics, together = spec.metrics, spec.multivariate
        silent = [not set(metric.signal_by) & set(ChartKind) for metric in metrics]
        return cls(
            up=_column([metric.direction != "down" for metric in metrics] + [True for _ in together]),
            down=_column([metric.direction != "up" for metric in metrics] + [True for _ in together]),
            counts={
                kind: _column(
                    [none or kind in metric.signal_by for metric, none in zip(metrics, silent, strict=True)]
                    + [kind is chart.kind for chart in together]
                )
                for kind in ChartKind
            },
        )

    def severity(self, points: Points) -> Floats:
        """Severity of each point, [M, S]; 0 where there is none, or none of Phase II."""
        with np.errstate(invalid="ignore", divide="ignore"):
            surprise = {
                ChartKind.SHEWHART: self._normal(points.z, points.shewhart_limit),
                ChartKind.EWMA: self._normal(points.ewma / points.ewma_limit * points.ewma_width, points.ewma_width),
                ChartKind.CUSUM: np.maximum(np.where(self.up, points.cusum_up, 0.0), np.where(self.down, points.cusum_down, 0.0))
                / points.cusum_limit,
            }
        worst = np.zeros(points.value.shape)
        for kind, there in self.counts.items():
            worst = np.fmax(worst, np.where(there, surprise[kind], 0.0))
        severity = worst / (1.0 + worst)
        severity = np.where(points.broken != 0, np.maximum(severity, AT_LIMIT), severity)
        return np.where(points.phase == MONITORING, severity, 0.0)

    def _normal(self, x: Floats, limit: Floats) -> Floats:
        """Surprise of standard normal statistics."""
        both = self.up & self.down
        distance = np.where(both, np.abs(x), np.where(self.up, x, -x))
        doubled = np.where(both, np.log(2.0), 0.0)
        surprise: Floats = (log_ndtr(-distance) + doubled) / (log_ndtr(-limit) + doubled)
        return surprise


def _column(values: Sequence[float]) -> npt.NDArray[Any]:
    return np.array(values)[:, None]

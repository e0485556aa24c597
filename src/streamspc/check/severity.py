"""Severity: how unlikely a point is while nothing has changed, as one number from 0 to 1 for all charts and series.

A statistic's surprise is the logarithm of the probability of one at least as extreme while in control, in units of that of a normal value
beyond three sigma. Limits do not enter: a point that is as unlikely is as severe, whatever its series was allowed. Of the charts that may
signal for the metric (of all where none may) the most surprising counts, with surprise u:

    severity = u / (1 + u)            0 where nothing is odd, 0.5 at three sigma, towards 1 without reaching it

| chart | tail | u |
|---|---|---|
| Shewhart | normal: both tails, or the one of `direction` | ln P(z) / ln P(3) |
| EWMA | normal, with the sigma of its exact limit | the same |
| CUSUM | exponential in the statistic (Siegmund 1985) | C / h times the u of the Shewhart limit that was designed with h |

It grows with the unlikelihood, strictly. Rejected: one less the probability, which is the double 1.0 beyond 8 sigma, so that the worst
points of a file could not be told from bad ones; surprise in units of the chart's own limit, which makes the same z severe in a stream of
few series and harmless in one of many. A point that signals for a reason that is no statistic beyond a limit (a run rule) has 0.5 at
least; one that is too small to matter (`min_effect`) keeps its severity, for it is unlikely all the same. In Phase I it is 0.

Source: Siegmund, D. (1985), Sequential analysis (the tail of a random walk that is reflected at 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from streamspc.model import ChartKind, charted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Bools, Floats, Points, StreamSpec

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
                ChartKind.SHEWHART: self._normal(self._sided(points.z)),
                ChartKind.EWMA: self._normal(self._sided(points.ewma / points.ewma_limit * points.ewma_width)),
                ChartKind.CUSUM: np.maximum(np.where(self.up, points.cusum_up, 0.0), np.where(self.down, points.cusum_down, 0.0))
                / points.cusum_limit
                * self._normal(points.shewhart_limit),
            }
        worst = np.zeros(points.value.shape)
        for kind, there in self.counts.items():
            worst = np.fmax(worst, np.where(there, surprise[kind], 0.0))
        severity = worst / (1.0 + worst)
        severity = np.where(points.broken != 0, np.maximum(severity, AT_LIMIT), severity)
        return np.where(charted(points.phase), severity, 0.0)

    def _sided(self, x: Floats) -> Floats:
        """How far on a side that is asked for."""
        distance: Floats = np.where(self.up & self.down, np.abs(x), np.where(self.up, x, -x))
        return distance

    def _normal(self, distance: Floats) -> Floats:
        """Surprise of standard normal statistics so far out."""
        surprise: Floats = (log_ndtr(-distance) + np.where(self.up & self.down, np.log(2.0), 0.0)) / (log_ndtr(-3.0) + np.log(2.0))
        return surprise


def _column(values: Sequence[float]) -> npt.NDArray[Any]:
    return np.array(values)[:, None]

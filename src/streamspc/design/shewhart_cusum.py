"""CUSUM with Shewhart limits: a signal at S+ > h, S- > h, or |x| > c, two-sided; at S+ > h or x > c, one-sided.

One side is a chain of its own (`clipped_side`). Of two sides: points survive the Shewhart limits with the same probability 1 - d,
d = P(|x| > c), wherever the CUSUM stands. So the run length is the smaller of a geometric one and that of a CUSUM of truncated points,
whose sides do not interact either (see `cusum_pair`). Page's renewal argument at the discount 1 - d gives, exactly, with A and B the
average run lengths of one side with both Shewhart limits,
    E[N | S+ = a, S- = b] = (A(a) / A(0) + B(b) / B(0) - 1) / (1 / A(0) + 1 / B(0) - d)    for a + b <= h + 2 k.
From zero start that is 1 / E[N] = 1 / A(0) + 1 / B(0) - d: the alarms that both sides share are counted once. From a higher head start the
sum S+ + S- is known until the condition holds; the mean is carried back over these points.

Sources: Lucas (1982), Combined Shewhart-CUSUM quality control schemes, Journal of Quality Technology 14; Yashchin (1985), On the analysis
and design of CUSUM-Shewhart control schemes, IBM Journal of Research and Development 29.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from streamspc.design import arguments
from streamspc.design.clipped_side import ClippedSide, clipped
from streamspc.design.collocation import Panels, mean_times, operator, panel_edges
from streamspc.design.cusum import SIDES, STATES, cusum_arl, cusum_limit
from streamspc.design.far_limit import applies, far_mean
from streamspc.design.roots import limit_for
from streamspc.design.shewhart_cusum_steady import survivors

if TYPE_CHECKING:
    from streamspc.model import Floats


class _Both(NamedTuple):
    """The two sides at one shift, and the share d of points beyond the Shewhart limits."""

    upper: ClippedSide
    lower: ClippedSide
    beyond: float

    @property
    def rate(self) -> float:
        """Signals per point, from zero start."""
        return max(0.0, float(1.0 / self.upper.mean[0] + 1.0 / self.lower.mean[0] - self.beyond))

    def mean(self, upper: Floats, lower: Floats) -> Floats:
        """Average run length from pairs of values with a sum of at most h + 2 k."""
        if self.rate == 0.0:
            return np.full_like(upper, math.inf)
        return np.asarray(np.maximum(1.0, (self.upper.relative(upper) + self.lower.relative(lower) - 1.0) / self.rate), np.float64)


def shewhart_cusum_arl(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    k: float, h: float, c: float, shift: float = 0.0, headstart: float = 0.0, sided: str = "two", state: str = "zero"
) -> float:
    """Average run length of a CUSUM with Shewhart limits, all in sigma of the plotted statistic.

    `sided="two"`: a signal at S+ > h, S- > h or |x| > c; "upper": at S+ > h or x > c; "lower": at S- > h or x < -c. `headstart` is the
    starting value of the statistic, of both when there are two. An infinite c means no Shewhart limits. `state="steady"`: conditional
    steady state, the limit of E[RL - tau | RL > tau] when a chart that has been in control for tau points shifts; no head start matters.

    Raises:
        ValueError: k, h, c or the head start is negative or no number, the head start is above h, or a word is unknown.

    >>> round(shewhart_cusum_arl(0.5, 5, 3.5), 2), round(shewhart_cusum_arl(0.5, 5, 3.5, shift=1.0, headstart=2.5), 3)
    (397.84, 6.332)
    >>> round(shewhart_cusum_arl(0.5, 5, 3.5, sided="upper"), 2)
    795.69
    """
    k, h = arguments.non_negative("k", k), arguments.non_negative("h", h)
    c = math.inf if c == math.inf else arguments.non_negative("c", c)
    shift, headstart = arguments.finite("shift", shift), arguments.non_negative("headstart", headstart)
    if headstart > h:
        raise ValueError(f"headstart is {headstart:g}: a chart cannot start above its limit h = {h:g}")
    sided = arguments.one_of("sided", sided, SIDES)
    if arguments.one_of("state", state, STATES) == "steady":
        return _steady((k, h, c), sided, shift)
    return _arl((k, h, c), sided, shift, headstart)


def shewhart_cusum_limit(k: float, arl0: float, split: float = 0.5, headstart: float = 0.0, sided: str = "two") -> tuple[float, float]:
    """Limits (h, c) with which the combined chart has the average run length arl0 in control.

    `split` is the share of false alarms that are given by the Shewhart limits: c is such that a point is beyond them once in arl0 / split,
    so that of all false alarms of the combined chart exactly this share is beyond c (Wald's identity), whether or not the CUSUM signals
    as well. h then makes the joint average run length arl0; the CUSUM alone has a somewhat higher rate than (1 - split) / arl0, as some
    alarms are shared. 0 gives a CUSUM alone, with c infinite.

    Raises:
        ValueError: k or the head start is negative, the split is not from 0 to below 1, or arl0 is below what h = headstart has.

    >>> h, c = shewhart_cusum_limit(0.5, 370.4)
    >>> round(h, 4), round(c, 4), round(shewhart_cusum_arl(0.5, h, c), 6)
    (5.3386, 3.2052, 370.4)
    """
    k, arl0 = arguments.non_negative("k", k), arguments.run_length("arl0", arl0)
    split, headstart = arguments.probability("split", split), arguments.non_negative("headstart", headstart)
    if split == 1.0:
        raise ValueError("split is 1: it leaves no false alarm to the CUSUM, whose limit would be infinite; use a Shewhart chart")
    return _limit(k, arl0, split, headstart, arguments.one_of("sided", sided, SIDES))


@lru_cache(maxsize=4096)
def _arl(limits: tuple[float, float, float], sided: str, shift: float, headstart: float) -> float:
    k, h, c = limits
    if math.isinf(c):
        return cusum_arl(k, h, shift, sided, headstart)
    if sided == "lower":
        return _arl.__wrapped__(limits, "upper", -shift, headstart)
    two = sided == "two"
    nearest = min(k, c) if h == 0.0 else c  # a CUSUM without room signals whenever x is beyond k
    beyond = float(ndtr(shift - nearest) + (ndtr(-shift - nearest) if two else 0.0))
    if h == 0.0 or c <= k:  # nothing but single points can signal
        return 1.0 / beyond if beyond > 0.0 else math.inf
    far = _far(limits, shift, two=two) if headstart == 0.0 else None
    return _solved(limits, shift, headstart, two=two) if far is None else far


def _solved(limits: tuple[float, float, float], shift: float, headstart: float, *, two: bool) -> float:
    """Average run length by the equations."""
    k, h, c = limits
    start, side = np.array([headstart]), clipped(k, h, (-c if two else -math.inf, c), shift)
    if not two:
        return max(1.0, float(side.mean[0] * side.relative(start)[0]))
    chart = _Both(side, clipped(k, h, (-c, c), -shift), float(ndtr(shift - c) + ndtr(-shift - c)))
    if 2.0 * headstart <= h + 2.0 * k:
        return float(chart.mean(start, start)[0])
    return _corridor(side, headstart) if k == 0.0 else _opened(chart, headstart)


def _near(k: float, within: tuple[float, float], shift: float, h: float) -> float:
    return float(clipped(k, h, within, shift).mean[0])


def _far(limits: tuple[float, float, float], shift: float, *, two: bool) -> float | None:
    """Average run length from 0 where h is far; None where it is not."""
    k, h, c = limits
    rate = -float(ndtr(shift - c) + ndtr(-shift - c)) if two else 0.0
    for moved in (shift, -shift) if two else (shift,):
        within = (-c if two else -math.inf, c)
        apart = within[0] - moved, c - moved
        if not applies(h, k - moved, apart):
            return None
        rate += 1.0 / far_mean(partial(_near, k, within, moved), h, k - moved, apart)
    return max(1.0, 1.0 / rate) if rate > 0.0 else math.inf


@lru_cache(maxsize=4096)
def _steady(limits: tuple[float, float, float], sided: str, shift: float) -> float:
    k, h, c = limits
    if math.isinf(c):
        return cusum_arl(k, h, shift, sided, state="steady")
    if sided == "lower":
        return _steady.__wrapped__(limits, "upper", -shift)
    if h == 0.0 or c <= k:  # nothing but single points can signal
        return _arl(limits, sided, shift, 0.0)
    low = -c if sided == "two" else -math.inf
    law, states = survivors(k, h, c, sided), clipped(k, h, (low, c), 0.0).states
    side = clipped(k, h, (low, c), shift)
    if sided == "upper":
        return max(1.0, float(side.mean[0] * (law @ side.relative(states))))
    chart = _Both(side, clipped(k, h, (-c, c), -shift), float(ndtr(shift - c) + ndtr(-shift - c)))
    if chart.rate == 0.0:
        return math.inf
    return max(1.0, float(law @ (side.relative(states) + chart.lower.relative(states)) - 1.0) / chart.rate)


@lru_cache(maxsize=1024)
def _limit(k: float, arl0: float, split: float, headstart: float, sided: str) -> tuple[float, float]:
    if split == 0.0:
        return cusum_limit(k, arl0, sided, headstart), math.inf
    c = float(-ndtri((0.5 if sided == "two" else 1.0) * split / arl0))
    if (least := _arl((k, headstart, c), sided, 0.0, headstart)) > arl0:
        raise ValueError(f"arl0 is {arl0:g}: with k = {k:g}, c = {c:.6g} and head start {headstart:g} it is at least {least:.6g}")
    guess = max(cusum_limit(k, max(arl0 / (1.0 - split), 2.0 * least), sided, headstart) - headstart, 0.01)
    above = limit_for(lambda above: _arl.__wrapped__((k, headstart + above, c), sided, 0.0, headstart), arl0, guess)
    return headstart + above, c


def _opened(chart: _Both, start: float) -> float:
    """Average run length from 2 start > h + 2 k: carried back from the first point at which S+ + S- <= h + 2 k."""
    side = chart.upper
    h, k = side.h, side.k
    points = math.ceil((2.0 * start - h - 2.0 * k) / (2.0 * k))
    total = 2.0 * start - 2.0 * k * points
    kinks = side.kinks | {total - place: strength for place, strength in chart.lower.kinks.items()}
    panels = Panels(panel_edges(total - h, h, kinks, 3.0))
    mean = chart.mean(panels.nodes, total - panels.nodes)
    for _ in range(points - 1):
        kinks = side.spread(kinks | {total - h: 1.0, h: 1.0}, (total + 2.0 * k - h, h))
        total += 2.0 * k
        earlier = Panels(panel_edges(total - h, h, kinks, 3.0))
        mean = 1.0 + operator(panels, side.noise, earlier.nodes - k, 1.0) @ mean
        panels = earlier
    return 1.0 + float(operator(panels, side.noise, np.array([start - k]), 1.0)[0] @ mean)


def _corridor(side: ClippedSide, start: float) -> float:
    """Average run length for k = 0 from 2 start > h: a random walk that stops outside of (2 start - h, h)."""
    low, h, c, shift = 2.0 * start - side.h, side.h, side.c, side.shift
    panels = Panels(panel_edges(low, h, side.spread({low: 1.0, h: 1.0}, (low, h)), 3.0))
    states = np.concatenate(([start], panels.nodes))
    steps = np.concatenate((np.zeros((len(states), 1)), operator(panels, side.noise, states, 1.0)), axis=1)
    leave = ndtr(shift - np.minimum(c, h - states)) + ndtr(np.maximum(-c, low - states) - shift)
    return float(mean_times(steps, leave)[0])

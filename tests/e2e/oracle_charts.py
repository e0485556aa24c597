"""The oracle's second half: one series at a time through baseline, Shewhart, CUSUM, EWMA and episodes, as the textbooks write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from e2e.oracle_windows import Statistic

CHARTS = ("shewhart", "cusum", "ewma")
SHARES = ("proportion", "null_rate")
LIMIT, K, H, WEIGHT, WIDTH = 3.0, 0.5, 5.0, 0.2, 2.85934  # as the configuration has them
NAN = math.nan


class Baseline(NamedTuple):
    """What in control means for one series."""

    centre: float
    between: float
    unit: float


class Point(NamedTuple):
    """One window of one series; nan where there is no number."""

    value: float
    n: int
    centre: float = NAN
    sigma: float = NAN
    lcl: float = NAN
    ucl: float = NAN
    z: float = NAN
    cusum_up: float = NAN
    cusum_down: float = NAN
    ewma: float = NAN
    ewma_limit: float = NAN
    judged: bool = False  # has the series a baseline
    charts: tuple[str, ...] = ()  # those that signal
    side: int = 0
    lag: int = 0


def learn(kind: str, seen: Sequence[Statistic], screen: float) -> Baseline:
    """Phase I: leave out what is far from the median, again and again, then freeze."""
    x = np.array([one.value for one in seen])
    n = np.array([one.n for one in seen], float)
    unit = np.array([one.unit for one in seen])
    keep = np.ones(len(x), bool)
    for _ in x:
        inside = keep & _near(kind, (x, n, unit), keep, screen)
        if 2 * inside.sum() < len(x) or (inside == keep).all():
            break
        keep = inside
    cut = 1 - 2 * screen * math.exp(-screen * screen / 2) / math.sqrt(2 * math.pi) / math.erf(screen / math.sqrt(2))
    centre, spread = float(x[keep].mean()), float(np.var(x[keep], ddof=1)) / cut
    if kind == "count":
        return Baseline(centre, spread if spread > 0 else centre, 0.0)
    one = _pooled(kind, (x, n, unit), keep)
    if kind in SHARES:
        centre = float((x * n)[keep].sum() / n[keep].sum())
    return Baseline(centre, max(0.0, spread - float((one / np.maximum(n, 1))[keep].mean())), one)


def _near(kind: str, seen: tuple[np.ndarray, np.ndarray, np.ndarray], keep: np.ndarray, screen: float) -> np.ndarray:
    x, n, _ = seen
    middle = float(np.median(x[keep]))
    distance = np.abs(x - middle)
    deviation = 1.4826 * float(np.median(distance[keep]))
    robust = deviation**2 if deviation > 0 else float(np.var(x[keep], ddof=1))
    inner = _pooled(kind, seen, keep) / np.maximum(n, 1)
    between = max(0.0, robust - float(np.median(inner[keep])))
    near: np.ndarray = distance <= screen * np.maximum(np.sqrt(between + inner), _floor(middle))
    return near


def _pooled(kind: str, seen: tuple[np.ndarray, np.ndarray, np.ndarray], keep: np.ndarray) -> float:
    """Variance of one record, over the windows kept."""
    x, n, unit = (column[keep] for column in seen)
    if kind == "count":
        return 0.0
    if kind in SHARES:
        p = ((x * n).sum() + 0.5) / (n.sum() + 1)
        return float(p * (1 - p))
    if kind == "quantile":
        return float(np.median(unit))
    freedom = np.maximum(n - 1, 0)
    return float((freedom * unit).sum() / max(freedom.sum(), 1.0))


def _floor(centre: float) -> float:
    return max(1e-9 * abs(centre), 1e-100)


class Side:
    """One side of a CUSUM."""

    def __init__(self) -> None:
        self.value, self.run, self.age = 0.0, 0, 0

    def step(self, z: float) -> None:
        """One window; nan where there is no point."""
        there = not math.isnan(z)
        self.value = max(0.0, self.value + z - K) if there else self.value
        self.run, self.age = (self.run + there, self.age + 1) if self.value > 0 else (0, 0)


class Series:
    """All three charts of one series. They begin again at each signal, and when the episode is over."""

    def __init__(self, metric: dict[str, Any], stream: dict[str, Any]) -> None:
        self.metric, self.windows, self.screen = metric, stream["baseline"]["windows"], stream["baseline"]["screen"]
        self.patience, self.enough = stream["episodes"]["quiet"], 0
        self.quiet = -1  # points without a signal, -1 outside of an episode
        self.learnt: list[Statistic] = []
        self.baseline: Baseline | None = None
        self.begin()

    def begin(self) -> None:
        """All charts at zero."""
        self.up, self.down = Side(), Side()
        self.ewma, self.points, self.age = 0.0, 0, 0

    def take(self, now: Statistic) -> Point:
        """The point of the next window; afterwards the charts stand ready for the one after it."""
        if self.baseline is not None:
            return self._judge(self.baseline, now)
        if not math.isnan(now.value):
            self.learnt.append(now)
            if len(self.learnt) == self.windows:
                self.baseline = learn(self.metric["kind"], self.learnt, self.screen)
        return Point(now.value, now.n)

    def _judge(self, baseline: Baseline, now: Statistic) -> Point:
        centre = baseline.centre
        sigma = max(math.sqrt(baseline.between + baseline.unit / max(now.n, 1)), _floor(centre))
        z = min(max((now.value - centre) / sigma, -1e6), 1e6) if not math.isnan(now.value) else NAN
        self.up.step(z)
        self.down.step(-z)
        before = self.ewma
        if not math.isnan(z):
            self.ewma = (1 - WEIGHT) * self.ewma + WEIGHT * z
            self.points += 1
        self.age = self.age * (self.ewma * before > 0) + 1
        limit = WIDTH * math.sqrt(WEIGHT / (2 - WEIGHT) * (1 - (1 - WEIGHT) ** (2 * self.points)))
        lcl, ucl = centre - LIMIT * sigma, centre + LIMIT * sigma
        kind = self.metric["kind"]
        if kind in {*SHARES, "count", "sd"}:
            lcl = max(lcl, 0.0)
        if kind in SHARES:
            ucl = min(ucl, 1.0)
        sides = self.up.value, self.down.value
        point = Point(now.value, now.n, centre, sigma, lcl, ucl, z, *sides, self.ewma, limit, judged=True)
        return point if math.isnan(z) else self._speak(point)

    def _speak(self, now: Point) -> Point:
        """Which charts signal: on the right side, by enough, named in signal_by. Then the restarts."""
        side = self.up if now.cusum_up > H else self.down
        crossings = {
            "shewhart": (_sign(now.z, LIMIT), abs(now.value - now.centre), 0),
            "cusum": ((now.cusum_up > H) - (now.cusum_down > H), (K + side.value / max(side.run, 1)) * now.sigma, max(side.age - 1, 0)),
            "ewma": (_sign(now.ewma, now.ewma_limit), abs(now.ewma) * now.sigma, self.age - 1),
        }
        asked = {"up": (1,), "down": (-1,)}.get(self.metric.get("direction", "both"), (1, -1))
        least = _least(self.metric.get("min_effect"), now)
        told = tuple(
            name
            for name, (where, shift, _) in crossings.items()
            if where in asked and shift >= least and name in self.metric.get("signal_by", ("shewhart", "cusum"))
        )
        if now.cusum_up > H or now.cusum_down > H:
            self.up, self.down = Side(), Side()
        self.quiet = 0 if told else self.quiet + (self.quiet >= 0)
        if told:
            self.enough = max(self.enough, self.patience, *(2 * crossings[name][2] for name in told))
        over = self.quiet >= self.enough
        if told or over:
            self.begin()
        if over:
            self.quiet, self.enough = -1, 0
        if not told:
            return now
        return now._replace(charts=told, side=crossings[told[0]][0], lag=max(crossings[name][2] for name in told))


def _sign(statistic: float, limit: float) -> int:
    return 0 if abs(statistic) <= limit else 1 if statistic > 0 else -1


def _least(effect: str | float | None, now: Point) -> float:
    """The smallest shift that matters, as users write it."""
    if effect is None or isinstance(effect, int | float):
        return effect or 0.0
    amount, unit = effect.split()
    return float(amount) * {"pp": 0.01, "%": 0.01 * abs(now.centre), "sigma": now.sigma}[unit]


class Episode(NamedTuple):
    """What a series says at one window of its episode."""

    kind: str
    at: int  # index of the window
    opened: int
    onset: int
    windows: int
    side: int
    muted: bool


def episodes(points: Sequence[Point], first: int, quiet: int, refractory: int) -> list[Episode]:
    """Open, update and resolve of one series, whose first point is that of window `first`. Only judged points count."""
    told: list[Episode] = []
    now: Episode | None = None
    silent, enough, rested = 0, quiet, -1
    for index, point in enumerate(points, first):
        if not point.judged or math.isnan(point.value):
            continue
        rested += now is None and rested >= 0
        if point.charts:
            silent, enough = 0, max(quiet if now is None else enough, 2 * point.lag)
            if now is None:
                now = Episode("open", index, index, max(index - point.lag, 0), 1, point.side, 0 <= rested <= refractory)
            else:
                now = now._replace(kind="update", at=index, windows=now.windows + 1, side=point.side)
            told.append(now)
        elif now is not None:
            silent += 1
            if silent >= enough:
                told.append(now._replace(kind="resolve", at=index))
                now, rested = None, 0
    return told

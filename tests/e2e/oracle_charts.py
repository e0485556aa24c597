"""The oracle's second half: one series at a time through baseline, Shewhart, CUSUM, EWMA and episodes, as the textbooks write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from plain_baseline import Learnt, Row, learn, score

if TYPE_CHECKING:
    from e2e.oracle_windows import Statistic

CHARTS = ("shewhart", "cusum", "ewma")
LIMIT, K, H, WEIGHT, WIDTH = 3.0, 0.5, 5.0, 0.2, 2.85934  # as the configuration has them
NAN = math.nan


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
        self.learnt: list[Row] = []
        self.baseline: Learnt | None = None
        self.last: float | None = None  # how far the window before was from the centre, where it has a say
        self.begin()

    def begin(self) -> None:
        """All charts at zero."""
        self.up, self.down = Side(), Side()
        self.ewma, self.known, self.age = 0.0, 0.0, 0

    def take(self, now: Statistic) -> Point:
        """The point of the next window; afterwards the charts stand ready for the one after it."""
        if self.baseline is not None:
            return self._judge(self.baseline, now)
        if not math.isnan(now.value):
            self.learnt.append(Row(now.value, now.n, now.unit, 0.0))
            if len(self.learnt) == self.windows:
                self.baseline = learn(self.metric["kind"], self.learnt, self.screen)
        return Point(now.value, now.n)

    def _judge(self, baseline: Learnt, now: Statistic) -> Point:
        there = not math.isnan(now.value)
        scored = score(self.metric["kind"], baseline, Row(now.value, now.n, now.unit, 0.0), LIMIT, self.last)
        z = scored.z if there else NAN
        self.up.step(z)
        self.down.step(-z)
        before = self.ewma
        self.ewma = (1 - WEIGHT) * self.ewma + (WEIGHT * z if there else 0.0)
        self.known = (1 - WEIGHT) ** 2 * self.known + (WEIGHT**2 if there else 0.0)  # its variance
        self.age = self.age * (self.ewma * before > 0) + 1
        limit = WIDTH * math.sqrt(self.known)
        sides = self.up.value, self.down.value
        numbers = scored.centre, scored.sigma, scored.lcl, scored.ucl, z
        point = Point(now.value, now.n, *numbers, *sides, self.ewma, limit, judged=True)
        self.last = None
        if not there:
            return point
        point = self._speak(point, baseline)
        self.last = None if point.charts else scored.alone
        return point

    def _speak(self, now: Point, baseline: Learnt) -> Point:
        """Which charts signal: on the right side, by enough, named in signal_by. Then the restarts."""
        side = self.up if now.cusum_up > H else self.down
        lasting = now.sigma / (1 - baseline.phi)
        crossings = {
            "shewhart": (_sign(now.z, LIMIT), abs(now.value - now.centre), 0),
            "cusum": ((now.cusum_up > H) - (now.cusum_down > H), (K + side.value / max(side.run, 1)) * lasting, max(side.age - 1, 0)),
            "ewma": (_sign(now.ewma, now.ewma_limit), abs(now.ewma) * lasting, self.age - 1),
        }
        asked = {"up": (1,), "down": (-1,)}.get(self.metric.get("direction", "both"), (1, -1))
        least = _least(self.metric.get("min_effect"), now, baseline)
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


def _least(effect: str | float | None, now: Point, baseline: Learnt) -> float:
    """The smallest shift that matters, as users write it."""
    if effect is None or isinstance(effect, int | float):
        return effect or 0.0
    amount, unit = effect.split()
    return float(amount) * {"pp": 0.01, "%": 0.01 * abs(baseline.centre), "sigma": now.sigma}[unit]


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

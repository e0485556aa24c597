"""Charts that compete for one task: the same average run length in control, the same shift to detect.

All are two-sided charts of standardised, independent, normal points with known mean and sigma; those of a set start again together. The
CUSUMs have k at half the shift, which is best for it; the EWMAs have a few weights, of which the smaller ones suit smaller shifts, and
exact limits. Sets take the EWMA that is soonest among those whose joint rates are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np

from streamspc.cli.delays import Charts, delay
from streamspc.design import (
    bank_limits,
    confirmed_arl,
    cusum_arl,
    ewma_arl,
    shewhart_arl,
    shewhart_cusum_arl,
    shewhart_ewma_arl,
)

MOST = 1e5  # the largest ARL0 that a bare Shewhart chart is designed for
_PLACES = 5  # of a curve in a picture, where the chart itself is computed
SCALES = (0.25, 0.5, 1.0)
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.4)
ADVICE = (
    "its limit would stand on a tail of the data that nobody has seen; use an EWMA, let a second point confirm a signal "
    "(confirmed Shewhart), or count false alarms per series (per: series)"
)

Curve = Callable[[float], float]
Maker = Callable[[], "Candidate"]


class Candidate(NamedTuple):
    """A chart: its limits, and its average run length as a function of the shift, from the start and in steady state."""

    limits: dict[str, float]
    start: Curve | None = None  # None where there is no equation, or the chart is refused
    steady: Curve | None = None
    name: str = ""
    charts: Charts | None = None  # to simulate what has no equation
    refused: str = ""  # why
    near: Curve | None = None  # much the same as `start`, and sooner computed

    def curve(self, shifts: Sequence[float]) -> list[float]:
        """Average run lengths from the start for a picture; to 1 % where there is a near curve, whose ratio to them is smooth."""
        arl, near = cast("Curve", self.start), self.near
        if near is None:
            return [arl(shift) for shift in shifts]
        places = 0.5 * shifts[-1] * (1.0 - np.cos(np.pi * np.arange(_PLACES) / (_PLACES - 1)))
        ratio = np.polynomial.Polynomial.fit(places, [math.log(arl(at) / near(at)) for at in places.tolist()], _PLACES - 1)
        return [near(shift) * math.exp(float(ratio(shift))) for shift in shifts]

    def delay(self, shift: float, *, late: bool) -> tuple[float | None, bool]:
        """Average points to the signal, and whether they were simulated; None where they are too many for that."""
        curve = self.steady if late else self.start
        if curve is not None:
            return curve(shift), False
        return (delay(self.charts, shift, late=late) if self.charts else None), True


def candidates(arl0: float, shift: float) -> list[Candidate]:
    """The charts for a task, in the order in which people know them; those that cannot be designed say why."""
    k = shift / 2.0
    alone: list[tuple[str, Maker]] = [
        ("Shewhart", lambda: _shewhart(arl0)),
        ("confirmed Shewhart", lambda: _confirmed(arl0)),
        ("CUSUM", lambda: _cusum(arl0, k)),
        *((f"EWMA {lam:g}", lambda lam=lam: _ewma(arl0, lam)) for lam in WEIGHTS),
    ]
    found = list(_made(alone))
    lam = _soonest([each for each in found if each.limits.get("lam", 0.0) in WEIGHTS[1:]], shift)
    sets: list[tuple[str, Maker]] = [
        ("Shewhart + CUSUM", lambda: _shewhart_cusum(arl0, k)),
        (f"Shewhart + EWMA {lam:g}", lambda: _shewhart_ewma(arl0, lam)),
        ("confirmed Shewhart + CUSUM", lambda: _several(arl0, (k,), (), 2)),
        (f"Shewhart + CUSUM + EWMA {lam:g}", lambda: _several(arl0, (_tabulated(k),), (lam,), 1)),
    ]
    return [*found, *_made(sets)]


def _made(makers: list[tuple[str, Maker]]) -> Iterator[Candidate]:
    for name, make in makers:
        try:
            yield make()._replace(name=name)
        except ValueError as error:
            yield Candidate({}, name=name, refused=str(error))


def _tabulated(k: float) -> float:
    """The nearest k whose joint rate with an EWMA is known, within their range."""
    return min(SCALES, key=lambda known: abs(math.log(known / k))) if SCALES[0] <= k <= SCALES[-1] else k


def _soonest(ewmas: list[Candidate], shift: float) -> float:
    """The weight with the shortest delay of a late shift."""
    return min(ewmas, key=lambda each: each.delay(shift, late=True)[0] or 0.0).limits["lam"] if ewmas else WEIGHTS[-1]


def _shewhart(arl0: float) -> Candidate:
    if arl0 > MOST:
        raise ValueError(f"an ARL0 of {arl0:.3g} is more than {MOST:g}: {ADVICE}")
    limit = bank_limits(arl0, cusum=()).shewhart or 0.0

    def arl(shift: float) -> float:
        return shewhart_arl(limit, shift)

    return Candidate({"L": limit}, arl, arl)


def _confirmed(arl0: float) -> Candidate:
    limit = bank_limits(arl0, cusum=(), confirm=2).shewhart or 0.0
    return Candidate({"L": limit}, lambda shift: confirmed_arl(limit, shift), lambda shift: confirmed_arl(limit, shift, state="steady"))


def _cusum(arl0: float, k: float) -> Candidate:
    h = bank_limits(arl0, shewhart=False, cusum=(k,)).cusum[0]
    return Candidate({"k": k, "h": h}, lambda shift: cusum_arl(k, h, shift), lambda shift: cusum_arl(k, h, shift, state="steady"))


def _ewma(arl0: float, lam: float) -> Candidate:
    limit = bank_limits(arl0, shewhart=False, cusum=(), ewma=(lam,)).ewma[0]
    return Candidate(
        {"lam": lam, "L": limit},
        lambda shift: ewma_arl(lam, limit, shift, limits="exact"),
        lambda shift: ewma_arl(lam, limit, shift, state="steady"),
    )


def _shewhart_cusum(arl0: float, k: float) -> Candidate:
    limits = bank_limits(arl0, cusum=(k,))
    h, c = limits.cusum[0], limits.shewhart or 0.0
    return Candidate(
        {"k": k, "h": h, "c": c},
        lambda shift: shewhart_cusum_arl(k, h, c, shift),
        lambda shift: shewhart_cusum_arl(k, h, c, shift, state="steady"),
    )


def _shewhart_ewma(arl0: float, lam: float) -> Candidate:
    limits = bank_limits(arl0, cusum=(), ewma=(lam,))
    width, c = limits.ewma[0], limits.shewhart or 0.0
    return Candidate(
        {"lam": lam, "L": width, "c": c},
        lambda shift: shewhart_ewma_arl(lam, width, c, shift),
        lambda shift: shewhart_ewma_arl(lam, width, c, shift, state="steady"),
        near=lambda shift: 1.0 / (1.0 / shewhart_arl(c, shift) + 1.0 / ewma_arl(lam, width, shift, limits="exact")),
    )


def _several(arl0: float, k: tuple[float, ...], lam: tuple[float, ...], confirm: int) -> Candidate:
    """A set by the table of factors."""
    limits = bank_limits(arl0, cusum=k, ewma=lam, confirm=confirm)
    named = {"k": k[0], "h": limits.cusum[0]} | ({"lam": lam[0], "L": limits.ewma[0]} if lam else {}) | {"c": limits.shewhart or 0.0}
    return Candidate(named, charts=Charts(limits, k, lam, confirm))

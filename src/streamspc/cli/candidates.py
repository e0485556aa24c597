"""Charts that compete for one task: the same average run length in control, the same shift to detect.

All are two-sided charts of standardised, independent, normal points with known mean and sigma. The CUSUMs have k at half the shift,
which is best for it; the EWMAs have a few weights, of which the smaller ones suit smaller shifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from scipy.special import ndtri

from streamspc.design import cusum_arl, cusum_limit, ewma_arl, ewma_limit, shewhart_arl, shewhart_cusum_arl, shewhart_cusum_limit

MOST = 1e5  # the largest ARL0 that a bare Shewhart chart is designed for
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.4)
ADVICE = (
    "its limit would stand on a tail of the data that nobody has seen; use an EWMA, let a second point confirm a signal, "
    "or count false alarms per series"
)

Curve = Callable[[float], float]


class Candidate(NamedTuple):
    """A chart: its limits, and its average run length as a function of the shift, from the start and in steady state."""

    name: str
    limits: dict[str, float]
    start: Curve | None  # None where the chart is refused
    steady: Curve | None  # None also where the engine has none
    refused: str = ""  # why


def candidates(arl0: float, shift: float) -> list[Candidate]:
    """The charts for a task, in the order in which people know them; those that cannot be designed say why."""
    makers: list[tuple[str, Callable[[], Candidate]]] = [
        ("Shewhart", lambda: _shewhart(arl0)),
        ("CUSUM", lambda: _cusum(arl0, shift / 2.0)),
        *((f"EWMA {lam:g}", lambda lam=lam: _ewma(arl0, lam)) for lam in WEIGHTS),
        ("Shewhart + CUSUM", lambda: _both(arl0, shift / 2.0)),
    ]
    return list(_made(makers))


def _made(makers: list[tuple[str, Callable[[], Candidate]]]) -> Iterator[Candidate]:
    for name, make in makers:
        try:
            yield make()._replace(name=name)
        except ValueError as error:
            yield Candidate(name, {}, None, None, str(error))


def _shewhart(arl0: float) -> Candidate:
    if arl0 > MOST:
        raise ValueError(f"an ARL0 of {arl0:.3g} is more than {MOST:g}: {ADVICE}")
    limit = float(-ndtri(0.5 / arl0))

    def arl(shift: float) -> float:
        return shewhart_arl(limit, shift)

    return Candidate("", {"L": limit}, arl, arl)


def _cusum(arl0: float, k: float) -> Candidate:
    h = cusum_limit(k, arl0)
    return Candidate("", {"k": k, "h": h}, lambda shift: cusum_arl(k, h, shift), lambda shift: cusum_arl(k, h, shift, state="steady"))


def _ewma(arl0: float, lam: float) -> Candidate:
    limit = ewma_limit(lam, arl0)
    return Candidate(
        "",
        {"lam": lam, "L": limit},
        lambda shift: ewma_arl(lam, limit, shift),
        lambda shift: ewma_arl(lam, limit, shift, state="steady"),
    )


def _both(arl0: float, k: float) -> Candidate:
    h, c = shewhart_cusum_limit(k, arl0)
    return Candidate("", {"k": k, "h": h, "c": c}, lambda shift: shewhart_cusum_arl(k, h, c, shift), None)

"""Makes `design/widening_table.py`: by how much limits are widened for what Phase I does not know. `python bench/widening.py > FILE`.

A parametric bootstrap of the whole of Phase I: normal values with an autocorrelation phi of lag 1 are screened and learnt from by
`chart.baseline` itself; then the default charts (Shewhart and CUSUM, designed together for an ARL0) run over them with sigma times
g, episodes and restarts as in the product. g is the one at which episodes per window at risk, pooled over many Phase I, are one in
ARL0: a secant method on the logarithm of the rate, the same random numbers at each step; then once more with g interpolated by the
phi that each series learnt, as charts do. The seed is 1. The standard error of g follows from that of the rate and the slope.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streamspc.chart.baseline import Windows, freeze
from streamspc.design import shewhart_cusum_limit
from streamspc.design.widening import along
from streamspc.model import MetricKind

Floats = npt.NDArray[np.float64]

WINDOWS = (25, 35, 50, 80, 120, 200, 400, 1000)
PHIS = (0.0, 0.3, 0.6, 0.8)
ARL0S = (30.0, 100.0, 370.0, 1500.0, 6000.0, 25000.0)
SERIES = 4000
K, QUIET = 0.5, 2


class World:
    """Series that have learnt."""

    def __init__(self, m: int, phi: float) -> None:
        self.rng, self.phi = np.random.default_rng(1), phi
        self.rest = math.sqrt(1.0 - phi * phi)
        self.now = self.rng.standard_normal(SERIES)
        learnt = np.array([self.step().copy() for _ in range(m)])
        frozen = freeze(
            MetricKind.SUM, Windows(learnt, np.ones(learnt.shape, np.int64), np.zeros(learnt.shape), np.zeros(learnt.shape)), 3.5
        )
        self.centre, self.sigma, self.used = frozen.centre, np.sqrt(frozen.between), frozen.phi

    def step(self) -> Floats:
        """The next window."""
        self.now = self.phi * self.now + self.rest * self.rng.standard_normal(SERIES)
        return self.now


def rate(m: int, phi: float, arl0: float, factor: Callable[[Floats], Floats | float]) -> tuple[float, float, float]:
    """Logarithm of episodes per window at risk in units of 1 / arl0, its standard error, and the mean phi that was learnt.

    `factor` says g from the phi that each series learnt.
    """
    world = World(m, phi)
    h, c = shewhart_cusum_limit(K, arl0)
    sigma, rest = world.sigma * factor(world.used), np.sqrt(1.0 - world.used**2)
    windows = int(min(max(3000.0 * arl0, 2e6), 2e7) / SERIES)
    up, down, last = np.zeros((3, SERIES))
    speaks, opened = np.zeros((2, SERIES), bool)
    quiet, episodes, risk = np.zeros((3, SERIES), np.int64)
    for _ in range(windows):
        u = (world.step() - world.centre) / sigma
        z = np.where(speaks, (u - world.used * last) / rest, u)
        up, down = np.maximum(0.0, up + z - K), np.maximum(0.0, down - z - K)
        signal = (np.abs(z) > c) | (up > h) | (down > h)
        risk += ~opened
        episodes += signal & ~opened
        quiet = np.where(signal, 0, quiet + 1)
        over = opened & (quiet >= QUIET)
        opened = (opened | signal) & ~over
        begin = signal | over
        up[begin] = down[begin] = 0.0
        last, speaks = u, ~signal
    mean = float(episodes.sum() / risk.sum())
    error = float(np.sqrt(np.square(episodes - mean * risk).sum())) / risk.sum() / mean
    return math.log(max(mean * arl0, 1e-3)), error, float(world.used.mean())


def solve(m: int, phi: float, arl0: float, start: float) -> tuple[float, float, float, float]:
    """The g that is right for all series together; slope of the rate there, its standard error, and the mean phi that was learnt."""
    points: list[tuple[float, float]] = []
    g, slope = start, -8.0
    for _ in range(4):
        ratio, error, used = rate(m, phi, arl0, lambda _, g=g: g)  # type: ignore[misc]
        points.append((g, ratio))
        if len(points) > 1 and abs(points[-1][0] - points[-2][0]) > 0.01:
            slope = min((points[-1][1] - points[-2][1]) / (points[-1][0] - points[-2][0]), -1.0)
        if abs(ratio) < 0.25 * error:
            break
        g = max(0.8, g - ratio / slope)
    return g, slope, error, used


def refine(m: int, arl0: float, nodes: Floats, known: Floats, slopes: Floats) -> Floats:
    """The nodes at which interpolation by the phi that each series learnt is right for every phi."""
    for _ in range(3):
        ratios = [rate(m, phi, arl0, lambda used: along(used, known, nodes))[0] for phi in PHIS]  # noqa: B023 - called at once
        nodes = np.maximum(nodes - 0.8 * np.array(ratios) / slopes, 0.8)
    return nodes


def main() -> None:
    """Print the module."""
    factors: dict[tuple[int, float], list[float]] = {(m, phi): [] for m in WINDOWS for phi in PHIS}
    errors: dict[tuple[int, float], list[float]] = {(m, phi): [] for m in WINDOWS for phi in PHIS}
    learnt: dict[tuple[int, float], float] = {}
    for m in WINDOWS:
        nodes = np.ones(len(PHIS))
        for arl0 in ARL0S:
            nodes, slopes, error, known = np.array([solve(m, phi, arl0, g) for phi, g in zip(PHIS, nodes.tolist(), strict=True)]).T
            nodes = refine(m, arl0, nodes, known, slopes)
            for i, phi in enumerate(PHIS):
                factors[m, phi].append(round(float(nodes[i]), 4))
                errors[m, phi].append(round(float(-error[i] / slopes[i]), 4))
                learnt[m, phi] = round(float(known[i]), 4)
            print(m, arl0, nodes.round(4), file=sys.stderr, flush=True)
    write(factors, errors, learnt)


def write(
    factors: dict[tuple[int, float], list[float]], errors: dict[tuple[int, float], list[float]], learnt: dict[tuple[int, float], float]
) -> None:
    """The module's text."""
    print('"""Made by `bench/widening.py` with seed 1; see `widening`."""\n')
    print(f"WINDOWS = {WINDOWS}\nARL0S = {ARL0S}")
    print("PHIS = (  # learnt on average, by windows\n" + "".join(f"    {tuple(learnt[m, phi] for phi in PHIS)},\n" for m in WINDOWS) + ")")
    for name, table in (("FACTORS", factors), ("ERRORS", errors)):
        print(f"{name} = (  # by windows, phi, ARL0" + ("" if name == "FACTORS" else ": standard errors of the factors"))
        for m in WINDOWS:
            print("    (\n" + "".join(f"        {tuple(table[m, phi])},\n" for phi in PHIS) + "    ),")
        print(")")


if __name__ == "__main__":
    main()

"""Makes `src/streamspc/design/joint_factors.json`: `nice python bench/joint_factors.py`, about ten minutes of one core.

A set of charts, each designed alone for an average run length u, signals at the first of their times T_j(u). So one simulation from a
fresh start that notes T_j(u) of every chart on a grid of u gives E T(u) = E min_j T_j(u) of every set; the factor at arl0 = E T(u) is
u / arl0. Paths are followed for HORIZON points; whoever has not signalled then is taken to go on at the rate seen after the first
BURN points (the run length of a chart that has forgotten its start is geometric). As E T_j(u) = u is known, its deviation for each
member is a control variate for the set, with weights by regression over batches of paths. At last the logarithms of the factors are
smoothed by a polynomial in log arl0. The standard error in the file is the largest of all sets and columns, that of eight charts at
1e6, before smoothing.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from streamspc.design import alone

SEED, BLOCKS, PATHS, HORIZON, BURN, BATCHES = 20260704, 42, 8192, 16384, 600, 128
GRID = 10.0 ** (2.0 + np.arange(31) / 6.0)  # u
AT = (100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)  # arl0 of the file
ZONES = {"1": (1,), "5": (5,), "6": (6,), "15": (1, 5), "16": (1, 6), "56": (5, 6), "156": (1, 5, 6)}
SCALES, WEIGHTS = (0.25, 0.5, 1.0), (0.05, 0.1, 0.2, 0.4)
SIDES = "two", "upper"
CHARTS = [*ZONES, "confirmed", *(f"k{k:g}" for k in SCALES), *(f"w{w:g}" for w in WEIGHTS)]
FILE = Path(__file__).parents[1] / "src" / "streamspc" / "design" / "joint_factors.json"


def limits(sided: str) -> np.ndarray:
    """Limits of each chart on the grid of u, [chart, u]."""
    rows = [[alone.zones(rules, u, sided) for u in GRID] for rules in ZONES.values()]
    rows.append([alone.shewhart(u, sided, 2) for u in GRID])
    rows += [[alone.cusum(k, u, sided) for u in GRID] for k in SCALES]
    rows += [[alone.ewma(w, u, sided) for u in GRID] for w in WEIGHTS]
    return np.array(rows, np.float32)


class Side:
    """Statistics of all charts on one side, for many paths, in the units of their limits."""

    def __init__(self, paths: int) -> None:
        self.old = np.full((4, paths), -9.0, np.float32)  # the last points, newest first
        self.cusum = np.zeros((len(SCALES), paths), np.float32)

    def step(self, x: np.ndarray) -> list[np.ndarray]:
        """Of every chart but the EWMAs."""
        a, b, c, d = self.old
        one, two = x / np.float32(3), np.minimum(x, np.maximum(a, b)) * np.float32(0.5)
        third = np.minimum(np.maximum(np.minimum(a, b), np.minimum(c, d)), np.minimum(np.maximum(a, b), np.maximum(c, d)))
        four = np.minimum(x, third)
        confirmed = np.minimum(x, a)
        self.cusum += x
        self.cusum -= np.array(SCALES, np.float32)[:, None]
        np.maximum(self.cusum, 0.0, out=self.cusum)
        self.old = np.stack((x, a, b, c))
        onetwo, twofour = np.maximum(one, two), np.maximum(two, four)
        return [one, two, four, onetwo, np.maximum(one, four), twofour, np.maximum(one, twofour), confirmed, *self.cusum]


def times(rng: np.random.Generator, bounds: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """First times beyond each limit, [sided, chart, u, path]; HORIZON + 1 for later ones."""
    first = np.full((2, len(CHARTS), len(GRID), PATHS), HORIZON + 1, np.uint16)
    reached = np.zeros((2, len(CHARTS), PATHS), np.int64)
    waiting = [np.repeat(bound[:, :1], PATHS, axis=1) for bound in bounds]
    up, down, ewma = Side(PATHS), Side(PATHS), np.zeros((len(WEIGHTS), PATHS), np.float32)
    w = np.array(WEIGHTS)[:, None]
    for t in range(1, HORIZON + 1):
        x = rng.standard_normal(PATHS, np.float32)
        ewma *= (1.0 - w).astype(np.float32)
        ewma += w.astype(np.float32) * x
        z = ewma * (1.0 / np.sqrt(w / (2.0 - w) * (1.0 - (1.0 - w) ** (2 * t)))).astype(np.float32)
        upper = [*up.step(x), *z]
        lower = [*down.step(-x), *-z]
        for sided in (0, 1):
            for chart in range(len(CHARTS)):
                value = upper[chart] if sided else np.maximum(upper[chart], lower[chart])
                hit = value > waiting[sided][chart]
                if hit.any():
                    for path in np.flatnonzero(hit):
                        after = int(np.searchsorted(bounds[sided][chart], value[path]))  # limits strictly below
                        first[sided, chart, reached[sided, chart, path] : after, path] = t
                        reached[sided, chart, path] = after
                        waiting[sided][chart, path] = bounds[sided][chart, after] if after < len(GRID) else np.inf
    return first


def logs(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of the average run length from first times [u, path]: of all paths [u], and of each batch [u, batch]."""
    batches = first.reshape(len(first), BATCHES, -1)
    seen, early = (np.minimum(batches, end).mean(axis=-1, dtype=np.float64) for end in (HORIZON, BURN))
    alive, burnt = ((batches > end).mean(axis=-1) for end in (HORIZON, BURN))

    def mean(seen: np.ndarray, early: np.ndarray, alive: np.ndarray, burnt: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(seen + alive * (seen - early) / np.maximum(burnt - alive, 1e-9)))

    shares = (seen, early, alive, burnt)
    return mean(*(share.mean(axis=-1) for share in shares)), mean(*shares)


def joint(each: tuple[int, ...], first: np.ndarray, known: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of E T(u) of a set from the times of all charts [chart, u, path] and their `logs`, and its standard errors."""
    earliest = first[each[0]]
    for chart in each[1:]:
        earliest = np.minimum(earliest, first[chart])
    whole, parts = logs(earliest)
    parts = parts - parts.mean(axis=-1, keepdims=True)
    controls = np.array([known[chart][0] - np.log(GRID) for chart in each])
    moves = np.array([known[chart][1] - known[chart][1].mean(axis=-1, keepdims=True) for chart in each])
    answer, error = np.empty(len(GRID)), np.empty(len(GRID))
    for u in range(len(GRID)):
        weight = np.linalg.lstsq(moves[:, u].T, parts[u], rcond=None)[0]
        answer[u] = whole[u] - weight @ controls[:, u]
        rest = parts[u] - weight @ moves[:, u]
        error[u] = np.sqrt(rest @ rest / (BATCHES - 1 - len(weight)) / BATCHES)
    return answer, error


def sets() -> list[tuple[int, ...]]:
    """Every set of two charts or more: at most one Shewhart chart, any CUSUMs, any EWMAs."""
    shewhart, memory = range(8), range(8, len(CHARTS))
    chosen = [tuple(rest) for size in range(len(memory) + 1) for rest in combinations(memory, size)]
    found = [(*first, *rest) for first in ((), *((chart,) for chart in shewhart)) for rest in chosen]
    return [each for each in found if len(each) > 1]


def factors(first: np.ndarray) -> tuple[dict[str, list[float]], float]:
    """The factors of each set at the arl0 of the file, [chart, u, path] given, and the largest standard error of an ARL0."""
    table, worst = {}, 0.0
    goal, known = np.log(AT), [logs(times) for times in first]
    for each in sets():
        arl, error = joint(each, first, known)
        inside = (arl > np.log(60.0)) & (arl < np.log(2.2e6))
        fit = np.polynomial.Polynomial.fit(arl[inside], np.log(GRID)[inside] - arl[inside], 5, w=1.0 / error[inside])
        table["+".join(CHARTS[chart] for chart in each)] = [round(float(value), 4) for value in np.minimum(np.exp(fit(goal)), len(each))]
        worst = max(worst, float(np.interp(goal, arl, error).max()))
    return table, worst


def main() -> None:
    """Simulate and write the file."""
    rng, bounds = np.random.default_rng(SEED), (limits("two"), limits("upper"))
    parts = []
    for block in range(BLOCKS):
        began = time.process_time()
        parts.append(times(rng, bounds))
        print(f"block {block + 1} of {BLOCKS}: {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
    first = np.concatenate(parts, axis=-1)
    result: dict[str, object] = {"script": "bench/joint_factors.py", "seed": SEED, "arl0": AT}
    for sided, name in enumerate(SIDES):
        table, worst = factors(first[sided])
        result |= {f"standard_error_{name}": round(worst, 5), name: table}
    text = json.dumps(result, indent=0).replace(",\n", ", ").replace("[\n", "[").replace("\n]", "]")
    FILE.write_text(text.replace('], "', '],\n"') + "\n")


if __name__ == "__main__":
    main()

"""Phase I and the scores of one series told again from the definitions, for oracles: plain numbers and the library's laws of chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from scipy import stats

SHARES = ("proportion", "null_rate")
KNOWN = (*SHARES, "count", "mean", "lag")
MEANS = ("mean", "lag")


class Row(NamedTuple):
    """A window of Phase I."""

    value: float
    n: int
    unit: float
    extra: float


class Learnt(NamedTuple):
    """What in control means for one series."""

    centre: float
    between: float
    unit: float
    bend: float = 0.0  # third moment of one record of a mean; skewness by variance of hits
    phi: float = 0.0
    rare: int = 0  # +1 hits are, -1 misses are
    expected: float = 0.0  # hits of a record; variance of a record of a mean
    relative: float = 0.0
    wider: float = 0.0


def kept(kind: str, rows: Sequence[Row], screen: float) -> list[int]:
    """The windows that screening lets through."""
    stay = list(range(len(rows)))
    while True:
        inside = near(kind, rows, screen, stay)
        if inside == stay or 2 * len(inside) < len(rows):
            return stay
        stay = inside


def near(kind: str, rows: Sequence[Row], screen: float, stay: list[int]) -> list[int]:
    """Those of the windows that lie near the median of all of them."""
    rows = straight(kind, rows, stay)[0]
    some = [rows[i] for i in stay]
    middle = statistics.median(row.value for row in some)
    mad = 1.4826 * statistics.median(abs(row.value - middle) for row in some)
    spread = statistics.variance(row.value for row in some)
    robust = mad**2 if mad > 0 else spread
    unit = pooled(kind, some)
    inner = {i: unit / max(rows[i].n, 1) + rows[i].extra for i in stay}
    usual = statistics.median(inner.values())
    away = {i: abs(rows[i].value - middle) for i in stay}
    if kind in MEANS:
        away = {i: one / lean(rows[i], unit, unit, max(0.0, robust - usual)) for i, one in away.items()}
        mad = 1.4826 * statistics.median(away.values())
        robust = mad**2 if mad > 0 else spread
    between = max(0.0, robust - usual)
    if robust < usual and len(stay) >= 20:
        less = 1.4826 * statistics.median(away[i] / math.sqrt(one) if one else 0.0 for i, one in inner.items())
        inner = {i: one * min(1.0, less**2 or 1.0) for i, one in inner.items()}

    def is_near(i: int) -> bool:
        off = away[i]
        lattice = {"count": 1}.get(kind, rows[i].n if kind in SHARES else math.inf)
        return off <= screen * max(math.sqrt(between + inner[i]), floor(middle)) or off * lattice <= 2

    return [i for i in stay if is_near(i)]


def floor(centre: float) -> float:
    """The least sigma."""
    return max(1e-9 * abs(centre), 1e-100)


def pooled(kind: str, rows: Sequence[Row]) -> float:
    """Variance of one record."""
    if kind == "count":
        return 0.0
    if kind in SHARES:
        p = (math.fsum(row.value * row.n for row in rows) + 0.5) / (sum(row.n for row in rows) + 1)
        return p * (1 - p)
    if kind == "quantile":
        return statistics.median(row.unit for row in rows)
    return math.fsum((row.n - 1) * row.unit for row in rows if row.n > 1) / max(sum(row.n - 1 for row in rows if row.n > 1), 1)


def lean(row: Row, expected: float, unit: float, between: float) -> float:
    """What sigma of a mean is multiplied by for the scatter of its records."""
    if row.n < 2 or not row.unit or not expected or not unit:
        return 1.0
    ratio = (12 + (row.n - 1) * row.unit / expected) / (12 + row.n - 1)
    within, others = unit / row.n, between + row.extra
    return math.sqrt((others + within * ratio**0.375) / (others + within))


def straight(kind: str, rows: Sequence[Row], stay: Sequence[int]) -> tuple[Sequence[Row], tuple[float, float, float]]:
    """The windows with a shifted logarithm for the values where they are skewed, and its median, scale and shape."""
    x = [rows[i].value for i in stay]
    middle = statistics.median(x)
    scale = 1.4826 * statistics.median(abs(one - middle) for one in x)
    error = math.sqrt(0.1866 / len(x) + 0.8 / len(x) ** 2)
    plain = 0.0, 0.0, 0.0
    if kind in KNOWN or any(row.unit + row.extra for row in rows) or not scale or len(x) < 20:
        return rows, plain
    t = [(one - middle) / scale for one in x]
    tilt = _l_skewness(t)
    if abs(tilt) <= 2.5 * error:
        return rows, plain
    side = math.copysign(1.0, tilt)
    t = [side * one for one in t]

    def short(s: float) -> bool:
        return _l_skewness([_logarithm(1 + s * one) / s for one in t]) > -0.5 * error

    low, high = 0.0, 0.999 / max(-min(t), 1e-9)
    for _ in range(30):
        half = (low + high) / 2
        low, high = (half, high) if short(half) else (low, half)
    s = side * low
    return [row._replace(value=middle + scale * _logarithm(max(1 + s * (row.value - middle) / scale, 1e-12)) / s) for row in rows], (
        middle,
        scale,
        s,
    )


def _logarithm(y: float) -> float:
    return 64 * (math.pow(y, 1 / 64) - 1)


def _exp(x: float) -> float:
    return math.pow(max(1 + x / 64, 0.0), 64)


def _l_skewness(values: Sequence[float]) -> float:
    x, m = sorted(values), len(values)
    b0 = statistics.fmean(x)
    b1 = math.fsum(i * one for i, one in enumerate(x)) / m / (m - 1)
    b2 = math.fsum(i * (i - 1) * one for i, one in enumerate(x)) / m / (m - 1) / (m - 2)
    return (6 * b2 - 6 * b1 + b0) / (2 * b1 - b0) if b1 != b0 / 2 else 0.0


def learn(kind: str, rows: Sequence[Row], screen: float) -> Learnt:
    """The baseline."""
    if kind == "lag":
        rows = [_log(row) for row in rows]
    stay = kept(kind, rows, screen)
    rows, (middle, scale, s) = straight(kind, rows, stay)
    some = [rows[i] for i in stay]
    m = len(some)
    normal = statistics.NormalDist()
    cut = 1 - 2 * screen * normal.pdf(screen) / (2 * normal.cdf(screen) - 1)
    unit = pooled(kind, some)
    within = statistics.fmean(unit / max(row.n, 1) + row.extra for row in some)
    between = max(0.0, statistics.variance(row.value for row in some) / cut - within)
    leans = {i: lean(rows[i], unit, unit, between) if kind in MEANS else 1.0 for i in stay}
    centre = math.fsum(rows[i].value / leans[i] for i in stay) / math.fsum(1 / leans[i] for i in stay)
    off = {i: (rows[i].value - centre) / leans[i] for i in stay}
    plain = statistics.variance(off.values()) / cut
    rare = _rare(kind, some, plain - within)
    pairs = [(off[i], off[i - 1]) for i in stay if i - 1 in off]
    phi = 0.0 if rare[0] else _phi(off, pairs)
    spread = math.fsum((now - phi * last) ** 2 for now, last in pairs) / (len(pairs) - 2) / (1 - phi * phi) / cut if phi else plain
    bend = 0.0
    if kind in MEANS and m >= 20:
        usual = statistics.fmean(row.unit for row in some)
        moved = [row.n * (row.value - centre) for row in some]
        spreads = [row.unit - usual for row in some]
        total = _products(moved, spreads)
        if total**2 > 4 / m * _products(moved, moved) * _products(spreads, spreads):
            bend = total / (m - 1)
    if kind == "count":
        return Learnt(centre, spread or centre, 0.0, 1 / centre if centre else 0.0, phi, *rare)
    if kind in SHARES:
        centre = math.fsum(row.value * row.n for row in some) / sum(row.n for row in some)
        bend = (1 - 2 * centre) / (centre * (1 - centre)) if 0 < centre < 1 else 0.0
    if kind in MEANS:
        rare = (0, unit, 0.0, rare[3])
    if s:
        slope = _exp(s * (centre - middle) / scale)
        return Learnt(middle + scale * (slope - 1) / s, spread * slope**2, unit, s * math.sqrt(spread) / scale, phi, *rare)
    shrunk = unit * min(1.0, spread / within) if within and m >= 20 else unit
    return Learnt(centre, max(0.0, spread - within), shrunk, bend, phi, *rare)


def _products(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def _phi(off: dict[int, float], pairs: list[tuple[float, float]]) -> float:
    """Autocorrelation of lag 1, and one standard error more."""
    m, square = len(off), statistics.fmean(one * one for one in off.values())
    if len(pairs) < 20 or not square:
        return 0.0
    r = statistics.fmean(now * last for now, last in pairs) / square
    f = min(max(r + (1 + 3 * r) / m, -0.9), 0.9)
    return min(max(f + math.sqrt((1 - f * f) / m), 0.0), 0.9)


def _rare(kind: str, rows: Sequence[Row], over: float) -> tuple[int, float, float, float]:
    """Which side is rare, how many hits are expected, and the relative variance of that: as seen, and as cannot be excluded."""
    m = len(rows)
    if kind == "count":
        total = math.fsum(row.value for row in rows) + 0.5
        mean = total / m
        relative = 1 / total + max(0.0, over - mean) / mean**2
        return int(mean < 25), mean, relative, relative
    if kind not in SHARES:
        return 0, 0.0, 0.0, 0.0
    records = sum(row.n for row in rows)
    hits = round(math.fsum(row.value * row.n for row in rows))
    side = -1 if 2 * hits > records else 1
    few = (hits if side > 0 else records - hits) + 0.5
    p = few / (records + 1)
    over = max(0.0, over) / p**2
    return side * (p < 0.1 and p * records < 25 * m), p, 1 / few + over, 1 / few + max(over, 1e-5 * (1 - p) / p)


class Score(NamedTuple):
    """What was to be expected of one window, and how far it is from that."""

    centre: float
    sigma: float
    z: float
    lcl: float
    ucl: float
    alone: float  # z, had there been no window before


def _log(now: Row) -> Row:
    """The window of a lag as its charts see it."""
    if math.isnan(now.value):
        return now
    level = max(now.value, 0.001)
    return Row(math.log(level), now.n, now.unit / level**2, now.extra / level**2)


def _as_lag(told: Score) -> Score:
    """In seconds again."""
    centre = math.exp(told.centre)
    return told._replace(centre=centre, sigma=told.sigma * centre, lcl=math.exp(told.lcl), ucl=math.exp(told.ucl))


def score(kind: str, learnt: Learnt, now: Row, limit: float, last: float | None) -> Score:
    """The window's score with unwidened limits; `last` is the one before's, alone, where it has a say."""
    if kind == "lag":
        now = _log(now)
    sigma = max(math.sqrt(learnt.between + learnt.unit / max(now.n, 1) + now.extra), floor(learnt.centre))
    if learnt.rare:
        return _rare_score(kind, learnt, now, limit)
    g = _skewness(kind, learnt, now.n, sigma)
    if kind in MEANS:
        sigma *= lean(now, learnt.expected, learnt.unit, learnt.between)
    single = kind not in KNOWN
    alone = _clip((_single_score if single else _normal)((now.value - learnt.centre) / sigma, g))
    ahead, share = (learnt.phi * last, math.sqrt(1 - learnt.phi**2)) if last is not None else (0.0, 1.0)
    lcl, ucl = (learnt.centre + sigma * (_single_value if single else _standard)(ahead + sign * limit * share, g) for sign in (-1, 1))
    if kind in {*SHARES, "count", "sd"}:
        lcl = max(lcl, 0.0)
    if kind in SHARES:
        ucl = min(ucl, 1.0)
    told = Score(learnt.centre + ahead * sigma, sigma * share, _clip((alone - ahead) / share), lcl, ucl, alone)
    return _as_lag(told) if kind == "lag" else told


def _clip(z: float) -> float:
    return min(max(z, -1e6), 1e6)


def _single_score(u: float, b: float) -> float:
    """By a shifted lognormal law; its short tail, beyond 2.5, is at least that of a normal one."""
    if not b or math.isnan(u):
        return u
    w = _logarithm(max(1 + b * u, 1e-12)) / b
    side = math.copysign(1.0, b)
    return w if side * w >= -2.5 else side * max(side * w, min(side * u, -2.5))


def _single_value(w: float, b: float) -> float:
    return (_exp(b * w) - 1) / b if b and math.copysign(1.0, b) * w >= -2.5 else w


def _skewness(kind: str, learnt: Learnt, n: int, sigma: float) -> float:
    if kind not in KNOWN:
        return learnt.bend
    if kind in {*SHARES, "count"}:
        over = max(0.0, learnt.between - learnt.centre) if kind == "count" else learnt.between
        g = learnt.bend * (sigma**2 + over) / sigma
    else:
        left = max(1 - 1.125 * (max(n, 1) - 1) / (12 + max(n, 1) - 1), 0.0)
        more = learnt.expected**2 if kind == "lag" else 0.0
        g = (learnt.bend * left - more) / max(n, 1) ** 2 / sigma**3
    return min(max(g, -2.0), 2.0) if abs(g) > 0.05 else 0.0


def _normal(u: float, g: float) -> float:
    return 6 / g * (max(1 + g * u / 2, 0.0) ** (1 / 3) - 1 + g * g / 36) if g else u


def _standard(w: float, g: float) -> float:
    return 2 / g * (max(1 + g * w / 6 - g * g / 36, 0.0) ** 3 - 1) if g else w


def _rare_score(kind: str, learnt: Learnt, now: Row, limit: float) -> Score:
    """From the negative binomial law of the next window's hits."""
    size = 1 if kind == "count" else now.n
    if math.isnan(now.value):
        sigma = max(math.sqrt(learnt.between + learnt.unit / max(now.n, 1) + now.extra), floor(learnt.centre))
        most = 1.0 if kind in SHARES else math.inf
        lcl, ucl = max(learnt.centre - limit * sigma, 0.0), min(learnt.centre + limit * sigma, most)
        return Score(learnt.centre, sigma, math.nan, lcl, ucl, math.nan)
    mean = learnt.expected * size
    laws = [stats.nbinom(1 / d, 1 / (1 + mean * d)) for d in (learnt.relative, learnt.wider)]
    hits = round(now.value * size)
    x = hits if learnt.rare > 0 else size - hits
    tail = statistics.NormalDist().cdf(-limit)
    least = min(next(k for k in range(10**6) if law.cdf(k) >= tail) for law in laws)
    most = max(next(k for k in range(10**6) if law.sf(k) < tail) for law in laws)
    z = _clip(min((_middle(law, x) for law in laws), key=abs))
    if least <= x <= most:
        z = min(max(z, -limit), limit)
    low, high = (least, most) if learnt.rare > 0 else (size - most, size - least)
    sigma = math.sqrt(mean + learnt.wider * mean * mean) / size
    return Score(learnt.centre, sigma, learnt.rare * z, low / size, high / size, learnt.rare * z)


def _middle(law: Any, x: int) -> float:
    """Normal score of the middle of the probability of x."""
    if law.sf(x - 1) < law.cdf(x):
        return round(-float(stats.norm.ppf((law.sf(x - 1) + law.sf(x)) / 2)), 6)
    return round(float(stats.norm.ppf((law.cdf(x) + law.cdf(x - 1)) / 2)), 6)

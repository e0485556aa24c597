"""Further time scales of CUSUM and EWMA."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import TEXTBOOK, known, metric, step, stream
from streamspc.chart import Bank
from streamspc.chart.limits import Limits
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, Effect, Points, StreamSpec

CUSUM, EWMA = 2, 4


def alone(k: float = 0.5, weight: float = 0.2, **of: object) -> StreamSpec:
    """One CUSUM and one EWMA."""
    return stream(metric(**{"charts": ChartSpec(cusum_k=k, ewma_lambda=weight), **of}))


def several(**of: object) -> StreamSpec:
    """CUSUMs of 0.25 and 1, EWMAs of 0.05 and 0.4."""
    charts = ChartSpec(cusum_k=0.25, cusum_scales=(1.0,), ewma_lambda=0.05, ewma_scales=(0.4,))
    return stream(metric("other", charts=TEXTBOOK), metric(**{"charts": charts, **of}), budget=Budget(arl0=500.0, per="series"))


def run(
    spec: StreamSpec, z: np.ndarray, limits: Limits | None = None, bank: Bank | None = None, start: int = 0
) -> tuple[Bank, list[Points]]:
    """Points of known series at these z [windows, S]."""
    bank = bank or known(spec, [f"s{i}" for i in range(z.shape[1])])
    if limits is not None:
        bank.limits = limits
    shape = len(spec.metrics), z.shape[1]
    return bank, [step(spec, bank, start + at, np.broadcast_to(row, shape)) for at, row in enumerate(z)]


def one_limit(bank: Bank, h: float, width: float) -> Limits:
    """Limits of a bank with one CUSUM and one EWMA."""
    return bank.limits._replace(cusum=np.full_like(bank.limits.cusum, h), ewma=np.full_like(bank.limits.ewma, width))


@given(st.integers(0, 2**32), st.sampled_from(["up", "down", "both"]), st.sampled_from([None, Effect(amount=0.8)]))
@settings(max_examples=20, deadline=None)
def test_each_scale_is_the_chart_of_its_own(seed, direction, effect):
    """Up to the first signal of a series: it says CUSUM, or EWMA, where that of any scale does, with its side and its onset."""
    z = np.random.default_rng(seed).normal(0.6, 1.0, (60, 5)) * np.array([1, -1, 1, -1, 1])
    how = {"direction": direction, "min_effect": effect, "signal_by": (ChartKind.CUSUM, ChartKind.EWMA)}
    bank, together = run(several(**how), z)
    limits, parts = bank.limits, []
    for k, weight, h, width in (
        (0.25, 0.05, limits.cusum[1, 0], limits.ewma[1, 0]),
        (1.0, 0.4, limits.more_cusum[0, 0], limits.more_ewma[0, 0]),
    ):
        spec = alone(k, weight, **how)
        parts.append(run(spec, z, one_limit(known(spec, [f"s{i}" for i in range(5)]), h, width))[1])
    for column in range(5):
        for points, *each in zip(together, *parts, strict=True):
            said = int(points.broken[1, column])
            assert said == each[0].broken[0, column] | each[1].broken[0, column]
            if said:
                lags = [int(part.onset_lag[0, column]) for part in each]
                sides = {int(part.side[0, column]) for part in each} - {0}
                assert points.onset_lag[1, column] == max(lags)
                assert points.side[1, column] in sides
                break


def test_all_scales_begin_again_together():
    """After a signal of any, and at the end of an episode."""
    spec = several(signal_by=(ChartKind.EWMA, ChartKind.CUSUM))
    bank, points = run(spec, np.full((3, 1), 9.0))
    assert points[0].broken[1, 0]
    assert (bank.more.cusum.value == 0.0).all()
    assert (bank.more.ewma.value == 0.0).all()
    run(spec, np.full((1, 1), 0.9), bank=bank)
    assert (bank.more.ewma.value != 0.0).all()
    bank.restart(np.array([[False], [True]]))
    assert (bank.more.ewma.value == 0.0).all()


@given(st.integers(0, 2**32), st.integers(0, 30), st.permutations(range(4)))
@settings(max_examples=15, deadline=None)
def test_a_restart_of_the_process_leaves_no_trace(seed, stop, order):
    """Phase I included: what was saved and loaded goes on with the same bits."""
    spec = stream(metric(charts=ChartSpec(cusum_scales=(0.25,), ewma_scales=(0.1,))), baseline=BaselineSpec(windows=6))
    z = np.random.default_rng(seed).normal(0.0, 1.5, (30, 4))
    names = [f"s{i}" for i in range(4)]

    def fresh() -> Bank:
        bank = Bank.empty(spec)
        bank.grow(names)
        return bank

    _, whole = run(spec, z, bank=fresh())
    bank, before = run(spec, z[:stop], bank=fresh())
    parts = [([names[i] for i in part], bank.save(part)) for part in (order[:2], order[2:])]
    _, after = run(spec, z[stop:], bank=Bank.load(spec, parts), start=stop)
    for one, other in zip(whole, before + after, strict=True):
        for name in ("broken", "side", "onset_lag", "cusum_up", "ewma"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_a_window_without_a_point_says_nothing():
    """Further scales grow older like the first ones."""
    spec = several(signal_by=(ChartKind.EWMA, ChartKind.CUSUM))
    bank, _ = run(spec, np.full((2, 1), 1.2))
    before = bank.more.ewma.value.copy()
    _, [points] = run(spec, np.full((1, 1), np.nan), bank=bank, start=2)
    assert not points.broken.any()
    assert bank.more.ewma.value == pytest.approx((1.0 - spec.metrics[1].charts.ewma_scales[0]) * before)

"""The closed form for far limits against the full equations."""

from __future__ import annotations

import math

import pytest

from streamspc.design import cusum_arl, cusum_limit, shewhart_cusum_arl, shewhart_cusum_limit
from streamspc.design.clipped_side import clipped
from streamspc.design.cusum_pair import pair
from streamspc.design.cusum_side import side
from streamspc.design.far_limit import far_mean


@pytest.mark.parametrize("k", [0.0, 1e-9, 1e-4, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("h", [20.5, 60.0, 150.0])
def test_a_far_limit_keeps_the_equations_of_one_side(k: float, h: float) -> None:
    for shift in (0.0, 2.0 * k):
        assert cusum_arl(k, h, shift, "upper") == pytest.approx(side(k, h, shift).chain.mean[0], rel=1e-11)


@pytest.mark.parametrize("headstart", [0.0, 3.0, 25.0])
@pytest.mark.parametrize(("k", "shift"), [(0.0, 0.0), (0.02, 0.1), (0.5, 0.5)])
def test_two_sides_and_a_head_start_keep_theirs(k: float, shift: float, headstart: float) -> None:
    full = pair(k, 70.0, shift)
    assert cusum_arl(k, 70.0, shift, headstart=headstart) == pytest.approx(full.mean_from(headstart), rel=1e-10)


@pytest.mark.parametrize("low", [True, False])
@pytest.mark.parametrize(("k", "shift", "c"), [(0.0, 0.0, 3.0), (0.0, 0.0, 7.0), (0.01, 0.0, 5.0), (0.2, 0.7, 3.5), (1.0, 0.0, 4.0)])
def test_shewhart_limits_keep_theirs(k: float, shift: float, c: float, low: bool) -> None:
    within = (-c if low else -math.inf, c)

    def full(h: float) -> float:
        return float(clipped(k, h, within, shift).mean[0])

    closed = far_mean(full, 60.0, k - shift, (within[0] - shift, c - shift))
    assert closed == pytest.approx(full(60.0), rel=1e-9)


def test_limits_far_beyond_the_equations_are_found() -> None:
    h = cusum_limit(0.0, 1e8)
    assert h > 10_000.0
    assert cusum_arl(0.0, h) == pytest.approx(1e8, rel=1e-9)
    h, c = shewhart_cusum_limit(0.0, 1e6)
    assert shewhart_cusum_arl(0.0, h, c) == pytest.approx(1e6, rel=1e-9)
    assert math.isinf(cusum_arl(0.5, 1000.0))

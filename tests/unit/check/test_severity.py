"""Severity of points."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charting import TEXTBOOK
from streamspc.chart import Bank, Window, advance
from streamspc.check.severity import Scale
from streamspc.model import ChartKind, ChartSpec, MetricKind, MetricSpec, Points, Sources, Statistics, StreamSpec

OTHER = ChartSpec(shewhart_limit=2.5, cusum_k=0.25, cusum_h=8.0, ewma_lambda=0.1, ewma_limit=2.7)


def spec(**metric: Any) -> StreamSpec:
    """A stream of one metric."""
    settings: dict[str, Any] = {"name": "m", "kind": MetricKind.MEAN, "field": "x", "signal_by": tuple(ChartKind), "charts": TEXTBOOK}
    return StreamSpec(name="s", topic="t", metrics=(MetricSpec(**settings | metric),))


def points(stream: StreamSpec, **arrays: list[float]) -> Points:
    """Points of Phase II of as many segments as the arrays have numbers; statistics that are not given are 0."""
    size = len(next(iter(arrays.values())))
    bank = Bank.empty(stream)
    bank.grow([f"{at:03}" for at in range(size)])
    nothing = np.zeros((1, size))
    none = np.zeros(0, np.int64)
    window = Window(0, 1, "", Sources(none, none.astype(np.int32), none, none, none))
    made = advance(stream, bank, window, Statistics(nothing, nothing.astype(np.int64), nothing, nothing), np.zeros(size, np.int64))
    given = {"z": [0.0] * size, "cusum_up": [0.0] * size, "cusum_down": [0.0] * size, "ewma": [0.0] * size, "ewma_limit": [1.0] * size}
    settings: dict[str, Any] = {name: np.array([values]) for name, values in (given | arrays).items()}
    return replace(made, phase=np.ones((1, size), np.uint8), **settings)


def severity(stream: StreamSpec, **arrays: list[float]) -> list[float]:
    """Severities of such points."""
    found: list[float] = Scale.of(stream).severity(points(stream, **arrays))[0].tolist()
    return found


@pytest.mark.parametrize("charts", [TEXTBOOK, OTHER])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_the_limits_that_belong_together_are_equally_severe(charts, direction):
    """Of the Shewhart chart and the CUSUM of a series, on the side that is asked for; beyond them it is more."""
    stream = spec(charts=charts, direction=direction)
    sign = -1.0 if direction == "down" else 1.0
    side = "cusum_down" if direction == "down" else "cusum_up"
    at_limits = [{"z": [sign * charts.shewhart_limit]}, {side: [charts.cusum_h]}]
    [first, second] = [severity(stream, **arrays)[0] for arrays in at_limits]
    assert first == pytest.approx(second, abs=1e-15)
    for arrays in at_limits:
        beyond = {name: [values[0] * (1.0 + 1e-9)] for name, values in arrays.items()}
        assert severity(stream, **beyond)[0] > first


def test_three_sigma_are_one_half_whatever_the_limits():
    """So severities of all series can be compared: the limits that a budget leads to do not enter."""
    found = {severity(spec(charts=charts), z=[z])[0] for charts in (TEXTBOOK, OTHER) for z in (3.0, -3.0)}
    assert found == {0.5}
    assert severity(spec(charts=OTHER), z=[4.0]) == severity(spec(charts=TEXTBOOK), z=[4.0])
    assert severity(spec(), ewma=[0.6], ewma_limit=[0.2 * 2.85934]) == pytest.approx(severity(spec(), z=[3.0]))


def test_it_grows_with_the_distance_and_never_stands_still():
    """From the centre to a million sigma, where the probability itself has long been nothing to a double."""
    z = [0.0, *np.geomspace(1e-3, 1e6, 400).tolist()]
    found = severity(spec(), z=z)

    assert found[0] == 0.0
    assert all(a < b for a, b in pairwise(found))
    assert found[-1] < 1.0
    assert severity(spec(), z=[-value for value in z]) == found


@pytest.mark.parametrize(("direction", "z"), [("up", [-9.0, -1.0, 0.0, 1.0, 9.0]), ("down", [9.0, 1.0, 0.0, -1.0, -9.0])])
def test_on_the_side_nobody_asked_for_it_is_small(direction, z):
    """One tail counts, so that a value far on the good side is the least severe of all."""
    found = severity(spec(direction=direction, signal_by=(ChartKind.SHEWHART,)), z=z)

    assert found == sorted(found)
    assert found[0] < 1e-6
    assert found[-1] > 0.85


def test_a_one_sided_cusum_counts_its_side():
    """The other one may be anywhere."""
    charts = (ChartKind.SHEWHART, ChartKind.CUSUM)
    assert severity(spec(direction="up", signal_by=charts), cusum_down=[50.0], cusum_up=[0.0], z=[-30.0])[0] < 1e-6
    assert severity(spec(direction="down", signal_by=charts), cusum_down=[5.0], cusum_up=[50.0], z=[30.0])[0] == pytest.approx(
        0.5, abs=0.03
    )


def test_the_most_surprising_of_the_charts_that_may_signal_counts():
    """Charts that may not are left out; where none may, all are looked at."""
    arrays = {"z": [3.0], "cusum_up": [10.0], "ewma": [3.0], "ewma_limit": [1.0]}
    found = {by: severity(spec(signal_by=by), **arrays)[0] for by in [(), tuple(ChartKind), *((kind,) for kind in ChartKind)]}

    assert found[ChartKind.SHEWHART,] == pytest.approx(0.5)
    assert found[ChartKind.CUSUM,] == pytest.approx(2 / 3)
    assert found[ChartKind.EWMA,] > 0.85
    assert found[()] == found[tuple(ChartKind)] == found[ChartKind.EWMA,]


def test_there_is_none_in_phase_one_nor_without_a_point():
    """Nothing is known of such windows."""
    stream = spec()
    given = points(stream, z=[9.0, 9.0, 9.0])

    found = Scale.of(stream).severity(replace(given, phase=np.array([[0, 1, 255]], np.uint8)))[0]

    assert (found > 0).tolist() == [False, True, False]


def test_a_point_that_signals_has_at_least_one_half():
    """Also where what it broke is a rule rather than a limit."""
    stream = spec()
    given = points(stream, z=[2.0, 2.0, 9.0])

    found = Scale.of(stream).severity(replace(given, broken=np.array([[0, 1, 1]], np.uint8)))[0]

    assert found[0] < 0.5
    assert found[1] == 0.5
    assert found[2] == severity(stream, z=[9.0])[0]


def test_numbers_that_are_none_count_for_nothing():
    """A chart without a statistic does not hide the others."""
    assert severity(spec(), z=[float("nan")], cusum_up=[5.0], ewma=[float("nan")]) == pytest.approx([0.5])

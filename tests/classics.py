"""What tests of the classic charts share: ten classic data sets with the charts that R's qcc and qicharts2 and NIST make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamspc.chart.classic import Limits
from streamspc.model import Floats

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "reference" / "qcc_limits.json").read_text())
CHARTS: dict[str, Any] = {chart["id"]: chart for chart in REFERENCE["charts"]}
DATA: dict[str, Any] = REFERENCE["data"]
TABLE: list[float] = [np.nan, *(REFERENCE["qcc_constant_tables"]["d2"])]  # rounded d2, by n
EXACT = 1e-9
ROUNDED = 3.4e-4  # what three digits of d2 do to a sigma
PISTON: Floats = np.array(DATA["pistonrings"]["values"])
METHOD = {"uwave_r": "mean_range", "uwave_sd": "mean_sd", "mvlue_r": "weighted_range", "mvlue_sd": "weighted_sd", "rmsdf": "pooled"}


def near(expected: object, rel: float = EXACT, scale: float = 0.0) -> Any:
    """Equal but for what was printed: ten digits, or `rel` and half a unit of the last decimal, `scale`."""
    return pytest.approx(np.array(expected, float), rel=rel, abs=scale)


def flagged(limits: Limits, points: Floats) -> list[int]:
    """Numbers of the points outside, from 1."""
    numbers: list[int] = (np.flatnonzero(limits.outside(points)) + 1).tolist()
    return numbers


def same(limits: Limits, chart: dict[str, Any], points: Floats, rel: float = EXACT) -> None:
    """Centre, limits and flags are those of the chart."""
    assert np.asarray(limits.centre).ravel()[0] == near(chart["center"][0])
    for name, side in (("lcl", limits.lower), ("ucl", limits.upper)):
        expected = np.broadcast_to(chart[name], points.shape)
        assert np.broadcast_to(side, points.shape) == near(expected, rel)
    assert flagged(limits, points) == chart["beyond_limits"]
    assert points[:5] == near(chart["statistics_first5"])
    assert points.sum() == near(chart["statistics_sum"])

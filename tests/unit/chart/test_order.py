from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamspc.chart import order

COLUMN = arrays(np.float64, 53, elements=st.floats(-1e9, 1e9))


@given(COLUMN, st.integers(2, 40))
def test_a_sum_has_the_same_bits_beside_other_columns(column, neighbours):
    """One column alone or among many: the order of addition is the same, first to last."""
    alone = order.total(column[:, None])[0]
    among = order.total(np.tile(column[:, None], neighbours))
    plain = 0.0
    for number in column.tolist():
        plain += number
    assert among.tolist() == [plain] * neighbours == [alone] * neighbours


@given(COLUMN, st.sets(st.integers(0, 52), min_size=2))
def test_mean_variance_and_median_are_those_of_the_kept_windows(column, kept):
    """What is dropped has no part in them."""
    keep = np.isin(np.arange(53), list(kept))[:, None]
    chosen = [column[i].item() for i in sorted(kept)]
    rows = column[:, None]
    assert order.median(rows, keep)[0] == pytest.approx(statistics.median(chosen), rel=0, abs=1e-300)  # half of the least double is 0
    assert order.mean(rows, keep)[0] == pytest.approx(statistics.fmean(chosen), rel=1e-9, abs=1e-3)
    assert order.variance(rows, keep)[0] == pytest.approx(statistics.variance(chosen), rel=1e-6, abs=1e-3)

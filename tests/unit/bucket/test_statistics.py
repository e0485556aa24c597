from __future__ import annotations

import numpy as np
import pytest

from streamspc.bucket.statistics import statistics
from streamspc.bucket.tally import plan
from streamspc.model import MetricKind, MetricSpec
from tallying import METRICS, Row, stream, table

SPEC = stream()
PLAN = plan(SPEC)
INDEX = {metric.name: i for i, metric in enumerate(METRICS)}
RNG = np.random.default_rng(5)
PRICES = RNG.gamma(2, 40, 300).round(2).tolist()
ROWS = [Row(i, price, "error" if i % 9 == 0 else "ok", "ab"[i % 3 == 0], lag=i * 1000) for i, price in enumerate(PRICES)]
ROWS += [Row(301, None, "ok", "a"), Row(302, 5.0, "ok", "lone")]


def computed(rows=ROWS, segments=("a", "b", "*"), spec=SPEC):
    return statistics(spec, plan(spec), table(rows, of=plan(spec)), segments)


def of(segment: str) -> np.ndarray:
    return np.array([row.price for row in ROWS if row.price is not None and segment in ("*", row.segment)])


def test_values_are_those_of_numpy():
    """Each kind of metric is what numpy computes from the records of the segment."""
    held, records = computed()
    for column, segment in enumerate(("a", "b", "*")):
        x = of(segment)
        rows = [row for row in ROWS if segment in ("*", row.segment)]
        ok = np.array([row.price for row in rows if row.status == "ok" and row.price is not None])
        dear = [row for row in rows if (row.price or 0) > 1]
        expected = {
            "volume": len(rows),
            "dear": (x > 100).sum(),
            "sum": x.sum(),
            "mean": x.mean(),
            "mean_ok": ok.mean(),
            "sd": x.std(ddof=1),
            "min": x.min(),
            "max": x.max(),
            "errors": sum(row.status == "error" for row in dear) / len(dear),
            "nulls": sum(row.price is None for row in rows) / len(rows),
            "lag": np.mean([row.lag / 1e6 for row in rows]),
        }
        for name, value in expected.items():
            assert held.value[INDEX[name], column] == pytest.approx(value, rel=1e-12), name
        assert records[column] == len(rows)


def test_quantiles_are_within_one_per_cent():
    """Quantiles from bins are within one per cent of numpy's."""
    held, _ = computed()
    for column, segment in enumerate(("a", "b", "*")):
        for name, q in (("median", 0.5), ("p90", 0.9)):
            assert held.value[INDEX[name], column] == pytest.approx(np.quantile(of(segment), q, method="lower"), rel=0.01)


def test_unit_variances_are_those_of_one_record():
    """The unit variance divided by n is the variance within the window, and n counts what the metric saw."""
    held, _ = computed(segments=("*",))
    x, p = of("*"), held.value[INDEX["errors"], 0]
    units = dict(zip(INDEX, held.unit[:, 0].tolist(), strict=True))

    assert units["mean"] == pytest.approx(x.var(ddof=1), rel=1e-12)
    assert units["sd"] == pytest.approx(x.var(ddof=1) / 2, rel=1e-12)
    assert units["errors"] == pytest.approx(p * (1 - p), rel=1e-12)
    assert units["median"] > 0
    assert [units[name] for name in ("volume", "sum", "min", "max")] == [0, 0, 0, 0]
    assert held.n[INDEX["mean"], 0] == len(x)
    assert held.n[INDEX["nulls"], 0] == len(ROWS)
    assert (held.extra[:, 0] > 0).tolist() == [name in {"median", "p90"} for name in INDEX]


def test_a_segment_that_did_not_come_counts_zero():
    """A segment without records has a count of zero and no other point, and breaks no other segment."""
    held, records = computed(segments=("nobody", "a"))

    counts = [INDEX["volume"], INDEX["dear"]]
    assert held.value[counts, 0].tolist() == [0, 0]
    assert np.isnan(np.delete(held.value[:, 0], counts)).all()
    assert held.n[:, 0].tolist() == held.unit[:, 0].tolist() == held.extra[:, 0].tolist() == [0] * len(METRICS)
    assert records.tolist() == [0, len([row for row in ROWS if row.segment == "a"])]


def test_an_empty_window_has_all_segments_all_the_same():
    """A table without cells gives zeros and nothing else, for every segment asked for."""
    held, records = computed(rows=[])

    assert held.value.shape == held.n.shape == (len(METRICS), 3)
    assert held.value[INDEX["volume"]].tolist() == [0, 0, 0]
    assert records.tolist() == [0, 0, 0]


def test_one_record_has_a_mean_but_no_spread():
    """With one record sd is no point and the mean's unit variance is 0, not nan."""
    held, _ = computed(segments=("lone",))

    assert held.value[INDEX["mean"], 0] == 5.0
    assert held.unit[INDEX["mean"], 0] == 0
    assert np.isnan(held.value[INDEX["sd"], 0])
    assert np.isfinite(held.unit).all()


@pytest.mark.parametrize(("q", "least"), [(0.5, 20), (0.9, 100), (0.2, 50)])
def test_a_quantile_needs_records_beyond_it(q, least):
    """A quantile is a point from 10 / min(q, 1 - q) values on."""
    spec = stream(metrics=[MetricSpec(name="q", kind=MetricKind.QUANTILE, field="price", q=q)])
    for count, there in ((least - 1, False), (least, True)):
        held, _ = computed([Row(i, float(i)) for i in range(count)], ("*",), spec)

        assert np.isfinite(held.value[0, 0]) == there
        assert (held.unit[0, 0] > 0) == there


def test_no_segments_make_no_columns():
    """Nothing asked for gives arrays of width zero."""
    held, records = computed(segments=())

    assert held.value.shape == (len(METRICS), 0)
    assert records.shape == (0,)


def test_nothing_came_means_the_same_in_an_empty_window_as_in_a_full_one():
    """The short way for a window without records has the bits and types that a segment has which was away."""
    among, records = computed(segments=("absent", "b"))
    alone, none = computed(rows=[], segments=("absent", "other"))

    for name in ("value", "n", "unit", "extra"):
        mine, theirs = getattr(alone, name)[:, :1], getattr(among, name)[:, :1]
        assert (mine.dtype, mine.tobytes()) == (theirs.dtype, theirs.tobytes()), name
    assert (none.dtype, none.tolist()) == (records.dtype, [0, 0])

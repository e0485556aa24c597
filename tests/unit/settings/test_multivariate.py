"""`multivariate:` of a stream."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from streamspc.design import expected_rate_mewma_limit
from streamspc.errors import ConfigError
from streamspc.model import ChartKind, MultivariateSpec, StreamSpec
from streamspc.settings import load
from streamspc.settings.multivariate import WINDOWS_A_METRIC, WINDOWS_A_WEIGHT

FILE = """
app: shop
kafka: {{bootstrap_servers: "localhost:9092"}}
streams:
  - name: orders
    topic: orders
    metrics:
      - {{name: volume, kind: count}}
      - {{name: price, kind: mean, field: price}}
      - {{name: ms, kind: mean, field: ms}}
    multivariate:
      - {{name: both, metrics: [price, ms], {keys}}}
    {more}
"""


def stream(folder: Path, keys: str = "chart: mewma", more: str = "") -> StreamSpec:
    """The stream of a file with these keys."""
    path = folder / "c.yaml"
    path.write_text(FILE.format(keys=keys, more=more))
    return load(path, {}).semantics.streams[0]


def test_a_chart_of_several_metrics_is_a_mewma_or_t2(tmp_path):
    """T2 is the one without memory; both share the false alarms with the metrics unless a limit is written."""
    assert stream(tmp_path).multivariate == (MultivariateSpec(name="both", metrics=("price", "ms"), weight=0.1),)
    assert stream(tmp_path, "lambda: 0.2, limit: 12").multivariate[0].limit == 12.0
    t2 = stream(tmp_path, "chart: t2")
    assert (t2.multivariate[0].weight, t2.multivariate[0].kind) == (1.0, ChartKind.SHEWHART)
    assert t2.series == ("volume", "price", "ms", "both")


def test_it_may_reject(tmp_path):
    """On the chart that it signals as."""
    assert stream(tmp_path, more="judge_by: [{metric: both, charts: [ewma]}]").judge_by[0].metric == "both"


@pytest.mark.parametrize(
    ("keys", "more", "problem"),
    [
        ("chart: t3", "", r"chart: .*t3"),
        ("chart: t2, lambda: 0.2", "", "lambda: needs chart: mewma"),
        ("lambda: 0.01", "", "lambda"),
        ("chart: mewma", "baseline: {windows: 24}", "both needs baseline.windows of 25 or more"),
        ("chart: t2", "baseline: {windows: 9}", "both needs baseline.windows of 10 or more"),
        ("chart: mewma", "judge_by: [{metric: both}]", r"both signals as ewma: write charts: \[ewma\]"),
        ("chart: mewma", "judge_by: [{metric: bot}]", "no metric 'bot' in this stream; did you mean 'both'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, keys, more, problem):
    """With the place and the cure."""
    with pytest.raises(ConfigError, match=problem):
        stream(tmp_path, keys, more)


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ("[price]", "expected two to ten metrics, got 1"),
        ("[price, price]", "names a metric twice"),
        ("[price, volum]", "no metric 'volum' in this stream; did you mean 'volume'"),
    ],
)
def test_its_metrics_are_two_or_more_of_the_stream(tmp_path, metrics, problem):
    """Each once."""
    path = tmp_path / "c.yaml"
    path.write_text(FILE.replace("[price, ms]", metrics).format(keys="chart: t2", more=""))

    with pytest.raises(ConfigError, match=problem):
        load(path, {})


@pytest.mark.slow
@pytest.mark.parametrize(("p", "weight"), list(itertools.product((2, 10), (0.05, 0.1, 0.9))))
def test_whatever_is_accepted_has_limits(p, weight):
    """At the least windows, whatever share of the false alarms a chart may have."""
    windows = round(max(WINDOWS_A_METRIC * p, WINDOWS_A_WEIGHT / weight))
    limits = [expected_rate_mewma_limit(p, weight, windows, arl0) for arl0 in (20.0, 1000.0, 1e11)]

    assert limits == sorted(limits)

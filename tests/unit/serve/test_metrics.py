"""The closed table of metrics, and the text that is made of views."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from streamspc.model import Family, Histogram, View
from streamspc.serve import text
from streamspc.serve.gather import gather
from streamspc.serve.names import TABLE, label_names, metric_of

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics.txt"
LABEL = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


def shown(*families, openmetrics=False):
    """The exposition of one view."""
    return text.write(gather([View("r", families)], "h"), openmetrics=openmetrics).decode()


def parsed(exposition, openmetrics):
    """Samples by name and labels, as a foreign reader finds them."""
    parse = parse_openmetrics if openmetrics else parse_text
    return {(sample.name, *sample.labels.items()): sample.value for metric in parse(exposition) for sample in metric.samples}


def test_table_is_golden():
    """Names, types, labels and help of all metrics are those that dashboards and alerts were made for."""
    lines = [f"{metric.name}{{{','.join(metric.labels)}}} {metric.type}: {metric.help}" for metric in TABLE]

    assert lines == GOLDEN.read_text().splitlines()


def test_names_keep_the_conventions():
    """Metrics have our prefix, counters and only they end in _total, times are in seconds, and every help is a sentence."""
    for metric in TABLE:
        assert metric.name.startswith("spc_")
        assert (metric.type == "counter") == metric.name.endswith("_total")
        assert "timestamp" not in metric.name or metric.name.endswith("_timestamp_seconds")
        assert metric.help.endswith(".")
        assert not {"\\", '"', "\n"} & set(metric.help)
        assert "le" not in metric.labels
    assert len({metric.name for metric in TABLE}) == len(TABLE)


@pytest.mark.parametrize("name", ["spc_nonsense", "spc_value_bucket", "spc_txn_total_count", "value", ""])
def test_unknown_names_are_refused(name):
    """A family that is not in the table is an error, and so is a part of a histogram of something that is none."""
    with pytest.raises(KeyError):
        metric_of(name)


@pytest.mark.parametrize(
    "family",
    [
        Family("spc_series", [("s", "too many")], [1.0]),
        Family("spc_series", [()], [1.0]),
        Family("spc_series", [("s",)], [1.0, 2.0]),
    ],
)
def test_labels_must_fit(family):
    """Rows with other labels than the table's, or without their value, are an error."""
    with pytest.raises(ValueError, match="spc_series: expected 1 labels"):
        gather([View("r", (family,))], "h")


def test_histogram_is_no_plain_family():
    """A histogram comes as buckets, sum and count."""
    with pytest.raises(KeyError):
        gather([View("r", (Family("spc_txn_duration_seconds", [("chart",)], [1.0]),))], "h")


@pytest.mark.parametrize("openmetrics", [False, True])
@given(labels=st.lists(st.tuples(LABEL, LABEL, LABEL), unique=True, max_size=5), data=st.data())
def test_foreign_reader_finds_every_sample(openmetrics, labels, data):
    """Whatever names and numbers the data brings, the text is read as what was written."""
    values = data.draw(st.lists(st.floats(), min_size=len(labels), max_size=len(labels)))
    found = parsed(shown(Family("spc_value", labels, np.array(values)), openmetrics=openmetrics), openmetrics)

    for row, value in zip(labels, values, strict=True):
        read = found["spc_value", *zip(("stream", "metric", "segment"), row, strict=True)]
        assert read == value or (math.isnan(read) and math.isnan(value))


def test_numbers_and_escapes_as_the_format_says():
    """NaN, infinities, quotes, backslashes and line ends are written as the format has them."""
    lines = shown(Family("spc_series", [("a",), ('b"',), ("c\\",), ("d\n",)], [math.nan, math.inf, -math.inf, 3])).splitlines()

    assert [line for line in lines if line.startswith("spc_series")] == [
        'spc_series{stream="a"} NaN',
        'spc_series{stream="b\\""} +Inf',
        'spc_series{stream="c\\\\"} -Inf',
        'spc_series{stream="d\\n"} 3.0',
    ]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_histogram_is_read_as_one(openmetrics):
    """Buckets count up to their bound, one series after the other, and end with +Inf, sum and count."""
    chart = Histogram((0.1, 1.0), (0, 0, 0)).observe(0.1).observe(0.5).observe(7.0).families("spc_txn_duration_seconds", ("chart",))
    gate = Histogram((0.1, 1.0), (0, 0, 0)).families("spc_txn_duration_seconds", ("gate",))
    exposition = shown(*gate, *chart, openmetrics=openmetrics)
    found = parsed(exposition, openmetrics)

    assert [line.split()[1] for line in exposition.splitlines() if 'role="chart"' in line and "_txn_" in line] == [
        "1.0",
        "2.0",
        "3.0",
        "7.6",
        "3.0",
    ]
    assert found["spc_txn_duration_seconds_bucket", ("role", "gate"), ("le", "+Inf")] == 0.0
    assert exposition.index('role="gate"') < exposition.index('count{role="gate"}') < exposition.index('role="chart"')


def test_series_of_several_roles_is_shown_once():
    """Where two roles count the same thing it adds up; of a gauge the last one holds."""
    first = View("observe.a", (Family("spc_txn_total", [("observe", "committed")], [2]), Family("spc_series", [("s",)], [5])))
    second = View(
        "observe.b",
        (Family("spc_txn_total", [("observe", "failed"), ("observe", "committed")], [1, 3]), Family("spc_series", [("s",)], [7])),
    )
    found = parsed(text.write(gather([first, second], "h"), openmetrics=False).decode(), openmetrics=False)

    assert found["spc_txn_total", ("role", "observe"), ("result", "committed")] == 5.0
    assert found["spc_txn_total", ("role", "observe"), ("result", "failed")] == 1.0
    assert found["spc_series", ("stream", "s")] == 7.0


def test_process_is_described():
    """Without any role there is the build, the configuration and the process itself."""
    found = parsed(text.write(gather([], "0123"), openmetrics=False).decode(), openmetrics=False)

    assert found["spc_config_info", ("hash", "0123")] == 1.0
    assert {"spc_build_info", "process_cpu_seconds_total"} <= {name for name, *_ in found}


def test_roles_readiness_is_shown():
    """Each role's readiness is a gauge."""
    found = parsed(text.write(gather([View("chart", ready=True), View("gate")], "h"), openmetrics=False).decode(), openmetrics=False)

    assert (found["spc_role_ready", ("role", "chart")], found["spc_role_ready", ("role", "gate")]) == (1.0, 0.0)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_hundred_thousand_samples_are_quick(openmetrics):
    """100,000 samples take less than a fifth of a second of CPU, in either format."""
    labels = [("stream", f"metric{i % 20}", f"segment{i // 20}") for i in range(50_000)]
    values = np.random.default_rng(1).normal(size=len(labels))
    view = View("chart", (Family("spc_value", labels, values), Family("spc_center", labels, values)))
    begun = time.process_time()
    body = text.write(gather([view], "h"), openmetrics=openmetrics)

    assert time.process_time() - begun < 0.2
    assert body.count(b"\nspc_") == 100_000 + 3


def test_label_names_of_rows():
    """The bound is the last label of a bucket, and of nothing else."""
    assert label_names("spc_txn_duration_seconds_bucket") == ("role", "le")
    assert label_names("spc_txn_duration_seconds_sum") == ("role",)

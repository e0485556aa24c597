"""Settings to semantic and local configuration."""

from __future__ import annotations

import base64
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from streamspc.errors import ConfigError
from streamspc.model import (
    ChartKind,
    ChartSpec,
    Effect,
    EventTime,
    Inhibition,
    JudgeRule,
    Links,
    MetricKind,
    MetricSpec,
    MuteTime,
    Route,
    Secret,
    StormSpec,
)
from streamspc.settings import Loaded, load, load_semantics

HEAD = """
app: shop
kafka: {bootstrap_servers: "a:1,b:2"}
streams:
  - name: orders
    topic: orders
"""


def loaded(folder: Path, text: str, **environment: str) -> Loaded:
    """The configuration of a text."""
    path = folder / "x.yaml"
    path.write_text(dedent(text))
    return load(path, environment)


@pytest.fixture
def stream(tmp_path):
    """Makes the spec of a stream from its keys."""
    return lambda keys: loaded(tmp_path, HEAD + keys).semantics.streams[0]


def test_a_stream_has_the_defaults_of_the_model(stream):
    """What is not written is as `model.StreamSpec` says, and limits in the future follow the window."""
    spec = stream("    metrics: [{name: volume, kind: count}]")

    assert spec.event_time == EventTime()
    assert (spec.window_us, spec.max_future_us, spec.timezone) == (60_000_000, 60_000_000, "UTC")
    assert spec.metrics == (MetricSpec(name="volume", kind=MetricKind.COUNT),)
    assert (spec.clean_topic, spec.quarantine_topic, spec.storm) == (None, None, StormSpec())


@pytest.mark.parametrize(
    ("keys", "expected"), [("lateness: 2h", 7_200), ("lateness: 1s", 60), ("event_time: {field: t}\n    max_future: 3s", 3)]
)
def test_the_future_ends_at_the_larger_of_lateness_and_one_window(stream, keys, expected):
    """Unless it is written."""
    assert stream(f"    metrics: [{{name: volume, kind: count}}]\n    {keys}").max_future_us == expected * 1_000_000


def test_metrics_override_the_charts_of_their_stream_key_by_key(stream):
    """A metric that writes one limit keeps the stream's others."""
    spec = stream("""
    charts: {shewhart: {limit: 4}, cusum: {k: 0.25, h: 8}}
    signal_by: [ewma]
    metrics:
      - {name: a, kind: count}
      - {name: b, kind: count, charts: {cusum: {h: 6}, ewma: {lambda: 0.1}}, signal_by: []}
    """)

    assert [metric.charts for metric in spec.metrics] == [
        ChartSpec(shewhart_limit=4.0, cusum_k=0.25, cusum_h=8.0),
        ChartSpec(shewhart_limit=4.0, cusum_k=0.25, cusum_h=6.0, ewma_lambda=0.1),
    ]
    assert [metric.signal_by for metric in spec.metrics] == [(ChartKind.EWMA,), ()]


def test_shifts_are_absolute_relative_or_in_sigma(stream):
    """Percentage points are hundredths of a share, per cent of the centre are relative."""
    spec = stream("""
    metrics:
      - {name: a, kind: "null_rate", field: x, min_effect: 10 pp}
      - {name: b, kind: count, min_effect: 5 %}
      - {name: c, kind: count, min_effect: 0.5 sigma}
      - {name: d, kind: count, min_effect: 12}
    """)

    assert [metric.min_effect for metric in spec.metrics] == [
        Effect(amount=0.1),
        Effect(amount=0.05, unit="relative"),
        Effect(amount=0.5, unit="sigma"),
        Effect(amount=12.0),
    ]


def test_the_gate_and_the_judges_are_part_of_the_semantics(stream):
    """Topics, storm guard and what may reject change outcomes."""
    spec = stream("""
    metrics: [{name: failed, kind: proportion, where: 'status == "failed"', of: 'status != "test"'}]
    segment_by: [country]
    judge_by: [{metric: failed, charts: [cusum], segments: ["*", DE]}]
    gate: {quarantine: bad, storm: {windows: 3}, before_verdicts: quarantine}
    """)

    assert spec.metrics[0].of == 'status != "test"'
    assert spec.judge_by == (JudgeRule(metric="failed", charts=(ChartKind.CUSUM,), segments=("*", "DE")),)
    assert (spec.clean_topic, spec.quarantine_topic) == (None, "bad")
    assert (spec.storm, spec.before_verdicts) == (StormSpec(windows=3), "quarantine")


def test_local_keys_change_no_hash(tmp_path):
    """Addresses, credentials, logs and receivers are local; a window is not."""
    metrics = "    metrics: [{name: volume, kind: count}]\n"
    plain = loaded(tmp_path, HEAD + metrics)
    elsewhere = loaded(
        tmp_path,
        HEAD.replace("a:1,b:2", "c:3")
        + metrics
        + "log: {level: debug}\nreceivers: [{name: x, slack: {url: 'https://x.org/y'}}]\ndrain: 5s",
    )
    other = loaded(tmp_path, HEAD + "    window: 2m\n" + metrics)

    assert plain.semantics.hash() == elsewhere.semantics.hash() != other.semantics.hash()


def test_how_a_number_is_written_changes_no_hash(tmp_path):
    """3, 3.0 and a variable that holds 3 are the same limit."""
    keys = "    metrics: [{name: volume, kind: count}]\n    charts: {shewhart: {limit: %s}}"

    assert len({loaded(tmp_path, HEAD + keys % limit, L="3").semantics.hash() for limit in ("3", "3.0", '"${L}"')}) == 1


def test_kafka_options_are_those_of_the_client(tmp_path):
    """Only what was said, secrets still secret, times in seconds."""
    text = (
        HEAD.replace(
            'kafka: {bootstrap_servers: "a:1,b:2"}',
            "kafka: {bootstrap_servers: 'a:1,b:2', security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me, "
            "sasl_password: '${P}', ssl_cafile: ca.pem, session_timeout: 90s, fetch_wait: 500ms, instance: '${POD}'}",
        )
        + "    metrics: [{name: volume, kind: count}]"
    )
    result = loaded(tmp_path, text, P="hunter2", POD="pod-0")
    kafka = result.local.kafka

    assert kafka.options == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": Secret("hunter2"),
        "ssl_cafile": "ca.pem",
        "ssl_check_hostname": True,
    }
    assert (kafka.session_timeout, kafka.fetch_wait, kafka.instance) == (90.0, 0.5, "pod-0")
    assert result.secrets() == (Secret("hunter2"),)
    assert "hunter2" not in repr(result)


def test_receivers_take_their_address_from_where_it_is(tmp_path):
    """In place, from the environment, or from a file."""
    (tmp_path / "url").write_text("https://example.org/file\n")
    new, old = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
    result = loaded(
        tmp_path,
        HEAD
        + f"""    metrics: [{{name: volume, kind: count}}]
receivers:
  - {{name: a, slack: {{url_file: url}}, send_resolved: false}}
  - {{name: b, webhook: {{url: "${{U}}", secret: {new}, previous_secret: {old}, cloudevents: true}}, timeout: 3s, max_age: 1h}}
  - {{name: c, alertmanager: {{urls: ["http://a:9093", "${{U}}"]}}}}
  - {{name: d, pagerduty: {{routing_key: abc}}}}
  - {{name: e, kafka: {{topic: alerts}}}}
  - {{name: f, teams: {{url: "${{U}}"}}}}
""",
        U="https://example.org/env",
    )
    first, second, *others = result.local.receivers
    env = Secret("https://example.org/env")

    assert (first.kind, first.urls, first.keys, first.send_resolved) == ("slack", (Secret("https://example.org/file"),), (), False)
    assert (second.kind, second.urls, second.keys, second.cloudevents) == ("webhook", (env,), (Secret(new), Secret(old)), True)
    assert (second.timeout, second.max_age) == (3.0, 3_600.0)
    assert [(one.kind, one.urls, one.keys, one.topic) for one in others] == [
        ("alertmanager", (Secret("http://a:9093"), env), (), ""),
        ("pagerduty", (Secret("https://events.pagerduty.com/v2/enqueue"),), (Secret("abc"),), ""),
        ("kafka", (), (), "alerts"),
        ("teams", (env,), (), ""),
    ]
    assert {Secret("abc"), Secret(new), Secret(old), env} <= set(result.secrets())


def test_routes_have_what_the_one_above_them_has(tmp_path):
    """Receivers, grouping, times and mute times go down the tree; what is written below wins."""
    result = loaded(
        tmp_path,
        HEAD
        + """    owner: shop
    severity: info
    metrics:
      - {name: volume, kind: count}
      - {name: failed, kind: proportion, where: x == 1, severity: critical, owner: growth, runbook: "https://r.example/{metric}"}
receivers: [{name: chat, slack: {url: "https://a.example"}}, {name: pager, pagerduty: {routing_key: k}}]
routing:
  group_wait: 1s
  mute: [nights]
  routes:
    - match: {severity: critical}
      receivers: [pager]
      group_by: [metric]
      proceed: true
      routes: [{match: {owner: [growth, shop]}, mute: []}]
    - {repeat_interval: 1d}
  inhibit: [{source: {metric: volume}, target: {severity: [info, warning]}, equal: [stream, segment]}]
  mute_times: [{name: nights, days: [monday, sunday], begin: "20:00", end: "07:30", timezone: Europe/Berlin}]
links: {dashboard: "https://g.example/{stream}"}
""",
    ).local.alerting
    nights = MuteTime("nights", (0, 6), 1200, 450, "Europe/Berlin")
    above: dict[str, Any] = {"group_wait": 1_000_000, "mutes": (nights,)}
    pager: dict[str, Any] = {"receivers": ("pager",), "group_by": ("metric",), "group_wait": 1_000_000}
    below = Route(match={"owner": ("growth", "shop")}, **pager)

    assert result.root == Route(
        ("chat", "pager"),
        {},
        routes=(
            Route(match={"severity": ("critical",)}, **pager, mutes=(nights,), proceed=True, routes=(below,)),
            Route(("chat", "pager"), {}, repeat_interval=86_400_000_000, **above),
        ),
        **above,
    )
    assert result.inhibitions == (Inhibition({"metric": ("volume",)}, {"severity": ("info", "warning")}, ("stream", "segment")),)
    assert result.owners == {("orders", ""): "shop", ("orders", "volume"): "shop", ("orders", "failed"): "growth"}
    assert result.severities == {("orders", ""): "info", ("orders", "volume"): "info", ("orders", "failed"): "critical"}
    assert result.links == Links("", "https://g.example/{stream}", "", {("orders", "failed"): "https://r.example/{metric}"})


def test_labels_and_routes_are_no_new_version(tmp_path):
    """Who owns a metric, and whom to tell, changes no outcome: the semantic configuration is the same."""
    plain = loaded(tmp_path, HEAD + "    metrics: [{name: volume, kind: count}]\n")
    labels = "    owner: a\n    metrics: [{name: volume, kind: count, severity: critical}]\n"
    owned = loaded(tmp_path, HEAD + labels + "routing: {group_wait: 0s}\n")

    assert plain.semantics.hash() == owned.semantics.hash()


@pytest.mark.parametrize(
    ("keys", "place", "word"),
    [
        ("    window: 7m\n    metrics: [{name: a, kind: count}]", ":7:13: streams[orders].window: ", "420 s"),
        ("    metrics: [{name: a, kind: count, where: x ==}]", ":7:45: streams[orders].metrics[a].where: ", "character 5: "),
        (
            "    metrics: [{name: a, kind: mean, field: x}, {name: b, kind: count, where: x == 'y'}]",
            ":7:14: streams[orders].metrics: ",
            "x",
        ),
    ],
)
def test_what_only_a_stage_can_tell_is_refused_with_its_place(tmp_path, keys, place, word):
    """Windows that are no part of a day, expressions that do not compile, fields that are number and text at once."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, HEAD + keys)

    (problem,) = caught.value.problems
    assert place in problem
    assert word in problem.partition(place)[2]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "x.yaml: cannot be read: No such file or directory"),
        (b"a: 1\nb: \xff", "x.yaml:2:4: not UTF-8"),
        (b"#" * 1_048_577, "x.yaml: larger than 1048576 bytes"),
        (b"", "x.yaml:1:1: the file is empty"),
        (b"[]", "x.yaml:1:1: expected keys and values, got a list"),
        (b"~", "x.yaml:1:1: the file is empty"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, problem):
    """Missing, not text, too large, empty, or no mapping."""
    if content is not None:
        (tmp_path / "x.yaml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "x.yaml", {})

    assert caught.value.problems == (f"{tmp_path}/{problem}",)


def test_what_changes_an_outcome_can_be_loaded_alone(tmp_path):
    """Variables, files and addresses of the local part may be missing or wrong; the result is that of the whole."""
    local = 'kafka: {bootstrap_servers: "${BROKERS}", ssl_cafile: gone.pem}\nreceivers: [{nmae: x}]\nlog: {level: loud}\n'
    streams = "streams: [{name: s, topic: t, metrics: [{name: volume, kind: count}]}]\n"
    path = tmp_path / "x.yaml"
    path.write_text("app: shop\n" + local + streams)

    assert load_semantics(path, {}) == loaded(tmp_path, "app: shop\nkafka: {bootstrap_servers: a:1}\n" + streams).semantics


def test_but_what_is_wrong_with_it_is_told(tmp_path):
    """With its place, and nothing is said of the local part."""
    path = tmp_path / "x.yaml"
    path.write_text(
        "app: shop\nkafka: {bootstrap_servers: '${BROKERS}'}\nstreams: [{name: s, topic: t, metrics: [{name: v, kind: cuont}]}]\n"
    )
    with pytest.raises(ConfigError) as error:
        load_semantics(path, {})

    assert [problem.split(": ")[0] for problem in error.value.problems] == [f"{path}:3:57"]

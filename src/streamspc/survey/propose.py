"""A configuration from a survey: event time, window, segments and metrics, as commented YAML."""

from __future__ import annotations

import math
import re
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from streamspc.admit import iso8601
from streamspc.survey.fields import MOSTLY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamspc.survey.fields import Field

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
WINDOWS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400}
SPANS = {"0s": 0, "5s": 5, "30s": 30, "2m": 120, "10m": 600, "1h": 3600, "6h": 21_600, "1d": 86_400}
ENOUGH = 200  # records that a window should have
MOST_SEGMENTS, MOST_METRICS, MOST_RATES = 50, 4, 6
_YEARS = 20 * 31_557_600 * 1_000_000  # microseconds that event time may be from Kafka's
_TIME = re.compile(r"(^|[_.])(event_?time|timestamp|time|ts|at|date|created|occurred|when)($|[_.])|_at$|_time$|_ts$", re.IGNORECASE)
_BAD = re.compile(r"^(fail|error|err$|cancel|reject|declin|timeout|timed.?out|abort|invalid|denied|lost|dead|ko$|nok$)", re.IGNORECASE)
_KEY = re.compile(r"(^|[_.])(id|uuid|guid|key|hash|token|offset|seq|sequence|number|no|index)$|_id$|Id$", re.IGNORECASE)
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")


class Sample(NamedTuple):
    """What was read: the fields, for each record its Kafka timestamp in microseconds and its partition, and how many were unreadable."""

    fields: Mapping[str, Field]
    times: Sequence[int]
    partitions: Sequence[int]
    unreadable: int


class Proposal(NamedTuple):
    """The configuration as text, and what people should know of it."""

    text: str
    notes: tuple[str, ...]


class _Time(NamedTuple):
    path: str | None  # None: Kafka's timestamp
    unit: str
    values: list[int]  # microseconds, of each record


class _Metric(NamedTuple):
    text: str
    why: str


def propose(app: str, topic: str, bootstrap: str, sample: Sample) -> Proposal:
    """A configuration for the topic. Raises ValueError where there is no record to go by."""
    if not sample.times:
        raise ValueError("no record of the sample is a JSON object")
    event = _event_time(sample)
    window, rate = _window(event.values)
    segment = _segment(sample)
    metrics = list(_metrics(sample, event, segment))
    lines = [*_head(app, topic, bootstrap), *_time(sample, event), *_cut(window, rate, segment, sample), "    metrics:"]
    for metric in metrics:
        lines += [f"      # {metric.why}", f"      - {metric.text}"]
    lines += _foot(topic)
    notes = [f"{len(sample.times):,} records read, {len(sample.fields)} fields"]
    if sample.unreadable:
        notes.append(f"{sample.unreadable:,} records are no JSON objects: the daemon counts them, and with a gate they go to quarantine")
    if event.path is None:
        notes.append("no field looks like the time of the event: Kafka's timestamp is taken")
    return Proposal("\n".join(lines) + "\n", tuple(notes))


def _event_time(sample: Sample) -> _Time:
    """The field that is a time in every record and nearest to Kafka's timestamps; by its name where several are."""
    best: tuple[tuple[bool, float], _Time] | None = None
    for one in sample.fields.values():
        for found in _as_time(one, sample.times):
            lag = median(abs(value - stamp) for value, stamp in zip(found.values, sample.times, strict=True))
            rank = (not _TIME.search(one.path), lag)
            if best is None or rank < best[0]:
                best = rank, found
    return _Time(None, "", list(sample.times)) if best is None else best[1]


def _as_time(one: Field, stamps: Sequence[int]) -> Iterator[_Time]:
    """The field as a time in each unit in which nearly all records have one; where one has none, its Kafka timestamp stands for it."""
    enough = MOSTLY * len(stamps)
    if one.kind == "text" and len(one.texts) >= enough:
        instants, read = iso8601.parse([text for _, text in one.texts])
        if read.sum() >= enough:
            rows = [(at, value) for (at, _), value, ok in zip(one.texts, instants.tolist(), read.tolist(), strict=True) if ok]
            yield _Time(one.path, "iso8601", _filled(rows, stamps))
    if one.kind == "number" and len(one.numbers) >= enough and _TIME.search(one.path):
        for unit, factor in UNITS.items():
            rows = [(at, round(value * factor)) for at, value in one.numbers if abs(value * factor - stamps[at]) < _YEARS]
            if len(rows) >= enough:
                yield _Time(one.path, unit, _filled(rows, stamps))


def _filled(rows: Sequence[tuple[int, int]], stamps: Sequence[int]) -> list[int]:
    values = list(stamps)
    for at, value in rows:
        values[at] = value
    return values


def _window(values: Sequence[int]) -> tuple[str, float]:
    """The shortest window with enough records, and records a second; a few that are far off do not count."""
    ordered = sorted(values)
    span = (ordered[round(0.99 * (len(ordered) - 1))] - ordered[round(0.01 * (len(ordered) - 1))]) / 0.98e6
    rate = len(values) / span if span > 0 else math.inf
    return next((name for name, seconds in WINDOWS.items() if rate * seconds >= ENOUGH), "1d"), rate


def _disorder(event: _Time, partitions: Sequence[int]) -> float:
    """Seconds that all but one in a hundred records are at most behind the newest of their partition."""
    newest: dict[int, int] = {}
    behind = []
    for value, partition in zip(event.values, partitions, strict=True):
        newest[partition] = max(value, newest.get(partition, value))
        behind.append(newest[partition] - value)
    return sorted(behind)[math.ceil(0.99 * len(behind)) - 1] / 1e6


def _segment(sample: Sample) -> Field | None:
    """The text with the fewest values of those that look bounded, are nearly always there, and are not about what went wrong."""
    size = len(sample.times)
    found = [
        one
        for one in sample.fields.values()
        if one.kind == "text"
        and len(one.texts) > 0.9 * size
        and not _KEY.search(one.path)
        and 2 <= len(one.distinct()) <= min(MOST_SEGMENTS, size // 20)
        and not one.grows()
        and not any(_BAD.match(text) for text in one.distinct())
        and min(one.distinct().values()) >= 0.002 * size
    ]
    return min(found, key=lambda one: len(one.distinct()), default=None)


def _metrics(sample: Sample, event: _Time, segment: Field | None) -> Iterator[_Metric]:
    size, used = len(sample.times), {event.path, segment.path if segment else None}
    yield _Metric("{name: volume, kind: count}", "how many records: a source that stops, or sends all twice")
    if event.path is not None:
        yield _Metric("{name: lag, kind: lag, direction: up}", "how old records are when they reach Kafka, in seconds")
    names = {"volume", "lag"}
    fields = [one for one in sample.fields.values() if one.path not in used]
    yield from _of_numbers([one for one in fields if _measures(one, size)], names)
    yield from _of_failures(fields, names)
    yield from _of_nulls(fields, size, names)


def _measures(one: Field, size: int) -> bool:
    if one.kind != "number" or len(one.numbers) < 0.2 * size or one.counts_up() or _KEY.search(one.path):
        return False
    return one.varies()


def _of_numbers(fields: list[Field], names: set[str]) -> Iterator[_Metric]:
    for one in sorted(fields, key=lambda one: -len(one.numbers))[:MOST_METRICS]:
        middle, sd = one.spread()
        if one.tail() > 4.0 and len(one.numbers) >= 200:
            why = f"{one.path} has a long tail (median {middle:.4g}): its middle, and what one record in twenty exceeds"
            yield _Metric(f"{{name: {_name(one.path, 'median', names)}, kind: quantile, field: {_quoted(one.path)}, q: 0.5}}", why)
            yield _Metric(f"{{name: {_name(one.path, 'p95', names)}, kind: quantile, field: {_quoted(one.path)}, q: 0.95}}", "the same")
        else:
            yield _Metric(
                f"{{name: {_name(one.path, '', names)}, kind: mean, field: {_quoted(one.path)}}}",
                f"median {middle:.4g}, sd about {sd:.3g} in the sample",
            )


def _of_failures(fields: list[Field], names: set[str]) -> Iterator[_Metric]:
    for one in fields:
        if one.kind == "flag" and len(one.flags) == 2:
            true = one.flags[True] / one.flags.total()
            yield _Metric(
                f"{{name: {_name(one.path, '', names)}, kind: proportion, where: {one.path} == true}}", f"true in {true:.3%} of them"
            )
        bad = [text for text in one.distinct() if _BAD.match(text)] if one.kind == "text" and not one.grows() else []
        for text in bad[:2]:
            share = one.distinct()[text] / len(one.texts)
            where = f"{one.path} == {_literal(text)}"
            yield _Metric(
                f"{{name: {_name(text, '', names)}, kind: proportion, where: {_yaml(where)}, direction: up}}", f"{share:.3%} in the sample"
            )


def _of_nulls(fields: list[Field], size: int, names: set[str]) -> Iterator[_Metric]:
    """Fields that are nearly always there: those first that sometimes are not, keys last."""
    rates = [((size - one.present + one.null) / size, one) for one in fields if one.kind in {"number", "text", "flag"}]
    for rate, one in sorted((pair for pair in rates if pair[0] < 0.5), key=lambda pair: (-pair[0], bool(_KEY.search(pair[1].path))))[
        :MOST_RATES
    ]:
        why = f"null or missing in {rate:.3%} of them" if rate else "never null in the sample"
        yield _Metric(f"{{name: {_name(one.path, 'null', names)}, kind: null_rate, field: {_quoted(one.path)}, direction: up}}", why)


def _name(path: str, ending: str, names: set[str]) -> str:
    """A metric name that nobody has."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", path).strip("_-")[:50] or "field"
    base = f"{plain}_{ending}" if ending else plain
    name = next(name for name in (base, *(f"{base}_{i}" for i in range(2, 1000))) if name not in names)
    names.add(name)
    return name


def _quoted(path: str) -> str:
    return path if _PLAIN.match(path) and path.lower() not in {"null", "true", "false", "yes", "no", "on", "off", "y", "n"} else _yaml(path)


def _yaml(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _head(app: str, topic: str, bootstrap: str) -> list[str]:
    return [
        f"# Made from a sample of {topic}. `streamspc check-config` says what is wrong after an edit.",
        f"app: {app} # prefix of topics and consumer groups",
        f"kafka: {{bootstrap_servers: {_yaml(bootstrap)}}} # one broker: add replication_factor: 1, min_insync_replicas: 1",
        "streams:",
        f"  - name: {re.sub(r'[^A-Za-z0-9_-]+', '-', topic).strip('-') or 'stream'}",
        f"    topic: {_yaml(topic)}",
    ]


def _time(sample: Sample, event: _Time) -> list[str]:
    if event.path is None:
        return ["    event_time: kafka # no field of the records looks like the time of the event"]
    seconds = _disorder(event, sample.partitions)
    disorder = next((name for name, span in SPANS.items() if span >= seconds), "1d")
    lines = [f"    event_time: {{field: {_quoted(event.path)}, unit: {event.unit}}}"]
    lines.append(f"    disorder: {disorder} # all but one in a hundred come within {seconds:.3g} s of the newest of their partition")
    leads = sorted(value - stamp for value, stamp in zip(event.values, sample.times, strict=True))
    ahead = leads[math.ceil(0.999 * len(leads)) - 1] / 1e6
    if ahead > 1.0:
        future = next((name for name, span in SPANS.items() if span >= 2 * ahead), "1d")
        lines.append(f"    max_future: {future} # some are {ahead:.3g} s ahead of their Kafka timestamp")
    return lines


def _cut(window: str, rate: float, segment: Field | None, sample: Sample) -> list[str]:
    lines = [f"    window: {window} # about {rate * WINDOWS[window]:,.0f} records each" if math.isfinite(rate) else f"    window: {window}"]
    lines.append("    false_alarms: 1 per 30d # of all charts together, while nothing changes")
    if segment is not None:
        values = segment.distinct()
        shown = ", ".join(sorted(values)[:3]).replace("\n", " ")
        lines.append(f"    segment_by: [{_quoted(segment.path)}] # {len(values)} values: {shown}{' ...' if len(values) > 3 else ''}")
        lines.append("    min_records: 20 # a segment gets charts once a window held so many of its records")
    others = [one.path for one in sample.fields.values() if one.kind == "text" and (one.grows() or _KEY.search(one.path))]
    if others:
        lines.append(f"    # no segments, for new values go on coming: {', '.join(others[:5])}")
    return lines


def _foot(topic: str) -> list[str]:
    return [
        "    # Alerts only, so far. To keep the records of bad windows from the next stage, name the metrics that may reject, and topics:",
        "    # judge_by:",
        "    #   - metric: volume",
        f"    # gate: {{clean: {topic}.clean, quarantine: {topic}.quarantine}}",
        "# receivers:",
        "#   - name: chat",
        "#     slack: {url_file: /run/secrets/slack-url}",
    ]

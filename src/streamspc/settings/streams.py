"""`streams:` what is watched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, JsonValue, Tag, WithJsonSchema

from streamspc.model import WHOLE, ChartKind
from streamspc.settings.metrics import ChartLimits, Charts, Metric
from streamspc.settings.multivariate import Multivariate, faults
from streamspc.settings.part import Duration, FieldPath, Integer, Name, NotEmpty, Number, Part, Seconds, Text, Topic, fault, microseconds
from streamspc.settings.routing import Severity
from streamspc.settings.zone import Zone

_FROM_FIELD = "from a field"  # tags that cannot be mistaken for keys
_FROM_KAFKA = "from Kafka"
_RATE = r"([0-9]+(?:\.[0-9]+)?) per ([0-9]+(?:us|ms|s|m|h|d|w))"
_SOME: dict[str, JsonValue] = {"minItems": 1}


class Decode(Part):
    """How the bytes of a record are read."""

    format: Literal["json"] = "json"
    """Format of the values."""


class EventField(Part):
    """Event time from a field of the record."""

    field: FieldPath
    """The field, with dots into nested ones."""
    unit: Literal["s", "ms", "us", "iso8601"] = "ms"
    """Since the epoch in this unit, or ISO 8601 with a zone."""


EventTime = Annotated[
    Annotated[Literal["kafka"], Tag(_FROM_KAFKA)] | Annotated[EventField, Tag(_FROM_FIELD)],
    Discriminator(lambda value: _FROM_KAFKA if isinstance(value, str) else _FROM_FIELD),
]


class Baseline(Part):
    """Phase I: how long a series is learnt before it is judged."""

    windows: Integer = Field(default=50, ge=2)
    """Points to learn from."""
    screen: Number = Field(default=3.5, gt=0)
    """Points further than this from the median, in robust sigma, teach nothing."""
    overdispersion: Number = Field(default=1e-5, ge=0, lt=1)
    """How alike two records of one window may be (intraclass correlation) in a rate near 0 or 1, where too few hits could show it."""
    relearn: Literal["never", "on_demand", "accepted_shifts"] = "accepted_shifts"
    """Commands that may replace a baseline: none, `baseline reset` alone, or also `baseline accept`."""


def _rate(text: str) -> str:
    """`1 per 30d`, kept as it is."""
    match = re.fullmatch(_RATE, text)
    if match is None or not 0 < float(match[1]) < float("inf"):
        raise fault('expected a number of alarms per duration, such as "1 per 30d" or "0.5 per 1w"')
    microseconds(match[2])
    return text


def _one_text(value: object) -> object:
    """Keys and values, or a bare number, are refused with the text that is meant by them."""
    if isinstance(value, str) or value is None:
        return value
    parts = [str(part) for part in value.values()] if isinstance(value, Mapping) else [str(value), "30d"]
    rates = [f"{alarms} per {span}" for alarms, span in permutations(parts, 2) if re.fullmatch(_RATE, f"{alarms} per {span}")]
    raise fault(f"expected one text, a number of alarms per duration; write: {rates[0] if rates else '1 per 30d'}")


FalseAlarms = Annotated[
    str,
    BeforeValidator(_one_text),
    AfterValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE}$", "examples": ["1 per 30d"]}),
]


def windows_for_alarm(text: str, window: str) -> float:
    """ARL0 in windows of a rate such as `1 per 30d`."""
    alarms, _, span = text.partition(" per ")
    return microseconds(span) / microseconds(window) / float(alarms)


class Episodes(Part):
    """When an episode is over."""

    quiet: Integer = Field(default=2, ge=1)
    """Points without a signal that end it; after a signal that took long to gather twice as many as it took."""
    refractory: Integer = Field(default=0, ge=0)
    """An episode that opens within so many points of the last one's end is not notified."""
    max_reject: Integer = Field(default=24, ge=1)
    """So many windows rejected on one side make an episode a level shift: it rejects no more, and awaits `baseline accept` or `reset`."""


class Judge(Part):
    """A metric that may reject a window."""

    metric: Name
    """Name of the metric."""
    charts: Annotated[Charts, NotEmpty] = Field(default=(ChartKind.SHEWHART,), json_schema_extra=_SOME)
    """Charts that may reject."""
    segments: tuple[Text, ...] = ()
    """Segments that may be rejected: `"*"` is the whole stream; none: all."""


class Storm(Part):
    """When so much is rejected that the limits are wrong and not the data, records pass and people are told."""

    max_share: Number = Field(default=0.5, gt=0, le=1)
    """Share of a window's records that may be rejected."""
    windows: Integer = Field(default=10, ge=1)
    """So many windows in a row beyond it are a storm."""


class Gate(Part):
    """Where records go when their window was judged."""

    clean: Topic | None = None
    """Topic of the accepted records. Without it, records are only copied to quarantine."""
    quarantine: Topic
    """Topic of the rejected records and of those that cannot be read."""
    storm: Storm = Storm()
    """When rejecting stops."""
    before_verdicts: Literal["accept", "quarantine"] = "accept"
    """What happens to records that are older than the oldest verdict."""


class Stream(Part):
    """One source topic with its decoding, event time, window and metrics."""

    name: Name
    """Name of the stream; labels, messages and groups carry it."""
    topic: Topic
    """The source topic."""
    owner: str = ""
    """Whose it is: a label that messages are routed by."""
    severity: Severity = "warning"
    """How urgent it is when a metric is out of control: a label that messages are routed by."""
    decode: Decode = Decode()
    """How the bytes of a record are read."""
    event_time: EventTime = "kafka"
    """`kafka` for the record's timestamp, or `{field: ..., unit: ...}`."""
    window: Seconds = "1m"
    """Span of a window: a divisor of a day, or whole days (which have 23 or 25 hours when clocks change)."""
    timezone: Zone = "UTC"
    """Zone in which windows begin, such as `America/New_York`."""
    disorder: Duration = "0s"
    """How much older than the newest record a record may be without being late."""
    lateness: Duration = "0s"
    """How long a window waits for late records."""
    max_future: Duration | None = None
    """Records so far ahead of their Kafka timestamp are refused. Without it: the larger of `lateness` and one window."""
    segment_by: tuple[FieldPath, ...] = ()
    """Fields by whose values records are charted apart, beside the whole stream."""
    metrics: Annotated[tuple[Metric, ...], NotEmpty] = Field(json_schema_extra=_SOME)
    """What is computed for each window."""
    multivariate: tuple[Multivariate, ...] = ()
    """Charts of several metrics together, beside their own."""
    false_alarms: FalseAlarms = "1 per 30d"
    """False episodes that are allowed while nothing has changed: the limits of the charts follow from it."""
    arl0: Number | None = Field(default=None, ge=20)
    """The same as a number of windows for each false episode, instead of `false_alarms`."""
    per: Literal["stream", "series"] = "stream"
    """Whose false alarms they are: the whole stream's, which its series share, or each series'."""
    expected_segments: Integer | None = Field(default=None, ge=1)
    """Segments that share the false alarms. Without it they are counted when Phase I ends, and a tenth is kept for later ones."""
    charts: ChartLimits = ChartLimits()
    """Parameters of the charts, and limits that are not to follow from `false_alarms`."""
    signal_by: Charts = (ChartKind.SHEWHART, ChartKind.CUSUM)
    """Charts that may open an episode."""
    baseline: Baseline = Baseline()
    """How long a series is learnt before it is judged."""
    episodes: Episodes = Episodes()
    """When an episode is over."""
    judge_by: tuple[Judge, ...] = ()
    """Metrics that may reject a window. Without any, nothing is rejected."""
    min_records: Integer = Field(default=1, ge=1)
    """A segment gets charts once a window held so many of its records."""
    max_segments: Integer = Field(default=1000, ge=1)
    """Charted segments in a shard (of 256), at most."""
    max_open_windows: Integer = Field(default=16, ge=1)
    """A source partition so many windows ahead of the slowest is paused."""
    max_empty_windows: Integer = Field(default=1000, ge=1)
    """More empty windows in a row are one gap."""
    clock: Literal["live", "log"] = "live"
    """`live`: a source partition with nothing to read becomes idle; `log`: time is what the records say."""
    idle_after: Seconds = "1m"
    """A partition with nothing to read for so long no longer holds up the others."""
    gate: Gate | None = None
    """Where records go when their window was judged. Without it, they stay where they are."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Keys that have no meaning beside others."""
        if self.clock == "log" and self.written("idle_after"):
            yield "idle_after", "needs clock: live; with clock: log no partition is ever idle"
        if self.event_time == "kafka" and self.written("max_future"):
            yield "max_future", "needs an event_time of its own; Kafka's timestamp cannot be ahead of itself"
        if self.arl0 is not None and self.written("false_alarms"):
            yield "arl0", "write either false_alarms or arl0"
        if self.expected_segments is not None and not self.segment_by:
            yield "expected_segments", "needs segment_by; without it there is only the whole stream"
        yield from faults(self.multivariate, self.baseline.windows, self.judge_by)
        if not self.segment_by and any(set(rule.segments) - {WHOLE} for rule in self.judge_by):
            yield "judge_by", 'names segments, but without segment_by there is only the whole stream ("*")'

"""Settings to what the stages take. The only module that sees both.

`load` is the way in: a file to `Loaded`, or ConfigError with all its problems.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streamspc.bucket.plan import plan
from streamspc.bucket.where import compile_where
from streamspc.bucket.window import Calendar
from streamspc.chart.limits import undesigned
from streamspc.errors import ConfigError
from streamspc.model import (
    BaselineSpec,
    Budget,
    ChartSpec,
    Effect,
    EpisodeSpec,
    EventTime,
    JudgeRule,
    KafkaLocal,
    Local,
    MetricKind,
    MetricSpec,
    MultivariateSpec,
    ReceiverLocal,
    Secret,
    Semantics,
    StormSpec,
    StreamSpec,
)
from streamspc.settings.alerting import alerting
from streamspc.settings.difference import difference
from streamspc.settings.document import Document, items, texts
from streamspc.settings.document import Path as Where
from streamspc.settings.file import read, validate
from streamspc.settings.metrics import ChartLimits, Metric, NullRate, Proportion
from streamspc.settings.part import SECOND, microseconds
from streamspc.settings.receivers import Alertmanager, Chat, Kafka, PagerDuty, Receiver, Webhook
from streamspc.settings.schema import Settings
from streamspc.settings.streams import Stream, windows_for_alarm

__all__ = ["Loaded", "difference", "load", "load_semantics", "local", "semantics"]

# Keys that change no outcome, and what stands for them where no process is started.
_LOCAL: Mapping[str, Any] = {
    "kafka": {"bootstrap_servers": "nowhere:9092"},
    "receivers": [],
    "routing": {},
    "links": {},
    "server": {},
    "log": {},
    "drain": "25s",
    "snapshot_every": "1m",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may start: as it was written, and what is made of it."""

    settings: Settings
    semantics: Semantics
    local: Local

    def secrets(self) -> tuple[Secret, ...]:
        """All secrets, for the logs to mask."""
        found = [value for value in self.local.kafka.options.values() if isinstance(value, Secret)]
        found += [secret for receiver in self.local.receivers for secret in (*receiver.urls, *receiver.keys)]
        return tuple(found)


def load(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Loaded:
    """The configuration in a file. Raises ConfigError with one line for each problem. Paths in the file begin at its folder."""
    file = Path(path)
    return _loaded(read(file, environment), file.parent)


def load_semantics(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Semantics:
    """What in a file changes an outcome, for those who start no process: addresses, credentials and receivers are not looked at."""
    file = Path(path)
    document = read(file, environment)
    document.put(_LOCAL)
    return _loaded(document, file.parent).semantics


def _loaded(document: Document, folder: Path) -> Loaded:
    settings = validate(document, folder)
    _expressions(document)
    _calendars(document)
    if settings is None or document.problems:
        raise ConfigError(*document.lines())
    built = semantics(settings)
    for index, stream in enumerate(built.streams):
        _note(document, ("streams", index, "metrics"), partial(plan, stream))
        for metric, fault in undesigned(stream):
            document.note(("streams", index, "metrics", metric), fault)
    if document.problems:
        raise ConfigError(*document.lines())
    return Loaded(settings, built, local(settings))


def semantics(settings: Settings) -> Semantics:
    """Everything in the settings that changes an outcome. Raises ConfigError for a duration that is none."""
    return Semantics(app=settings.app, chart_partitions=settings.charts.partitions, streams=tuple(map(_stream, settings.streams)))


def local(settings: Settings) -> Local:
    """Everything in the settings that changes none."""
    return Local(
        kafka=_kafka(settings),
        receivers=tuple(map(_receiver, settings.receivers)),
        listen=settings.server.listen,
        max_exported_series=settings.server.max_exported_series,
        log_level=settings.log.level,
        log_format=settings.log.format,
        drain=_seconds(settings.drain),
        snapshot_every=_seconds(settings.snapshot_every),
        alerting=alerting(settings),
    )


def _stream(stream: Stream) -> StreamSpec:
    gate, window = stream.gate, microseconds(stream.window)
    event_time = (
        EventTime() if isinstance(stream.event_time, str) else EventTime(field=stream.event_time.field, unit=stream.event_time.unit)
    )
    routes: dict[str, Any] = {}
    if gate is not None:
        storm = StormSpec(max_share=gate.storm.max_share, windows=gate.storm.windows)
        routes = {"clean_topic": gate.clean, "quarantine_topic": gate.quarantine, "storm": storm, "before_verdicts": gate.before_verdicts}
    return StreamSpec(
        name=stream.name,
        topic=stream.topic,
        format=stream.decode.format,
        event_time=event_time,
        window_us=window,
        timezone=stream.timezone,
        disorder_us=microseconds(stream.disorder),
        lateness_us=microseconds(stream.lateness),
        max_future_us=microseconds(stream.max_future) if stream.max_future else max(microseconds(stream.lateness), window),
        segment_by=stream.segment_by,
        metrics=tuple(_metric(stream, metric) for metric in stream.metrics),
        multivariate=tuple(
            MultivariateSpec(name=it.name, metrics=it.metrics, weight=it.memory, limit=it.limit) for it in stream.multivariate
        ),
        budget=_budget(stream),
        baseline=BaselineSpec(**stream.baseline.model_dump()),
        episodes=EpisodeSpec(**stream.episodes.model_dump()),
        judge_by=tuple(JudgeRule(metric=it.metric, charts=it.charts, segments=it.segments) for it in stream.judge_by),
        min_records=stream.min_records,
        max_segments=stream.max_segments,
        max_open_windows=stream.max_open_windows,
        max_empty_windows=stream.max_empty_windows,
        clock=stream.clock,
        idle_after_us=microseconds(stream.idle_after),
        **routes,
    )


def _metric(stream: Stream, metric: Metric) -> MetricSpec:
    particular = {key: getattr(metric, key) for key in ("field", "of", "q") if hasattr(metric, key)}
    return MetricSpec(
        name=metric.name,
        kind=MetricKind(metric.kind),
        where=metric.where,
        direction=metric.direction,
        min_effect=_effect(metric),
        charts=_charts(stream.charts, metric.charts),
        rules=metric.rules,
        stuck=metric.stuck,
        signal_by=stream.signal_by if metric.signal_by is None else metric.signal_by,
        **particular,
    )


def _budget(stream: Stream) -> Budget:
    arl0 = windows_for_alarm(stream.false_alarms, stream.window) if stream.arl0 is None else stream.arl0
    return Budget(arl0=arl0, per=stream.per, expected_segments=stream.expected_segments)


def _effect(metric: Metric) -> Effect | None:
    shift = metric.min_effect
    if shift is None:
        return Effect(amount=0.001) if isinstance(metric, Proportion | NullRate) else None
    match shift.unit:
        case "pp":
            return Effect(amount=shift.amount / 100)
        case "%":
            return Effect(amount=shift.amount / 100, unit="relative")
        case "sigma":
            return Effect(amount=shift.amount, unit="sigma")
    return Effect(amount=shift.amount)


def _charts(general: ChartLimits, particular: ChartLimits | None) -> ChartSpec:
    """The metric's parameters where it has some, else the stream's."""
    shewhart, cusum, ewma = (
        {**getattr(general, kind).model_dump(), **(getattr(particular, kind).model_dump(exclude_unset=True) if particular else {})}
        for kind in ("shewhart", "cusum", "ewma")
    )
    return ChartSpec(
        shewhart_limit=shewhart["limit"],
        confirm=shewhart["confirm"],
        cusum_k=cusum["k"],
        cusum_h=cusum["h"],
        cusum_headstart=cusum["headstart"],
        cusum_scales=cusum["scales"],
        ewma_lambda=ewma["weight"],
        ewma_limit=ewma["limit"],
        ewma_scales=ewma["scales"],
    )


def _kafka(settings: Settings) -> KafkaLocal:
    kafka = settings.kafka
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers.split(","), "security_protocol": kafka.security_protocol}
    options |= {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": kafka.sasl_password or kafka.sasl_password_file,
        "sasl_oauth_token_file": kafka.sasl_token_file,
        "ssl_password": kafka.ssl_password or kafka.ssl_password_file,
    }
    options |= {key: getattr(kafka, key) for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_check_hostname"] = kafka.ssl_check_hostname
    durations = ("session_timeout", "transaction_timeout", "max_poll_interval", "fetch_wait")
    bounds: dict[str, Any] = {key: _seconds(getattr(kafka, key)) for key in durations}
    same = ("instance", "batch_records", "batch_bytes", "request_bytes", "max_batch_bytes", "replication_factor", "min_insync_replicas")
    return KafkaLocal(
        options={key: value for key, value in options.items() if value is not None},
        **bounds,
        **{key: getattr(kafka, key) for key in same},
    )


def _receiver(receiver: Receiver) -> ReceiverLocal:
    kind = receiver.written(*Receiver.KINDS)[0]
    reached: dict[str, Any] = {}
    match getattr(receiver, kind):
        case Webhook() as target:
            reached = {"urls": target.addresses(), "keys": target.keys(), "cloudevents": target.cloudevents}
        case Chat() as target:
            reached = {"urls": target.addresses()}
        case PagerDuty() as target:
            reached = {"urls": (target.url,), "keys": target.keys()}
        case Alertmanager() as target:
            reached = {"urls": target.urls}
        case Kafka() as target:
            reached = {"topic": target.topic}
    return ReceiverLocal(
        name=receiver.name,
        kind=kind,  # type: ignore[arg-type]  # one of KINDS
        send_resolved=receiver.send_resolved,
        allow_private=receiver.allow_private,
        timeout=_seconds(receiver.timeout),
        max_age=_seconds(receiver.max_age),
        max_attempts_interval=_seconds(receiver.max_attempts_interval),
        **reached,
    )


def _seconds(duration: str) -> float:
    return microseconds(duration) / SECOND


def _expressions(document: Document) -> None:
    """Compile each `where` and `of`, beside whatever else is wrong."""
    for key in ("where", "of"):
        for path, text in texts(document, "streams", None, "metrics", None, key):
            _note(document, path, partial(compile_where, text))


def _calendars(document: Document) -> None:
    """Make the calendar of each stream whose window and zone can be read."""
    for path in items(document, "streams"):
        window, zone = document.at((*path, "window")), document.at((*path, "timezone"))
        taken = {problem.path for problem in document.problems}
        if isinstance(window, str) and (*path, "window") not in taken and (*path, "timezone") not in taken:
            size = microseconds(window)
            _note(document, (*path, "window"), partial(Calendar, size, str(zone or "UTC")))


def _note(document: Document, path: Where, make: Callable[[], object]) -> None:
    """Add the ConfigError of a stage, if any, at the value it is about."""
    try:
        make()
    except ConfigError as error:
        document.note(path, "; ".join(problem.splitlines()[0].removeprefix("where, ") for problem in error.problems))

"""The local part of a process's configuration: addresses, credentials, limits. It changes no outcome and needs no version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from streamspc.model.alerting import Alerting

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that repr, logs and errors never show; `reveal` is called only where it is used."""

    text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself."""
        return self.text

    def __str__(self) -> str:
        return "********"


@dataclass(frozen=True, slots=True)
class KafkaLocal:
    """How to reach Kafka. `options` are passed to the client (bootstrap_servers, SASL, TLS); times are seconds."""

    options: Mapping[str, Any]
    instance: str | None = None  # static membership: unique and stable for each replica, as a StatefulSet's pod name
    session_timeout: float = 45.0
    transaction_timeout: float = 15.0
    max_poll_interval: float = 300.0
    fetch_wait: float = 5.0  # how long an idle fetch waits at the broker
    batch_records: int = 50_000
    batch_bytes: int = 8_388_608  # fetched from one partition at a time
    request_bytes: int = 67_108_864  # the largest produce request
    max_batch_bytes: int = 268_435_456  # a record batch that unpacks to more is refused
    replication_factor: int = 3
    min_insync_replicas: int = 2


ReceiverKind = Literal["slack", "teams", "discord", "google_chat", "mattermost", "pagerduty", "alertmanager", "webhook", "kafka"]


@dataclass(frozen=True, slots=True)
class ReceiverLocal:
    """One place to notify; times are seconds."""

    name: str
    kind: ReceiverKind
    urls: tuple[Secret, ...] = ()  # one; of an Alertmanager all peers, of a topic none
    keys: tuple[Secret, ...] = ()  # of the Standard Webhooks signature, the newest first; of PagerDuty the routing key
    topic: str = ""  # of the Kafka topic
    cloudevents: bool = False  # whether a webhook's body is in a CloudEvents envelope
    send_resolved: bool = True
    allow_private: bool = False  # may the address be on a private network or this machine
    timeout: float = 10.0
    max_age: float = 86_400.0  # an intent older than this is given up, counted `dead`
    max_attempts_interval: float = 300.0  # the longest wait between two attempts


@dataclass(frozen=True, slots=True)
class Local:
    """Everything local that the composition root needs."""

    kafka: KafkaLocal
    receivers: tuple[ReceiverLocal, ...] = ()
    listen: str = "127.0.0.1:9404"
    max_exported_series: int = 5_000  # that have rows of their own in /metrics
    log_level: str = "info"
    log_format: Literal["auto", "console", "logfmt", "json"] = "auto"
    drain: float = 25.0  # SIGTERM to exit, at most
    snapshot_every: float = 60.0  # seconds between snapshots of a chart partition
    alerting: Alerting = field(default_factory=Alerting.to)

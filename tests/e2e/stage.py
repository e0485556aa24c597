"""What the end-to-end tests are played on: the source topic, the daemon as its users start it, and receivers of its messages."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from e2e.oracle_windows import Record
from e2e.orders import PARTITIONS, STREAM, Produced

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 90.0  # seconds for anything to happen


def make_topic(address: str, topic: str) -> None:
    """A source topic whose records never expire."""
    settings = {"retention.ms": "-1"}
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=settings)])[topic].result(30)


def produce(address: str, topic: str, orders: list[Produced], chunk: int = 4_000) -> None:
    """Transactions of `chunk` records, each after one that was aborted: the log has gaps, and records that never were."""
    producer = Producer({"bootstrap.servers": address, "transactional.id": topic, "linger.ms": 5})
    producer.init_transactions(30)
    for begin in range(0, len(orders), chunk):
        producer.begin_transaction()
        for partition in range(PARTITIONS):
            producer.produce(
                topic, b'{"at": 1709640000000, "amount": 1e6, "region": "north"}', partition=partition, timestamp=1_709_640_000_000
            )
        producer.flush(30)
        producer.abort_transaction(30)
        producer.begin_transaction()
        for one in orders[begin : begin + chunk]:
            producer.produce(topic, one.value, one.key, one.partition, timestamp=one.arrived, headers=one.headers)
            producer.poll(0)
        producer.commit_transaction(30)


def foreign(address: str, topic: str) -> list[Record]:
    """All committed records of a topic, by partition and offset, as librdkafka reads them."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "a foreign reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    partitions = list(consumer.list_topics(topic, 30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: list[Record] = []
    ended: set[int] = set()
    until = time.monotonic() + PATIENCE
    while len(ended) < len(partitions):
        assert time.monotonic() < until, f"{topic} cannot be read to its end"
        for message in consumer.consume(10_000, 0.5):
            if message.error():
                assert message.error().name() == "_PARTITION_EOF", message.error()
                ended.add(message.partition())
                continue
            headers = tuple((name, value) for name, value in message.headers() or [])
            _, stamp = message.timestamp()
            found.append(Record(message.partition(), message.offset(), stamp, message.key(), message.value(), headers))
    consumer.close()
    return sorted(found, key=lambda one: one[:2])


class Progress:
    """How far a consumer group has committed in a topic, as a share of the topic."""

    def __init__(self, address: str, group: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False})
        self._places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        self._end = sum(self._consumer.get_watermark_offsets(place, 30)[1] for place in self._places)

    def share(self) -> float:
        """From 0 to 1."""
        return float(sum(max(0, place.offset) for place in self._consumer.committed(self._places, 30)) / self._end)

    def close(self) -> None:
        """Leave nothing open."""
        self._consumer.close()


class Delivery(NamedTuple):
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receivers(ThreadingHTTPServer):
    """Every receiver of every application, told apart by path. The first message of each path is refused once, for now."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[Delivery] = []
        self.refused: set[str] = set()
        self.before_answer: dict[str, Callable[[], None]] = {}  # by path: called once, at the next message

    def url(self, path: str) -> str:
        """Where a receiver of this path is."""
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def at(self, path: str) -> list[Delivery]:
        """What came to a path."""
        return [delivery for delivery in self.got if delivery.path == path]


class _Handler(BaseHTTPRequestHandler):
    server: Receivers

    def do_POST(self) -> None:
        """Remember the message and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(Delivery(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if act := self.server.before_answer.pop(self.path, None):
            act()
            return
        self.send_response(200 if self.path in self.server.refused else 503)
        self.server.refused.add(self.path)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the parent's
        """Say nothing."""


@dataclass
class Application:
    """One application of the program: its configuration, and the processes that run it."""

    app: str
    address: str
    topic: str
    folder: Path
    receivers: Receivers
    started: list[Daemon] = field(default_factory=list)
    file: Path = Path()  # the configuration that was written last

    def write(self, name: str = "config", stream: dict[str, Any] | None = None, **kafka: Any) -> Path:
        """A configuration file, as a user would write it. `kafka` and `snapshot_every` may differ between processes."""
        gate = {**(stream or STREAM)["gate"], "clean": f"{self.app}.clean", "quarantine": f"{self.app}.quarantine"}
        every = kafka.pop("snapshot_every", "1m")
        receivers = [
            {"name": "hook", "webhook": {"url": self.receivers.url(f"/hook/{self.app}"), "secret": KEY}, "allow_private": True},
            {"name": "chat", "slack": {"url": self.receivers.url(f"/chat/{self.app}")}, "allow_private": True},
        ]
        common = {"bootstrap_servers": self.address, "replication_factor": 1, "min_insync_replicas": 1}
        config = {
            "app": self.app,
            "kafka": common | kafka,
            "charts": {"partitions": 2},
            "streams": [{**(stream or STREAM), "topic": self.topic, "gate": gate}],
            "receivers": receivers,
            # A message for each window at once: what is told, and when, then follows from the records alone.
            "routing": {"group_by": ["stream", "window"], "group_wait": "0s", "group_interval": "0s"},
            "server": {"listen": "127.0.0.1:0"},
            "snapshot_every": every,
        }
        self.file = self.folder / f"{self.app}-{name}.yaml"
        self.file.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
        return self.file

    def start(self, file: Path, *flags: str) -> Daemon:
        """Start the daemon with this configuration."""
        daemon = Daemon(self.folder / f"{self.app}-{len(self.started)}.log", file, flags)
        self.started.append(daemon)
        return daemon

    def stop(self) -> None:
        """End whatever still runs."""
        for daemon in self.started:
            daemon.kill()


class Daemon:
    """`streamspc run` in a process of its own."""

    def __init__(self, log: Path, file: Path, flags: tuple[str, ...]) -> None:
        self.log = log
        command = [sys.executable, "-m", "streamspc", "run", "--config.file", str(file), "--log.format", "logfmt", *flags]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | {"LC_ALL": "C.UTF-8"}
            )

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not end within {timeout} s; {self.said()}") from None

    def drain(self) -> float:
        """End it by SIGTERM; how many seconds that took."""
        begun = time.monotonic()
        self.process.terminate()
        assert self.wait() == 0, self.said()
        return time.monotonic() - begun

    def said(self) -> str:
        """The end of its log."""
        return "\n".join(["its log ends with", *self.log.read_text().splitlines()[-25:]])

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something to happen while the daemon runs."""
        end = time.monotonic() + PATIENCE
        tick = threading.Event()
        while not condition():
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode} before {what}; {self.said()}"
            assert time.monotonic() < end, f"no sign of {what}; {self.said()}"
            tick.wait(0.005)


def scrape(address: str) -> dict[str, float]:
    """Sums of the samples at an address, by name and by `name/role`; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] += sample.value
            found[f"{sample.name}/{sample.labels.get('role')}"] += sample.value
    return found


def free_address() -> str:
    """Where a server can listen: below the ports that outgoing connections take, so that none of them is faster."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Any other command of the program."""
    return subprocess.run([sys.executable, "-m", "streamspc", *words], capture_output=True, text=True, check=False, timeout=PATIENCE)

"""The role that notifies, on Apache Kafka, through HTTP."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from streamspc.decide.notice import Intent
from streamspc.effect.sender import build
from streamspc.errors import Transient
from streamspc.kafka_io import Crash, KafkaPython, topics
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import Alerting, KafkaLocal, ReceiverLocal, Route, Secret, Semantics, Signal, StreamSpec
from streamspc.roles.control import read_to_end
from streamspc.roles.notify import NotifyRole

pytestmark = pytest.mark.kafka

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SEMANTICS = Semantics(app="notify-on-kafka", chart_partitions=1, streams=(StreamSpec(name="s", topic="t", metrics=()),))
NAMES = topics.names(SEMANTICS.app)
ALERTING = Alerting(Route(("hook",), {}, ("episode",), 0, 0))


class Listener(ThreadingHTTPServer):
    """Remembers what it got."""

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.got: list[tuple[dict[str, str], bytes]] = []


class Receiver(BaseHTTPRequestHandler):
    """Takes messages, the first one only at the second attempt."""

    server: Listener

    def do_POST(self):
        """Remember the message and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(503 if len(self.server.got) == 1 else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def receiver():
    """A receiver on loopback."""
    httpd = Listener(Receiver)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def run(role):
    """Connect and turn until the role has finished, with new clients after an error, as the loop does."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        try:
            role.connect()
            while not role.turn():
                assert time.monotonic() < end, "it did not finish"
        except Transient:
            continue
        finally:
            role.disconnect()
        return


def test_killed_after_the_answer(broker, receiver):
    """Signals reach the receiver signed; killed between answer and result, the next life repeats that message and finishes."""
    local = KafkaLocal(
        {"bootstrap_servers": broker.address}, fetch_wait=0.2, session_timeout=6.0, replication_factor=1, min_insync_replicas=1
    )
    kafka = KafkaPython(local)
    with contextlib.closing(kafka.admin()) as admin:
        topics.create(admin, topics.plans(SEMANTICS, local, {"t": TopicPlan("t", 1)}), 1)
    url = Secret(f"http://127.0.0.1:{receiver.server_port}/hook")
    sender = build(ReceiverLocal("hook", "webhook", (url,), (Secret(KEY),), allow_private=True), SEMANTICS)
    signals = [Signal(kind="open", stream="s", config="c", episode=f"e{i}", metric="m", end=i) for i in range(3)]
    signals.append(Signal(kind="end", stream="s", config="c"))
    producer = kafka.producer("chart")
    place = Place(NAMES.signals, 0)
    producer.transact([Send(place, [b"k"] * 4, [msgspec.json.encode(signal) for signal in signals])], {}, None, None, 30.0)
    producer.close()

    def at(step):
        if step == "sent" and len(receiver.got) > 1:
            raise Crash

    with pytest.raises(Crash):
        run(NotifyRole(KafkaPython(local, at), SEMANTICS, sender, ALERTING, local, until_end=True))
    before = len(receiver.got)
    run(NotifyRole(kafka, SEMANTICS, sender, ALERTING, local, until_end=True))

    bodies = {headers["webhook-id"]: body for headers, body in receiver.got}
    assert before > 1
    assert len(bodies) == 3
    assert all(bodies[headers["webhook-id"]] == body for headers, body in receiver.got)
    for headers, body in receiver.got:
        Webhook(KEY).verify(body, headers)
    assert states(kafka) == ["sent"] * 3


def states(kafka):
    """The states of all intents, by the last record of each key."""
    outbox = Place(NAMES.outbox, 0)
    found: dict[bytes | None, bytes | None] = {}
    with contextlib.closing(kafka.read([outbox])) as reader:
        for batch in read_to_end(reader, [outbox], 30.0):
            found.update(zip(batch.keys, batch.values, strict=True))
    return [msgspec.json.decode(value or b"", type=Intent).state for key, value in found.items() if b"/message/" in (key or b"")]

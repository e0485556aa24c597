"""The play: broker, chat room, producer and daemon, each a process of its own, and what a person sees of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from streamspc.demo import flights
from streamspc.demo.broker import Broker
from streamspc.demo.chat import ChatRoom
from streamspc.demo.show import Balance, Show, Summary, episodes, summary_tables
from streamspc.errors import Fatal
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place, TopicPlan
from streamspc.kafka_io.topics import create, names, plans
from streamspc.model import Signal
from streamspc.roles.control import read_to_end
from streamspc.settings import load

if TYPE_CHECKING:
    from streamspc.model import Batch
    from streamspc.settings import Loaded

TURN = 0.25  # seconds between two looks at the signals and the meters
PIPED_WIDTH = 120  # columns, where no terminal says how wide it is
MARKERS = 5.0  # seconds
TOO_LONG = 300.0  # seconds after which the daemon is given up


@dataclass(slots=True)
class Cast:
    """The processes of the play."""

    daemon: subprocess.Popen[bytes]
    producer: subprocess.Popen[bytes]
    log: Path


def play(config: Path, *, listen: str, serve: bool, as_json: bool) -> int:
    """Run the demo; return the daemon's exit code. Everything that was started is stopped, whatever happens."""
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=as_json, highlight=False, width=PIPED_WIDTH)
    begun = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamspc-demo-")))
        broker = Broker(folder / "kafka")
        console.print("starting Apache Kafka ...", style="dim")
        stack.enter_context(broker)
        show = Show(console, listen)
        room = stack.enter_context(ChatRoom(show.said))
        os.environ |= {"KAFKA_BOOTSTRAP_SERVERS": broker.address, "CHAT_URL": room.url}
        loaded = load(config)
        prepare(loaded)
        console.print(f"Apache Kafka {broker.version} on {broker.address}, {config}, /metrics on http://{listen}/metrics", style="dim")
        flags = ["--config.file", str(config), "--web.listen-address", listen, *(["--linger"] if serve else [])]
        cast = start(stack, folder, broker.address, flags)
        signals = watch(loaded, cast, show)
        summary = Summary(episodes(signals), settled(loaded, int(cast.producer.communicate()[0])), time.monotonic() - begun, show.messages)
        if as_json:
            sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
            sys.stdout.flush()  # with --serve the end may be far
        else:
            summary_tables(console, summary, loaded.semantics.streams[0].judge_by[0].metric)
        if serve:
            console.print(f"still serving http://{listen}/metrics - Ctrl-C ends it")
            wait_for_interrupt()
        return stop(cast.daemon)


def prepare(loaded: Loaded) -> None:
    """Make the source topic and every topic of the daemon."""
    admin = KafkaPython(loaded.local.kafka).admin()
    source = TopicPlan(flights.TOPIC, flights.PARTITIONS, {"retention.ms": "-1"})
    create(admin, [source, *plans(loaded.semantics, loaded.local.kafka, {flights.TOPIC: source})], 1)
    admin.close()


def start(stack: ExitStack, folder: Path, address: str, flags: list[str]) -> Cast:
    """Start the daemon with these flags, and the producer; the stack ends them."""
    ends = folder / "ends.json"
    log = stack.enter_context((folder / "daemon.log").open("wb"))
    run = [sys.executable, "-m", "streamspc", "run", "--until-end", str(ends), "--log.format", "logfmt"]
    daemon = subprocess.Popen([*run, *flags], stderr=log)  # noqa: S603 - our own program
    stack.callback(stop, daemon)
    producer = subprocess.Popen([sys.executable, "-m", "streamspc.demo.flights", address, str(ends)], stdout=subprocess.PIPE)  # noqa: S603 - our own program
    stack.callback(stop, producer)
    return Cast(daemon, producer, Path(log.name))


def watch(loaded: Loaded, cast: Cast, show: Show) -> list[Signal]:
    """Show signals as they come, until every chart partition has said that the stream ended and the roles are through."""
    place = Place(names(loaded.semantics.app).signals, 0)
    reader = KafkaPython(loaded.local.kafka).read([place])
    seen: list[Signal] = []
    until = time.monotonic() + TOO_LONG

    def take(batch: Batch) -> None:
        signals = [msgspec.json.decode(value or b"", type=Signal) for value in batch.values]
        seen.extend(signals)
        show.signals(signals)

    try:
        with show.progress():
            while not show.finished() and cast.daemon.poll() is None:
                for batch in reader.poll(TURN, 10_000):
                    take(batch)
                show.meters()
                if time.monotonic() > until:
                    raise Fatal(f"the daemon did not finish within {TOO_LONG:.0f} s")
            for batch in read_to_end(reader, [place], 10.0):
                take(batch)
    finally:
        reader.close()
    if cast.daemon.poll() not in (None, 0):
        last = "\n".join(cast.log.read_text().splitlines()[-20:])
        raise Fatal(f"the daemon ended with exit code {cast.daemon.returncode}; its log ends with\n{last}")
    return seen


def settled(loaded: Loaded, produced: int) -> Balance:
    """The balance, looked at again for some seconds: a broker writes the marker of the last commit after it has answered it."""
    until = time.monotonic() + MARKERS
    while not (found := balance(loaded, produced)).holds and time.monotonic() < until:
        time.sleep(TURN)
    return found


def balance(loaded: Loaded, produced: int) -> Balance:
    """Count the records of the source, clean and quarantine topics with a reader of our own."""
    spec = loaded.semantics.streams[0]
    kafka = KafkaPython(loaded.local.kafka)
    counts = {}
    for topic in (spec.topic, spec.clean_topic or "", spec.quarantine_topic or ""):
        places = [Place(topic, partition) for partition in range(flights.PARTITIONS)]
        reader = kafka.read(places)
        counts[topic] = sum(len(batch) for batch in read_to_end(reader, places, 30.0))
        reader.close()
    return Balance(produced, *counts.values())


def wait_for_interrupt() -> None:
    """Return at Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        return


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, then SIGKILL after 30 seconds; the exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()

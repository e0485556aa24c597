"""`streamspc init`: a sample of a topic becomes a first configuration."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError, Fatal

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Consumer, Kafka, Place
    from streamspc.survey.propose import Sample

EPILOG = """example:
  streamspc init --topic orders --bootstrap localhost:9092 --out orders.yaml
  streamspc topics create orders.yaml && streamspc run --config.file orders.yaml"""
PATIENCE = 30.0  # seconds without a record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which topic, where, and what to write."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--topic", required=True, help="the topic to look at")
    add("--bootstrap", required=True, metavar="HOST:PORT", help="brokers, with commas between")
    add("--app", metavar="NAME", help="name of the application (default: the topic's, as far as a name can have it)")
    add("--sample", type=int, default=5000, metavar="N", help="the newest records, about so many (default: 5000)")
    add("--out", type=Path, metavar="FILE", help="write the configuration there, if there is no such file yet (default: standard output)")


def execute(args: argparse.Namespace) -> int:
    """Look, propose, and see that the proposal loads."""
    from streamspc.kafka_io.client import KafkaPython  # noqa: PLC0415 - --help needs no client
    from streamspc.model import KafkaLocal  # noqa: PLC0415
    from streamspc.survey import propose  # noqa: PLC0415

    if args.out is not None and args.out.exists():
        raise ConfigError(f"--out {args.out}: is there already; choose another name, or move it away")
    app = args.app or re.sub(r"[^A-Za-z0-9_-]+", "-", args.topic).strip("-_")[:40] or "app"
    kafka = KafkaPython(KafkaLocal({"bootstrap_servers": args.bootstrap.split(",")}))
    sample = read(kafka, args.topic, max(1, args.sample))
    try:
        proposal = propose(app, args.topic, args.bootstrap, sample)
    except ValueError as error:
        raise Fatal(f"topic {args.topic}: {error}: only JSON can be watched so far") from None
    _check(proposal.text)
    sys.stderr.writelines(f"{note}\n" for note in proposal.notes)
    if args.out is None:
        sys.stdout.write(proposal.text)
        return ExitCode.OK
    args.out.write_text(proposal.text)
    sys.stderr.write(f"wrote {args.out}\nnext: streamspc topics create {args.out} && streamspc run --config.file {args.out}\n")
    return ExitCode.OK


def _check(text: str) -> None:
    """A proposal that does not load is a fault of ours, and is not written."""
    import tempfile  # noqa: PLC0415

    from streamspc.settings import load  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "proposal.yaml"
        file.write_text(text)
        load(file, {})


def read(kafka: Kafka, topic: str, wanted: int) -> Sample:
    """The newest records of all partitions, about `wanted` of them. Raises Fatal where there is no topic or no record."""
    import msgspec  # noqa: PLC0415

    from streamspc.kafka_io.port import Place  # noqa: PLC0415
    from streamspc.survey import survey  # noqa: PLC0415
    from streamspc.survey.propose import Sample  # noqa: PLC0415

    admin = kafka.admin()
    try:
        found = admin.describe([topic]).get(topic)
    finally:
        admin.close()
    if found is None:
        raise Fatal(f"there is no topic {topic}")
    places = [Place(topic, partition) for partition in range(found.partitions)]
    consumer = kafka.read(places)
    rows: list[tuple[int, int, int, bytes]] = []
    try:
        _go_back(consumer, places, wanted)
        from streamspc.roles.control import read_to_end  # noqa: PLC0415

        for batch in read_to_end(consumer, places, PATIENCE):
            columns = zip(batch.timestamps.tolist(), batch.offsets.tolist(), batch.values, strict=True)
            rows += [(stamp, batch.partition, offset, bytes(value)) for stamp, offset, value in columns if value is not None]
    finally:
        consumer.close()
    if not rows:
        raise Fatal(f"topic {topic} has no record to look at: produce some first")
    records, times, partitions = [], [], []
    for stamp, partition, _, value in sorted(rows, key=lambda row: row[:3]):
        try:
            record = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(record, dict):
            records.append(record)
            times.append(stamp * 1000)
            partitions.append(partition)
    return Sample(survey(records), times, partitions, len(rows) - len(records))


def _go_back(consumer: Consumer, places: list[Place], wanted: int) -> None:
    bounds = consumer.bounds(places)
    each = -(-wanted // len(places))
    for place, (first, end) in bounds.items():
        consumer.seek(place, max(first, end - each))

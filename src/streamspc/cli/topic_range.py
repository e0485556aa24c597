"""The range of a topic that `check` reads: how it is said on the command line, and where it is opened."""

from __future__ import annotations

import argparse
import logging
import re
from typing import TYPE_CHECKING

from streamspc.errors import ConfigError, StreamspcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.check import Steps
    from streamspc.model import Batch
    from streamspc.roles.span import Span, Where
    from streamspc.settings import Loaded

_OFFSETS = re.compile(r"\d{1,18}(,\d{1,18})*", re.ASCII)
_FOR_FILES = ("format", "timestamp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--input` for a file, or `--from` and `--to` for the stream's topic."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", metavar="FILE", help="records: .csv, .jsonl, .ndjson, also .gz; - is standard input")
    source.add_argument(
        "--from",
        dest="begin",
        metavar="WHERE",
        help="read the stream's topic, from: earliest, latest, a Kafka timestamp as 2013-02-08T05:15:00Z, or offsets, one for each"
        " partition with commas between",
    )
    parser.add_argument("--to", dest="end", metavar="WHERE", help="up to, and without (default: latest, the last committed record now)")


def refuse_contradictions(args: argparse.Namespace) -> None:
    """Raises ConfigError for what is for files beside `--from`, and for `--to` beside `--input`."""
    if args.begin is None and args.end is not None:
        raise ConfigError("--to: is the end of a topic's range; a file is read whole")
    given = [name for name in _FOR_FILES if args.begin is not None and getattr(args, name) is not None]
    if given:
        raise ConfigError(*(f"--{name}: is for files; records of a topic are JSON and have Kafka timestamps" for name in given))


def open_range(loaded: Loaded, topic: str, begin: str, end: str | None) -> Span:
    """The range, open. Raises ConfigError for places that are none, Unreadable for a topic that does not hold it or does not answer."""
    from streamspc import log  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.check import Unreadable  # noqa: PLC0415
    from streamspc.kafka_io.client import KafkaPython  # noqa: PLC0415
    from streamspc.roles.span import Span  # noqa: PLC0415

    places = where("--from", begin), where("--to", end or "latest")
    log.configure("warning", "auto", loaded.secrets())
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what the client tells of a Kafka that is away, our one line says
    try:
        return Span.open(KafkaPython(loaded.local.kafka), topic, *places)
    except StreamspcError as error:
        raise Unreadable(f"topic {topic}: {error}") from None


def where(option: str, text: str) -> Where:
    """A place in a topic. Raises ConfigError."""
    from streamspc.admit import iso8601  # noqa: PLC0415
    from streamspc.roles.span import At, Offsets  # noqa: PLC0415

    if text == "earliest":
        return "earliest"
    if text == "latest":
        return "latest"
    if _OFFSETS.fullmatch(text):
        return Offsets(tuple(map(int, text.split(","))))
    times, read = iso8601.parse([text])
    if not read[0]:
        raise ConfigError(f"{option} {text}: expected earliest, latest, a time with its zone as 2013-02-08T05:15:00Z, or offsets as 120,80")
    return At(-(-int(times[0]) // 1000))


def batches(span: Span, steps: Steps) -> Iterator[Batch]:
    """The records of the range; partitions that are far ahead of others wait. Raises Unreadable."""
    from streamspc.check import Unreadable  # noqa: PLC0415

    steps.offsets = {partition: (offset, span.ends[partition]) for partition, offset in span.begins.items()}
    try:
        yield from span.batches(lambda: steps.ahead)
    except StreamspcError as error:
        raise Unreadable(f"{span.name}: {error}") from None

"""`streamspc gate`: let windows pass, or keep them back, whatever is judged of them; and what the gate waits for."""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from streamspc.cli.audit import add_audit, user
from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError
from streamspc.model import END, NEVER

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Override, StreamSpec
    from streamspc.settings import Loaded

EPILOG = """examples:
  streamspc gate status shop.yaml
  streamspc gate open shop.yaml --why "chart is down" --dry-run
  streamspc gate close shop.yaml --since 2026-03-01T12:00:00Z --until 2026-03-01T14:00:00Z --why "test orders"

`open` lets the records of windows pass, `close` puts them into quarantine (reason gate_closed), without a verdict. It is about windows that
are not judged yet, up to --until (default: those that have records by now). The first decision on a window holds for ever, be it a verdict
or an override. Each is one entry in the control log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An action, FILE, and which windows."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("action", choices=("status", "open", "close"), help="what the gate knows and waits for; let windows pass; keep them back")
    add("file", type=Path, metavar="FILE", help="the configuration")
    add("--stream", metavar="NAME", help="stream of the configuration (default: the only one with a gate)")
    add("--since", metavar="TIME", help="open, close: windows that start then or later (default: all that are not judged)")
    add("--until", metavar="TIME", help="open, close: windows that start before (default: up to the newest record that was read)")
    add_audit(parser, "open, close")
    add("--json", action="store_true", help="answer in JSON")


def execute(args: argparse.Namespace) -> int:
    """Do it on the Kafka of the configuration."""
    from streamspc.cli.quarantine import stream_of  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.kafka_io import client  # noqa: PLC0415
    from streamspc.settings import load  # noqa: PLC0415

    loaded = load(args.file)
    spec, kafka = stream_of(loaded, args.stream), client.KafkaPython(loaded.local.kafka)
    return _status(args, loaded, spec, kafka) if args.action == "status" else _override(args, loaded, spec, kafka)


def _override(args: argparse.Namespace, loaded: Loaded, spec: StreamSpec, kafka: Kafka) -> int:
    from streamspc.cli.baselines import since_of  # noqa: PLC0415
    from streamspc.model import Override  # noqa: PLC0415
    from streamspc.roles import commanding  # noqa: PLC0415

    commanding.same(kafka, loaded.semantics)
    since = since_of("--since", args.since, spec) if args.since else NEVER
    until = since_of("--until", args.until, spec) if args.until else commanding.beyond(kafka, loaded.semantics, spec)
    if until <= since:
        raise ConfigError(
            "no window waits: nothing was read yet, or all that there is was read to its end; say --until"
            if until == NEVER
            else "no window: none starts at --since or later and before --until"
        )
    entry = Override(
        kind="open" if args.action == "open" else "closed",
        id=uuid.uuid4().hex[:16],
        config=loaded.semantics.hash(),
        stream=spec.name,
        since=since,
        until=until,
        by=args.by or user(),
        why=args.why,
        at=time.time_ns() // 1000,
    )
    if not args.dry_run:
        commanding.override(kafka, loaded.semantics, entry)
    if args.json:
        sys.stdout.write(json.dumps({**_told(entry), "dry_run": args.dry_run}, ensure_ascii=False) + "\n")
        return ExitCode.OK
    would = "would be " if args.dry_run else ""
    sys.stdout.write(
        f"{would}{_line(entry, spec)}\n" + ("" if args.dry_run else f"override {entry.id}, in the control log with who and why\n")
    )
    return ExitCode.OK


def _told(entry: Override) -> dict[str, object]:
    names = ("kind", "id", "stream", "until", "by", "why", "at")
    return {name: getattr(entry, name) for name in names} | {"since": None if entry.since == NEVER else entry.since}


def _line(entry: Override, spec: StreamSpec) -> str:
    from streamspc.effect.times import instant  # noqa: PLC0415

    begin = "that are not judged" if entry.since == NEVER else f"from {instant(entry.since, spec)} on that are not judged"
    return f"{entry.kind}: windows {begin}, before {instant(entry.until, spec)}"


def _status(args: argparse.Namespace, loaded: Loaded, spec: StreamSpec, kafka: Kafka) -> int:
    from streamspc.effect.times import instant  # noqa: PLC0415
    from streamspc.roles.gating import book, waiting  # noqa: PLC0415

    found, places = book(kafka, loaded.semantics, spec), waiting(kafka, loaded.semantics, spec)
    behind = sum(place.end - place.offset for place in places)
    judged = {partition: found.until_of.get(partition) for partition in range(loaded.semantics.chart_partitions)}
    if args.json:
        facts = {"stream": spec.name, "judged_until": judged, "storm": found.stormy(), "waiting": [place._asdict() for place in places]}
        sys.stdout.write(json.dumps(facts | {"overrides": [_told(one) for one in found.overrides.all]}, ensure_ascii=False) + "\n")
        return ExitCode.OK
    lines = [f"{spec.name}: {behind:,} offsets of {spec.topic} are not routed yet"]
    for partition, until in judged.items():
        judged_to = "nothing" if until is None else "everything: its log has ended" if until == END else f"up to {instant(until, spec)}"
        lines.append(f"  chart partition {partition} has judged {judged_to}")
    lines += ["  the storm guard lets rejected windows pass"] if found.stormy() else []
    lines += [f"  {_line(one, spec)} ({one.text}; {one.id})" for one in found.overrides.all]
    sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.OK

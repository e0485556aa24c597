"""`streamspc baseline show`, `accept` and `reset`, on the Kafka of the configuration."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from streamspc.cli.audit import user
from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError
from streamspc.model import NEVER, WHOLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Command, Semantics, StreamSpec, TallyTable
    from streamspc.settings import Loaded

Row = dict[str, Any]


class Which(NamedTuple):
    """The series that are meant: None is all."""

    metric: str | None
    segment: str | None

    def takes(self, row: Row) -> bool:
        """Is this one?"""
        return self.metric in {None, row["metric"]} and self.segment in {None, row["segment"]}


def show(args: argparse.Namespace) -> int:
    """Say what is known of each series."""
    loaded, spec, kafka = _open(args)
    which = _which(args, spec)
    rows = [row for row in _rows(kafka, loaded.semantics, spec) if which.takes(row)]
    for row in rows:
        sys.stdout.write((json.dumps(row, ensure_ascii=False) if args.json else _line(row, spec)) + "\n")
    if not rows:
        sys.stderr.write("streamspc baseline: no series has charts yet, or none is named so\n")
        return ExitCode.FINDINGS
    return ExitCode.OK


def command(args: argparse.Namespace) -> int:
    """Accept or reset: look at what it would change, then write it into control and tallies."""
    from streamspc.commands import ALLOWED  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.roles import commanding  # noqa: PLC0415

    loaded, spec, kafka = _open(args)
    which = _which(args, spec)
    if which == (None, None) and not args.all:
        raise ConfigError(f"{args.action} what? Say SERIES, --metric or --segment, or --all")
    if args.action not in ALLOWED[spec.baseline.relearn]:
        raise ConfigError(f"{args.action}: the configuration forbids it: streams: {spec.name}: baseline: relearn: {spec.baseline.relearn}")
    commanding.same(kafka, loaded.semantics)
    lesson = _lesson(args, spec, kafka)
    since = (
        since_of("--since", args.since, spec)
        if args.since
        else NEVER
        if lesson is not None
        else commanding.beyond(kafka, loaded.semantics, spec)
    )
    told = _command(args, loaded, spec, which, since)
    changed = [
        name for partition in range(loaded.semantics.chart_partitions) for name in _changed(kafka, loaded.semantics, told, partition)
    ]
    if not changed:
        sys.stderr.write(f"streamspc baseline: {_nothing(args.action)}\n")
        return ExitCode.FINDINGS
    if not args.dry_run:
        commanding.give(kafka, loaded.semantics, told, lesson)
    _say(args, spec, told, changed)
    return ExitCode.OK


def _open(args: argparse.Namespace) -> tuple[Loaded, StreamSpec, Kafka]:
    from streamspc.cli.check import stream_name  # noqa: PLC0415
    from streamspc.kafka_io.client import KafkaPython  # noqa: PLC0415
    from streamspc.settings import load  # noqa: PLC0415

    loaded = load(args.config_file)
    return loaded, loaded.semantics.stream(stream_name(loaded.semantics, args.stream)), KafkaPython(loaded.local.kafka)


def _which(args: argparse.Namespace, spec: StreamSpec) -> Which:
    """The series that are meant. Raises ConfigError for a metric that there is not."""
    if args.series is not None and (args.metric is not None or args.segment is not None):
        raise ConfigError("say SERIES, or --metric and --segment")
    which = Which(args.metric, args.segment)
    if args.series is not None:
        found = re.fullmatch(r"([^\[]+)(?:\[(.*)\])?", args.series, re.DOTALL)
        which = Which(found[1], WHOLE if found[2] is None else found[2]) if found else Which(args.series, WHOLE)
    if which.metric not in {None, *spec.series}:
        raise ConfigError(f"no metric {which.metric!r} in stream {spec.name}: there are {', '.join(spec.series)}")
    return which


def _lesson(args: argparse.Namespace, spec: StreamSpec, kafka: Kafka) -> TallyTable | None:
    """The windows to learn from. Raises ConfigError for options that do not go together."""
    from streamspc.cli.topic_range import where  # noqa: PLC0415
    from streamspc.roles.lesson import lesson  # noqa: PLC0415

    if args.action != "learn":
        if args.begin is not None or args.end is not None:
            raise ConfigError(f"--from and --to: are for learn, not for {args.action}")
        return None
    if args.begin is None:
        raise ConfigError("learn from which windows? Say --from, and perhaps --to")
    if args.since:
        raise ConfigError("--since: what is learnt from the past holds at once")
    return lesson(kafka, spec, where("--from", args.begin), where("--to", args.end or "latest"))


def since_of(option: str, text: str, spec: StreamSpec) -> int:
    """The first window that starts at that time or later. Raises ConfigError."""
    from streamspc.admit import iso8601  # noqa: PLC0415
    from streamspc.roles.commanding import first_window  # noqa: PLC0415

    times, read = iso8601.parse([text])
    if not read[0]:
        raise ConfigError(f"{option} {text}: expected a time with its zone, as 2026-03-01T00:00:00Z")
    return first_window(spec, int(times[0]))


def _command(args: argparse.Namespace, loaded: Loaded, spec: StreamSpec, which: Which, since: int) -> Command:
    from streamspc.model import Command  # noqa: PLC0415

    return Command(
        kind=args.action,
        id=uuid.uuid4().hex[:16],
        config=loaded.semantics.hash(),
        stream=spec.name,
        metric=which.metric,
        segment=which.segment,
        since=since,
        begin=args.begin or "",
        end=args.end or "",
        by=args.by or user(),
        why=args.why,
        at=time.time_ns() // 1000,
    )


def _rows(kafka: Kafka, semantics: Semantics, spec: StreamSpec) -> Iterator[Row]:
    """Every series, by metric and segment."""
    from streamspc.roles.standing import last_points, rows, standing  # noqa: PLC0415

    found: list[Row] = []
    for partition in range(semantics.chart_partitions):
        of = standing(kafka, semantics, partition).streams[spec.name]
        found += rows(of, last_points(kafka, semantics, partition, spec.name))
    order = {name: at for at, name in enumerate(spec.series)}
    yield from sorted(found, key=lambda row: (row["segment"] != WHOLE, row["segment"], order[row["metric"]]))


def _changed(kafka: Kafka, semantics: Semantics, told: Command, partition: int) -> list[str]:
    """Names of the series of a chart partition that the command would change now."""
    from streamspc.commands import meant  # noqa: PLC0415
    from streamspc.roles.standing import standing  # noqa: PLC0415

    of = standing(kafka, semantics, partition).streams[told.stream]
    spec = of.stream.spec
    return [_name(spec.series[row], of.bank.segments[column]) for row, column in zip(*meant(told, spec, of.bank).nonzero(), strict=True)]


def _nothing(action: str) -> str:
    if action != "accept":
        return "no series is named so, or none has charts yet; nothing was written"
    return "none of these series has an open episode of eight windows or more, whose level could be accepted; nothing was written"


def _say(args: argparse.Namespace, spec: StreamSpec, told: Command, changed: list[str]) -> None:
    from streamspc.effect.times import instant  # noqa: PLC0415

    at = "the next window" if told.since == NEVER else f"the window at {instant(told.since, spec)}"
    if args.json:
        facts = {"kind": told.kind, "id": told.id, "dry_run": args.dry_run, "stream": told.stream, "series": changed}
        sys.stdout.write(json.dumps(facts | {"since": None if told.since == NEVER else told.since}, ensure_ascii=False) + "\n")
        return
    done = {"accept": "its level is normal from", "reset": "learns again, from", "learn": "has learnt from the range; that holds from"}[
        told.kind
    ]
    would = "would be as of now: " if args.dry_run else ""
    sys.stdout.writelines(f"{would}{name}: {done} {at} on\n" for name in changed)
    if not args.dry_run:
        sys.stdout.write(f"command {told.id}, in the control log with who and why\n")


def _name(metric: str, segment: str) -> str:
    return metric if segment == WHOLE else f"{metric}[{segment}]"


def _line(row: Row, spec: StreamSpec) -> str:
    from streamspc.effect.times import instant  # noqa: PLC0415

    name = _name(row["metric"], row["segment"])
    waits = "".join(f"\n  {one['kind']} by {one['by']} waits for the window at {instant(one['since'], spec)}" for one in row["commands"])
    if row["phase"] == "learning":
        return f"{name}: learns, {row['seen']} of {row['windows']} windows{waits}"
    said = f"{name}: version {row['version']}, centre {row['centre']:.5g}, {row['kept']} windows"
    said += f", {row['dropped']} left out" if row["dropped"] else ""
    said += f", provisional ({', '.join(row['doubt'])})" if row["doubt"] else ""
    if (last := row["last"]) and last["sigma"] is not None:
        lcl, ucl = ("none" if last[key] is None else f"{last[key]:.5g}" for key in ("lcl", "ucl"))
        said += f"; at {instant(last['start'], spec)} sigma {last['sigma']:.3g}, limits {lcl} to {ucl}, n {last['n']:,}"
    if episode := row["episode"]:
        shift = ": a level shift that awaits accept or reset" if episode["awaiting"] else ""
        said += f"\n  episode {episode['id']}, {episode['side']} since {instant(episode['opened'], spec)}{shift}"
    return said + waits

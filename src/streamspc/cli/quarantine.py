"""`streamspc quarantine`: what is in quarantine and why; release it to the clean topic, or discard it."""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from streamspc.cli.audit import add_audit, user
from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from streamspc.model import StreamSpec
    from streamspc.roles.quarantined import Order, Quarantine, Selection
    from streamspc.settings import Loaded

EPILOG = """examples:
  streamspc quarantine list shop.yaml
  streamspc quarantine show shop.yaml --episode 5f1d2c3b4a596877 --limit 3
  streamspc quarantine release shop.yaml --episode 5f1d2c3b4a596877 --why "the source was mended" --dry-run
  streamspc quarantine discard shop.yaml --reason undecodable"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An action, FILE, which records, and for the audit why."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "action",
        choices=("list", "show", "release", "discard"),
        help="list by reason, show records, publish them again, or mark them as done",
    )
    add("file", type=Path, metavar="FILE", help="the configuration")
    add("--stream", metavar="NAME", help="stream of the configuration (default: the only one with a quarantine)")
    add("--episode", default="", metavar="ID", help="only records of this episode")
    add("--window", default="", metavar="START/END", help="only records of this window, as `list` writes it")
    add("--segment", default="", help="only records that this segment rejected")
    add("--reason", default="", help="only records with this reason: rejected, undecodable ...")
    add("--all", action="store_true", help="release or discard without any of these: everything")
    add("--to", metavar="TOPIC", help="release: another topic than the clean one")
    add_audit(parser, "release, discard")
    add("--limit", type=int, default=20, metavar="N", help="show: so many records (default: 20)")
    add("--json", action="store_true", help="answer in JSON, one line a record or row")


def execute(args: argparse.Namespace) -> int:
    """Do it on the Kafka of the configuration."""
    from streamspc.kafka_io.client import KafkaPython  # noqa: PLC0415 - --help needs no client
    from streamspc.roles.quarantined import Quarantine, Selection  # noqa: PLC0415
    from streamspc.settings import load  # noqa: PLC0415

    loaded = load(args.file)
    spec = stream_of(loaded, args.stream)
    selection = Selection(args.episode, args.window, args.segment, args.reason)
    if args.action in {"release", "discard"} and not (selection.given() or args.all):
        raise ConfigError(f"{args.action} what? Say --episode, --window, --segment or --reason, or --all")
    order = _order(args, spec) if args.action in {"release", "discard"} else None
    quarantine = Quarantine(KafkaPython(loaded.local.kafka), loaded.semantics, spec)
    if order is not None:
        return _carry_out(args, quarantine, order, selection)
    return _show(args, quarantine, selection) if args.action == "show" else _list(args, quarantine, selection)


def stream_of(loaded: Loaded, name: str | None) -> StreamSpec:
    """The stream that is wanted, of those that have a gate, or the only one. Raises ConfigError."""
    streams = [spec for spec in loaded.semantics.streams if spec.quarantine_topic is not None]
    chosen = [spec for spec in streams if name in {None, spec.name}]
    if len(chosen) != 1:
        which = ", ".join(spec.name for spec in streams) or "none"
        raise ConfigError(f"--stream {name or '(not given)'}: streams with a gate are: {which}")
    return chosen[0]


def _order(args: argparse.Namespace, spec: StreamSpec) -> Order:
    from streamspc.roles.quarantined import Order  # noqa: PLC0415

    to = "" if args.action == "discard" else args.to or spec.clean_topic
    if to is None:
        raise ConfigError(
            "release where? This stream has no clean topic: its records have passed already. Say --to TOPIC to have them there"
        )
    action: Literal["released", "discarded"] = "released" if args.action == "release" else "discarded"
    return Order(action, uuid.uuid4().hex[:16], to, args.by or user(), args.why, time.time_ns() // 1000)


def _list(args: argparse.Namespace, quarantine: Quarantine, selection: Selection) -> int:
    rows = Counter((found.why, found.done) for found in quarantine.records(selection))
    for (why, done), records in sorted(rows.items()):
        if args.json:
            sys.stdout.write(json.dumps({**why._asdict(), "done": done, "records": records}) + "\n")
        else:
            what = " ".join(filter(None, (why.metric, f"[{why.segment}]" if why.segment else "", why.rule)))
            said = f"{records:>10,}  {why.reason:<12} {why.window:<42} {what}" + (f"  episode {why.episode}" if why.episode else "")
            sys.stdout.write(said + (f"  {done}" if done else "") + "\n")
    if not args.json:
        sys.stdout.write(f"{rows.total():,} records in {quarantine.topic}\n")
    return ExitCode.OK


def _show(args: argparse.Namespace, quarantine: Quarantine, selection: Selection) -> int:
    from streamspc.roles.quarantined import shown  # noqa: PLC0415

    for number, found in enumerate(quarantine.records(selection)):
        if number >= args.limit:
            break
        sys.stdout.write(json.dumps(shown(found), ensure_ascii=False, indent=None if args.json else 2) + "\n")
    return ExitCode.OK


def _carry_out(args: argparse.Namespace, quarantine: Quarantine, order: Order, selection: Selection) -> int:
    done = None
    for done in quarantine.carry_out(order, selection, dry_run=args.dry_run):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done.records:,} records")
    if done is None:
        return ExitCode.OK
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    facts = {"action": order.action, "id": order.id, "dry_run": args.dry_run, "to": order.to, "records": done.records}
    facts |= {"handled_before": done.before, "pointers": done.pointers}
    if args.json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return ExitCode.OK
    would = "would be " if args.dry_run else ""
    where = f" to {order.to}" if order.to else ""
    sys.stdout.write(f"{done.records:,} records {would}{order.action}{where}; {done.before:,} were handled before\n")
    if done.pointers:
        sys.stdout.write(f"{done.pointers:,} only point to records that are too large to be here: read those from the source topic\n")
    if not args.dry_run and done.records:
        sys.stdout.write(f"command {order.id}, in the control log with who and why\n")
    return ExitCode.OK

"""`streamspc topics`: create the topics of an application, or say what is wrong with them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from streamspc.cli.codes import ExitCode

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Admin
    from streamspc.settings import Loaded


class Outcome(NamedTuple):
    """Names of topics that were created, and lines about what is wrong."""

    created: list[str]
    findings: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An action and FILE."""
    parser.add_argument("action", choices=("create", "check"), help="create those that are missing, or only look")
    parser.add_argument("file", metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def execute(args: argparse.Namespace) -> int:
    """Do it on the Kafka of the configuration."""
    from streamspc.kafka_io.client import KafkaPython  # noqa: PLC0415  # --help needs no client
    from streamspc.settings import load  # noqa: PLC0415

    loaded = load(args.file)
    admin = KafkaPython(loaded.local.kafka).admin()
    try:
        outcome = administer(admin, loaded, create=args.action == "create")
    finally:
        admin.close()
    if args.json:
        sys.stdout.write(json.dumps({**outcome._asdict(), "ok": not outcome.findings}, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"created {name}\n" for name in outcome.created)
        sys.stdout.writelines(f"{line}\n" for line in outcome.findings)
        if not outcome.findings:
            sys.stdout.write(f"OK: the topics of {loaded.semantics.app} are as they have to be\n")
    return ExitCode.FINDINGS if outcome.findings else ExitCode.OK


def administer(admin: Admin, loaded: Loaded, *, create: bool) -> Outcome:
    """Create what is missing if asked to, then look at everything. Raises Transient, Fatal.

    Source topics are never created: their partitions are their owner's choice, and those of the outputs follow them.
    """
    from streamspc.kafka_io import topics  # noqa: PLC0415

    sources = {stream.topic for stream in loaded.semantics.streams}
    found = admin.describe(sources)
    missing = [f"{topic}: the source topic does not exist; create it first" for topic in sorted(sources - found.keys())]
    if missing:
        return Outcome([], missing)
    wanted = topics.plans(loaded.semantics, loaded.local.kafka, found)
    names = [plan.name for plan in wanted]
    existing = admin.describe(names)
    created: list[str] = []
    if create:
        lacking = [plan for plan in wanted if plan.name not in existing]
        topics.create(admin, lacking, loaded.local.kafka.replication_factor)
        created = [plan.name for plan in lacking]
        existing = admin.describe(names)
    return Outcome(created, topics.check(wanted, existing))

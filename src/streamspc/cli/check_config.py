"""`streamspc check-config`: what is wrong with a configuration, or that nothing is."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from streamspc.settings import Loaded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE or --schema."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", metavar="FILE", help="the configuration; variables of the environment are replaced")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema of configurations, for editors")
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the schema, or a summary, or the problems."""
    if args.schema:
        sys.stdout.write(schema_text())
        return ExitCode.OK
    from streamspc.settings import load  # noqa: PLC0415  # --help needs no models

    try:
        loaded = load(args.file)
    except ConfigError as error:
        if not args.json:
            raise
        _print({"file": args.file, "ok": False, "problems": error.problems})
        return ExitCode.USAGE
    if args.json:
        _print({"file": args.file, "ok": True, **_summary(loaded)})
    else:
        sys.stdout.write(f"{args.file}: OK\n")
        for key, value in _summary(loaded).items():
            sys.stdout.write(f"  {key}: {('; '.join(value) or 'none') if isinstance(value, list) else value}\n")
    return ExitCode.OK


def schema_text() -> str:
    """The JSON Schema as the file that is published."""
    from streamspc.settings.schema import json_schema  # noqa: PLC0415  # --help needs no models

    return json.dumps(json_schema(), indent=2) + "\n"


def _summary(loaded: Loaded) -> dict[str, object]:
    """What a person compares with what was meant."""
    semantics = loaded.semantics
    return {
        "app": semantics.app,
        "configuration": semantics.hash(),
        "chart partitions": semantics.chart_partitions,
        "streams": [f"{stream.name}: {', '.join(stream.series)}" for stream in semantics.streams],
        "receivers": [receiver.name for receiver in loaded.local.receivers],
    }


def _print(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")

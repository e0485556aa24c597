"""`streamspc baseline`: what in control means for the series of a stream, and the commands that change it."""

from __future__ import annotations

import argparse
from pathlib import Path

from streamspc.cli.audit import add_audit

EPILOG = """examples:
  streamspc baseline show --config.file shop.yaml
  streamspc baseline accept price --config.file shop.yaml --why "prices rose" --dry-run
  streamspc baseline accept price[DE] --config.file shop.yaml --by ann --why "prices rose in Germany"
  streamspc baseline reset --metric latency --config.file shop.yaml --since 2026-03-01T00:00:00Z --why "new machines"
  streamspc baseline learn --metric latency --config.file shop.yaml --from 2026-02-01T00:00:00Z --to 2026-02-08T00:00:00Z
  streamspc baseline diagnose --config.file shop.yaml --input orders.jsonl.gz

A command holds from the first window on that starts at or after --since; without it, that is the first one beyond every watermark. What
`learn` learns from the whole windows of a range holds at once, from the next window to close.
It is one entry in the control log. What it changed, the `command` and `baseline` signals in the signals topic say.

exit codes: 0 done, 1 no series would change: nothing was written, 2 the command line or the configuration is wrong, 3 the data cannot
be read, or Kafka does not answer, 4 nothing will help but what the message says"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An action, which series, and what the action wants to know."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "action",
        choices=("show", "accept", "reset", "learn", "diagnose"),
        help="show baselines; accept the level of open episodes as the new normal; learn Phase I again, from the next windows or from"
        " the topic's history; say which charts fit",
    )
    add("series", nargs="?", metavar="SERIES", help="a metric of the whole stream, or metric[segment]")
    add("--metric", metavar="NAME", help="but for diagnose: this metric in all segments")
    add("--segment", metavar="NAME", help='but for diagnose: all metrics of this segment; "*" is the whole stream')
    add("--all", action="store_true", help="accept, reset, learn: all series of the stream")
    add("--config.file", dest="config_file", type=Path, required=True, metavar="FILE", help="configuration (streamspc check-config FILE)")
    add("--stream", metavar="NAME", help="stream of the configuration (default: the only one)")
    add("--since", metavar="TIME", help="accept, reset: a time with its zone, as 2026-03-01T00:00:00Z (default: after all that was read)")
    add("--from", dest="begin", metavar="WHERE", help="learn: earliest, a Kafka timestamp as 2026-02-01T00:00:00Z, or offsets 120,80,95")
    add("--to", dest="end", metavar="WHERE", help="learn: up to, and without (default: latest, the last committed record now)")
    add_audit(parser, "accept, reset, learn")
    add("--input", metavar="DATA", help="diagnose: .csv, .jsonl, .jsonl.gz, or - for standard input")
    add("--format", choices=["csv", "jsonl"], help="diagnose: format of the input (default: by its name; standard input is jsonl)")
    add("--timestamp", metavar="FIELD", help="diagnose: field that holds the Kafka timestamp: milliseconds or ISO 8601")
    add("--json", action="store_true", help="answer in JSON")


def execute(args: argparse.Namespace) -> int:
    """Carry the action out."""
    from streamspc.cli import baselines, diagnosis  # noqa: PLC0415 - --help needs neither

    return {"diagnose": diagnosis.diagnose, "show": baselines.show}.get(args.action, baselines.command)(args)

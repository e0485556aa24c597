"""`streamspc demo`: the main job on an embedded Apache Kafka, with the flights that left New York in 2013."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the configuration is, and whether to stay."""
    add = parser.add_argument
    default = Path("config/flights.yaml")
    if not default.exists():  # not called from the root of the checkout
        default = Path(__file__).parents[3] / default
    add(
        "--config.file",
        dest="config_file",
        type=Path,
        default=default,
        metavar="FILE",
        help="configuration (default: config/flights.yaml of the checkout)",
    )
    add("--serve", action="store_true", help="keep the daemon running with /metrics until Ctrl-C")
    add("--json", action="store_true", help="print the summary as JSON")
    add(
        "--web.listen-address",
        dest="listen",
        default="127.0.0.1:9404",
        metavar="HOST:PORT",
        help="where /metrics is (default: %(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Run the demo."""
    from streamspc.demo.play import play  # noqa: PLC0415 - keeps `--help` fast, and its packages are an extra

    return play(args.config_file, listen=args.listen, serve=args.serve, as_json=args.json)

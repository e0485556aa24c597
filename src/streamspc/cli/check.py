"""`streamspc check`: the charts of a stream over a file, once, for continuous integration."""

from __future__ import annotations

import argparse
import difflib
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.check import Input, Report, Steps
    from streamspc.flow import State
    from streamspc.model import Batch, Semantics


class CheckCode(IntEnum):
    """What `check` says to the one who started it; the codes are its own."""

    IN_CONTROL = 0
    SIGNALS = 1
    USAGE = 2
    UNREADABLE = 3


EPILOG = """exit codes of check:
  0  in control: no chart signals
  1  signals: at least one episode, or a gap
  2  the command line or the configuration is wrong
  3  the data cannot be read: no such file, not gzip, no column of that name, no record, or more bad records than --max-bad"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to read with which configuration, and what to write."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--config.file", dest="config_file", type=Path, required=True, metavar="FILE", help="configuration (streamspc check-config FILE)")
    add("--stream", metavar="NAME", help="stream of the configuration (default: the only one)")
    add("--input", required=True, metavar="FILE", help="records: .csv, .jsonl, .ndjson, also .gz; - is standard input")
    add("--format", choices=["csv", "jsonl"], help="format of the input (default: by its name; standard input is jsonl)")
    add("--timestamp", metavar="FIELD", help="field that holds the Kafka timestamp: milliseconds or ISO 8601 (default: none is known)")
    add("--any-order", action="store_true", help="the order of the records means nothing: none is late, all windows close at the end")
    add("--max-bad", type=_share, default=0.05, metavar="SHARE", help="refused records beyond this share are exit code 3 (default: 0.05)")
    add("--points", metavar="FILE", help="write every point to a .jsonl or .csv file")
    add("--junit", metavar="FILE", help="write JUnit XML: a test case a series, failed by its episodes")
    add("--json", action="store_true", help="print the summary as JSON")


def execute(args: argparse.Namespace) -> int:
    """Check one input."""
    from streamspc import check  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.check.drive import begin  # noqa: PLC0415
    from streamspc.check.source import Unreadable  # noqa: PLC0415
    from streamspc.settings import load_semantics  # noqa: PLC0415

    semantics = load_semantics(args.config_file)
    name = _stream(semantics, args.stream)
    kind = check.chosen_format(args.input, args.format)
    state = begin(semantics, name)
    report, steps = check.Report(semantics.stream(name)), check.Steps()
    why: str | None = None
    try:
        source = check.open_input(args.input)
        try:
            batches = check.batches(source, kind, state.streams[name].stream, args.timestamp)
            _read(args, state, _shown(source, batches), report, steps)
        finally:
            source.close()
        why = _too_bad(args.input, steps, args.max_bad)
    except Unreadable as error:
        why = str(error)
    if args.junit is not None:
        _write(args.junit, check.junit(report, semantics.hash(), why))
    return _answer(args, semantics, report, steps, why)


def _read(args: argparse.Namespace, state: State, batches: Iterator[Batch], report: Report, steps: Steps) -> None:
    """Fold the input; write its points."""
    from streamspc.check import open_points, rows, run  # noqa: PLC0415

    with open_points(args.points) as write:
        for out in run(state, batches, steps, any_order=args.any_order):
            for seen in report.take(out):
                if write is not None:
                    write(rows(report.spec, *seen))


def _answer(args: argparse.Namespace, semantics: Semantics, report: Report, steps: Steps, why: str | None) -> int:
    """Print the summary; the exit code."""
    from streamspc.check import summary  # noqa: PLC0415

    signals = bool(report.episodes or report.gaps)
    code = CheckCode.UNREADABLE if why is not None else CheckCode.SIGNALS if signals else CheckCode.IN_CONTROL
    if args.json:
        facts = summary.facts(report, steps, semantics.hash())
        said = {"verdict": code.name.lower(), "exit_code": int(code), "unreadable": why, "input": args.input}
        sys.stdout.buffer.write(summary.encoded(said | facts))
        sys.stdout.flush()
    else:
        summary.show(report, steps, code.name.lower().replace("_", " "))
    if why is not None:
        sys.stderr.write(f"streamspc check: {why}\n")
    return code


def _stream(semantics: Semantics, wanted: str | None) -> str:
    names = [spec.name for spec in semantics.streams]
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return str(wanted)
    near = difflib.get_close_matches(wanted or "", names, n=1)
    cure = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}"
    raise ConfigError(f"--stream: {'no name is given' if wanted is None else f'there is no stream {wanted!r}'}; {cure}")


def _too_bad(name: str, steps: Steps, most: float) -> str | None:
    """Why the records that could be judged are too few; None where they are not."""
    bad = steps.bad()
    if steps.records - steps.refused.total() == 0:
        return f"{name}: no record of {steps.records} can be read" if steps.records else f"{name}: no records"
    if bad > most * steps.records:
        return f"{name}: {bad} of {steps.records} records are refused, more than --max-bad {most:g}"
    return None


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


def _write(path: str, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise ConfigError(f"--junit {path}: cannot be written: {error.strerror}") from None


def _shown(source: Input, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, with a progress bar where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("records", total=source.size)
        for batch in batches:
            bar.update(task, completed=source.position(), description=f"{batch.next:,} records")
            yield batch

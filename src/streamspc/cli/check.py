"""`streamspc check`: the charts of a stream over a file or a range of its topic, once, for continuous integration."""

from __future__ import annotations

import argparse
import difflib
import sys
from contextlib import closing
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from streamspc.cli import topic_range
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.check import Input, Report, Steps
    from streamspc.flow import Outputs
    from streamspc.model import Batch, Semantics
    from streamspc.roles.span import Span


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
  3  the data cannot be read: no such file, topic or offsets, not gzip, no column of that name, Kafka does not answer, no record, or
     more bad records than --max-bad"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to read with which configuration, and what to write."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--config.file", dest="config_file", type=Path, required=True, metavar="FILE", help="configuration (streamspc check-config FILE)")
    add("--stream", metavar="NAME", help="stream of the configuration (default: the only one)")
    topic_range.add_arguments(parser)
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
    from streamspc.cli.attained import attainable  # noqa: PLC0415
    from streamspc.settings import load, load_semantics  # noqa: PLC0415

    topic_range.refuse_contradictions(args)
    loaded = load(args.config_file) if args.begin is not None else None
    semantics = loaded.semantics if loaded is not None else load_semantics(args.config_file)
    name = stream_name(semantics, args.stream)
    state = begin(semantics, name)
    spec = semantics.stream(name)
    report, steps = check.Report(spec, of_topic=loaded is not None), check.Steps()
    why: str | None = None
    try:
        if loaded is not None:
            with closing(topic_range.open_range(loaded, spec.topic, args.begin, args.end)) as span:
                batches = _shown(span, topic_range.batches(span, steps))
                _take(check.run(state, batches, steps, any_order=args.any_order, ends=span.ends), report, args.points)
        else:
            kind = check.chosen_format(args.input, args.format)
            with closing(check.open_input(args.input)) as source:
                batches = _shown(source, check.batches(source, kind, state.streams[name].stream, args.timestamp))
                _take(check.run(state, batches, steps, any_order=args.any_order), report, args.points)
        report.attainable.extend(attainable(state.streams[name].bank, report))
        why = _too_bad(args.input or f"topic {spec.topic}", steps, args.max_bad)
    except Unreadable as error:
        why = str(error)
    if args.junit is not None:
        _write(args.junit, check.junit(report, semantics.hash(), why))
    return _answer(args, semantics, report, steps, why)


def _take(outputs: Iterator[Outputs], report: Report, points: str | None) -> None:
    """Report the outputs; write their points."""
    from streamspc.check import open_points, rows  # noqa: PLC0415

    with open_points(points) as write:
        for out in outputs:
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
        said = {
            "verdict": code.name.lower(),
            "exit_code": int(code),
            "unreadable": why,
            "input": args.input or f"topic {report.spec.topic}",
        }
        sys.stdout.buffer.write(summary.encoded(said | facts))
        sys.stdout.flush()
    elif why is None or steps.records:  # of nothing read there is nothing to sum up
        summary.show(report, steps, code.name.lower().replace("_", " "))
    if why is not None:
        sys.stderr.write(f"streamspc check: {why}\n")
    return code


def stream_name(semantics: Semantics, wanted: str | None) -> str:
    """The stream that is wanted, or the only one. Raises ConfigError."""
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


def _shown(source: Input | Span, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, with a progress bar where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task, records = bar.add_task("records", total=source.size), 0
        for batch in batches:
            records += len(batch)
            bar.update(task, completed=source.position(), description=f"{records:,} records")
            yield batch

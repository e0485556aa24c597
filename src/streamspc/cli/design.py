"""`streamspc design`: which chart detects a shift soonest, when all of them give false alarms as rarely as asked.

A false-alarm budget for a number of charts is an average run length of each: expectations add, whatever the dependence of the charts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from streamspc.cli.candidates import Candidate

EPILOG = """exit codes:
  0  done
  2  the command line is wrong, or the picture cannot be written"""
_MEANING = """points, hours: average time to the signal when the shift is there from the start
steady: when the shift comes late and no false alarm was before it
k, h, c, L: in sigma of a point; L of an EWMA: in sigma of its statistic at that point, which grows at first (exact limits)
confirmed: the second of two successive points beyond the limit, on one side, signals"""
_ABOUT = "~: by a table with a standard error of 1 %, or by simulation, to about 1 %"
_HOUR = 3_600_000_000
_SHIFTS = 24  # of the picture, beside 0


class Budget(NamedTuple):
    """So many false alarms in a time, as the user wrote it."""

    text: str
    alarms: float
    microseconds: int


class Every(NamedTuple):
    """The time from point to point, as the user wrote it."""

    text: str
    microseconds: int


class Delay(NamedTuple):
    """The average time from a shift to its signal."""

    points: float
    hours: float
    simulated: bool


class Row(NamedTuple):
    """One chart of the table; None where the engine has no number."""

    chart: str
    limits: dict[str, float]
    exact: bool = True  # are the limits, and so the ARL0?
    arl0: float | None = None
    start: Delay | None = None
    steady: Delay | None = None
    refused: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The task, and how to answer."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--false-alarms", required=True, type=_budget, metavar="RATE", help='expected false alarms of all charts, such as "1 per 30d"')
    add("--every", required=True, type=_every, metavar="DURATION", help="time from point to point: the window, such as 1m")
    add("--detect", required=True, type=_shift, metavar="SHIFT", help="shift to detect soon, such as 1sigma (of a point)")
    add("--metrics", type=_series, default=1, metavar="N", help="charts that share the false alarms (default: %(default)s)")
    add("--json", action="store_true", help="answer in JSON")
    add(
        "--picture",
        type=_svg,
        metavar="FILE.svg",
        help="write the average run lengths over the shift, of charts that have an equation, as a picture",
    )


def execute(args: argparse.Namespace) -> int:
    """Print the table; draw the picture where one is asked for."""
    from streamspc.cli.candidates import candidates  # noqa: PLC0415  # --help needs no engine
    from streamspc.design import series_arl0  # noqa: PLC0415

    budget, every, shift = args.false_alarms, args.every, args.detect
    try:
        arl0 = series_arl0(budget.microseconds / every.microseconds / budget.alarms, args.metrics)
    except ValueError:
        raise ConfigError(
            f"streamspc design: --false-alarms {budget.text!r} is a false alarm at every point of {every.text}; ask for fewer"
        ) from None
    found = candidates(arl0, shift)
    rows = [_row(candidate, arl0, shift, every) for candidate in found]
    if args.picture is not None:
        _draw(args.picture, found, arl0, shift)
    if args.json:
        task = {"false_alarms": budget.text, "every": every.text, "metrics": args.metrics, "detect": shift, "arl0": arl0}
        sys.stdout.write(json.dumps(task | {"charts": [_plain(row) for row in rows]}, indent=2) + "\n")
    else:
        head = f"false alarms: {budget.text}, {args.metrics} {'chart' if args.metrics == 1 else 'charts'} with a point every {every.text}"
        sys.stdout.write(f"{head}: ARL0 of each {arl0:.6g} points\nshift to detect: {shift:g} sigma\n\n{table(rows)}")
    return ExitCode.OK


def _row(candidate: Candidate, arl0: float, shift: float, every: Every) -> Row:
    """The numbers of one chart."""
    if candidate.refused:
        return Row(candidate.name, candidate.limits, refused=candidate.refused)

    def delay(*, late: bool) -> Delay | None:
        points, simulated = candidate.delay(shift, late=late)
        return None if points is None else Delay(points, points * every.microseconds / _HOUR, simulated)

    exact = candidate.start is not None
    return Row(
        candidate.name, candidate.limits, exact, candidate.start(0.0) if candidate.start else arl0, delay(late=False), delay(late=True)
    )


def table(rows: list[Row]) -> str:
    """The table as text, and below it why charts were refused and which is soonest."""
    head = ("chart", "limits", "ARL0", "points", "points steady", "hours", "hours steady")
    cells = [head, *(_cells(row) for row in rows if not row.refused)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = ["  ".join(_padded(cell, widths[column], column) for column, cell in enumerate(line)) for line in cells]
    notes = [f"{row.chart}: refused, {row.refused}" for row in rows if row.refused]
    late = [(row.steady.points, row.chart) for row in rows if row.steady is not None]
    if late:
        notes.append(f"soonest in steady state: {min(late)[1]}")
    about = [_ABOUT] if any("~" in line for line in lines) else []
    return "\n".join([*lines, "", _MEANING, *about, *notes, ""])


def _padded(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def _cells(row: Row) -> tuple[str, ...]:
    limits = ", ".join(f"{name} {value:.6g}" for name, value in row.limits.items())
    delays = [_short(each and each.points, each is not None and each.simulated) for each in (row.start, row.steady)]
    hours = [_short(each and each.hours, each is not None and each.simulated) for each in (row.start, row.steady)]
    return (row.chart, limits, _short(row.arl0, not row.exact), *delays, *hours)


def _short(number: float | None, about: bool) -> str:  # noqa: FBT001 - a cell and its mark
    if number is None:
        return "-"
    return "~" * about + (f"{number:.0f}" if 1000 <= number < 1e8 else f"{number:.4g}")


def _plain(row: Row) -> dict[str, object]:
    """A row as JSON has it."""
    if row.refused:
        return {"chart": row.chart, "refused": row.refused}
    return row._asdict() | {"start": row.start and row.start._asdict(), "steady": row.steady and row.steady._asdict(), "refused": None}


def _draw(path: Path, found: list[Candidate], arl0: float, shift: float) -> None:
    """Write the picture."""
    from streamspc.cli.arl_curves import Line, picture  # noqa: PLC0415

    widest = max(3.0, 2.0 * shift)
    shifts = [widest * step / _SHIFTS for step in range(_SHIFTS + 1)]
    lines = [Line(each.name, each.curve(shifts)) for each in found if each.start is not None]
    try:
        path.write_text(picture(f"Average run lengths, ARL0 = {arl0:.6g}", shifts, lines, shift))
    except OSError as error:
        raise ConfigError(f"streamspc design: --picture {path}: {error.strerror}") from None


def _budget(text: str) -> Budget:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s+per\s+(\S+)\s*", text)
    if match is None or float(match[1]) == 0.0:
        raise argparse.ArgumentTypeError(f'{text!r} is no rate: write a number and a duration, such as "1 per 30d"')
    return Budget(text, float(match[1]), _microseconds(match[2]))


def _every(text: str) -> Every:
    return Every(text, _microseconds(text))


def _microseconds(text: str) -> int:
    from streamspc.settings.part import microseconds  # noqa: PLC0415  # --help needs no models

    try:
        duration = microseconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if duration == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a duration above 0 is needed")
    return duration


def _shift(text: str) -> float:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(sigma)?\s*", text)
    if match is None or not 0.0 < float(match[1]) <= 100.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no shift: write a number of sigma above 0, such as 1sigma or 0.5sigma")
    return float(match[1])


def _svg(text: str) -> Path:
    if not text.endswith(".svg"):
        raise argparse.ArgumentTypeError(f"{text!r}: the picture is an SVG; let its name end in .svg")
    return Path(text)


def _series(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text) is None or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of charts, 1 or more")
    return int(text)

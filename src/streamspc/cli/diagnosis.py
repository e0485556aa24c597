"""`streamspc baseline diagnose`: what the series of a stream are like, and which charts they call for."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from streamspc.cli.check import CheckCode
from streamspc.errors import ConfigError
from streamspc.model import WHOLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from streamspc.chart import Bank
    from streamspc.check.advice import Advice
    from streamspc.check.doctor import Diagnosis, Line
    from streamspc.flow import Outputs
    from streamspc.model import MetricSpec, Points, StreamSpec


def diagnose(args: argparse.Namespace) -> int:
    """Diagnose one input."""
    from streamspc import check  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.check.drive import begin  # noqa: PLC0415
    from streamspc.check.source import Unreadable  # noqa: PLC0415
    from streamspc.cli.check import stream_name  # noqa: PLC0415
    from streamspc.settings import load_semantics  # noqa: PLC0415

    if args.input is None:
        raise ConfigError("baseline diagnose: of what data? Say --input FILE")
    semantics = load_semantics(args.config_file)
    name = stream_name(semantics, args.stream)
    state, steps, spec = begin(semantics, name), check.Steps(), semantics.stream(name)
    try:
        kind = check.chosen_format(args.input, args.format)
        with closing(check.open_input(args.input)) as source:
            batches = check.batches(source, kind, state.streams[name].stream, args.timestamp)
            points = list(_points(check.run(state, batches, steps, any_order=True)))
    except Unreadable as error:
        sys.stderr.write(f"streamspc baseline: {error}\n")
        return CheckCode.UNREADABLE
    if not points:
        sys.stderr.write(f"streamspc baseline: {args.input}: no window of {steps.records} records has a point\n")
        return CheckCode.UNREADABLE
    told = list(_told(spec, (points, state.streams[name].bank), args.series))
    if not told:
        known = ", ".join(metric.name for metric in spec.metrics)
        raise ConfigError(f"no series {args.series!r}: metrics are {known}; a segment stands in brackets, as in {spec.metrics[0].name}[DE]")
    (_as_json if args.json else _as_text)(told)
    return CheckCode.IN_CONTROL


def _points(outputs: Iterable[Outputs]) -> Iterator[Points]:
    for out in outputs:
        yield from out.points


def _told(spec: StreamSpec, charted: tuple[list[Points], Bank], wanted: str | None) -> Iterator[tuple[Diagnosis, Advice]]:
    """The series that are wanted, by metric and segment."""
    from streamspc.chart.attainable import arl0  # noqa: PLC0415
    from streamspc.check.advice import Limits, advise  # noqa: PLC0415
    from streamspc.check.doctor import diagnose  # noqa: PLC0415

    points, bank = charted
    last = points[-1]
    for row, metric in enumerate(spec.metrics):
        for column, segment in enumerate(last.segments):
            if wanted not in _names(metric.name, segment):
                continue
            judged = last.version[row, column] > 0
            limits = Limits(float(last.shewhart_limit[row, column]), float(last.cusum_limit[row, column])) if judged else None
            found = diagnose(_line(points, row, segment, metric), spec.timezone)
            yield found, advise(found, metric, limits, arl0(bank, (row, column), found.n) if judged else None)


def _names(metric: str, segment: str) -> set[str | None]:
    """What a series answers to: those of the whole stream also to nothing."""
    return {None, metric, f"{metric}[{segment}]"} if segment == WHOLE else {f"{metric}[{segment}]"}


def _line(points: list[Points], row: int, segment: str, metric: MetricSpec) -> Line:
    """A series from the first window in which its segment had charts."""
    import numpy as np  # noqa: PLC0415

    from streamspc.check.doctor import Line  # noqa: PLC0415

    seen = [(one.start, one.value[row, at], one.n[row, at]) for one in points for at, name in enumerate(one.segments) if name == segment]
    start, value, n = zip(*seen, strict=True)
    return Line(metric.name, segment, metric.kind, np.array(start, np.int64), np.array(value), np.array(n, np.int64))


def _as_json(told: list[tuple[Diagnosis, Advice]]) -> None:
    import msgspec  # noqa: PLC0415

    answer = [{"series": found, "advice": advice} for found, advice in told]
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n")
    sys.stdout.flush()


def _as_text(told: list[tuple[Diagnosis, Advice]]) -> None:
    for found, advice in told:
        name = found.metric if found.segment == WHOLE else f"{found.metric}[{found.segment}]"
        middle = "" if found.centre is None else f", centre {found.centre:.5g}, sigma {found.sigma:.3g}, n {found.n:,.0f}"
        lines = [f"{name} ({found.kind}): {found.windows:,} windows{middle}", *(f"  {line}" for line in advice.findings)]
        lines += [f"  chart: {advice.chart}: {advice.why}", *(f"    {line}" for line in advice.settings)]
        if advice.textbook_arl0 is not None:
            lines.append(f"  three sigma limits from moving ranges: a false alarm each {advice.textbook_arl0:,.0f} windows")
        if advice.attainable_arl0 is not None:
            lines.append(f"  its limits now: a false alarm each {advice.attainable_arl0:,.0f} windows, the next rate that whole hits allow")
        elif advice.designed_arl0 is not None:
            delays = ", ".join(f"{shift} after {windows:,.1f}" for shift, windows in advice.delay.items())
            lines.append(f"  its limits now: a false alarm each {advice.designed_arl0:,.0f} windows; finds a shift of {delays} windows")
        sys.stdout.write("\n".join(lines) + "\n\n")

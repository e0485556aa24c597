"""A signal in people's words: titles, numbers, times and facts, the same for every kind of receiver."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from streamspc.model import WHOLE, MetricKind, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.model import MetricSpec, Notice, Signal, Span, StreamSpec

NAME = 80  # characters of a name from the data (a segment) that are shown
SPANS = 4  # source partitions that are shown
EARLIEST, LATEST = -62_000_000_000_000_000, 253_000_000_000_000_000  # microseconds: the years 5 to 9987
LIMIT = frozenset({Rule.WE1, Rule.NELSON1})
RULES: dict[str, str] = {
    Rule.WE2: "two of three points beyond 2 sigma",
    Rule.WE3: "four of five points beyond 1 sigma",
    Rule.WE4: "eight points in a row on one side",
    Rule.NELSON2: "nine points in a row on one side",
    Rule.NELSON3: "six points that rise or fall steadily",
    Rule.NELSON4: "fourteen points that alternate up and down",
    Rule.NELSON5: "two of three points beyond 2 sigma",
    Rule.NELSON6: "four of five points beyond 1 sigma",
    Rule.NELSON7: "fifteen points in a row within 1 sigma",
    Rule.NELSON8: "eight points in a row beyond 1 sigma",
    Rule.RUN7: "seven points in a row on one side",
}
SHARES = frozenset({MetricKind.PROPORTION, MetricKind.NULL_RATE})


class Fact(NamedTuple):
    """One line of a message: what it is about, and what is the case."""

    label: str
    text: str


def title(signal: Signal, spec: StreamSpec | None) -> str:
    """One line that says what happened: `cancelled (EWR) out of control: one point beyond 3 sigma`."""
    if signal.kind == "gap":
        return f"{signal.stream} is silent: a long run of windows without records"
    if signal.kind == "resolve":
        return f"{series(signal)} back in control"
    return f"{series(signal)} out of control: {rule(signal, spec)}"


def series(signal: Signal) -> str:
    """The metric, and its segment in brackets."""
    if signal.kind == "gap":
        return "silence"
    return signal.metric if signal.segment == WHOLE else f"{signal.metric} ({plain(signal.segment)})"


def headline(notice: Notice, spec: StreamSpec | None) -> str:
    """The line above a message: the title of its only signal, or the first series and how many more there are."""
    told = len(notice.signals) + notice.more
    if told == 1:
        return title(notice.signals[0], spec)
    state = "back in control" if notice.status == "resolved" else "out of control"
    return f"{notice.stream}: {series(notice.signals[0])} and {told - 1} more series {state} in one window"


def rule(signal: Signal, spec: StreamSpec | None) -> str:
    """The charts that signal, in words, with their limits."""
    if signal.contributions:
        return of_several(signal)
    metric = _metric(signal, spec)
    points = "one point" if metric is None or metric.charts.confirm == 1 else "two points in a row"
    beyond = f"{points} beyond {_sigmas(signal.shewhart_limit)}"
    broken = dict.fromkeys(beyond if name in LIMIT else RULES.get(name, name) for name in signal.rules)
    outside = not broken or (signal.z is not None and signal.shewhart_limit is not None and abs(signal.z) > signal.shewhart_limit)
    words = {
        "shewhart": " and ".join(dict.fromkeys([beyond] * outside) | broken),
        "cusum": f"a lasting shift (CUSUM beyond {_sigmas(signal.cusum_limit)})",
        "ewma": f"a drift (EWMA beyond {_sigmas(signal.ewma_width)})",
    }
    return " and ".join(words.get(chart, chart) for chart in signal.charts) or "no chart named"


def of_several(signal: Signal) -> str:
    """What a chart of several metrics says: `price and latency no longer go together (T2 beyond 14.2)`."""
    names = [one.metric for one in signal.contributions]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    limit = f"beyond {number(signal.ucl)}"
    return f"{listed} drift together (MEWMA {limit})" if "ewma" in signal.charts else f"{listed} no longer go together (T2 {limit})"


def facts(signal: Signal, spec: StreamSpec | None) -> list[Fact]:
    """Everything that a person needs to judge the signal, in the order of its use."""
    if signal.kind == "gap":
        return [Fact("Stream", signal.stream), Fact("Window", window(signal.start, signal.end, spec))]
    amount, metrics = _amount(signal, spec), []
    if signal.contributions:
        metrics = [Fact("Metrics", ", ".join(f"{one.metric} {100 * one.share:.0f} %" for one in signal.contributions))]
    lines = [
        Fact("Stream", signal.stream),
        Fact("Segment", "all records" if signal.segment == WHOLE else plain(signal.segment)),
        Fact("Value", f"{amount(signal.value)} against {amount(signal.centre)}, {distance(signal)}"),
        *metrics,
        Fact("Limits", f"LCL {amount(signal.lcl)}, UCL {amount(signal.ucl)}, n = {signal.n:,}"),
        Fact("Window", window(signal.start, signal.end, spec)),
        Fact("Since", since(signal, spec)),
        Fact("Baseline", f"version {signal.baseline_version}"),
        Fact("Action", action(signal, spec)),
    ]
    if signal.kind == "resolve":
        lines.append(Fact("Lasted", f"{span_of_time(signal.end - signal.opened)}, {signal.windows} windows signalled"))
    return lines


def distance(signal: Signal) -> str:
    """How far from the centre: `+12.3 sigma`."""
    return "no distance" if signal.z is None else f"{signal.z:+.1f} sigma"


def since(signal: Signal, spec: StreamSpec | None) -> str:
    """Direction and estimated onset, in time and in source offsets."""
    direction = f"{signal.side}, " if signal.side else ""
    offsets = spans(signal.onset_sources)
    return f"{direction}estimated from {instant(signal.onset, spec)}" + (f" ({offsets})" if offsets else "")


def spans(sources: tuple[Span, ...]) -> str:
    """Source offsets by partition: `partition 3: 12 to 45`, the first few of them."""
    listed = [f"partition {span.partition}: {span.first} to {span.last}" for span in sources[:SPANS]]
    return "; ".join(listed + ([f"and {len(sources) - SPANS} more"] if len(sources) > SPANS else []))


def action(signal: Signal, spec: StreamSpec | None) -> str:
    """What was done with the records of the window."""
    if not signal.rejected:
        return "none: the records pass"
    if spec is None or spec.quarantine_topic is None:
        return "the window is rejected"
    done = "quarantined in" if spec.clean_topic else "copied to"
    return f"the window is rejected, its records are {done} {spec.quarantine_topic}"


def window(start: int, end: int, spec: StreamSpec | None) -> str:
    """A span of event time with its zone: `2013-02-08 00:00 to 2013-02-09 00:00 EST (America/New_York)`."""
    first, last = moment(start, spec), moment(end, spec)
    unit = "minutes" if start % 60_000_000 == end % 60_000_000 == 0 else "milliseconds"
    begin, to = (at.replace(tzinfo=None).isoformat(" ", unit) for at in (first, last))
    turn = "" if first.tzname() == last.tzname() else f" {first.tzname()}"  # the clocks change on the way
    return f"{begin}{turn} to {to} {last.tzname()} ({zone(spec)})"


def instant(at: int, spec: StreamSpec | None) -> str:
    """A moment of event time with its zone's short name."""
    return f"{moment(at, spec):%Y-%m-%d %H:%M %Z}"


def moment(at: int, spec: StreamSpec | None) -> datetime:
    """Microseconds as a moment in the stream's zone, as near as the calendar of the machine reaches."""
    seconds, us = divmod(min(max(at, EARLIEST), LATEST), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=us).astimezone(ZoneInfo(zone(spec)))


def zone(spec: StreamSpec | None) -> str:
    """The stream's zone; UTC for a stream of another configuration."""
    return spec.timezone if spec else "UTC"


def span_of_time(us: int) -> str:
    """A duration in its two largest units: `2 d 3 h`."""
    seconds, parts = max(0, us) // 1_000_000, []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def number(value: float | None) -> str:
    """Four significant digits, thousands apart."""
    if value is None or math.isnan(value):
        return "none"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def share(value: float | None) -> str:
    """A proportion in per cent, three significant digits."""
    return "none" if value is None or math.isnan(value) else f"{100 * value:.3g} %"


def plain(text: str) -> str:
    """A name from the data on one line, without control characters, at most `NAME` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= NAME else line[: NAME - 1] + "…"


def _metric(signal: Signal, spec: StreamSpec | None) -> MetricSpec | None:
    return next((metric for metric in spec.metrics if metric.name == signal.metric), None) if spec else None


def _amount(signal: Signal, spec: StreamSpec | None) -> Callable[[float | None], str]:
    metric = _metric(signal, spec)
    return share if metric and metric.kind in SHARES else number


def _sigmas(limit: float | None) -> str:
    return "its limit" if limit is None else f"{limit:.3g} sigma"

"""An episode in people's words: titles, numbers, times, facts and links, the same for every kind of receiver."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from streamspc.effect.times import EARLIEST, LATEST, instant, window
from streamspc.model import WHOLE, Links, MetricKind, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamspc.model import MetricSpec, Notice, Signal, Span, StreamSpec, Told

NAME = 80  # characters of a name from the data (a segment) that are shown
SPANS = 4  # source partitions that are shown
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
    Rule.STUCK: "the same value again and again: it is stuck",
}
ANSWERS = {
    "": "back in control",
    "accept": "has a new level that was accepted",
    "reset": "learns a new baseline",
    "learn": "has learnt a new baseline",
}
SHARES = frozenset({MetricKind.PROPORTION, MetricKind.NULL_RATE})


PROVISIONAL = ", provisional: too little is known yet to promise anything, so nothing is rejected"

BEFORE, AFTER = 24, 6  # windows around an episode that a dashboard shows


class Fact(NamedTuple):
    """One line of a message: what it is about, and what is the case."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """What the words need to know of the application."""

    app: str = "streamspc"
    specs: Mapping[str, StreamSpec] = field(default_factory=dict)
    links: Links = field(default_factory=Links)

    def spec(self, signal: Signal) -> StreamSpec | None:
        """The signal's stream, None for one of another configuration."""
        return self.specs.get(signal.stream)


def title(signal: Signal, spec: StreamSpec | None) -> str:
    """One line that says what happened: `cancelled (EWR) out of control: one point beyond 3 sigma`."""
    if signal.kind == "gap":
        return f"{signal.stream} is silent: a long run of windows without records"
    if signal.kind == "resolve":
        return f"{series(signal)} {ANSWERS[signal.answer]}"
    state = "level shift, awaits an answer" if signal.awaiting else "out of control"
    return f"{series(signal)} {state}{' (provisional)' * signal.provisional}: {rule(signal, spec)}"


def series(signal: Signal) -> str:
    """The metric, and its segment in brackets."""
    if signal.kind == "gap":
        return "silence"
    return signal.metric if signal.segment == WHOLE else f"{signal.metric} ({plain(signal.segment)})"


def headline(notice: Notice, words: Words) -> str:
    """The line above a message: the title of its only episode, or the first series and how many more there are."""
    many = len(notice.told) + notice.more
    first = notice.told[0].signal
    if many == 1:
        return title(first, words.spec(first))
    state = "back in control" if notice.status == "resolved" else "out of control"
    where = notice.streams[0] if len(notice.streams) == 1 else f"{len(notice.streams)} streams"
    return f"{where}: {series(first)} and {many - 1} more series {state}"


def origin(notice: Notice, words: Words) -> str:
    """Where a message comes from, and which one of its group it is."""
    update = f", message {notice.number}" if notice.number > 1 else ""
    return f"streamspc {words.app}, {', '.join(map(plain, notice.streams))}, group {notice.group}{update}"


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


def facts(told: Told, spec: StreamSpec | None) -> list[Fact]:
    """Everything that a person needs to judge an episode, in the order of its use. At most ten."""
    signal, labels = told.signal, told.labels
    urgency = Fact("Severity", labels.severity + (f", owner {plain(labels.owner)}" if labels.owner else ""))
    if signal.kind == "gap":
        return [Fact("Stream", signal.stream), Fact("Window", window(signal.start, signal.end, spec)), urgency]
    amount, metrics = _amount(signal, spec), []
    if signal.contributions:
        metrics = [Fact("Metrics", ", ".join(f"{one.metric} {100 * one.share:.0f} %" for one in signal.contributions))]
    measured = [
        Fact("Value", f"{amount(signal.value)} against {amount(signal.centre)}, {distance(signal, spec)}"),
        *metrics,
        Fact("Limits", f"LCL {amount(signal.lcl)}, UCL {amount(signal.ucl)}, n = {signal.n:,}"),
    ]
    return [
        Fact("Stream", signal.stream),
        Fact("Segment", "all records" if signal.segment == WHOLE else plain(signal.segment)),
        *([Fact("Answer", answer(signal, amount))] if signal.answer else measured),
        Fact("Window", window(signal.start, signal.end, spec)),
        Fact("Since", since(signal, spec)),
        Fact("Lasted", f"{span_of_time(signal.end - signal.opened)}, {signal.windows} windows signalled")
        if signal.kind == "resolve"
        else Fact("Baseline", f"version {signal.baseline_version}{PROVISIONAL if signal.provisional else ''}"),
        urgency,
        Fact("Action", action(told, spec)),
    ]


def paragraph(told: Told, spec: StreamSpec | None) -> str:
    """The facts of an episode among others, in one line."""
    found = {fact.label: fact.text for fact in facts(told, spec)}
    return "; ".join(
        found[label] for label in ("Answer", "Value", "Metrics", "Limits", "Since", "Lasted", "Action", "Severity") if label in found
    )


def links(told: Told, words: Words) -> list[tuple[str, str]]:
    """Names and addresses of the places where to look closer; none where the configuration names none."""
    signal, given = told.signal, words.links
    spec = words.spec(signal)
    size = spec.window_us if spec else 0
    seen = max(EARLIEST, min(signal.onset or signal.start, signal.start) - BEFORE * size)
    until = min(LATEST, signal.end + AFTER * size)
    values = {
        "stream": quote(signal.stream, safe=""),
        "metric": quote(signal.metric, safe=""),
        "segment": quote(signal.segment[:NAME], safe=""),
        "from": str(seen // 1000),
        "to": str(until // 1000),
    }
    runbook = (given.runbooks or {}).get((signal.stream, signal.metric), given.runbook)
    places = (("Dashboard", given.dashboard), ("Runbook", runbook), ("Page", given.page))
    return [(name, _fill(address, values)) for name, address in places if address]


def _fill(address: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        address = address.replace("{" + name + "}", value)
    return address


def distance(signal: Signal, spec: StreamSpec | None) -> str:
    """How far from the centre, in the metric's unit and in sigma: `+48.1 pp, +12.3 sigma`."""
    if signal.z is None:
        return "no distance"
    beyond = f"{signal.z:+.1f} sigma"
    if signal.value is None or signal.centre is None:
        return beyond
    shift, metric = signal.value - signal.centre, _metric(signal, spec)
    text = f"{100 * shift:.3g} pp" if metric and metric.kind in SHARES else number(shift)
    return f"{text if text.startswith('-') else '+' + text}, {beyond}"


def since(signal: Signal, spec: StreamSpec | None) -> str:
    """Direction and estimated onset, in time and in source offsets."""
    direction = f"{signal.side}, " if signal.side else ""
    offsets = spans(signal.onset_sources)
    return f"{direction}estimated from {instant(signal.onset, spec)}" + (f" ({offsets})" if offsets else "")


def spans(sources: tuple[Span, ...]) -> str:
    """Source offsets by partition: `partition 3: 12 to 45`, the first few of them."""
    listed = [f"partition {span.partition}: {span.first} to {span.last}" for span in sources[:SPANS]]
    return "; ".join(listed + ([f"and {len(sources) - SPANS} more"] if len(sources) > SPANS else []))


def answer(signal: Signal, amount: Callable[[float | None], str]) -> str:
    """Who ended the episode by a command, why, and what holds now: `accepted by ann: a new supplier; centre 12.4, version 2`."""
    done = {"accept": "accepted", "reset": "reset", "learn": "learnt from the past"}[signal.answer] + (
        f" by {plain(signal.by)}" if signal.by else ""
    )
    now = "Phase I begins again" if signal.answer == "reset" else f"centre {amount(signal.centre)}, version {signal.baseline_version}"
    return f"{done}{f': {plain(signal.why)}' if signal.why else ''}; {now}"


def action(told: Told, spec: StreamSpec | None) -> str:
    """What was done with the records."""
    done = _done(told, spec)
    if not told.signal.awaiting or told.signal.kind == "resolve":
        return done
    return f"{done}; no more are rejected on this side until `streamspc baseline accept` or `reset`"


def _done(told: Told, spec: StreamSpec | None) -> str:
    if not told.rejected:
        return "none: the records pass"
    done = "the window is rejected" if told.rejected == 1 else f"{told.rejected} windows are rejected"
    if spec is None or spec.quarantine_topic is None:
        return done
    whose, how = "its" if told.rejected == 1 else "their", "quarantined in" if spec.clean_topic else "copied to"
    return f"{done}, {whose} records are {how} {spec.quarantine_topic}"


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
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "(blank)"  # services refuse an empty text
    return line if len(line) <= NAME else line[: NAME - 1] + "…"


def _metric(signal: Signal, spec: StreamSpec | None) -> MetricSpec | None:
    return next((metric for metric in spec.metrics if metric.name == signal.metric), None) if spec else None


def _amount(signal: Signal, spec: StreamSpec | None) -> Callable[[float | None], str]:
    metric = _metric(signal, spec)
    return share if metric and metric.kind in SHARES else number


def _sigmas(limit: float | None) -> str:
    return "its limit" if limit is None else f"{limit:.3g} sigma"

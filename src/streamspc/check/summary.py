"""The summary of a run: facts for machines, tables for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamspc.check.baselines import REASONS
from streamspc.check.rows import iso
from streamspc.model import Phase

if TYPE_CHECKING:
    from streamspc.check.baselines import Estimated
    from streamspc.check.drive import Steps
    from streamspc.check.episodes import Episode
    from streamspc.check.report import Report, Series
    from streamspc.model import Span

MOST = 20  # episodes that people are shown
MANY = 0.1  # share of a series' windows that have too few records, beyond which people are warned
DROPPED = 3  # windows that screening left out, likewise
PIPED = 160  # columns where no terminal tells its width
_TIMES = ("opened", "until", "onset", "worst")


def facts(report: Report, steps: Steps, config: str) -> dict[str, Any]:
    """Everything the run found, for JSON."""
    zone = report.spec.timezone
    return {
        "stream": report.spec.name,
        "config": config,
        "offsets": steps.offsets,
        "records": steps.records,
        "refused": dict(sorted(steps.refused.items())),
        "examples": {reason: _example(*example) for reason, example in sorted(steps.examples.items())},
        "counts": dict(sorted(report.counts.items())),
        "windows": report.windows,
        "start": None if report.first is None else iso(report.first, zone),
        "end": None if report.end is None else iso(report.end, zone),
        "points": {phase.value: report.points(phase) for phase in Phase},
        "baselines": [_baseline(one, zone) for one in report.baselines],
        "series": [series._asdict() for series in report.series()],
        "rejected": report.rejected,
        "promise": {"arl0": report.spec.budget.arl0, "per": report.spec.budget.per, "expected_false_episodes": report.expected()},
        "attainable": [one._asdict() for one in report.attainable],
        "gaps": [{"start": iso(start, zone), "end": iso(end, zone)} for start, end in report.gaps],
        "episodes": [_episode(episode, zone) for episode in report.episodes],
        "warnings": warnings(report),
    }


def encoded(answer: dict[str, Any]) -> bytes:
    """JSON for people and machines."""
    return msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n"


def _example(where: Span | None, detail: str) -> dict[str, Any]:
    place = {} if where is None else {"partition": where.partition, "offset": where.first}
    return place | {"detail": detail}


def _episode(episode: Episode, zone: str) -> dict[str, Any]:
    told = msgspec.structs.asdict(episode)
    return told | {name: iso(told[name], zone) for name in _TIMES}


def _baseline(one: Estimated, zone: str) -> dict[str, Any]:
    told = msgspec.structs.asdict(one) | {name: iso(getattr(one, name), zone) for name in ("at", "first")}
    return told | {"dropped": [iso(start, zone) for start in one.dropped]}


def warnings(report: Report) -> list[str]:
    """What makes `in control` mean less than it says."""
    series = report.series()
    learning = sum(not one.monitoring and not one.provisional for one in series)
    told = []
    if learning:
        wanted = report.spec.baseline.windows
        which = (
            "nothing was judged: every series" if learning == len(series) else f"{learning} of {len(series)} series were not judged: each"
        )
        told.append(f"{which} still learns from its first {wanted} windows (`baseline.windows`)")
    if provisional := report.provisional():
        told.append(_provisional(provisional, len(series)))
    if few := [one for one in series if one.too_few > MANY * (one.learning + one.monitoring + one.provisional + one.too_few)]:
        told.append(_too_few(few))
    if cut := sum(episode.opened == report.last for episode in report.episodes):
        which = "an episode begins" if cut == 1 else f"{cut:,} episodes begin"
        told.append(f"{which} in the last window: where the data end within it, its counts and sums are too low; leave its records out")
    return told


def _provisional(which: list[Estimated], series: int) -> str:
    """Baselines that promise nothing yet, and what they lack."""
    lacks = " and ".join(dict.fromkeys(REASONS[doubt] for one in which for doubt in one.provisional))
    one = f"the baseline of {which[0].metric}[{which[0].segment}] is"
    many = f"the baselines of {len(which)} of {series} series are"
    return f"{one if len(which) == 1 else many} still provisional ({lacks}): signals are marked, nothing is rejected, nothing is promised"


def _too_few(few: list[Series]) -> str:
    """Windows that hold records, but no value to judge."""
    worst = max(few, key=lambda one: one.too_few)
    windows, which = sum(one.too_few for one in few), f"{worst.metric}[{worst.segment}]"
    where = f"of {which}" if len(few) == 1 else f"of {len(few)} series, most of them of {which},"
    return f"{windows:,} windows {where} have too few records to judge: take a wider window, or a quantile nearer the middle"


def show(report: Report, steps: Steps, verdict: str) -> None:
    """Print tables on standard output."""
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, highlight=False, width=None if terminal else PIPED)
    zone = report.spec.timezone
    span = f", {iso(report.first, zone)} to {iso(report.end, zone)}" if report.first is not None and report.end is not None else ""
    console.print(Text(f"stream {report.spec.name}: {verdict}", style="bold"))
    console.print(Text(f"{steps.records:,} records, {report.windows:,} windows{span}"))
    learning, monitoring = report.points(Phase.LEARNING), report.points(Phase.MONITORING)
    few = f"{n:,} of too few records, " if (n := report.points(Phase.TOO_FEW)) else ""
    charted = f"{n:,} charted provisionally, " if (n := report.points(Phase.PROVISIONAL)) else ""
    judged = f"{monitoring:,} points judged, {learning:,} learnt from, {charted}{few}{report.rejected:,} windows rejected"
    console.print(Text(f"{len(report.series()):,} series, {judged}"))
    if (expected := report.expected()) is not None:
        early = f", {n:,} of them provisional" if (n := sum(episode.provisional for episode in report.episodes)) else ""
        n = len(report.episodes)
        console.print(Text(f"{n:,} episode{'s' * (n != 1)}{early}; had nothing changed, {expected:.2g} would be expected by chance"))
    if any(one.dropped for one in report.baselines):
        console.print(Text(_left_out(report, zone)))
    for one in report.attainable:
        rate = "none" if one.attainable is None else f"one in {one.attainable:,.0f} windows"
        told = f"{one.metric}[{one.segment}]: hits are whole numbers: of one false alarm in {one.promised:,.0f} windows they allow {rate}"
        console.print(Text(told))
    for reason, n in sorted(steps.refused.items()):
        where, detail = steps.examples[reason]
        console.print(Text(f"refused: {reason} {n:,} ({f'first: {report.places([where])}: ' if where else ''}{detail})"))
    for name, n in sorted(report.counts.items()):
        if n:
            console.print(Text(f"{name}: {n:,}"))
    for start, end in report.gaps:
        console.print(Text(f"gap: no records from {iso(start, zone)} to {iso(end, zone)} and before"))
    for warning in warnings(report):
        console.print(Text(f"warning: {warning}"))
    if report.episodes:
        console.print(_table(report.episodes, zone))


def _left_out(report: Report, zone: str) -> str:
    """What screening left out, and the first few of it."""
    some = [one for one in report.baselines if one.dropped]
    shown = [f"{one.metric}[{one.segment}] {iso(start, zone)}" for one in some for start in one.dropped[:DROPPED]][:DROPPED]
    dropped, windows = sum(len(one.dropped) for one in some), sum(one.windows for one in report.baselines)
    more = f" and {dropped - len(shown):,} more" if dropped > len(shown) else ""
    return f"Phase I left out {dropped:,} of {windows:,} windows as far from the others: {', '.join(shown)}{more}"


def _table(episodes: list[Episode], zone: str) -> Table:
    title = f"the {MOST} worst episodes" if len(episodes) > MOST else "episodes"
    table = Table(title=title, title_justify="left")
    for name in ("opened", "until", "metric", "segment", "charts", "windows", "worst", "limits", "severity", "rejected"):
        table.add_column(name, justify="right" if name in {"windows", "worst", "severity"} else "left")
    shown = sorted(sorted(episodes, key=lambda episode: -episode.severity)[:MOST], key=lambda episode: episode.opened)
    for e in shown:
        limits = " to ".join("-" if limit is None else f"{limit:.5g}" for limit in (e.lcl, e.ucl))
        cells = (
            iso(e.opened, zone),
            iso(e.until, zone),
            e.metric,
            e.segment,
            f"{'+'.join((*e.charts, *e.rules))} {e.side}",
            f"{e.windows:,}",
            "-" if e.value is None else f"{e.value:.5g}",
            limits,
            f"{e.severity:.3f}",
            ("yes" if e.rejected else "")
            + (" muted" if e.muted else "")
            + (" level shift" if e.level_shift else "")
            + (" provisional" if e.provisional else ""),
        )
        table.add_row(*map(Text, cells))
    return table

"""What a person sees of the demo: a live bar, a line as an episode opens or closes, chat messages, and tables at the end."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from streamspc.demo.flights import ZONE
from streamspc.model import WHOLE, Signal

FLIGHTS = 336_776  # records of the package; only the bar's length depends on it
ZONE_INFO = ZoneInfo(ZONE)


class Balance(msgspec.Struct):
    """Counts of records that a reader of its own found in the topics, read committed."""

    produced: int
    read: int
    clean: int
    quarantined: int

    @property
    def holds(self) -> bool:
        """Every record is in exactly one of the two topics."""
        return self.produced == self.read == self.clean + self.quarantined


class Episode(msgspec.Struct):
    """One episode from its signals. Times are epoch microseconds."""

    id: str
    metric: str
    segment: str
    opened: int
    last: int
    windows: int
    peak: float
    centre: float
    rejected: bool
    closed: bool
    charts: tuple[str, ...]


class Summary(msgspec.Struct):
    """The end of the play."""

    episodes: list[Episode]
    balance: Balance
    seconds: float
    messages: int = 0


class Show:
    """Keeps the bar and prints lines above it."""

    def __init__(self, console: Console, listen: str) -> None:
        """`listen` is where the daemon answers /metrics."""
        self.console = console
        self.url = f"http://{listen}/metrics"
        self.counts: Counter[str] = Counter()
        self.messages = 0
        numbers = "{task.fields[clean]:>9,} clean {task.fields[quarantined]:>6,} quarantined"
        events = "{task.fields[windows]:>4} windows {task.fields[signals]:>4} signals"
        texts = [TextColumn(text) for text in ("[bold]{task.fields[records]:>9,}[/] records", numbers, events)]
        self._progress = Progress(texts[0], BarColumn(20), *texts[1:], TimeElapsedColumn(), console=console)
        self._task = self._progress.add_task("", total=2 * FLIGHTS, records=0, clean=0, quarantined=0, windows=0, signals=0)

    def progress(self) -> Progress:
        """The live bar as a context manager."""
        return self._progress

    def finished(self) -> bool:
        """Has every role of the daemon read to the end?"""
        return self.counts["roles"] > 0 and self.counts["roles"] == self.counts["finished"]

    def said(self, text: str) -> None:
        """A chat message came in."""
        self.messages += 1
        first, *rest = text.splitlines() or [""]
        self._progress.console.print(f"  [cyan]chat[/] {escape(first)}" + (f" [dim](+{len(rest)} lines)[/]" if rest else ""))

    def signals(self, signals: list[Signal]) -> None:
        """One line as an episode opens and as it closes."""
        for signal in signals:
            self.counts["signals"] += signal.kind in ("open", "update")
            if signal.kind == "open":
                verdict = "[red]rejected[/]" if signal.rejected else "alert only"
                self._progress.console.print(f"[red]opens [/] {_day(signal.start)}  {_series(signal):22} {_numbers(signal)}  {verdict}")
            elif signal.kind == "resolve":
                count = f"{signal.windows} window{'s' if signal.windows != 1 else ''}"
                self._progress.console.print(f"[green]closes[/] {_day(signal.start)}  {_series(signal):22} after {count}")

    def meters(self) -> None:
        """Scrape the daemon and move the bar. A daemon that does not answer yet is no error."""
        try:
            with urllib.request.urlopen(self.url, timeout=2.0) as answer:  # noqa: S310 - our own daemon on loopback
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "spc_records_total":
                    found[f"{sample.labels['role']}.{sample.labels['route']}"] += int(sample.value)
                elif sample.name == "spc_windows_total":
                    found["windows"] = max(found["windows"], int(sample.value))
                elif sample.name == "spc_role_finished":
                    found["roles"] += 1
                    found["finished"] += int(sample.value)
        self.counts.update({key: found[key] - self.counts[key] for key in ("roles", "finished")})
        read, clean, quarantined = found["observe.read"], found["gate.clean"], found["gate.quarantine"]
        done = read + clean + quarantined
        fields: dict[str, Any] = {"records": read, "clean": clean, "quarantined": quarantined, "windows": found["windows"]}
        self._progress.update(self._task, completed=done, signals=self.counts["signals"], **fields)


def episodes(signals: list[Signal]) -> list[Episode]:
    """Episodes in the order of their opening."""
    found: dict[str, Episode] = {}
    for s in sorted((s for s in signals if s.episode), key=lambda s: (s.start, s.episode)):
        value, centre = s.value or 0.0, s.centre or 0.0
        if (known := found.get(s.episode)) is None:
            found[s.episode] = Episode(
                s.episode, s.metric, s.segment, s.opened, s.end, s.windows, value, centre, s.rejected, s.kind == "resolve", s.charts
            )
            continue
        known.closed |= s.kind == "resolve"
        if s.kind != "resolve":
            known.windows, known.last, known.rejected = max(known.windows, s.windows), s.end, known.rejected or s.rejected
            if abs(value - centre) > abs(known.peak - centre):
                known.peak = value
    return sorted(found.values(), key=lambda e: (e.opened, e.metric, e.segment))


def summary_tables(console: Console, summary: Summary, judged_metric: str) -> None:
    """Episodes of the judged metric, all episodes by month, and the balance."""
    table = Table("opened", "series", "windows", "peak", "centre", "verdict", title=f"Episodes of {judged_metric}", box=SIMPLE)
    for e in summary.episodes:
        if e.metric == judged_metric:
            verdict = "[red]rejected[/]" if e.rejected else "alert only"
            numbers = str(e.windows), f"{e.peak:.1%}", f"{e.centre:.1%}"
            table.add_row(_day(e.opened), escape(_name(e.metric, e.segment)), *numbers, verdict)
    console.print(table)
    console.print(_by_month(summary, judged_metric))
    b = summary.balance
    verdict = "[green]holds[/]" if b.holds else "[red]does not hold[/]"
    console.print(f"balance {verdict}: {b.read:,} records in = {b.clean:,} clean + {b.quarantined:,} quarantined")
    console.print(f"{summary.messages} chat messages, {summary.seconds:.1f} s in all")


def _by_month(summary: Summary, judged_metric: str) -> Table:
    """Episodes by the month of their opening: those that rejected first, then all of each metric."""
    table = Table("episodes by month", box=SIMPLE)
    for month in range(1, 13):
        table.add_column(datetime(2013, month, 1, tzinfo=ZONE_INFO).strftime("%b"), justify="right")
    table.add_column("all", justify="right")
    rows = {f"{judged_metric}, rejecting": [e for e in summary.episodes if e.rejected]}
    rows |= {metric: [e for e in summary.episodes if e.metric == metric] for metric in sorted({e.metric for e in summary.episodes})}
    for name, chosen in rows.items():
        counts = Counter(_at(e.opened).month for e in chosen)
        table.add_row(name, *(str(counts[month] or "") for month in range(1, 13)), str(len(chosen)))
    return table


def _at(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, ZONE_INFO)


def _day(microseconds: int) -> str:
    return _at(microseconds).strftime("%a %d %b")


def _name(metric: str, segment: str) -> str:
    return metric if segment == WHOLE else f"{metric}[{segment}]"


def _series(signal: Signal) -> str:
    return escape(_name(signal.metric, signal.segment))


def _numbers(signal: Signal) -> str:
    rate = signal.metric in ("cancelled", "no_arrival")
    value, centre = ((f"{x:.1%}" if rate else f"{x:.1f}") for x in (signal.value or 0.0, signal.centre or 0.0))
    return f"{value} (centre {centre}, {signal.z or 0.0:+.1f} sigma; {', '.join(signal.charts)})"

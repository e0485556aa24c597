"""JUnit XML: a test case a series, failed by its episodes and skipped while it learns; what continuous integration shows."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # it writes only

from streamspc.check.rows import iso

if TYPE_CHECKING:
    from streamspc.check.episodes import Episode
    from streamspc.check.report import Report, Series

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to write


def junit(report: Report, config: str, unreadable: str | None = None) -> bytes:
    """The report as JUnit XML. `unreadable` says why the data could not be read, where they could not."""
    name = report.spec.name
    suite = ET.Element("testsuite", name=_text(name))
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="config", value=config)
    if unreadable is not None:
        ET.SubElement(_case(suite, name, "input"), "error", message=_text(unreadable), type="unreadable")
    if report.gaps:
        failure = ET.SubElement(_case(suite, name, "gaps"), "failure", message=f"{len(report.gaps)} gap(s) without records", type="gap")
        failure.text = _text("\n".join(f"{iso(a, report.spec.timezone)} {iso(b, report.spec.timezone)}" for a, b in report.gaps))
    found = defaultdict(list)
    for episode in report.episodes:
        found[episode.metric, episode.segment].append(episode)
    for series in report.series():
        _series(suite, report, series, found[series.metric, series.segment])
    counts = {kind: str(len(suite.findall(f"testcase/{tag}"))) for kind, tag in _COUNTED.items()}
    suite.attrib.update({"tests": str(len(suite.findall("testcase"))), **counts})
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _case(suite: ET.Element, stream: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_text(stream), name=_text(name))


def _series(suite: ET.Element, report: Report, series: Series, episodes: list[Episode]) -> None:
    case = _case(suite, f"{report.spec.name}.{series.metric}", f"{series.metric} [{series.segment}]")
    if episodes:
        message = f"{len(episodes)} episode(s), the first at {iso(episodes[0].opened, report.spec.timezone)}"
        failure = ET.SubElement(case, "failure", message=_text(message), type="out of control")
        failure.text = _text("\n".join(told(report, episode) for episode in episodes))
    elif not series.monitoring and not series.provisional:
        few = f", {series.too_few} more have too few records" if series.too_few else ""
        ET.SubElement(case, "skipped", message=f"it learns: {series.learning} of {report.spec.baseline.windows} windows{few}")


def told(report: Report, episode: Episode) -> str:
    """An episode as a line."""
    zone = report.spec.timezone
    limits = " to ".join("-" if limit is None else f"{limit:.6g}" for limit in (episode.lcl, episode.ucl))
    charts = "+".join((*episode.charts, *episode.rules))
    mostly = f"mostly {episode.contributions[0].metric}, " if episode.contributions else ""
    return (
        f"{iso(episode.opened, zone)} to {iso(episode.until, zone)}: {charts} {episode.side}, {episode.windows} window(s), "
        f"worst {episode.value:.6g} (limits {limits}, severity {episode.severity:.3f}) at {iso(episode.worst, zone)}, "
        f"{mostly}onset {iso(episode.onset, zone)}, {report.places(episode.sources)}, episode {episode.id}"
    )


def _text(text: str) -> str:
    """Text that XML can hold: what it cannot is written as Python escapes it."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)

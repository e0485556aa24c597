"""`multivariate:` of a stream: charts of several metrics together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from streamspc.model import ChartKind
from streamspc.settings.part import Name, Number, Part, fault

if TYPE_CHECKING:
    from streamspc.settings.streams import Judge

WINDOWS_A_METRIC = 5  # of Phase I, at least, and so many of the average's weight
WINDOWS_A_WEIGHT = 2.5


_LENGTH: dict[str, JsonValue] = {"minItems": 2, "maxItems": 10, "uniqueItems": True}


def _several(names: tuple[str, ...]) -> tuple[str, ...]:
    """Two to ten, each once."""
    if not 2 <= len(names) <= 10:
        raise fault(f"expected two to ten metrics, got {len(names)}")
    if len(set(names)) < len(names):
        raise fault("names a metric twice")
    return names


class Multivariate(Part):
    """A chart of several metrics together: it tells when they break their correlation, or drift together, and which of them it is."""

    name: Name
    """Name of the chart; labels and messages carry it as they carry a metric's."""
    metrics: Annotated[tuple[Name, ...], AfterValidator(_several)] = Field(json_schema_extra=_LENGTH)
    """Names of the metrics. A window in which any of them is missing is no point."""
    chart: Literal["mewma", "t2"] = "mewma"
    """`mewma` for small shifts that last, `t2` (Hotelling) for large ones of a single window."""
    weight: Number = Field(default=0.1, ge=0.05, le=1, alias="lambda")
    """Weight of the newest point in a MEWMA."""
    limit: Number | None = Field(default=None, gt=0)
    """Limit of T2 that is not to follow from `false_alarms`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Keys that have no meaning beside others."""
        if self.chart == "t2" and self.written("weight"):
            yield "lambda", "needs chart: mewma; T2 looks at one window alone"

    @property
    def memory(self) -> float:
        """The weight, 1 for T2."""
        return 1.0 if self.chart == "t2" else self.weight


def faults(charts: Sequence[Multivariate], windows: int, judges: Sequence[Judge]) -> Iterator[tuple[str, str]]:
    """What does not fit the rest of the stream, as (key, text)."""
    for chart in charts:
        wanted = max(WINDOWS_A_METRIC * len(chart.metrics), WINDOWS_A_WEIGHT / chart.memory)
        if windows < wanted:
            yield "multivariate", f"{chart.name} needs baseline.windows of {wanted:.0f} or more to learn how its metrics vary together"
        kind = ChartKind.SHEWHART if chart.memory == 1.0 else ChartKind.EWMA
        if any(judge.metric == chart.name and kind not in judge.charts for judge in judges):
            yield "judge_by", f"{chart.name} signals as {kind}: write charts: [{kind}]"

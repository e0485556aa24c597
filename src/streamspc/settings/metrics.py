"""`metrics:` of a stream: what is computed for each window, and how it is charted.

A metric is flat: `name`, `kind`, and the keys of that kind. Each kind is a model of its own, so that an editor offers just those keys and
a missing `field` is found before anything starts. Rejected: the kind as a key (`mean: dep_delay`), which reads well for one
argument, but not for the proportions and quantiles that have two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from streamspc.model import RUN_RULES, ChartKind, Rule
from streamspc.settings.document import Substituted
from streamspc.settings.part import FieldPath, Name, Number, Part, Text, fault
from streamspc.settings.routing import Link, Severity

_EFFECT = r"([0-9]+(?:\.[0-9]+)?) ?(pp|%|sigma)"


class Shift(NamedTuple):
    """The smallest shift that matters, in the unit it was written in ("" is the metric's own)."""

    amount: float
    unit: str


def _shift(value: object) -> Shift:
    """A number, or text such as `10 pp`, `5 %`, `0.5 sigma`."""
    match = re.fullmatch(_EFFECT, value) if isinstance(value, str) else None
    if match:
        shift = Shift(float(match[1]), match[2])
    elif isinstance(value, Substituted):
        try:
            shift = Shift(float(value), "")
        except ValueError:
            shift = Shift(0.0, "")
    else:
        shift = Shift(float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0, "")
    if not 0 < shift.amount < float("inf"):
        raise fault('expected a number above 0 in the metric\'s unit, or "10 pp", "5 %", "0.5 sigma"')
    return shift


def _run_rule(rule: Rule) -> Rule:
    """Any but the one that has a key of its own."""
    if rule not in RUN_RULES:
        raise fault("stuck is no run rule; write stuck: true beside the metric's name, or nothing")
    return rule


MinEffect = Annotated[
    Shift,
    BeforeValidator(_shift),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": f"^{_EFFECT}$"}]}),
]
RunRule = Annotated[Rule, AfterValidator(_run_rule), WithJsonSchema({"enum": [rule.value for rule in RUN_RULES], "type": "string"})]
RunRules = Annotated[tuple[RunRule, ...], Field(json_schema_extra={"uniqueItems": True})]
Charts = Annotated[tuple[ChartKind, ...], Field(json_schema_extra={"uniqueItems": True})]
Scales = Annotated[tuple[Number, ...], Field(json_schema_extra={"uniqueItems": True})]


class Shewhart(Part):
    """Signals at a single large shift."""

    limit: Number | None = Field(default=None, gt=0)
    """Control limits, in sigma from the centre. Without it: from `false_alarms`."""
    confirm: Literal[1, 2] = 1
    """Points in a row, beyond the limit on one side, that make a signal."""


class Cusum(Part):
    """Signals at a small shift that lasts. It sums what exceeds `k` and signals above `h`."""

    k: Number = Field(default=0.5, ge=0)
    """Half of the shift to find soonest, in sigma."""
    h: Number | None = Field(default=None, gt=0)
    """Decision interval, in sigma. Without it: from `false_alarms`."""
    scales: Scales = ()
    """`k` of further CUSUMs, which find shifts of other sizes: 0.25, 0.5 or 1 where they are to share a promise with other charts."""
    headstart: Number = Field(default=0.0, ge=0)
    """Where the sums begin, in sigma: above 0, a shift that is there from the start is found sooner."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Further scales have no place for a limit."""
        if self.scales and self.h is not None:
            yield "scales", "need limits from false_alarms; leave out h"


class Ewma(Part):
    """Signals at a small shift that lasts. It averages with weights that fade."""

    weight: Number = Field(default=0.2, gt=0, le=1, alias="lambda")
    """Weight of the newest point."""
    scales: Scales = ()
    """`lambda` of further EWMAs, which average over longer or shorter times."""
    limit: Number | None = Field(default=None, gt=0)
    """Control limits, in sigma of the average. Without it: from `false_alarms`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Further scales have no place for a limit."""
        if self.scales and self.limit is not None:
            yield "scales", "need limits from false_alarms; leave out limit"


class ChartLimits(Part):
    """Parameters of the charts. Limits that are not written follow from `false_alarms`; one that is has no part in its promise."""

    shewhart: Shewhart = Shewhart()
    """The Shewhart chart."""
    cusum: Cusum = Cusum()
    """The CUSUM chart."""
    ewma: Ewma = Ewma()
    """The EWMA chart."""


class _Metric(Part):
    """Keys of every kind."""

    name: Name
    """Name of the metric; labels and messages carry it."""
    where: Text | None = None
    """Which records count, such as `carrier == "AA" and distance > 500`. Without it: all."""
    direction: Literal["up", "down", "both"] = "both"
    """The side on which a shift is bad."""
    min_effect: MinEffect | None = None
    """The smallest shift that matters: a number in the metric's unit, `10 pp` (percentage points), `5 %` (of the centre), `0.5 sigma`.
    Without it: 0.1 pp for shares, so that one record in a million never signals, and any shift of other metrics."""
    charts: ChartLimits | None = None
    """Limits that differ from the stream's."""
    signal_by: Charts | None = None
    """Charts that may open an episode, instead of the stream's; `[]` charts without alerts."""
    rules: RunRules = ()
    """Run rules of the Shewhart chart, such as `[we2, we3]`. Those about zones (we2, we3) keep the promise of `false_alarms`; others need a
    limit that is written, and give false alarms at a rate of their own."""
    stuck: bool = True
    """Signal when one value comes so often in a row that chance would be rarer than `false_alarms`. Not for quantiles and shares."""
    owner: str = ""
    """Whose it is, instead of the stream's owner."""
    severity: Severity | None = None
    """How urgent it is, instead of the stream's severity."""
    runbook: Link = ""
    """What to do, instead of `links.runbook`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Percentage points are for shares; run rules are part of the Shewhart chart."""
        yield from self.unheard()
        if self.min_effect is not None and self.min_effect.unit == "pp":
            yield "min_effect", "percentage points (pp) are for proportion and null_rate; write a number in the metric's unit"

    def unheard(self) -> Iterator[tuple[str, str]]:
        """Rules that nobody would hear of."""
        if self.rules and self.signal_by is not None and ChartKind.SHEWHART not in self.signal_by:
            yield "rules", "signal only with shewhart in signal_by"


class Counted(_Metric):
    """Number of records, or their lag (Kafka's time less event time, in seconds)."""

    kind: Literal["count", "lag"]
    """What is computed."""


class OfField(_Metric):
    """A statistic of a numeric field."""

    kind: Literal["sum", "mean", "sd", "min", "max"]
    """What is computed."""
    field: FieldPath
    """The field, with dots into nested ones."""


class _Share(_Metric):
    """Shares, for which percentage points have a meaning."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Shares end at one; run rules are part of the Shewhart chart."""
        yield from self.unheard()
        shift = self.min_effect
        if shift is not None and (shift.amount >= 1 if shift.unit == "" else shift.unit == "pp" and shift.amount >= 100):
            yield "min_effect", "a share cannot move by 100 pp or more; write 10 pp for 10 percentage points"


class NullRate(_Share):
    """Share of the records whose field is null or missing."""

    kind: Literal["null_rate"]
    """What is computed."""
    field: FieldPath
    """The field, with dots into nested ones."""


class Proportion(_Share):
    """Share of the records of `of` for which `where` holds."""

    kind: Literal["proportion"]
    """What is computed."""
    where: Text
    """Which records are hits, such as `dep_time is null`."""
    of: Text | None = None
    """Which records they are a share of. Without it: all."""


class Quantile(_Metric):
    """A quantile of a numeric field, within 1 %."""

    kind: Literal["quantile"]
    """What is computed."""
    field: FieldPath
    """The field, with dots into nested ones."""
    q: Number = Field(gt=0, lt=1)
    """Which quantile: 0.9 for the value that nine in ten records do not exceed."""


Metric = Annotated[Counted | OfField | NullRate | Proportion | Quantile, Field(discriminator="kind")]

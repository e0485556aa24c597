"""The plan of a stream: which fields its metrics need, and which tallies they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from streamspc.bucket.where import Where, compile_where
from streamspc.errors import ConfigError
from streamspc.model import Count, FieldKind, MetricKind, MetricSpec, Moments, Quantiles, Ratio, StreamSpec, Tally

_SCALES = {MetricKind.SUM, MetricKind.MEAN, MetricKind.SD, MetricKind.MIN, MetricKind.MAX, MetricKind.QUANTILE}
_OF_FIELD = {*_SCALES, MetricKind.NULL_RATE}


class Recipe(NamedTuple):
    """How one tally is made: of the records where `where` is true (None: of all).

    `field` None means: for moments the lag in seconds, else no field. `hits` is the numerator of a proportion.
    """

    form: type[Tally]
    field: str | None
    where: str | None
    hits: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The tallies of a stream in the order of `TallyTable.tallies`, without duplicates; `of_metric` says whose is whose."""

    fields: Mapping[str, FieldKind]
    tallies: tuple[Recipe, ...]
    of_metric: tuple[int, ...]  # [M]
    conditions: Mapping[str, Where]  # by text
    segmented: bool


def plan(spec: StreamSpec) -> Plan:
    """Plan the tallies of a stream. Raises ConfigError where a metric lacks what it needs or two uses of a field disagree."""
    problems = [f"stream {spec.name}, metric {metric.name}: {fault}" for metric in spec.metrics for fault in _faults(metric)]
    if problems:
        raise ConfigError(*problems)
    recipes = [_recipe(metric) for metric in spec.metrics]
    tallies = tuple(dict.fromkeys(recipes))
    texts = [text for metric in spec.metrics for text in (metric.where, metric.of) if text is not None]
    conditions = {text: compile_where(text) for text in dict.fromkeys(texts)}
    of_metric = tuple(tallies.index(recipe) for recipe in recipes)
    return Plan(_fields(spec, conditions), tallies, of_metric, conditions, bool(spec.segment_by))


def _faults(metric: MetricSpec) -> Iterator[str]:
    """What a metric lacks, and what it has no use for."""
    kind = metric.kind
    for name, given, wanted in (
        ("field", metric.field is not None, kind in _OF_FIELD),
        ("q", metric.q is not None, kind is MetricKind.QUANTILE),
    ):
        if given != wanted:
            yield f"a {kind} needs `{name}`" if wanted else f"a {kind} has no use for `{name}`"
    if metric.q is not None and not 0 < metric.q < 1:
        yield f"`q` is {metric.q}, but it has to lie between 0 and 1"
    if metric.of is not None and kind is not MetricKind.PROPORTION:
        yield f"a {kind} has no use for `of`; its filter is `where`"
    if metric.where is None and kind is MetricKind.PROPORTION:
        yield "a proportion needs `where`: which records it counts"


def _recipe(metric: MetricSpec) -> Recipe:
    if metric.kind is MetricKind.COUNT:
        return Recipe(Count, None, metric.where, None)
    if metric.kind is MetricKind.PROPORTION:
        return Recipe(Ratio, None, metric.of, metric.where)
    if metric.kind is MetricKind.NULL_RATE:
        return Recipe(Ratio, metric.field, metric.where, None)
    form = Quantiles if metric.kind is MetricKind.QUANTILE else Moments
    return Recipe(form, metric.field, metric.where, None)


def _fields(spec: StreamSpec, conditions: Mapping[str, Where]) -> dict[str, FieldKind]:
    """What each field has to be by all of its uses together."""
    kinds: dict[str, FieldKind] = {}
    by: dict[str, str] = {}
    problems = []
    for field, kind, use in _uses(spec, conditions):
        known = kinds.setdefault(field, kind)
        if known is FieldKind.ANY:
            kinds[field], by[field] = kind, use
        elif kind not in (FieldKind.ANY, known):
            problems.append(f"stream {spec.name}: field {field} is a {known} to {by[field]} but a {kind} to {use}")
        by.setdefault(field, use)
    if problems:
        raise ConfigError(*problems)
    return kinds


def _uses(spec: StreamSpec, conditions: Mapping[str, Where]) -> Iterator[tuple[str, FieldKind, str]]:
    """Field, kind, and who wants it so."""
    for metric in spec.metrics:
        if metric.field is not None:
            yield metric.field, FieldKind.NUMBER if metric.kind in _SCALES else FieldKind.ANY, f"metric {metric.name}"
        for text in (metric.where, metric.of):
            if text is not None:
                for field, kind in conditions[text].fields.items():
                    yield field, kind, f"`{text}` of metric {metric.name}"

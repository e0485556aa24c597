"""Views of many roles to one set of families: each metric once, each series once."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from streamspc.model import Family
from streamspc.serve.names import METRICS, label_names, metric_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamspc.model import View

ROWS = {"gauge": ("",), "counter": ("",), "histogram": ("_bucket", "_sum", "_count")}


def gather(views: Sequence[View], config_hash: str) -> dict[str, list[Family]]:
    """Families by metric, in the order of the table; metrics without a sample have an empty list.

    Where two views show the same series, counters and histograms add up and of gauges the last view's holds. Raises KeyError for a
    name that is not in the table, ValueError for labels that do not fit it.
    """
    found: dict[str, list[Family]] = {}
    for family in (*_process(views, config_hash), *(family for view in views for family in view.families)):
        found.setdefault(family.name, []).append(family)
    for name, families in found.items():
        _check(name, families)
    shown: dict[str, list[Family]] = {metric.name: [] for metric in METRICS.values()}
    for metric in METRICS.values():
        for row in ROWS[metric.type]:
            if metric.name + row in found:
                shown[metric.name].append(_merge(found[metric.name + row], adds=metric.type != "gauge"))
    return shown


def _process(views: Iterable[View], config_hash: str) -> Iterable[Family]:
    """What is known of the process itself."""
    ready = [((view.role,), float(view.ready)) for view in views]
    yield Family("spc_build_info", [(version("streamspc"), platform.python_version())], (1.0,))
    yield Family("spc_config_info", [(config_hash,)], (1.0,))
    yield Family("spc_role_ready", [role for role, _ in ready], [value for _, value in ready])


def _check(name: str, families: list[Family]) -> None:
    metric, width = metric_of(name), len(label_names(name))
    if metric.type == "histogram" and name == metric.name:
        raise KeyError(name)
    for family in families:
        if len(family.labels) != len(family.values) or set(map(len, family.labels)) - {width}:
            raise ValueError(f"{name}: expected {width} labels and one value for each row")


def _merge(families: list[Family], *, adds: bool) -> Family:
    if len(families) == 1:
        return families[0]
    rows: dict[tuple[str, ...], float] = {}
    for family in families:
        for labels, value in zip(family.labels, family.values, strict=True):
            rows[labels] = rows.get(labels, 0.0) + value if adds else value
    return Family(families[0].name, list(rows), list(rows.values()))

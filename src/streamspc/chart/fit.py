"""What follows from baselines and limits together, kept beside them so that no window works it out again. It is never saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import logarithm, sigma, stuck
from streamspc.chart.phase import phases
from streamspc.design.widening import widening

if TYPE_CHECKING:
    from streamspc.chart.baseline import Baseline
    from streamspc.chart.limits import Limits
    from streamspc.chart.phase import Phases
    from streamspc.chart.plan import Plan
    from streamspc.model import Floats, Ints


class Fit(NamedTuple):
    """Arrays [M, S]."""

    centre: Floats  # in the metric's unit
    floor: Floats  # of sigma
    widening: Floats  # of sigma, for what Phase I does not know; 1 where somebody wrote the limits
    scatter: Floats  # variance of the records of means in Phase I; nan where there is none
    phase: Phases  # of a point, where there is one
    rest: Floats  # sqrt(1 - phi^2): sigma of what the window before does not say
    correlated: bool  # is there any phi
    rare: bool  # is any series rare
    skewed: Ints  # metrics of which some series is
    stretched: bool  # are the zones of any run rules
    stuck: stuck.Limits


def fit(plan: Plan, baseline: Baseline, limits: Limits) -> Fit:
    """The fit of all series of a bank."""
    factor = np.ones(baseline.version.shape)
    for arl0 in np.unique(limits.arl0).tolist():
        at = np.nonzero((limits.arl0 == arl0) & (baseline.version > 0) & (baseline.side == 0))
        if arl0 and len(at[0]):
            factor[at] = widening(baseline.kept[at], baseline.phi[at], arl0)
    return Fit(
        logarithm.shown(plan.logs, baseline.centre) if len(plan.logs) else baseline.centre,
        sigma.floor(baseline.centre),
        factor,
        np.where(baseline.expected > 0.0, baseline.expected, np.nan),
        phases(baseline),
        np.sqrt(1.0 - baseline.phi * baseline.phi),
        bool(baseline.phi.any()),
        bool(baseline.side.any()),
        np.union1d(np.flatnonzero(baseline.bend.any(axis=1)), plan.logs),
        bool((limits.stretch != 1.0).any()),
        stuck.limits(baseline, plan.still, limits.arl0),
    )

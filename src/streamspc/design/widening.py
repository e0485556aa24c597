"""By how much limits are widened for what Phase I does not know, so that as many false alarms are expected as are allowed.

Charts designed for a known centre, sigma and autocorrelation, run on estimates of them, signal far too often: at an ARL0 of 370 and
50 windows 2.4 times, with an autocorrelation of 0.6 four times. They keep the promise in expectation when sigma is taken `widening`
times as large. Some series then signal more often than promised and others less, for that is what their Phase I made of them.

There is no formula for it: windows are screened, variance and autocorrelation come from what is left, Shewhart and CUSUM signal
together. It is a parametric bootstrap of that whole procedure (Gandy & Kvaloy 2013), done once for normal values and kept as a
table (`widening_table`, made by `bench/widening.py`). Between its nodes it is interpolated: linearly in 1 / m, at 1 for m without
end; in the autocorrelation that was learnt; in the logarithm of the ARL0, and on beyond the last. Few windows and rare alarms make
it large: more windows cure that, and nothing else does.

The table is that of the default charts. Others take the same factor: for a Shewhart chart alone it is more than is needed.

Sources: Quesenberry (1993), The effect of sample size on estimated limits, Journal of Quality Technology 25; Gandy & Kvaloy (2013),
Guaranteed conditional performance of control charts via bootstrap methods, Scandinavian Journal of Statistics 40.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamspc.design import arguments
from streamspc.design.widening_table import ARL0S, FACTORS, PHIS, WINDOWS

if TYPE_CHECKING:
    from streamspc.model import Codes, Floats, Ints

LEAST, MOST = 0.98, 20.0  # below 1 where phi errs on the safe side


def widening(m: Codes | Ints, phi: Floats, arl0: float) -> Floats:
    """The factor of sigma for series that learnt an autocorrelation phi from m windows, arrays of one length; to four decimals.

    Raises ValueError where arl0 is not above 1.

    >>> widening(np.array([50, 200, 10_000]), np.zeros(3), 370.4).round(2).tolist()
    [1.07, 1.0, 1.0]
    """
    table = _at(arguments.run_length("arl0", arl0))
    x = 1.0 / np.maximum(m, 2)
    nodes = 1.0 / np.array((*WINDOWS, math.inf))  # falling
    i = np.clip(np.searchsorted(-nodes, -x, side="right") - 1, 0, len(nodes) - 2)
    share = (x - nodes[i]) / (nodes[i + 1] - nodes[i])  # negative below the first node: on as it went
    factor: Floats = np.asarray((1.0 - share) * _along(table, i, phi), np.float64)
    factor += share * _along(table, i + 1, phi)
    return np.asarray(np.round(np.clip(factor, LEAST, MOST), 4), np.float64)


def _along(table: Floats, i: npt.NDArray[np.intp], phi: Floats) -> Floats:
    """The factor at node i of the windows. Without end of windows it is 1."""
    factor = np.ones(len(phi))
    for node in np.unique(i[i < len(PHIS)]).tolist():
        here = i == node
        factor[here] = along(phi[here], np.array(PHIS[node]), table[node])
    return factor


def along(phi: Floats, nodes: Floats, factors: Floats) -> Floats:
    """Linear between the nodes; the first one's below them, and on beyond the last by as much as half of the last step."""
    j = np.clip(np.searchsorted(nodes, phi, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((phi - nodes[j]) / (nodes[j + 1] - nodes[j]), 0.0, 1.5)
    factor: Floats = (1.0 - share) * factors[j] + share * factors[j + 1]
    return factor


@lru_cache(maxsize=256)
def _at(arl0: float) -> Floats:
    """The table at one ARL0: [windows and without end, phi]."""
    x, nodes, factors = math.log(arl0), np.log(ARL0S), np.array(FACTORS)
    i = min(max(int(np.searchsorted(nodes, x)) - 1, 0), len(nodes) - 2)
    share = (x - nodes[i]) / (nodes[i + 1] - nodes[i])
    table = (1.0 - share) * factors[..., i] + share * factors[..., i + 1]
    return np.concatenate((table, np.ones((1, table.shape[1]))))

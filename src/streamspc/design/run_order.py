"""Average run length of run rules about the order of values (Nelson 3 and 4), alone or with rules about zones.

The latest value x is a part of the state: whether the next point rises depends on it. In u = F(x) all points are uniform, so the law of
the points enters through the probabilities of the zones alone, and the average run length after (state s, u in zone z) is

    m(s, u) = 1 + sum over other zones z' of p(z') (mean of m(s', .)) + p(z) (integral above u of m(rise, .) + below u of m(fall, .))

with s' after a rise (z' above z) or fall, and integrals over the zone, of width 1. These functions are entire in u; with twelve
Gauss-Legendre nodes in each zone, and the integral of the interpolating polynomial, the error is below 1e-12. GMRES solves the system.

Sources: Nelson (1984), Journal of Quality Technology 16 (the rules); the equation is that of Champ & Woodall (1987), Technometrics 29,
with the current value kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.design.krylov import mean_times
from streamspc.design.panels import cumulative
from streamspc.design.quadrature import legendre

if TYPE_CHECKING:
    from streamspc.design.run_rules import Machine
    from streamspc.model import Floats

NODES = 12


def order_arl(machine: Machine, shares: Floats) -> float:
    """Average run length from the start, with the probabilities of the zones."""
    weights, below = legendre(NODES)[1] / 2.0, cumulative(NODES) / 2.0
    above = weights - below
    states = len(machine.step)
    own = np.maximum(machine.zone, 0)
    rise, fall = machine.step[np.arange(states), own], machine.step[:, -1]
    others = machine.step[:, :-1].copy()
    others[np.arange(1, states), own[1:]] = -1  # the start, number 0, has no zone of its own
    width = shares[own][:, None]
    width[0] = 0.0
    moments = np.zeros(states + 1)

    def expected(flat: Floats) -> Floats:
        """The average of m over the next point, from every state and node."""
        values = np.vstack((flat.reshape(states, NODES), np.zeros(NODES)))  # the last row is the signal
        moments[:-1] = (values[:-1] @ weights) * shares[own]
        result = width * (values[rise] @ above.T + values[fall] @ below.T)
        result += moments[others].sum(axis=1)[:, None]
        return result.ravel()

    return float(mean_times(expected, states * NODES)[0])

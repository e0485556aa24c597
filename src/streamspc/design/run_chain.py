"""Average run length of run rules about zones: a finite absorbing Markov chain.

The vector of average run lengths solves (I - Q) m = 1. Where the signal is so rare that a solver would lose digits that matter, states
are eliminated without a subtraction (`absorbing`).

Source: Champ & Woodall (1987), Exact results for Shewhart control charts with supplementary runs rules, Technometrics 29.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.design.absorbing import Absorbing

if TYPE_CHECKING:
    from streamspc.design.run_rules import Machine
    from streamspc.model import Floats

RARE = 1e6  # an average run length from which on the plain solution is not trusted


def chain_arl(machine: Machine, shares: Floats) -> float:
    """Average run length from the start, with the probabilities of the zones.

    >>> from streamspc.design.run_rules import machine
    >>> _, eight_on_one_side = machine((2,), 3.0, 8)
    >>> round(chain_arl(eight_on_one_side, np.array([0.5, 0.5])), 9)
    255.0
    """
    count = len(machine.step)
    moves = np.zeros((count, count + 1))  # the last column is the signal
    for zone, share in enumerate(shares):
        moves[np.arange(count), machine.step[:, zone]] += share
    steps, leave = moves[:, :-1], moves[:, -1]
    try:
        arl = float(np.linalg.solve(np.eye(count) - steps, np.ones(count))[0])
    except np.linalg.LinAlgError:
        arl = np.inf
    return arl if 0.0 < arl < RARE else float(Absorbing(steps, leave).mean[0])

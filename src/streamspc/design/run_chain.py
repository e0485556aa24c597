"""Average run length of run rules about zones: a finite absorbing Markov chain.

The vector of average run lengths solves (I - Q) m = 1. Where the signal is rare beyond what a solver in double precision keeps, states
are eliminated without a subtraction, so that every digit stays (Grassmann, Taksar & Heyman 1985, Regenerative analysis and steady state
distributions for Markov chains, Operations Research 33).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.design.run_rules import Machine
    from streamspc.model import Floats

RARE = 1e6  # an average run length beyond which a plain solution loses digits that matter


def chain_arl(machine: Machine, shares: Floats) -> float:
    """Average run length from the start, with the probabilities of the zones."""
    count = len(machine.step)
    moves = np.zeros((count, count + 1))  # the last column is the signal
    for zone, share in enumerate(shares):
        moves[np.arange(count), machine.step[:, zone]] += share
    inner = moves[:, :-1]
    try:
        arl = float(np.linalg.solve(np.eye(count) - inner, np.ones(count))[0])
    except np.linalg.LinAlgError:
        arl = np.inf
    return arl if 0.0 < arl < RARE else eliminated(moves)


def eliminated(moves: Floats) -> float:
    """The same by elimination from the last state to the first, with positive terms alone. [states, states + the signal]."""
    moves, wait = moves.copy(), np.ones(len(moves))
    for state in range(len(moves) - 1, 0, -1):
        leaving = moves[state, :state].sum() + moves[state, -1]
        if leaving == 0.0:
            return np.inf
        into = moves[:state, state] / leaving
        moves[:state, :state] += np.outer(into, moves[state, :state])
        moves[:state, -1] += into * moves[state, -1]
        wait[:state] += into * wait[state]
    return float(wait[0] / moves[0, -1]) if moves[0, -1] > 0.0 else np.inf

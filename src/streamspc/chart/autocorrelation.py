"""Autocorrelation: what the last window says of this one.

Windows that are alike because they follow each other make charts of the values signal far too often: at a lag-1 correlation of 0.6
a CUSUM has ten times its rate of false alarms. Charts therefore watch the residuals of a first-order autoregression. With u_t the
window's standardised distance from the centre,

    z_t = (u_t - phi u_{t-1}) / sqrt(1 - phi^2)

where the window before had a point that did not signal, else z_t = u_t: both have variance one. An outlier thus never speaks for
its successor, and windows behind a gap are judged by themselves.

phi is estimated from the windows that screening kept, r the lag-1 correlation of m of them:

    f = r + (1 + 3 r) / m               the bias of r with an estimated centre (Marriott & Pope 1954; Kendall 1954)
    phi = f + sqrt((1 - f^2) / m)       one standard error more, from 0 to 0.9

There is no test whether there is any autocorrelation, for what a test overlooks would break the promise: phi is 0 where the
estimate is, and the standard error more costs little, as residuals that are a little too independent are on the safe side, where
too little phi is not. It vanishes with more windows. With fewer than `PAIRS` pairs of neighbours nothing is estimated. Negative
autocorrelation makes charts slower to signal falsely; it is left alone.

A shift of the level by d shows in full in its first window and by (1 - phi) d in those that follow: estimates of the shift by
charts with a memory are divided by that.

Sources: Alwan & Roberts (1988), Time-series modeling for statistical process control, Journal of Business & Economic Statistics 6;
Apley & Lee (2003), Design of exponentially weighted moving average control charts for autocorrelated processes with model
uncertainty, Technometrics 45.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import order
from streamspc.chart.places import places, put

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats

PAIRS = 20  # of neighbours, to estimate from
MOST = 0.9


class Carry(NamedTuple):
    """What the last window says of the next one, [M, S]."""

    value: Floats  # its standardised distance from the centre, 0 where it does not speak
    speaks: Bools

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Carry:
        """Nothing."""
        return cls(np.zeros((metrics, segments)), np.zeros((metrics, segments), bool))

    @classmethod
    def of(cls, alone: Floats, speaks: Bools) -> Carry:
        """What this window says: its distances, where it speaks. The array is ours from now on."""
        put(alone, places(~speaks), 0.0)
        return cls(alone, speaks)

    def tells(self, phi: Floats, rest: Floats) -> tuple[Floats, Floats]:
        """How far the next window is expected from the centre, and which share of sigma is left to it."""
        share = rest.copy()
        put(share, places(~self.speaks), 1.0)
        return phi * self.value, share


def estimate(distance: Floats, keep: Bools) -> Floats:
    """Phi of q series from distances [m, q] to their centre, 0 where they are not kept. [q]."""
    pairs = keep[1:] & keep[:-1]
    number, m = order.kept(pairs), order.kept(keep)
    square = order.total(distance * distance) / np.maximum(m, 1)
    product = order.total(np.where(pairs, distance[1:] * distance[:-1], 0.0)) / np.maximum(number, 1)
    known = (number >= PAIRS) & (square > 0.0)
    r = np.where(known, product, 0.0) / np.where(known, square, 1.0)
    f = np.clip(r + (1.0 + 3.0 * r) / np.maximum(m, 1), -MOST, MOST)
    phi = np.clip(f + np.sqrt((1.0 - f * f) / np.maximum(m, 1)), 0.0, MOST)
    return np.where(known, phi, 0.0)


def variance(distance: Floats, keep: Bools, phi: Floats) -> Floats:
    """Variance of the values of q series, from the residuals of windows whose neighbour was kept too. [q], 0 where there are too few."""
    pairs = keep[1:] & keep[:-1]
    residual = np.where(pairs, distance[1:] - phi * distance[:-1], 0.0)
    free = order.kept(pairs) - 2
    return order.total(residual * residual) / np.maximum(free, 1) / (1.0 - phi * phi)

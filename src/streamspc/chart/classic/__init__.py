"""Classic: control charts of the textbooks, whole series at a time, for data that lie before one.

Promises
- Pure functions of arrays. Series lie along the leading axes, time along the last one (observations of a subgroup behind it, metrics
  of a vector, too), so that a thousand series cost one call; nan is a value that is missing, never a zero.
- A chart is in two steps: what was estimated (centre, sigma) and what follows from it (`Limits`), so that Phase I and Phase II, known
  parameters and other estimators are the caller's to combine. The two phases are never mixed: where their limits differ (T2),
  they are two functions.
- Constants are exact (d2, d3, c4 by quadrature), for any number of observations; tables of three digits are not.
- Outside is strictly outside (`Limits.outside`).
- Each file says what the chart is, when to use it, and where it comes from; the numbers are those of R's qcc and qicharts2 for known data.

The daemon's own charts (`streamspc.chart`) standardise first and keep a state for each series; these do not and are what `check`,
notebooks and tests compare with.

Rejected: a class for each chart (a chart is two or three functions); conventions of one package where the definition says otherwise
(a centre line of R that ignores a varying n; new points judged by limits of Phase I).
"""

from streamspc.chart.classic.limits import Limits

__all__ = ["Limits"]

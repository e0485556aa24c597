"""Chart: window statistics become points, with the limits of every chart of every series.

Promises
- A series (metric and segment) is charted by itself. Its points are the same bits whichever other series share its bank, in
  whatever parts the bank was saved and loaded: along the segments there are only elementwise operations, along the windows of
  Phase I only sums in a fixed order, and no function whose bits depend on vector length or library (powers are running products).
- A point never sits in its own limits: limits follow from a baseline that was frozen before the point. The first
  `baseline.windows` points of a series are Phase I; they have no limits and never signal. The baseline is not taught again but while it
  is provisional, by windows that do not signal, and by an operator's command (`relearn`): a window that signalled cannot move it.
- Limits fit the number of records: sigma_t^2 = between^2 + unit / n_t + extra_t (`sigma`), and all charts watch a z_t whose variance is
  one whatever n_t is (Nelson 1989; `score`). It is (x_t - centre) / sigma_t; where windows resemble the one before, of what that one
  does not tell (`autocorrelation`); where values are skewed or hits rare, the normal score of as unlikely a value (`skew`, `rare`).
- Missing is missing: a window without a value is no point, nothing is imputed and nothing signals. It breaks runs (run rules, a second
  point that would confirm, what one window says of the next), CUSUMs hold over it, and EWMAs grow older (`ewma`); the age of a run
  goes on, so that an onset is found among the windows that were.
- A limit is not a signal: only strictly outside is. A limit that is clipped to the possible values (0, or 0 and 1) cannot signal.

Every series has a Shewhart chart, a CUSUM and an EWMA (`shewhart`, `cusum`, `ewma`: one algorithm a file). `signal_by`, `direction`
and `min_effect` decide which of them speak (`crossing`). Metrics that ask for run rules (`rules`, `rule_crossing`) have them as a
part of the Shewhart chart, at no cost to the others; `stuck` is a rule that all have. A baseline is provisional until the evidence
suffices (`evidence`); lags are charted as logarithms (`logarithm`). Metrics may also be charted together (`multivariate`), as rows
of points behind theirs. `classic` has the charts of the textbooks, for data that lie before one. Limits follow from the false
alarms that the stream is allowed (`limits`): the set of charts that may signal does so once in the series' ARL0. A baseline of m
windows is an estimate: sigma is widened so that the rate, in expectation over Phase I, is the one allowed (`fit`). All charts of a
series begin again at a signal and when its episode ends, so that episodes per window at risk are what was promised.

Rejected: one object per series (a tenth of the speed or less); raw values in place of z (a window with few records would signal by its
noise); head starts unless asked for, with limits to match; limits of three sigma for everybody; moving limits (they learn the fault).
"""

from streamspc.chart.bank import Bank
from streamspc.chart.window import Window, advance, teach

__all__ = ["Bank", "Window", "advance", "teach"]

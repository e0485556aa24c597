"""Bucket: columns of records become tallies, tallies become closed windows, closed windows become statistics.

Promises:

- Merging tallies is exact, associative and commutative, and the empty table is its identity. Every tally has one canonical form for what it
  holds, so what a window contains has the same bits for any cut of the log into batches, any order of merging and any number of replicas.
- Floats appear once, at the close: sums and sums of squares are integers on a fixed grid (`exact`), quantile sketches are
  integer counts in bins taken from the bits of the value (`sketch`), the rest are counts, minima and maxima.
- A record is late by its own partition's watermark alone, and a window closes by the frontier, both functions of the log: no clock is read.
- Conditions (`where`) are compiled from a small language of their own; no text of a user is ever run as code.

Why so: observe keeps no state and may be restarted or split at any record; chart replays the log. Both give the same points only
if addition does not remember its order. Rejected: floating sums with a tolerance (a chart at its limit flips on the last bit), state
in observe (it would have to be snapshotted and fenced), sketches whose state depends on the order of merging.

Read `plan` and `tally` (records to tallies), `merge`, then `statistics`; `window`, `watermark`, `frontier` and `windows` say when.
"""

"""Check: the daemon's own functions over a file, or a range of a topic, once.

Promises
- The points are those of the daemon, bit for bit: records are tallied by `flow.tally` and folded by `flow.steps` (of which `flow.fold`
  is made) under the same configuration hash. A file is read as one source partition, in the order of its lines; each partition of a
  topic has a watermark of its own. The end of what is read is the end of time. All chart partitions are folded as one, which changes no
  point, because series do not know of each other.
- It only reads: a file needs no Kafka, a topic no group. Which batches come, and in which order the partitions take turns, changes
  nothing (`roles.span` reads them).
- Nothing silent: every record that is not judged is counted by its reason, with an example. Beyond a share of them the answer is
  that the data cannot be read, whatever the charts say; an input without a readable record is never in control.
- Bounded: records are read in pieces of some megabytes, and no partition runs more than `max_open_windows` ahead; what is kept are the
  open windows, the charts and the episodes. With `any_order` nothing can be late and nothing closes before the end, so all windows are
  open; still, their tallies and not their records.
- The same records and configuration give the same files, byte for byte: they hold no time of the run and no path.

What a file lacks is the Kafka timestamp of each record. It is that of the field `timestamp` where one is named, else unknown (-1):
then no record is from the `future`, and what needs the timestamp (event time from Kafka, lag) is refused at the start.

Cells of a CSV file have no types. They become JSON as the configuration uses them, so that admission is the same code and its reasons
the same; a cell that is not of its type stays a text, and is refused as a text would be.

Rejected: sorting the file (the answer would be another one than the daemon's, and late records would vanish); a table library for
CSV (types guessed by the first rows change what a segment is called); a copy of the fold without Kafka's words (it would differ one day).
"""

from streamspc.check.drive import Steps, run
from streamspc.check.episodes import Episode
from streamspc.check.junit import junit
from streamspc.check.lines import batches
from streamspc.check.report import Report
from streamspc.check.rows import rows
from streamspc.check.source import Input, Unreadable, chosen_format, open_input
from streamspc.check.write import Writer, open_points

__all__ = [
    "Episode",
    "Input",
    "Report",
    "Steps",
    "Unreadable",
    "Writer",
    "batches",
    "chosen_format",
    "junit",
    "open_input",
    "open_points",
    "rows",
    "run",
]

"""Decide: points become signals, episodes and verdicts; signals become notices. What follows from a chart, and nothing else.

Promises
- Every decision is a pure function of its arguments, and time is one of them: the same points give the same episodes, ids, rejections
  and notices on any machine, at any speed, any number of times.
- A series has at most one open episode. Its id follows from stream, metric, segment and the start of the window that opened it, so a
  replay finds the same episode again, and a receiver that hears of it twice can tell.
- An alert need not reject: only the metrics and charts that `judge_by` names do, and only in Phase II. Everything that was not
  rejected was accepted; what no rule could judge is counted `unjudged`.
- No series rejects for ever: after `max_reject` windows on one side its episode is a level shift, which rejects no more there, says so
  once in a signal of its own, and awaits an operator's command (`shift`).
- Muting is about messages: a muted episode still rejects.
- A window without a point says nothing: it neither prolongs an episode nor brings its end nearer.
- Of an episode that a route leads to a receiver, the receiver hears at least once (`groups`), unless another one explains it; a restart at
  any time changes no message.

Why episodes and not points: people are told once that something broke, how far it went, and that it is over. Why rejections follow
the charts and not the episodes: an episode stays open while it waits for quiet, and those windows may be good.

The way to people: `routing` (labels to a place in the tree) → `groups` (what is due) → `notice` (a message) → `delivery` (attempts).

Rejected: closing an episode after some time (a stream without windows would look well); an episode for each chart (one fault, three
messages).
"""

from streamspc.decide.episodes import Episodes
from streamspc.decide.history import History
from streamspc.decide.storm import share, tripped
from streamspc.decide.verdict import Decisions, decide, judge, rejecting, unjudged

__all__ = ["Decisions", "Episodes", "History", "decide", "judge", "rejecting", "share", "tripped", "unjudged"]

"""What to do after a receiver's answer, and which intent is next: retries that neither lose a message nor press on a sick receiver.

`next_attempt` is the policy, a table of cases. `Outbox` is the ledger of one receiver: an intent waits while an earlier one of the
same episode is pending, so nobody hears of an end before the beginning; after a failure the whole receiver rests, and each intent
besides has a wait of its own, so that one message the receiver chokes on does not hold up the others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.decide.notice import Intent
    from streamspc.model import Answer

FIRST_WAIT = 1.0  # seconds: the first backoff is drawn from [0, FIRST_WAIT)
KEPT = 10_000  # settled intents that are remembered, so that their ids are not used twice; older ones leave the outbox


class Policy(NamedTuple):
    """A receiver's patience, in seconds."""

    max_age: float
    longest_wait: float


class Delivered(NamedTuple):
    """The receiver has it."""


class Retry(NamedTuple):
    """Try again after so many seconds: a span and not an instant, so that steps of the wall clock do not matter."""

    after: float
    asked: bool = False  # the receiver named the time itself


class Dead(NamedTuple):
    """Given up. `disable`: the receiver wants no more messages at all."""

    reason: str
    disable: bool = False


Outcome = Delivered | Retry | Dead


class Attempt(NamedTuple):
    """The attempt that was answered: how many failed before it, the intent's age in seconds, the wall clock in microseconds."""

    failures: int
    age: float
    now: int


def next_attempt(policy: Policy, attempt: Attempt, answer: Answer, chance: float) -> Outcome:
    """What follows from the answer. `chance` in [0, 1) spreads retries: full jitter over an exponentially growing span.

    2xx is delivered. 410 is dead, for ever. 408, 425, 429, 5xx and silence are tried again until the intent is too old; 429 and 503
    are asked when (Retry-After, never more than the longest wait). Everything else is a refusal that time will not cure.
    """
    if 200 <= answer.status < 300:
        return Delivered()
    if answer.status == 410:
        return Dead("gone", disable=True)
    if answer.status != 0 and answer.status < 500 and answer.status not in {408, 425, 429}:
        return Dead(f"refused with status {answer.status}" + (f": {answer.detail}" if answer.detail else ""))
    if attempt.age >= policy.max_age:
        return Dead("too old")
    asked = _asked(answer.retry_after, attempt.now) if answer.status in {429, 503} else None
    if asked is not None:
        return Retry(min(asked, policy.longest_wait), asked=True)
    return Retry(backoff(policy, attempt.failures, chance))


def backoff(policy: Policy, failures: int, chance: float) -> float:
    """Seconds to wait after `failures` earlier ones."""
    return chance * min(policy.longest_wait, FIRST_WAIT * 2.0 ** min(failures, 60))


def _asked(header: str | None, now: int) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date; None where it is neither."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now / 1e6)


@dataclass(slots=True)
class Waiting:
    """A pending intent: not before `at` (the caller's monotonic seconds), after so many failures."""

    intent: Intent
    at: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class Outbox:
    """Intents of one receiver. A function of the outbox's records and of the answers, with time given by the caller."""

    pending: dict[str, Waiting] = field(default_factory=dict)  # by id, the earliest first
    settled: OrderedDict[str, Intent] = field(default_factory=OrderedDict)  # by id, the earliest first
    failures: int = 0  # of the receiver, in a row
    rests_until: float = 0.0
    disabled: bool = False

    def __contains__(self, intent_id: object) -> bool:
        """Is the id taken?"""
        return intent_id in self.pending or intent_id in self.settled

    def load(self, intent: Intent) -> None:
        """Take a record of the outbox topic; the last one of an id holds."""
        if intent.state == "due":
            self.pending[intent.id] = Waiting(intent)
        else:
            self.pending.pop(intent.id, None)
            self.settled[intent.id] = intent

    def remember(self, earlier: Outbox) -> None:
        """Keep what an earlier outbox of the same process knew of the receiver: a rebalance is no reason to press on it."""
        self.failures, self.rests_until, self.disabled = earlier.failures, earlier.rests_until, earlier.disabled
        for intent_id in self.pending.keys() & earlier.pending.keys():
            known = earlier.pending[intent_id]
            self.pending[intent_id].at, self.pending[intent_id].failures = known.at, known.failures

    def next(self, now: float) -> Intent | None:
        """The intent to send at `now`, None when there is none yet."""
        if now < self.rests_until:
            return None
        return next((waiting.intent for waiting in self._unblocked() if waiting.at <= now), None)

    def due(self) -> float:
        """When `next` has something: the caller's monotonic seconds, infinite when nothing is pending."""
        return max(self.rests_until, min((waiting.at for waiting in self._unblocked()), default=float("inf")))

    def _unblocked(self) -> Iterator[Waiting]:
        """Pending intents that wait for no earlier one of the same episode."""
        held: set[str] = set()
        for waiting in self.pending.values():
            if held.isdisjoint(waiting.intent.episodes):
                yield waiting
            held.update(waiting.intent.episodes)

    def failed(self, intent_id: str, retry: Retry, now: float, rest: float) -> None:
        """The attempt failed at `now`: the intent waits as `retry` says, the receiver rests for `rest` seconds or as it asked."""
        waiting = self.pending[intent_id]
        waiting.failures += 1
        waiting.at = now + retry.after
        self.failures += 1
        self.rests_until = now + (retry.after if retry.asked else rest)

    def settle(self, intent_id: str, state: Literal["sent", "dead"], reason: str = "") -> Intent:
        """The intent is done with: gives the record that says so, without the body."""
        intent = replace(self.pending.pop(intent_id).intent, state=state, reason=reason, body="")
        self.settled[intent_id] = intent
        if state == "sent":
            self.failures, self.rests_until = 0, 0.0
        return intent

    def forget(self) -> list[Intent]:
        """Settled intents beyond those that are kept: the caller deletes their records."""
        return [self.settled.popitem(last=False)[1] for _ in range(len(self.settled) - KEPT)]

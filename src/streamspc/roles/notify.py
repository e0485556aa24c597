"""notify: signals to messages to intents in one transaction with the offset, then attempts until each intent is sent or dead.

An intent is in `<app>.outbox` before its first attempt, its result after: a crash in between sends the same body again under the
same id. A receiver that is down lags alone: each has a role of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from streamspc.decide.delivery import Attempt, Dead, Delivered, Outbox, Policy, Retry, backoff, next_attempt
from streamspc.decide.notice import Intent, intent
from streamspc.roles.hearing import HearingRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.decide.notice import Message
    from streamspc.model import View

log = structlog.get_logger()

ATTEMPTS = 10  # a turn at most, and none begins after SENDING
SENDING = 5.0  # seconds of a turn for sending, besides the last attempt's own timeout
PENDING = 1_000  # intents; with more of them signals wait in Kafka


@dataclass
class NotifyRole(HearingRole):
    """Notifies one receiver by messages."""

    outbox: Outbox = field(default_factory=Outbox)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.policy = Policy(self.receiver.max_age, self.receiver.max_attempts_interval)

    def _work(self, token: object, said: list[Message], *, heard: bool) -> None:
        """Messages that are due become intents, in one transaction with the offset; then some attempts, and their results in another."""
        now = self.times.wall()
        made = [intent(self.receiver.name, message, self.sender.render, now) for message in (*said, *self._flush(now))]
        made = [one for one in made if one.id not in self.outbox]
        if heard or made:
            self._transact([(one.key, msgspec.json.encode(one)) for one in made], token)
        for one in made:
            self.outbox.load(one)
        if results := self._send():
            rows: list[tuple[bytes, bytes | None]] = [(one.key, msgspec.json.encode(one)) for one in results]
            self._transact([*rows, *((one.key, None) for one in self.outbox.forget())], token)
            for one in results:
                self._count(one.state, 1)
        (self.consumer.pause if len(self.outbox.pending) >= PENDING else self.consumer.resume)([self.signals])

    def _flush(self, now: int) -> list[Message]:
        """What is to be said; nothing while too much of it is pending."""
        return self.book.flush(now, at_once=self._at_once()) if len(self.outbox.pending) < PENDING else []

    def _due(self) -> float:
        return min(self.outbox.due() - self.times.monotonic(), self._book_due())

    def _waiting(self) -> list[int]:
        return [pending.intent.created for pending in self.outbox.pending.values()]

    def _look(self, **more: list[tuple[tuple[str, ...], float]]) -> View:
        return super()._look(spc_receiver_disabled=[((self.receiver.name,), float(self.outbox.disabled))], **more)

    def _load(self, records: Mapping[bytes, bytes]) -> None:
        before, self.outbox = self.outbox, Outbox()
        found = [msgspec.json.decode(value, type=Intent) for key, value in records.items() if key.startswith(b"message/")]
        for one in sorted(found, key=lambda one: one.created):
            self.outbox.load(one)
        self.outbox.remember(before)

    def _send(self) -> list[Intent]:
        """Attempts that are due, within the turn's bounds; the results of those that came to an end."""
        results: list[Intent] = []
        until = self.times.monotonic() + SENDING
        for _ in range(ATTEMPTS):
            now = self.times.monotonic()
            due = self.outbox.next(now)
            if due is None or now >= until or not self._owns():
                break
            self.pulse.beat(self.receiver.timeout)
            outcome = self._attempt(due)
            if isinstance(outcome, Retry):
                rest = backoff(self.policy, self.outbox.failures, self.times.chance())
                self.outbox.failed(due.id, outcome, self.times.monotonic(), rest)
                self._count("retried", 1)
            elif isinstance(outcome, Dead):
                self.outbox.disabled |= outcome.disable
                results.append(self.outbox.settle(due.id, "dead", outcome.reason))
            else:
                results.append(self.outbox.settle(due.id, "sent"))
        return results

    def _attempt(self, due: Intent) -> Delivered | Retry | Dead:
        """One attempt, or none where it would be in vain."""
        age = (self.times.wall() - due.created) / 1e6
        if self.outbox.disabled:
            return Dead("the receiver is gone")
        if age >= self.policy.max_age:
            return Dead("too old")
        answer = self.sender.post(due.id, due.body, due.content_type, self.times.wall())
        if not 200 <= answer.status < 300 and not self.outbox.failures:  # the first of a row: it may last for days
            log.warning("receiver does not take messages", receiver=self.receiver.name, status=answer.status, detail=answer.detail)
        attempt = Attempt(self.outbox.pending[due.id].failures, age, self.times.wall())
        return next_attempt(self.policy, attempt, answer, self.times.chance())

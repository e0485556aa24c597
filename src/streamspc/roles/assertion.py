"""assertion: what is out of control, said to Alertmanager each minute and at each change; what it groups, silences and forwards is its own.

An alert is no message but a state: nothing waits in an outbox, and the newest state is what is said. A new owner begins by saying all
of it. An episode that is over is said to be over until a peer has taken it; after that it is forgotten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import structlog

from streamspc.decide.delivery import Policy, backoff
from streamspc.roles.hearing import HearingRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.decide.notice import Message

log = structlog.get_logger()

EVERY = 60.0  # seconds
LONGEST_REST = 30.0  # seconds: after it an alert of the last time is still good


@dataclass
class AssertRole(HearingRole):
    """Asserts the open episodes of one receiver."""

    speaks: ClassVar[bool] = False
    failures: int = 0
    at: float = 0.0  # when to say them again, monotonic seconds

    def _work(self, token: object, said: list[Message], *, heard: bool) -> None:  # noqa: ARG002 - nothing is said in messages
        if heard:
            self._transact([], token)
        now, news = self.times.monotonic(), self._waiting()
        if now < self.at and (self.failures or not news):
            return
        if self._assert():
            self.failures, self.at = 0, now + EVERY
            if news:
                self._settle(token)
        else:
            self.at = now + backoff(Policy(self.receiver.max_age, LONGEST_REST), self.failures, self.times.chance())
            self.failures += 1
            self._count("retried", 1)
            self._give_up(token)

    def _assert(self) -> bool:
        """Say all of it. False when no peer took it, or the partition is no longer ours."""
        told = [self.book.told(subject) for subject in self.book.assigned()]
        wall = self.times.wall()
        for body, content_type in self.sender.alerts(told, wall):
            if not self._owns():
                return False
            self.pulse.beat(self.receiver.timeout * len(self.receiver.urls))
            answer = self.sender.post(hashlib.sha256(body.encode()).hexdigest()[:32], body, content_type, wall)
            if not 200 <= answer.status < 300:
                if not self.failures:
                    log.warning("receiver does not take alerts", receiver=self.receiver.name, status=answer.status, detail=answer.detail)
                return False
        return True

    def _settle(self, token: object) -> None:
        """What was news is known now."""
        settled = [subject for subject in self.book.assigned() if self.book.news(subject)]
        for subject in settled:
            self.book.settled(subject)
        self._transact([], token)
        self._count("sent", len(settled))

    def _give_up(self, token: object) -> None:
        """Forget what has been over for too long: an Alertmanager that was away knows nothing of it."""
        oldest = self.times.wall() - int(self.receiver.max_age * 1e6)
        members = self.book.members
        old = [subject for subject in self.book.assigned() if members[subject].over and members[subject].news < oldest]
        for subject in old:
            self.book.settled(subject)
        if old:
            self._transact([], token)
            self._count("dead", len(old))

    def _due(self) -> float:
        return self.at - self.times.monotonic()

    def _waiting(self) -> list[int]:
        return [self.book.members[subject].news for subject in self.book.assigned() if self.book.news(subject)]

    def _take_over(self) -> None:
        """All that is open is said first, before anything new is heard."""
        super()._take_over()
        if self.owner and self.book.assigned() and self._assert():
            self.at = self.times.monotonic() + EVERY

    def _load(self, records: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 - the book has them
        """The book is all there is."""
        self.at, self.failures = 0.0, 0

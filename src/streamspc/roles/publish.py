"""publish: messages to a Kafka topic, in the transaction that commits the offset behind their signals: each exactly once."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamspc.kafka_io.port import Place, Send
from streamspc.roles.hearing import HearingRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamspc.decide.notice import Message
    from streamspc.effect.sender import Record


@dataclass
class PublishRole(HearingRole):
    """Notifies a topic; the messages of a group go to one partition, in their order."""

    def _work(self, token: object, said: list[Message], *, heard: bool) -> None:
        said = said + self.book.flush(self.times.wall(), at_once=self._at_once())
        if heard or said:
            self._transact([], token, self._sends(said))
            self._count("sent", len(said))

    def _sends(self, said: Iterable[Message]) -> list[Send]:
        topic = self.receiver.topic
        rows: dict[int, list[Record]] = defaultdict(list)
        for message in said:
            record = self.sender.record(message.notice)
            rows[zlib.crc32(record.key) % self.consumer.partitions(topic)].append(record)
        return [
            Send(Place(topic, partition), [r.key for r in some], [r.value for r in some], [r.headers for r in some])
            for partition, some in sorted(rows.items())
        ]

    def _due(self) -> float:
        return self._book_due()

    def _waiting(self) -> list[int]:
        return []

    def _load(self, records: Mapping[bytes, bytes]) -> None:
        """The book is all there is."""

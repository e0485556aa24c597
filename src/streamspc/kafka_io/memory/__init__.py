"""Kafka in memory: the same port, for tests of roles and for crashes at every step.

It keeps what streamspc leans on: partitions whose offsets have gaps (markers of transactions occupy them), read committed
with a stable end before the first open transaction, aborted records hidden, offsets with metadata that commit with their
transaction, producers fenced by transactional id, groups whose generation fences stale members, deletion from the front.

It is deterministic where Kafka is not: an assignment is made at once when members come or go, and there is no clock; a
process that ended is said to be gone by `MemoryKafka.kill`. Compaction is left out: a reader of a compacted topic has to
bear superseded records anyway.
"""

from streamspc.kafka_io.memory.clients import MemoryKafka
from streamspc.kafka_io.memory.log import Log

__all__ = ["Log", "MemoryKafka"]

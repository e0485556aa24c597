"""Kafka: the port, its clients and the topics. Nothing outside this package imports a Kafka library.

Promises: what `port` says, for every implementation; the contract suite runs against both. A transaction is one call, whole
or not at all, within a deadline. No foreign error leaves the package. A consumer neither commits nor moves by itself, and an
idle one costs next to nothing.

Why one call: begin, send, offsets and commit as calls of their own can be made in orders that lose records, and the Kafka
library reports success for some of them. Why whole batches: an object per record costs more than all the statistics. Why an
in-memory log: roles are tested against crashes at every step, thousands of them, where a broker allows a few.

Rejected: confluent-kafka (faster, but a binary; there is room for it behind the port); a listener for rebalances (it runs on
the I/O thread of the library, where blocking stops the heartbeats); resetting positions automatically (silent loss).
"""

from streamspc.kafka_io import topics
from streamspc.kafka_io.client import KafkaPython
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.steps import STEPS, Crash

__all__ = ["STEPS", "Crash", "KafkaPython", "MemoryKafka", "topics"]

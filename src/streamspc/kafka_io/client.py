"""The port on kafka-python: from `KafkaLocal` to clients with settings that are safe here, whatever the library's defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafka.coordinator.assignors.range import RangePartitionAssignor

from streamspc.kafka_io.admin import PythonAdmin
from streamspc.kafka_io.consumer import PythonConsumer
from streamspc.kafka_io.oauth import TokenFile
from streamspc.kafka_io.producer import PythonProducer
from streamspc.kafka_io.quiet import quiet
from streamspc.kafka_io.steps import At, nowhere
from streamspc.model import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.kafka_io.port import Place
    from streamspc.model import KafkaLocal

_REQUEST = 30.0  # seconds a request may take
_METADATA_AGE = 60.0  # seconds until a larger number of partitions is seen


class KafkaPython:
    """Implements port `Kafka`. `at` is called at each named step of each transaction (`steps.STEPS`)."""

    def __init__(self, local: KafkaLocal, at: At = nowhere) -> None:
        """Keep the configuration; nothing is connected."""
        self._local = local
        self._at = at
        self._broken: set[Any] = set()  # where batches could not be read, for the clients that come after
        self._common = {key: it.reveal() if isinstance(it, Secret) else it for key, it in local.options.items()}
        token_file = self._common.pop("sasl_oauth_token_file", None)
        if token_file is not None:
            self._common["sasl_oauth_token_provider"] = TokenFile(token_file)
        quiet()

    def subscribe(self, group: str, topics: Sequence[str], instance: str | None = None) -> PythonConsumer:
        """A member of a group; with `instance`, or else the configured one, a static member. Raises Transient, Fatal."""
        local = self._local
        member = {
            "group_id": group,
            "group_instance_id": instance or local.instance,
            "session_timeout_ms": _ms(local.session_timeout),
            "heartbeat_interval_ms": min(3000, _ms(local.session_timeout) // 3),
            "max_poll_interval_ms": _ms(local.max_poll_interval),
            "partition_assignment_strategy": (RangePartitionAssignor,),
        }
        consumer = PythonConsumer(self._reader() | member, local, self._broken)
        consumer.subscribe(topics)
        return consumer

    def read(self, places: Sequence[Place]) -> PythonConsumer:
        """Reads these places from their first offset on, without a group. Raises Transient, Fatal."""
        consumer = PythonConsumer(self._reader(), self._local, self._broken)
        try:
            consumer.assign(places)
        except BaseException:
            consumer.close()
            raise
        return consumer

    def producer(self, transactional_id: str) -> PythonProducer:
        """The holder of a transactional id, from now on. Raises Transient, Fenced, Fatal."""
        local = self._local
        request = min(_REQUEST, local.transaction_timeout)
        config = self._common | {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": _ms(local.transaction_timeout),
            "request_timeout_ms": _ms(request),
            "delivery_timeout_ms": _ms(max(request, local.transaction_timeout)),
            "max_block_ms": _ms(_REQUEST),
            "max_request_size": local.request_bytes,
            "retry_backoff_ms": 10,  # with the default of 100 a commit now and then waits that long for the markers of the last
            "linger_ms": 0,  # whole batches are handed over: there is nothing to wait for
            "allow_auto_create_topics": False,
            "metadata_max_age_ms": _ms(_METADATA_AGE),
            "metrics_enabled": False,
        }
        return PythonProducer(config, self._at)

    def admin(self) -> PythonAdmin:
        """Administers topics. Raises Transient, Fatal."""
        return PythonAdmin(self._common | {"request_timeout_ms": _ms(_REQUEST)})

    def _reader(self) -> dict[str, Any]:
        local = self._local
        return self._common | {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "max_partition_fetch_bytes": local.batch_bytes,
            "fetch_max_bytes": max(52_428_800, local.batch_bytes),
            "fetch_max_wait_ms": _ms(local.fetch_wait),
            "request_timeout_ms": _ms(max(_REQUEST, local.fetch_wait + 10)),
            "metadata_max_age_ms": _ms(_METADATA_AGE),
            "metrics_enabled": False,
        }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

"""Topics of the port on kafka-python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from streamspc.kafka_io.connect import connect
from streamspc.kafka_io.faults import mapped, ours
from streamspc.kafka_io.port import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamspc.kafka_io.port import Place


class PythonAdmin:
    """Implements port `Admin`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Connect. Raises Transient, Fatal."""
        with mapped("connect to administer topics"):
            self._client = connect(KafkaAdminClient, config)

    def describe(self, names: Iterable[str]) -> dict[str, TopicPlan]:
        """Those of the topics that exist, with all their settings. Raises Transient, Fatal."""
        with mapped("describe topics"):
            found = {}
            for topic in self._client.describe_topics(list(names)):
                error = for_code(topic["error_code"])
                if error is not UnknownTopicOrPartitionError and error is not NoError:
                    raise error(topic["name"])
                if error is NoError:
                    found[topic["name"]] = len(topic["partitions"])
            if not found:
                return {}
            settings = self._client.describe_configs([ConfigResource("topic", name) for name in found], config_filter="all")["topic"]
        return {
            name: TopicPlan(name, partitions, {key: it["value"] for key, it in settings[name].items() if it["value"] is not None})
            for name, partitions in found.items()
        }

    def create(self, plans: Sequence[TopicPlan], replication: int) -> None:
        """Create those that do not exist, and wait until each partition has a leader. Raises Transient, Fatal."""
        wanted = {
            plan.name: {"num_partitions": plan.partitions, "replication_factor": replication, "configs": dict(plan.settings)}
            for plan in plans
        }
        if not wanted:
            return
        with mapped("create topics"):
            for topic in self._client.create_topics(wanted, raise_errors=False)["topics"]:
                error = for_code(topic["error_code"])
                if error is not NoError and error is not TopicAlreadyExistsError:
                    raise ours(error(topic["error_message"]), f"create topic {topic['name']}")
            self._client.wait_for_topics(list(wanted))

    def delete_before(self, offsets: Mapping[Place, int]) -> None:
        """Delete what lies below the offsets. Raises Transient, Fatal."""
        if offsets:
            with mapped("delete records"):
                self._client.delete_records({TopicPartition(*place): offset for place, offset in offsets.items()})

    def broker_version(self) -> str:
        """The newest release whose protocol the broker speaks."""
        return ".".join(map(str, self._client._manager.broker_version))  # noqa: SLF001

    def close(self) -> None:
        """Close the connections."""
        with mapped("close"):
            self._client.close()

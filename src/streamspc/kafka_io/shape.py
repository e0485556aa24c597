"""Whether the insides of the library are as the fast path needs them. They are private: another release may have others."""

from __future__ import annotations

import inspect
import re
from functools import cache

import kafka
import structlog
from kafka import TopicPartition
from kafka.consumer import fetcher as library
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

log = structlog.get_logger()

_VERSIONS = ((3, 0, 12), (3, 1))  # from the first up to the second, exclusive
_ARGUMENTS = {
    "take": "self n",
    "drain": "self",
    "_maybe_skip_record": "self record",
    "_unpack_records": "self tp records key_deserializer value_deserializer",
    "_consume_aborted_transactions_up_to": "self offset",
    "_contains_abort_marker": "self batch",
    "_is_batch_aborted": "self batch",
}
_ATTRIBUTES = (
    "fetch_offset next_fetch_offset leader_epoch bytes_read records_read isolation_level aborted_producer_ids check_crcs record_iterator"
)
_BATCH = (
    "base_offset first_timestamp max_timestamp timestamp_type records_count last_offset next_offset leader_epoch producer_id"
    " has_producer_id is_control_batch is_transactional compression_type validate_crc"
)


@cache
def columns_fit() -> bool:
    """Whether records can be handed over as columns. Warns, once in a process, when they cannot."""
    differs = _differs()
    if differs:
        log.warning("kafka-python has changed inside: records are read one by one, which is several times slower", differs=differs)
    return not differs


def _differs() -> list[str]:
    """What is not as expected."""
    if not _VERSIONS[0] <= tuple(map(int, re.findall(r"\d+", kafka.__version__)))[:3] < _VERSIONS[1]:
        return [f"version {kafka.__version__}"]
    try:
        kind = library.Fetcher.PartitionRecords
        part = kind(0, TopicPartition("", 0), MemoryRecords(b""))
        found = {name: " ".join(inspect.signature(getattr(kind, name)).parameters) for name in _ARGUMENTS}
    except (AttributeError, TypeError, ValueError) as error:
        return [repr(error)]
    differs = [f"{name}({found[name]})" for name, wanted in _ARGUMENTS.items() if found[name] != wanted]
    differs += [name for name in _ATTRIBUTES.split() if name not in vars(part)]
    return differs + [name for name in _BATCH.split() if not hasattr(DefaultRecordBatch, name)]

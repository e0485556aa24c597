"""Admission: bytes of a batch become columns, or a reason.

Promises:

- Pure: what becomes of a record is a function of the record (value and Kafka timestamp) and the stream's specification. Neighbours
  in the batch, the cut of the log into batches, clocks, and what was read before change nothing, so that observe and gate agree.
- Total: no bytes raise. Every record is in `rows` or in `bad_rows` with a reason of the closed list, the first that applies in this
  order: TOMBSTONE, UNDECODABLE, WRONG_TYPE or NUMBER_OUT_OF_RANGE (the first in the record), NUMBER_OUT_OF_RANGE (beyond 2**500),
  NO_EVENT_TIME, BAD_EVENT_TIME, FUTURE.
- Only the fields that metrics, event time and segments use are decoded; any other field may hold anything that is JSON.

What records mean:

- UNDECODABLE is not UTF-8, not JSON, not an object, or nested deeper than 256. Of a key that comes twice the last value counts,
  but each must have the right type.
- NUMBER is a JSON number, integer or not (true is not a number, nor is "1"); null and missing are the same everywhere.
- FUTURE compares event time with the record's Kafka timestamp. A record that has none (-1) cannot be compared and passes; where
  event time is the Kafka timestamp itself it is NO_EVENT_TIME. `kafka_time` is -1 for such records.
- Seconds and milliseconds may have fractions; a float is multiplied as a double and floored to microseconds, integers are exact.
- ISO 8601 is calendar date, time and zone (`Z` or an offset); digits beyond microseconds are cut.

How, and what was rejected: one msgspec decoder of a Struct made from the wanted fields, record by record. Joining values to one
JSON array costs more (0.44 us a record against 0.28) and lets one record's brackets swallow its neighbour. Nesting is bounded here,
because the interpreter's own bound depends on who calls.
"""

from streamspc.admit.reader import Reader

__all__ = ["Reader"]

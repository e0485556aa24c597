"""Prints what admission costs: microseconds of CPU per 209-byte JSON record with four wanted fields, by kind of event time."""

import json
import random
import time

import numpy as np

from streamspc.admit import Reader
from streamspc.model import Batch, EventTime, FieldKind, MetricKind, MetricSpec, StreamSpec

RECORDS = 10_000
ROUNDS = 20


def value(at: int) -> bytes:
    record = {
        "ts": 1_700_000_000_000 + 10 * at,
        "at": f"2023-11-14T22:{at // 60 % 60:02}:{at % 60:02}.{at % 1000:03}Z",
        "host": f"host-{random.randrange(50):02}",
        "latency_ms": None if random.random() < 0.03 else random.lognormvariate(3, 1),
        "status": random.choice([200, 200, 200, 500]),
        "ok": True,
    }
    text = json.dumps(record, separators=(",", ":"))
    return (text[:-1] + ',"pad":"' + "x" * (209 - len(text) - 9) + '"}').encode()


def cost(values: list[bytes], event_time: EventTime) -> float:
    spec = StreamSpec(
        name="bench",
        topic="bench",
        event_time=event_time,
        segment_by=("host",),
        metrics=(MetricSpec(name="n", kind=MetricKind.COUNT),),
    )
    reader = Reader(spec, {"latency_ms": FieldKind.NUMBER, "status": FieldKind.NUMBER})
    n = len(values)
    offsets = np.arange(n)
    batch = Batch("bench", 0, offsets, np.full(n, 1_800_000_000_000), [None] * n, values, None, n)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        reader(batch)
        best = min(best, time.process_time() - start)
    return best / n * 1e6


def main() -> None:
    random.seed(1)
    values = [value(at) for at in range(RECORDS)]
    one_bad = [*values[:-1], b"{"]
    for name, event_time in [
        ("milliseconds", EventTime(field="ts", unit="ms")),
        ("ISO 8601", EventTime(field="at", unit="iso8601")),
        ("Kafka timestamp", EventTime()),
    ]:
        print(f"{name:16} {cost(values, event_time):.2f} us/record, one bad record in {RECORDS}: {cost(one_bad, event_time):.2f}")


if __name__ == "__main__":
    main()

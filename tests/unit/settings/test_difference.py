"""What differs between two semantic configurations."""

from __future__ import annotations

import msgspec

from streamspc.model import MetricKind, MetricSpec, Semantics, StreamSpec
from streamspc.settings import difference

ORDERS = StreamSpec(
    name="orders", topic="orders", metrics=(MetricSpec(name="a", kind=MetricKind.COUNT), MetricSpec(name="b", kind=MetricKind.LAG))
)
SEMANTICS = Semantics(app="shop", chart_partitions=4, streams=(ORDERS,))


def replaced(**keys) -> Semantics:
    """The semantics with another stream."""
    return msgspec.structs.replace(SEMANTICS, streams=(msgspec.structs.replace(ORDERS, **keys),))


def test_equal_configurations_have_no_difference():
    """Also when one of them was read from a log."""
    assert difference(SEMANTICS, msgspec.json.decode(msgspec.json.encode(SEMANTICS), type=Semantics)) == []


def test_a_changed_value_is_named_with_both_values():
    """By the names of stream and metric, not by their place in the list."""
    other = replaced(
        window_us=1_000_000, segment_by=("x",), metrics=(ORDERS.metrics[0], msgspec.structs.replace(ORDERS.metrics[1], where="x > 1"))
    )

    assert difference(SEMANTICS, other) == [
        "streams[orders].window_us: 60000000 -> 1000000",
        'streams[orders].segment_by: [] -> ["x"]',
        'streams[orders].metrics[b].where: null -> "x > 1"',
    ]


def test_what_is_only_on_one_side_is_absent_on_the_other():
    """Metrics and streams that came or went."""
    assert difference(SEMANTICS, replaced(metrics=ORDERS.metrics[:1])) == ["streams[orders].metrics[b]: (present) -> (absent)"]
    assert difference(msgspec.structs.replace(SEMANTICS, streams=()), SEMANTICS) == ["streams[orders]: (absent) -> (present)"]


def test_an_order_that_changes_the_hash_is_a_difference():
    """Tallies are in the order of the metrics."""
    other = replaced(metrics=ORDERS.metrics[::-1])

    assert other.hash() != SEMANTICS.hash()
    assert difference(SEMANTICS, other) == ["streams[orders].metrics: in the order a, b -> b, a"]

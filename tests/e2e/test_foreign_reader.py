"""Clean and quarantine as librdkafka reads them: the bytes of the source, not what one client makes of its own."""

from __future__ import annotations

import pytest

from e2e.compare import headers_of, signals_of
from e2e.conftest import SOURCE
from e2e.orders import HEADERS
from e2e.stage import foreign

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]  # the runs that a module shares are in its first test


@pytest.mark.parametrize(("topic", "bad"), [("clean", False), ("quarantine", True)])
def test_bytes_are_the_original_ones(reference, foreseen, topic, bad):
    """Key, value, timestamp and headers are those of the source, null and empty ones too; our headers come behind them."""
    app, out = reference
    found = foreign(app.address, f"{app.app}.{topic}")
    ways = [way for way in foreseen.ways if bool(way.reason) == bad]
    episodes = {(s.metric, s.segment, s.start): s.episode for s in signals_of(out)}

    assert len(found) == len(ways)
    for one, way in zip(found, ways, strict=True):
        own = len(way.record.headers)
        assert one[:1] + one[2:5] == way.record[:1] + way.record[2:5]
        assert one.headers[:own] == way.record.headers
        added = {name: (value or b"").decode() for name, value in one.headers[own:]}
        assert headers_of(way, SOURCE, episodes).items() <= added.items()
        assert bool(added) == (bad or way.late or way.storm)


def test_the_source_has_every_kind_of_header_and_key(reference, foreseen):
    """Both topics hold null and empty keys, null and empty header values, repeated and foreign header names."""
    for bad in (False, True):
        records = [way.record for way in foreseen.ways if bool(way.reason) == bad]

        assert {None, b""} <= {record.key for record in records}
        assert {tuple(headers) for headers in HEADERS} <= {record.headers for record in records}
    assert None in {way.record.value for way in foreseen.ways if not way.reason}
    assert b"" in {way.record.value for way in foreseen.ways if way.reason}

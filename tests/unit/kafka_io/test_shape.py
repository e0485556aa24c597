import kafka
import pytest
from kafka.consumer import fetcher as library
from kafka.record.default_records import DefaultRecordBatch
from structlog.testing import capture_logs

from streamspc.kafka_io.shape import columns_fit

_PART = library.Fetcher.PartitionRecords


@pytest.fixture(autouse=True)
def _looked_at_anew():
    columns_fit.cache_clear()
    yield
    columns_fit.cache_clear()


def test_the_installed_library_fits():
    """Records come as columns with the pinned release; otherwise it is several times slower, and this says so first."""
    with capture_logs() as logs:
        assert columns_fit()

    assert logs == []


@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        (kafka, "__version__", "3.1.0"),
        (kafka, "__version__", "3.0.11"),
        (_PART, "take", lambda self, n, deadline: None),
        (_PART, "_unpack_records", lambda self, records: None),
        (_PART, "_is_batch_aborted", None),
        (_PART, "__init__", lambda self, *args: None),
        (library.Fetcher, "PartitionRecords", None),
    ],
)
def test_another_shape_is_noticed_and_warned_of_once(monkeypatch, owner, name, other):
    """A version that was not tried, a method with other arguments, attributes that are gone: one warning, and the slow way."""
    monkeypatch.setattr(owner, name, other)
    with capture_logs() as logs:
        assert [columns_fit() for _ in range(3)] == [False] * 3

    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_a_batch_without_what_is_read_of_it_is_noticed(monkeypatch):
    """Also what a record batch says of itself is looked for."""
    monkeypatch.delattr(DefaultRecordBatch, "max_timestamp")
    with capture_logs() as logs:
        assert not columns_fit()

    assert logs[0]["differs"] == ["max_timestamp"]

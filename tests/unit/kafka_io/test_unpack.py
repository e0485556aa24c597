import tracemalloc

import pytest
from kafka import codec
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecordsBuilder

from streamspc.errors import Fatal
from streamspc.kafka_io import unpack

_CODECS = {
    "gzip": (codec.gzip_encode, unpack.gunzip),
    "snappy": (lambda data: codec.snappy_encode(data, xerial_compatible=False), unpack.unsnappy),
    "snappy in blocks": (codec.snappy_encode, unpack.unsnappy),
    "lz4": (codec.lz4_encode, unpack.unlz4),
    "zstd": (codec.zstd_encode, unpack.unzstd),
}
_DATA = bytes(range(256)) * 400


@pytest.mark.parametrize("name", _CODECS)
def test_unpacks_up_to_the_bound(name):
    """What fits exactly comes back; one byte less of room refuses it."""
    pack, unpacked = _CODECS[name]

    assert unpacked(pack(_DATA), len(_DATA)) == _DATA
    with pytest.raises(unpack.TooLarge):
        unpacked(pack(_DATA), len(_DATA) - 1)


@pytest.mark.parametrize("name", _CODECS)
def test_empty_data(name):
    """Nothing packs to something and back."""
    pack, unpacked = _CODECS[name]

    assert unpacked(pack(b""), 10) == b""


@pytest.mark.parametrize("name", ["gzip", "lz4"])
def test_several_frames_are_one_text(name):
    """Frames one after the other are allowed by both formats, and the bound holds over all of them."""
    pack, unpacked = _CODECS[name]

    assert unpacked(pack(_DATA) + pack(b"end"), len(_DATA) + 3) == _DATA + b"end"
    with pytest.raises(unpack.TooLarge):
        unpacked(pack(_DATA) + pack(b"end"), len(_DATA) + 2)


def _batch(codec_number, value=b"x" * 5000):
    builder = MemoryRecordsBuilder(2, codec_number, 10**6)
    builder.append(1, None, value, [])
    builder.close()
    return bytes(builder.buffer())


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
def test_batches_of_every_codec_are_read(number):
    """A packed batch within the bound holds its records."""
    batch = unpack.BoundedRecords(_batch(number), 10_000).next_batch()

    assert batch.validate_crc()
    assert [record.value for record in batch] == [b"x" * 5000]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_bomb_is_refused_by_offset(number):
    """The error says where it lies and which setting decides."""
    with pytest.raises(Fatal, match=r"offset 0 .*max_batch_bytes"):
        list(unpack.BoundedRecords(_batch(number), 4000).next_batch())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_damage_is_one_kind_of_error(number):
    """Whatever a codec raises on half of its data, readers see a corrupt record."""
    whole = _batch(number, bytes(range(256)) * 40)
    cut = whole[:61] + whole[61 : 61 + (len(whole) - 61) // 2]
    with pytest.raises(CorruptRecordError):
        list(unpack.BoundedBatch(memoryview(cut), 10**6))


def test_an_unknown_codec_is_fatal():
    """A codec of a later Kafka asks for a later streamspc."""
    data = bytearray(_batch(0))
    data[22] |= 5
    with pytest.raises(Fatal, match="codec 5"):
        list(unpack.BoundedBatch(memoryview(data), 10**6))


def test_zeros_do_not_fill_the_memory():
    """A bomb of a thousand to one costs about its bound."""
    bomb = codec.gzip_encode(b"\0" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(unpack.TooLarge):
        unpack.gunzip(bomb, 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 5_000_000

"""Binary formats of what crosses Kafka as arrays: blocks of tallies, points, snapshots.

A message is a msgpack map that any reader can open without this code:

    {"f": format, "v": version, "r": first release that reads it, "m": metadata, "c": {column: [dtype, packed as, shape, bytes]}}

Promises: equal values give equal bytes; columns come back with the dtype and shape they had, read-only; a version that was ever
written stays readable for ever (golden bytes in the tests say so). Bytes that are no such message, or another format, or a version to
come, are refused with what to do. Every refusal is `Fatal`: the log holds something that this process cannot understand, and to skip
it would be silent loss.

Why so: columns are little-endian and in C order, integers packed in the narrowest type that holds them, and what can be derived is
left out (sorted cell numbers become counts, keys of bins become steps), so that a block costs a few bytes a record before
Kafka compresses it. No checksum: Kafka has one over each batch.

Rejected: Arrow (a large dependency for a dozen arrays), pickle (runs code), one record a series (a hundred times the bytes).
"""

from streamspc.wire.container import pack, unpack
from streamspc.wire.points import decode_points, encode_points
from streamspc.wire.tables import decode_block, decode_lesson, decode_table, encode_block, encode_lesson, encode_table

__all__ = [
    "decode_block",
    "decode_lesson",
    "decode_points",
    "decode_table",
    "encode_block",
    "encode_lesson",
    "encode_points",
    "encode_table",
    "pack",
    "unpack",
]

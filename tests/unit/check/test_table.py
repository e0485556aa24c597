"""Rows of CSV become records."""

from __future__ import annotations

import io
from typing import Any, cast

import msgspec
import pytest

from streamspc.check import Steps, Unreadable, batches
from streamspc.check.drive import begin
from streamspc.check.source import Input
from streamspc.flow import ready, tally
from streamspc.model import NEVER, EventTime, MetricKind, MetricSpec, Semantics, Span, StreamSpec

METRICS = (
    MetricSpec(name="price", kind=MetricKind.MEAN, field="price"),
    MetricSpec(name="late", kind=MetricKind.PROPORTION, where='paid and flight.status == "late"'),
    MetricSpec(name="unknown", kind=MetricKind.NULL_RATE, field="customer"),
)


def spec(**stream: Any) -> StreamSpec:
    """A stream with a field of every kind."""
    settings: dict[str, Any] = {"event_time": EventTime(field="at", unit="s"), "segment_by": ("shop",), "metrics": METRICS}
    return StreamSpec(name="s", topic="t", **settings | stream)


def opened(text: bytes) -> Input:
    """An input in memory."""
    buffer = io.BufferedReader(io.BytesIO(text))
    return Input("x.csv", buffer, cast(io.BufferedReader, buffer), len(text))


def records(text: str | bytes, **stream: Any) -> list[bytes]:
    """JSON of the rows."""
    content = text.encode() if isinstance(text, str) else text
    return [value for batch in batches(opened(content), "csv", ready(spec(**stream))) for value in batch.values if value is not None]


HEAD = "at,price,paid,flight.status,customer,shop\n"


def test_cells_have_the_types_in_which_the_configuration_uses_them():
    """Numbers, flags and texts; fields of fields are nested; what is not used is left out, in whatever order columns come."""
    (found,) = records("shop, customer ,extra,paid,price,at,flight.status\n12,c1,x,TRUE,1.50,1700000000,late\n")

    assert msgspec.json.decode(found) == {
        "shop": "12", "customer": "c1", "paid": True, "price": 1.5, "at": 1_700_000_000, "flight": {"status": "late"},
    }  # fmt: skip


def test_an_empty_cell_is_null():
    """Of any kind."""
    (found,) = records(HEAD + ",,,,,\n")

    assert msgspec.json.decode(found) == dict.fromkeys(("at", "price", "paid", "customer", "shop")) | {"flight": {"status": None}}


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1", "1.0"),
        ("-0.5", "-0.5"),
        ("+2", "2.0"),
        (".5", "0.5"),
        ("7.", "7.0"),
        ("1e3", "1000.0"),
        (" 4 ", "4.0"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
    ],
)
def test_numbers_are_read_as_people_write_them(cell, number):
    """Also beyond the doubles: admission has its reason for those."""
    (found,) = records(f"{HEAD}1,{cell},,,,\n")

    assert f'"price":{number},'.encode() in found


@pytest.mark.parametrize("cell", ["abc", "nan", "inf", "1_000", "0x10", "1.2.3", '"1,5"', "-", "٣", "1e", "2013-01-01"])
def test_what_is_no_number_stays_a_text_and_is_refused(cell):
    """With the reason that a text has where a number is wanted; its neighbours are read."""
    text = f"{HEAD}1,{cell},,,,\n1,2,,,,\n".encode()
    stream = ready(spec())
    (batch,) = batches(opened(text), "csv", stream)

    assert tally(stream, batch, NEVER)[1].refused == {"wrong_type": 1}


def test_integers_of_event_time_are_exact():
    """Microseconds do not fit a double for long."""
    found = records("at,price,paid,flight.status,customer,shop\n007,,,,,\n-9007199254740993,,,,,\n1.5,,,,,\n")

    assert [value.rsplit(b'"at":')[1].rstrip(b"}") for value in found] == [b"7", b"-9007199254740993", b"1.5"]


@pytest.mark.parametrize(("cell", "flag"), [("true", True), ("False", False), ("1", True), ("0", False), ("yes", "yes"), (" true ", True)])
def test_flags_are_words_or_digits(cell, flag):
    """Any other word stays one, and is refused."""
    (found,) = records(f"{HEAD}1,,{cell},,,\n")

    assert msgspec.json.decode(found)["paid"] == flag


def test_quotes_line_ends_marks_and_blank_lines():
    """As spreadsheets write them: cells with commas, quotes and line ends, a mark of UTF-8 before the header, CRLF, blank lines."""
    text = '\ufeff\r\n"at",price,paid,flight.status,customer,shop\r\n\r\n1,2,,,"a ""b"", c\r\nd",ü\r\n\r\n'.encode()

    assert [msgspec.json.decode(found)["customer"] for found in records(text)] == ['a "b", c\r\nd']


def test_a_row_of_another_width_is_no_record():
    """It is refused as undecodable, in its place, and its number is told."""
    state, steps = begin(Semantics(app="a", chart_partitions=1, streams=(spec(),)), "s"), Steps()
    stream = state.streams["s"].stream
    for batch in batches(opened(f"{HEAD}1,2,,,,\n1,2\n1,2,,,,,\n1,3,,,,\n".encode()), "csv", stream):
        steps.note(stream, batch, tally(stream, batch, NEVER)[1].refused)

    assert (steps.records, steps.refused, steps.examples["undecodable"][0]) == (4, {"undecodable": 2}, Span(0, 2, 2))


def test_bytes_that_are_not_utf8_spoil_their_row_alone():
    """As they do in JSON."""
    found = records(HEAD.encode() + b"1,2,,,caf\xe9,\n1,3,,,caf\xc3\xa9,\n")

    assert [b"caf\xc3\xa9" in value for value in found] == [False, True]
    assert b"price" not in found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no records: the file is empty"),
        ("\n\n", "no records: the file is empty"),
        (
            "at,price,shop\n1,2,3\n",
            "no column paid, flight.status, customer, which the configuration uses; the first row has: at, price, shop",
        ),
        (HEAD.replace("\n", ",at\n"), "more than one column at; rename all but one"),
        (HEAD + "1," + "x" * 200_000, "line 2: no CSV: field larger than field limit"),
    ],
)
def test_a_file_without_the_columns_cannot_be_read(text, message):
    """The message says what was expected and what is there."""
    with pytest.raises(Unreadable) as error:
        records(text)

    assert message in str(error.value)


def test_a_field_and_its_parts_cannot_both_be_columns():
    """One cell cannot be an object; JSON Lines can say it."""
    metrics = (*METRICS, MetricSpec(name="none", kind=MetricKind.NULL_RATE, field="flight"))
    with pytest.raises(Unreadable, match=r"flight and flight\.status are both used"):
        records("flight," + HEAD, metrics=metrics)


def test_segments_are_named_as_in_json():
    """A number in a column of segments has the name that the number has in JSON, and an empty cell that of null."""
    stream = ready(spec())
    (batch,) = batches(opened(f"{HEAD}1,2,,,,12\n1,2,,,,\n".encode()), "csv", stream)
    (in_json,) = batches(opened(b'{"at":1,"shop":12}\n{"at":1}\n'), "jsonl", stream)

    assert tally(stream, batch, NEVER)[0].names == tally(stream, in_json, NEVER)[0].names == ("*", "12", "∅")

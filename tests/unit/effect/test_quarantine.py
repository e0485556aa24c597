from __future__ import annotations

import numpy as np
import pytest

from strategies import semantics
from streamspc.effect.quarantine import marked, quarantined
from streamspc.errors import Reason
from streamspc.model import WHOLE, Batch, Headers, Rejection, Routed

SPEC = semantics().streams[0]
HOUR = 3_600_000_000
WHY = Rejection(
    stream="s", config="c", start=0, end=HOUR, segment="nord|süd", n=9, metric="failed", chart="cusum", value=1 / 3, lcl=0.1, ucl=0.2
)


def batch(headers: list[Headers] | None, records: int = 3) -> Batch:
    """Records of source-2 from offset 40 on."""
    none: list[bytes | None] = [None] * records
    return Batch("source", 2, np.arange(40, 40 + records), np.zeros(records, np.int64), none, none, headers, 40 + records)


def routed(records: int = 3, rejections: tuple[Rejection, ...] = (WHY,), **marks: list[int]) -> Routed:
    """Where they go; -1 and 0 unless told otherwise."""
    rejected, refused = (np.array(marks.get(name, [-1] * records), np.int32) for name in ("rejected", "refused"))
    late, storm = (np.array(marks.get(name, [0] * records), bool) for name in ("late", "storm"))
    return Routed(
        records,
        rejected,
        refused,
        late,
        storm,
        np.zeros(records, bool),
        0,
        rejections,
        ((Reason.UNDECODABLE, "byte 3"), (Reason.TOMBSTONE, "")),
        0,
        0,
    )


def texts(headers: Headers) -> dict[str, str]:
    """The headers as texts; the last of a name counts."""
    return {name: (value or b"").decode() for name, value in headers}


def test_a_rejected_record_says_what_was_out_of_control():
    """Every number that decided, the window, and where the record was."""
    (found,) = quarantined(SPEC, batch(None), np.array([1]), routed(rejected=[-1, 0, -1]))

    assert texts(found) == {
        "__connect.errors.topic": "source",
        "__connect.errors.partition": "2",
        "__connect.errors.offset": "41",
        "__connect.errors.connector.name": "streamspc.s",
        "__connect.errors.task.id": "0",
        "__connect.errors.stage": "TRANSFORMATION",
        "__connect.errors.class.name": "streamspc",
        "__connect.errors.exception.class.name": "streamspc.OutOfControl",
        "__connect.errors.exception.message": "failed = 0.333333 outside [0.1, 0.2] in window "
        "1970-01-01T00:00:00Z/1970-01-01T01:00:00Z, segment nord|süd",
        "streamspc.reason": "rejected",
        "streamspc.stream": "s",
        "streamspc.window": "1970-01-01T00:00:00Z/1970-01-01T01:00:00Z",
        "streamspc.segment": "nord|süd",
        "streamspc.metric": "failed",
        "streamspc.rule": "cusum",
        "streamspc.value": repr(1 / 3),
        "streamspc.limits": "[0.1, 0.2]",
        "streamspc.episode": "",
    }


def test_a_refused_record_says_its_reason():
    """The stage is that of a converter, the reason a word of the closed list, the detail is in the message."""
    (found,) = quarantined(SPEC, batch(None), np.array([2]), routed(refused=[-1, -1, 0]))
    said = texts(found)

    assert said["streamspc.reason"] == "undecodable"
    assert said["__connect.errors.stage"] == "VALUE_CONVERTER"
    assert said["__connect.errors.exception.class.name"] == "streamspc.BadRecord.undecodable"
    assert said["__connect.errors.exception.message"] == "byte 3"


def test_what_is_refused_is_not_called_rejected():
    """Where both hold, nobody could read the record: that is what it says."""
    (found,) = quarantined(SPEC, batch(None), np.array([0]), routed(rejected=[0, -1, -1], refused=[0, -1, -1]))

    assert texts(found)["streamspc.reason"] == "undecodable"


@pytest.mark.parametrize("why", [{"rejected": [0, 0, 0]}, {"refused": [0, 0, 0]}])
def test_original_headers_come_first_and_unchanged(why):
    """Also doubled names, null values, and names that are ours: nothing is overwritten."""
    theirs: list[Headers] = [[("a", b"1"), ("a", None)], [], [("streamspc.reason", b"mine"), ("__connect.errors.topic", b"")]]
    found = quarantined(SPEC, batch(theirs), np.arange(3), routed(**why))

    assert [headers[: len(original)] for headers, original in zip(found, theirs, strict=True)] == theirs
    assert len({len(headers) - len(original) for headers, original in zip(found, theirs, strict=True)}) == 1
    assert theirs == [[("a", b"1"), ("a", None)], [], [("streamspc.reason", b"mine"), ("__connect.errors.topic", b"")]]


def test_late_records_are_marked_wherever_they_go():
    """In quarantine and in clean; a lifted rejection too."""
    marks = routed(rejected=[0, -1, -1], late=[1, 1, 0], storm=[0, 0, 1])
    (bad,) = quarantined(SPEC, batch(None), np.array([0]), marks)
    good = marked(batch(None), np.array([1, 2]), marks)

    assert bad[-1] == ("streamspc.late", b"true")
    assert good == [[("streamspc.late", b"true")], [("streamspc.storm", b"true")]]


def test_clean_records_without_a_mark_keep_their_headers():
    """None where no record has any; else the very same lists."""
    theirs: list[Headers] = [[("a", None)], [], [("b", b"")]]

    assert marked(batch(None), np.arange(3), routed()) is None
    assert marked(batch(theirs), np.array([0, 2]), routed(late=[0, 1, 0])) == [theirs[0], theirs[2]]
    assert marked(batch(theirs), np.arange(3), routed(late=[0, 1, 0])) == [theirs[0], [("streamspc.late", b"true")], theirs[2]]


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (-HOUR, 0, "1969-12-31T23:00:00Z/1970-01-01T00:00:00Z"),
        (1_700_000_000_000_001, 1_700_000_000_500_000, "2023-11-14T22:13:20.000001Z/2023-11-14T22:13:20.500000Z"),
        (253_402_300_799_000_000, 253_402_300_800_000_000, "9999-12-31T23:59:59Z/10000-01-01T00:00:00Z"),
    ],
)
def test_windows_of_any_year_can_be_told(start, end, window):
    """Before 1970, to the microsecond, and where the calendar ends."""
    rejection = Rejection(stream="s", config="c", start=start, end=end, segment=WHOLE, n=1, metric="m", chart="ewma", value=1.0)
    (found,) = quarantined(SPEC, batch(None, 1), np.array([0]), routed(1, (rejection,), rejected=[0]))

    assert texts(found)["streamspc.window"] == window
    assert texts(found)["streamspc.limits"] == "[-, -]"

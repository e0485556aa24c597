import struct
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspc.bucket.window import DAY, Calendar
from streamspc.errors import ConfigError
from streamspc.model import END

HOUR, MINUTE = DAY // 24, DAY // 1440
NEW_YORK = "America/New_York"
CHANGING = [
    NEW_YORK,
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Tehran",
    "UTC",
]
SIZES = [15 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY]


def zone(name):
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules)


def micros(year, month, day, *, tz="UTC"):
    return round(datetime(year, month, day, tzinfo=zone(tz)).timestamp()) * 1_000_000


def hours(calendar, start, count):
    """Lengths in hours of windows from a start on."""
    bounds = [start]
    for _ in range(count):
        bounds.append(calendar.after(bounds[-1]))
    return [(end - begin) / HOUR for begin, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("name", "size", "day", "expected"),
    [
        (NEW_YORK, DAY, (2013, 3, 9), [24, 23, 24]),
        (NEW_YORK, DAY, (2013, 11, 2), [24, 25, 24]),
        (NEW_YORK, 6 * HOUR, (2013, 3, 10), [5, 6, 6, 6]),
        (NEW_YORK, 6 * HOUR, (2013, 11, 3), [7, 6, 6, 6]),
        (NEW_YORK, HOUR, (2013, 3, 10), [1] * 23),
        (NEW_YORK, HOUR, (2013, 11, 3), [1] * 25),
        ("Australia/Lord_Howe", DAY, (2013, 4, 7), [24.5, 24]),
        ("Australia/Lord_Howe", DAY, (2013, 10, 6), [23.5, 24]),
        ("Australia/Lord_Howe", HOUR, (2013, 10, 6), [1, 1, 0.5, 1]),
        ("Pacific/Apia", DAY, (2011, 12, 28), [24, 24, 24]),
        ("America/Sao_Paulo", DAY, (2013, 10, 19), [24, 23, 24]),
        (NEW_YORK, 2 * HOUR, (2013, 3, 10), [2, 1, 2]),
        ("UTC", DAY, (2013, 3, 10), [24, 24]),
        (NEW_YORK, 7 * DAY, (2013, 3, 4), [167, 168]),
    ],
)
def test_lengths_at_changes_of_the_clock(name, size, day, expected):
    """Windows start when the wall clock shows or skips a multiple of the size: they are shorter and longer at its changes."""
    calendar = Calendar(size, name)
    start = micros(*day, tz=name)

    assert calendar.start(np.array([start])).tolist() == [start]
    assert hours(calendar, start, len(expected)) == expected


def test_the_day_after_the_skipped_one_starts_at_its_midnight():
    """Samoa had no 30 December 2011: the windows go from the 29th to the 31st."""
    calendar = Calendar(DAY, "Pacific/Apia")

    assert calendar.after(micros(2011, 12, 29, tz="Pacific/Apia")) == micros(2011, 12, 31, tz="Pacific/Apia")


def test_weeks_begin_on_mondays():
    """A window of whole weeks starts on a Monday of the zone."""
    start = int(Calendar(7 * DAY, "Europe/Berlin").start(np.array([micros(2024, 5, 9)]))[0])

    assert datetime.fromtimestamp(start / 1e6, zone("Europe/Berlin")).strftime("%A %H:%M") == "Monday 00:00"


def shown(name, begin, count, step):
    """Instants among `count` quarters of an hour at which the wall clock shows or has skipped a multiple, by plain datetimes."""
    tz, epoch = zone(name), datetime(1970, 1, 1, tzinfo=UTC)
    anchor = 4 * DAY if step % (7 * DAY) == 0 else 0

    def wall(at):
        return ((epoch + timedelta(microseconds=at)).astimezone(tz).replace(tzinfo=UTC) - epoch) // timedelta(microseconds=1)

    for at in range(begin, begin + count * 15 * MINUTE, 15 * MINUTE):
        now = wall(at)
        if now - (now - anchor) % step >= min(now, wall(at - 15 * MINUTE) + 15 * MINUTE):
            yield at


@given(name=st.sampled_from(CHANGING), size=st.sampled_from(SIZES), day=st.integers(0, 75 * 365))
@settings(max_examples=60, deadline=None)
def test_starts_are_what_a_walk_along_the_clock_finds(name, size, day):
    """Every start in ten days of the years 1970 to 2045 is found by looking at the clock each quarter of an hour, and no other."""
    begin = day * DAY
    expected = list(shown(name, begin, 960, size))
    calendar = Calendar(size, name)
    found = list(calendar.starts(begin, begin + 10 * DAY + 30 * size))

    assert [start for start in found if start < begin + 10 * DAY] == expected


@given(
    name=st.sampled_from(files("tzdata").joinpath("zones").read_text().split()),
    size=st.sampled_from([8, MINUTE, *SIZES, 365 * DAY]),
    times=st.lists(st.integers(-4_000_000_000_000_000, 5_000_000_000_000_000), min_size=1, max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_every_time_is_in_exactly_one_window(name, size, times):
    """In any zone a window holds its time, begins where it says, and the next one begins where it ends."""
    check_partition(Calendar(size, name), np.array(times))


@pytest.mark.parametrize("name", CHANGING)
def test_the_first_and_the_last_year_have_windows(name):
    """From the year 1 to the year 9999 windows hold their times, whatever the zone."""
    check_partition(Calendar(DAY, name), np.array([-62_135_596_800_000_000, 0, 253_402_300_799_999_999]))


def check_partition(calendar, array):
    """A window holds its time, begins where it says, and the next one begins where it ends."""
    start, end = calendar.start(array), calendar.end(array)

    assert ((start <= array) & (array < end)).all()
    assert calendar.start(start).tolist() == start.tolist()
    assert calendar.start(end - 1).tolist() == start.tolist()
    assert calendar.start(end).tolist() == end.tolist()
    assert calendar.end(start).tolist() == end.tolist()


@given(times=st.lists(st.integers(-(10**15), 3 * 10**15), min_size=2, max_size=6))
@settings(max_examples=20, deadline=None)
def test_a_window_does_not_depend_on_what_was_asked_before(times):
    """A calendar that has met other years answers like a fresh one."""
    used = Calendar(DAY, NEW_YORK)
    one_by_one = [int(used.start(np.array([time]))[0]) for time in times]

    assert Calendar(DAY, NEW_YORK).start(np.array(times)).tolist() == one_by_one


def test_rules_beyond_the_known_years_repeat():
    """In the year 4013 summer time begins on the second Sunday of March, as the last rule says."""
    start = micros(4013, 3, 10) + 5 * HOUR

    assert hours(Calendar(DAY, NEW_YORK), start, 2) == [23, 24]


def test_starts_may_be_asked_up_to_the_end_of_time():
    """The starts come one by one, so that an open end costs nothing."""
    assert list(islice(Calendar(HOUR, "UTC").starts(1, END), 2)) == [HOUR, 2 * HOUR]
    assert list(Calendar(HOUR, "UTC").starts(0, 2 * HOUR)) == [0, HOUR]
    assert list(Calendar(HOUR, "UTC").starts(0, HOUR - 1)) == []


def test_no_times_have_no_windows():
    """An empty array stays empty."""
    empty = np.zeros(0, dtype=np.int64)

    assert Calendar(HOUR, "UTC").start(empty).tolist() == Calendar(HOUR, "UTC").end(empty).tolist() == []


@pytest.mark.parametrize(
    ("size", "name", "cure"),
    [
        (7 * MINUTE, "UTC", "use 400s or 432s"),
        (0, "UTC", "use 60s"),
        (36 * HOUR, "UTC", "use 1d or 2d"),
        (HOUR, "America/NewYork", "did you mean America/New_York?"),
        (HOUR, "../../etc/passwd", "expected a name such as"),
    ],
)
def test_a_wrong_calendar_is_refused_with_the_cure(size, name, cure):
    """Sizes that do not fit the day and zones that do not exist never start."""
    with pytest.raises(ConfigError) as refused:
        Calendar(size, name)

    assert cure in str(refused.value)


def instants(name):
    """Instants (seconds) at which the offset of a zone changes, read from its TZif file (RFC 9636) without `zoneinfo`."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    isut, isstd, leap, times, types, letters = struct.unpack_from(">6l", data, 20)
    second = 44 + times * 5 + types * 6 + letters + leap * 8 + isstd + isut
    times, types = struct.unpack_from(">2l", data, second + 32)
    at = struct.unpack_from(f">{times}q", data, second + 44)
    index = data[second + 44 + 8 * times : second + 44 + 9 * times]
    offsets = [struct.unpack_from(">l", data, second + 44 + 9 * times + 6 * kind)[0] for kind in range(types)]
    return [now for now, before, kind in zip(at, [0, *index], index, strict=False) if offsets[before] != offsets[kind]]


def test_no_change_is_missed_between_two_looks():
    """In every zone of tzdata changes are further apart than the looks at its offset, and within the years that are looked at."""
    for name in files("tzdata").joinpath("zones").read_text().split():
        found = instants(name)
        assert all(later - earlier > 3 * 86_400 for earlier, later in pairwise(found))
        assert not found or found[0] > -5_364_662_400  # 1800-01-01


@pytest.mark.parametrize("name", CHANGING)
def test_changes_are_those_of_the_zone_file(name):
    """Every change that the file lists is found, to the microsecond."""
    expected = [1_000_000 * at for at in instants(name) if at < 4_000_000_000]
    calendar = Calendar(DAY, name)
    calendar.start(np.array([-5_000_000_000_000_000, 4_000_000_000_000_000]))

    assert [at for at in calendar._bounds[1:-1].tolist() if expected and at <= expected[-1]] == expected

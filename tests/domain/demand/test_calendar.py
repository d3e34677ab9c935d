"""Calendar buckets: without gaps, in local time, right on days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.demand.calendar import Calendar

HOUR = 3_600_000_000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"]


def us(*parts, zone="UTC", fold=0):
    moment = datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold)
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def start(calendar, time_us):
    return int(calendar.floor(np.array([time_us]))[0])


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["hour", "day", "week"]),
    st.integers(us(1975, 1, 1), us(2060, 1, 1)),
)
@settings(deadline=None, max_examples=60)
def test_a_bucket_holds_its_time_and_ends_where_the_next_begins(zone, bucket, time_us):
    """start <= time < end, local midnight or full hour at the start, and the end starts the next bucket."""
    calendar = Calendar(bucket, zone)
    begin = start(calendar, time_us)
    end = calendar.after(time_us)
    assert begin <= time_us < end
    assert start(calendar, end) == end
    assert start(calendar, end - 1) == begin
    assert calendar.between(begin, end) == 1
    local = datetime.fromtimestamp(begin / 1e6, ZoneInfo(zone))
    assert (local.minute, local.second) == (0, 0)
    if bucket == "week":
        assert local.weekday() == 0


@pytest.mark.parametrize(("parts", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 7, 1), 24)])
def test_days_are_as_long_as_clocks_say(parts, hours):
    """The days on which Berlin's clocks change have 23 and 25 hours."""
    calendar = Calendar("day", "Europe/Berlin")
    begin = us(*parts, zone="Europe/Berlin")
    assert start(calendar, begin + 12 * HOUR) == begin
    assert calendar.after(begin) == begin + hours * HOUR
    assert Calendar("hour", "Europe/Berlin").between(begin, begin + hours * HOUR) == hours


def test_a_midnight_that_clocks_skip_is_the_moment_they_skip_it():
    """Beirut, 27 March 2022: clocks went from 24:00 to 01:00; the day has 23 hours and the one before 24."""
    calendar = Calendar("day", "Asia/Beirut")
    skipped = us(2022, 3, 26, 22)
    assert calendar.starts(skipped - 1, 2).tolist() == [skipped, skipped + 23 * HOUR]
    assert start(calendar, skipped - 1) == skipped - 24 * HOUR


def test_of_a_midnight_that_comes_twice_the_first_begins_the_day():
    """Havana, 1 November 2026: at 01:00 clocks go back to 00:00; the day has 25 hours."""
    calendar = Calendar("day", "America/Havana")
    first = us(2026, 11, 1, zone="America/Havana")
    assert calendar.after(first) - first == 25 * HOUR
    assert start(calendar, us(2026, 11, 1, zone="America/Havana", fold=1)) == first


def test_weeks_begin_on_monday_across_years():
    """The week of New Year 2026 begins on Monday 29 December 2025."""
    assert start(Calendar("week"), us(2026, 1, 1)) == us(2025, 12, 29)


def test_an_unknown_zone_is_refused():
    """A zone that the database does not know raises at once, not at the first row."""
    with pytest.raises(KeyError):
        Calendar("day", "Europe/Nowhere")

"""Calendar buckets: hours, days and weeks as the clocks of a time zone show them.

A day begins at local midnight and has 23 or 25 hours where clocks change, a week begins on Monday, an hour at the
full local hour. Buckets are half-open, in Int64 us UTC, and leave no gaps: a bucket ends where the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

Bucket = Literal["hour", "day", "week"]

SEASON: Final[dict[Bucket, int]] = {"hour": 24, "day": 7, "week": 52}
"""Buckets of the season that people make: a day, a week, a year."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_MARGIN_US: Final = 8 * _DAY_US  # a week may begin in the year before, a zone be a day ahead


@dataclass(frozen=True, slots=True)
class Calendar:
    """Buckets of one kind in one time zone (a name of the IANA database; an unknown one raises KeyError)."""

    bucket: Bucket
    zone: str = "UTC"

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)

    def floor(self, time_us: Int64) -> Int64:
        """Start of the bucket that each time falls in.

        >>> berlin = Calendar("day", "Europe/Berlin")
        >>> noon = np.array([1_774_778_400_000_000])  # 29 March 2026, a day of 23 hours
        >>> start = berlin.floor(noon)
        >>> (berlin.after(int(start[0])) - start).tolist() == [23 * 3_600_000_000]
        True
        """
        if not len(time_us):
            return np.empty(0, np.int64)
        edges = self._edges(int(time_us.min()), int(time_us.max()))
        return edges[np.searchsorted(edges, time_us, side="right") - 1]

    def after(self, time_us: int) -> int:
        """Start of the first bucket that begins later than `time_us`."""
        return int(self.starts(time_us, 1)[0])

    def starts(self, time_us: int, count: int) -> Int64:
        """Starts of the next `count` buckets that begin later than `time_us`."""
        edges = self._edges(time_us, time_us + (count + 1) * _LONGEST_US[self.bucket])
        first = int(np.searchsorted(edges, time_us, side="right"))
        return edges[first : first + count]

    def between(self, start_us: int, end_us: int) -> int:
        """Buckets that begin in [start_us, end_us)."""
        edges = self._edges(start_us, end_us)
        return int(np.searchsorted(edges, end_us) - np.searchsorted(edges, start_us))

    def _edges(self, start_us: int, end_us: int) -> Int64:
        first = (_EPOCH + timedelta(microseconds=start_us - _MARGIN_US)).year
        last = (_EPOCH + timedelta(microseconds=end_us + _MARGIN_US)).year
        return _years(self.bucket, self.zone, first, last)


_LONGEST_US: Final[dict[Bucket, int]] = {
    "hour": 2 * _HOUR_US,
    "day": 26 * _HOUR_US,
    "week": 170 * _HOUR_US,
}


@lru_cache(maxsize=256)
def _years(bucket: Bucket, zone: str, first: int, last: int) -> Int64:
    return np.concatenate([_year(bucket, zone, year) for year in range(first, last + 1)])


@lru_cache(maxsize=256)
def _year(bucket: Bucket, zone: str, year: int) -> Int64:
    """Starts of the buckets that begin in a local year."""
    first = datetime(year, 1, 1)  # noqa: DTZ001 - what the clock on the wall shows; the zone is put to it below
    where = ZoneInfo(zone)
    if bucket == "week":
        first += timedelta(days=-first.weekday() % 7)
    step = timedelta(days=7 if bucket == "week" else 1)
    days = [first + step * n for n in range(367) if (first + step * n).year == year]
    # Of a midnight that comes twice the first begins the day; one that clocks skip is the moment they skip it.
    starts = [_moment(day.replace(tzinfo=where)) for day in days]
    if bucket == "hour":
        starts.append(_moment(datetime(year + 1, 1, 1, tzinfo=where)))
        starts = [hour for begin, end in pairwise(starts) for hour in _hours(where, begin, end)]
    return np.array(starts, dtype=np.int64)


def _hours(where: ZoneInfo, start: int, end: int) -> list[int]:
    """Moments in [start, end), a local day, at which clocks show a full hour."""
    if end - start == _DAY_US:
        return list(range(start, end, _HOUR_US))
    quarters = range(start, end, _HOUR_US // 4)
    return [at for at in quarters if (_EPOCH + timedelta(microseconds=at)).astimezone(where).minute == 0]


def _moment(local: datetime) -> int:
    return (local - _EPOCH) // _MICROSECOND

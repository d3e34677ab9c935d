"""Timestamps as text: RFC 3339 in UTC, `2026-03-02T08:15:30.123Z`, with 0 to 6 fractional digits.

Strict: upper-case `T` and `Z`, no other offset, no leap second, real calendar days, years 1970 to 2261 (what
64-bit nanoseconds can hold, as some readers of the lake use them).

Texts of one length share one layout: byte by byte they line up, so form is checked and digits are added up for all
of them at once. Of dates there are few in a batch; the standard library says of each which day it is.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

DTYPE: Final = pl.Datetime("us", "UTC")

_Int64 = npt.NDArray[np.int64]
_Bool = npt.NDArray[np.bool_]

_LENGTHS: Final = {len("2026-03-02T08:15:30Z") + (digits + 1 if digits else 0): digits for digits in range(7)}
_YEARS: Final = range(1970, 2262)
_FIRST_DAY: Final = datetime.fromtimestamp(0, UTC).date().toordinal()
_NO_DAY: Final = -1
_DAY_US: Final = 86_400_000_000


def parse_timestamps(texts: pl.Series) -> pl.Series:
    """Instants of a String column as Datetime[us, UTC]; null where the text is null or not a timestamp.

    >>> parse_timestamps(pl.Series(["2026-03-02T08:15:30.5Z", "2026-02-30T00:00:00Z"])).to_list()
    [datetime.datetime(2026, 3, 2, 8, 15, 30, 500000, tzinfo=zoneinfo.ZoneInfo(key='UTC')), None]
    """
    lengths = texts.str.len_bytes()
    shortest = lengths.min()
    if isinstance(shortest, int) and shortest in _LENGTHS and lengths.null_count() == 0 and shortest == lengths.max():
        return _series(*_parse(texts, shortest), texts.name)
    found = [length for length in lengths.unique().to_list() if length in _LENGTHS]
    instants = np.zeros(len(texts), dtype=np.int64)
    valid = np.zeros(len(texts), dtype=np.bool_)
    for length in found:
        here = (lengths == length).fill_null(value=False)
        at = here.to_numpy()
        instants[at], valid[at] = _parse(texts.filter(here), length)
    return _series(instants, valid, texts.name)


def _series(instants: _Int64, valid: _Bool, name: str) -> pl.Series:
    parsed = pl.Series(name, instants)
    return (parsed if valid.all() else parsed.set(pl.Series(~valid), None)).cast(DTYPE)


def _parse(texts: pl.Series, length: int) -> tuple[_Int64, _Bool]:
    """Microseconds since the epoch of texts of `length` bytes each, one of `_LENGTHS`; whether each is valid."""
    data = np.frombuffer(str(texts.str.join("").item()).encode(), dtype=np.uint8)
    fraction = "." + "9" * _LENGTHS[length] if _LENGTHS[length] else ""
    # Hour 29, day 39 and month 19 pass here: days are judged by the calendar, hours below.
    highest = np.frombuffer(f"9999-19-39T29:59:59{fraction}Z".encode(), dtype=np.uint8)
    lowest = np.where((highest >= ord("1")) & (highest <= ord("9")), np.uint8(ord("0")), highest)
    # A byte below the lowest wraps around and is too large as well.
    fits = (data - np.tile(lowest, len(texts))) <= np.tile(highest - lowest, len(texts))
    columns = data.reshape(-1, length).T.copy() - np.uint8(ord("0"))

    def number(*digits: int) -> _Int64:
        total = np.zeros(len(texts), dtype=np.int64)
        for at in digits:
            total = total * 10 + columns[at]
        return total

    seconds = number(11, 12) * 3600 + number(14, 15) * 60 + number(17, 18)
    of_day = seconds * 1_000_000 + number(*range(20, length - 1)) * 10 ** (6 - _LENGTHS[length])
    days = _days(number(0, 1, 2, 3, 5, 6, 8, 9))
    valid = (days != _NO_DAY) & (of_day < _DAY_US)
    if not fits.all():
        valid &= fits.reshape(-1, length).all(axis=1)
    return days * _DAY_US + of_day, valid


def _days(dates: _Int64) -> _Int64:
    """Days since the epoch of dates written as the integer YYYYMMDD."""
    if dates.min() == dates.max():
        return np.full(len(dates), _day(int(dates[0])))
    different, which = np.unique(dates, return_inverse=True)
    days: _Int64 = np.array([_day(number) for number in different.tolist()])[which]
    return days


def _day(number: int) -> int:
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    try:
        return date(year, month, day).toordinal() - _FIRST_DAY if year in _YEARS else _NO_DAY
    except ValueError:
        return _NO_DAY

"""Many messages to columns at once, as far as it is certain that the exact decoder would say the same.

Polars reads JSON lines several times as fast as one message after the other can be, but it is lenient: unknown
and repeated keys are passed over, a number or an object where the contract has a string becomes one, and null is
the same as nothing. A message counts only if none of that can have happened:

- It is one object without another object, a list or a backslash inside, and no required field came out null.
  (A number is null unless JSON has a number there, an integer unless it is one of 64 bits.)
- It has as many colons as fields came out, plus those inside their strings. Every key brings one colon and every
  field that came out had a key, so there is no other key, and none twice.
- It has as many quotes as these keys and the strings that came out need. So every string was one.

Both counts can only be too high for one message, never too low, and so their sums over a batch prove it for each.
Only where the sums differ are messages counted one by one. What is not certain here may still be good: the caller
gives it to the exact decoder.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.batch import ROW
from schemas.contract import Contract
from schemas.messages import Int64, Messages
from schemas.timestamps import parse_timestamps

_TYPES: Final = frozenset(("string", "integer", "number", "timestamp"))
_FEW: Final = 64  # messages among which a malformed one is not looked for any further
_PARTS: Final = 8

_Bytes = npt.NDArray[np.uint8]


class BulkReader:
    """Reads messages of a contract for which `fits` holds."""

    def __init__(self, contract: Contract, max_bytes: int) -> None:
        self._texts = [f.name for f in contract.fields if f.type in ("string", "timestamp")]
        self._times = [f.name for f in contract.fields if f.type == "timestamp"]
        self._required = [f.name for f in contract.fields if f.required]
        self._defaults = {f.name: f.default for f in contract.fields if f.default is not None}
        self._schema = {f.name: pl.String if f.type == "timestamp" else f.dtype for f in contract.fields}
        self._max_bytes = max_bytes

    @staticmethod
    def fits(contract: Contract) -> bool:
        """Whether all fields are of types that can be read here: strings, numbers and timestamps."""
        return all(field.type in _TYPES for field in contract.fields)

    def read(self, messages: Messages) -> pl.DataFrame:
        """Fields of the messages that are certainly good, with `_row`, rising; the others are left out."""
        found = [self._certain(messages, *one) for one in self._parse(messages, _plain(messages, self._max_bytes))]
        frame = pl.concat(found) if found else pl.DataFrame(schema={**self._schema, ROW: pl.Int64})
        return self._with_times(frame).with_columns(
            pl.col(name).fill_null(default) for name, default in self._defaults.items()
        )

    def _parse(self, messages: Messages, rows: Int64) -> list[tuple[pl.DataFrame, bytes]]:
        """Frames of the messages that Polars can read, with `_row`, and the text that each was read from."""
        text = messages.text(rows)
        try:
            frame = pl.read_ndjson(text, schema=self._schema, ignore_errors=True) if text else None
        except pl.exceptions.ComputeError:  # some message is not JSON; it is not told which
            if len(rows) <= _FEW:
                return []
            return [found for part in np.array_split(rows, _PARTS) for found in self._parse(messages, part)]
        return [] if frame is None else [(frame.with_columns(pl.Series(ROW, rows)), text)]

    def _certain(self, messages: Messages, frame: pl.DataFrame, text: bytes) -> pl.DataFrame:
        """Rows of which it is certain that they are what the exact decoder makes of their messages."""
        data = np.frombuffer(text, dtype=np.uint8)
        quotes, colons = (int(np.count_nonzero(data == ord(sign))) for sign in '":')
        whole = frame.drop_nulls(self._required)
        if whole.height < frame.height:
            for message in messages.take(np.setdiff1d(frame[ROW], whole[ROW], assume_unique=True)):
                quotes -= message.count(b'"')
                colons -= message.count(b":")
        given = {name: whole.height - whole[name].null_count() for name in self._schema}
        fields, strings = sum(given.values()), sum(given[name] for name in self._texts)
        inside = sum(str(whole[name].str.join("").item()).count(":") for name in self._texts if given[name])
        if quotes == 2 * (fields + strings) and colons == fields + inside:
            return whole
        return whole.filter(self._exact(messages, whole))

    def _exact(self, messages: Messages, frame: pl.DataFrame) -> pl.Series:
        """Whether each message has no more quotes and colons than what came out of it."""
        rows = frame[ROW].to_numpy()
        needed = frame.select(
            (
                pl.sum_horizontal(pl.col(name).is_not_null() for name in self._schema)
                + pl.sum_horizontal(pl.col(name).is_not_null() for name in self._texts)
            ).alias("quotes")
            * 2,
            (
                pl.sum_horizontal(pl.col(name).is_not_null() for name in self._schema)
                + pl.sum_horizontal(pl.col(name).str.count_matches(":", literal=True) for name in self._texts)
            ).alias("colons"),
        )
        same = (_count(messages, '"')[rows] == needed["quotes"].to_numpy()) & (
            _count(messages, ":")[rows] == needed["colons"].to_numpy()
        )
        return pl.Series(same)

    def _with_times(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Frame with timestamps parsed, without the rows where one is wrong."""
        for name in self._times:
            texts = frame[name]
            instants = parse_timestamps(texts)
            right = instants.null_count() == texts.null_count()
            frame = frame.with_columns(instants)
            if not right:
                frame = frame.filter(instants.is_not_null() | texts.is_null())
        return frame


def _plain(messages: Messages, max_bytes: int) -> Int64:
    """Indices of messages that may be one flat object: in braces, no brace, bracket, backslash or control inside."""
    data = np.frombuffer(messages.data, dtype=np.uint8)
    starts, ends = messages.starts, messages.ends
    plain = (ends - starts >= len("{}")) & (ends - starts <= max_bytes)
    plain &= (data[starts] == ord("{")) & (data[ends - 1] == ord("}"))
    if int(np.count_nonzero(data < ord(" "))) != len(messages):
        plain[_rows_with(messages, data < ord(" "))] = False
    for sign in (b"\\", b"["):
        if sign in messages.data:
            plain[_rows_with(messages, data == ord(sign))] = False
    braces = data == ord("{")
    if int(np.count_nonzero(braces)) != len(messages):
        braces[starts] = False
        plain[_rows_with(messages, braces)] = False
    return np.flatnonzero(plain)


def _rows_with(messages: Messages, found: npt.NDArray[np.bool_]) -> Int64:
    """Indices of messages with a byte that was found inside of them."""
    places = np.flatnonzero(found)
    rows = np.searchsorted(messages.ends, places)
    inside: Int64 = rows[places < messages.ends[rows]]
    return inside


def _count(messages: Messages, sign: str) -> Int64:
    """How often a character occurs in each message."""
    places = np.flatnonzero(np.frombuffer(messages.data, dtype=np.uint8) == ord(sign))
    until = np.searchsorted(places, messages.ends)
    return np.diff(until, prepend=0)

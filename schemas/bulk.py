"""Many messages to columns at once, as far as it is certain that the exact decoder would say the same.

Polars reads JSON lines several times as fast as one message after the other can be, but it is lenient: unknown
and repeated keys are passed over, a number or an object where the contract has a string becomes one, and null is
the same as nothing. A message counts only if none of that can have happened:

- It is one object without another object, a list or a backslash inside, and no required field came out null.
  (A number is null unless JSON has a number there, an integer unless it is one of 64 bits.)
- It has as many colons as fields came out, plus those inside their strings. Every key brings one colon and every
  field that came out had a key, so there is no other key, and none twice.
- It has as many quotes as these keys and the strings that came out need. So every string was one.

A message can only have too many colons, never too few; and where these are right, only too few quotes. So the sums
over a batch prove it for each. Only where the sums differ are messages counted one by one; then a key with a null
where the contract allows one also explains its colon and quotes, once. What is not certain here may still be good:
the caller gives it to the exact decoder.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.batch import ROW
from schemas.contract import Contract
from schemas.messages import Int64, Messages
from schemas.timestamps import DTYPE, parse_timestamps

_TYPES: Final = frozenset(("string", "integer", "number", "timestamp"))
_FEW: Final = 64  # messages among which a malformed one is not looked for any further
_PARTS: Final = 8

_Schema = dict[str, pl.DataType | type[pl.DataType]]
_Mask = npt.NDArray[np.bool_]


class BulkReader:
    """Reads messages of a contract for which `fits` holds."""

    def __init__(self, contract: Contract, max_bytes: int) -> None:
        self._schema: _Schema = {f.name: pl.String if f.type == "timestamp" else f.dtype for f in contract.fields}
        self._times = frozenset(f.name for f in contract.fields if f.type == "timestamp")
        self._required = [f.name for f in contract.fields if f.required]
        self._optional = frozenset(f.name for f in contract.fields if not f.required)
        self._sought = self._optional
        self._defaults = [pl.col(f.name).fill_null(f.default) for f in contract.fields if f.default is not None]
        # With a default, null is not the same as nothing: that is left to the exact reader.
        nullable = [f.name for f in contract.fields if f.nullable and not f.required and f.default is None]
        self._nulls = {name: re.compile(b'"%b":null' % re.escape(name.encode())) for name in nullable}
        self._max_bytes = max_bytes

    @staticmethod
    def fits(contract: Contract) -> bool:
        """Whether all fields are of types that can be read here: strings, numbers and timestamps."""
        return all(field.type in _TYPES for field in contract.fields)

    def read(self, messages: Messages) -> pl.DataFrame:
        """Fields of the messages that are certainly good, with `_row`, rising; the others are left out."""
        sought = self._sought
        schema = {name: dtype for name, dtype in self._schema.items() if name in sought or name not in self._optional}
        parsed = self._parse(messages, _plain(messages, self._max_bytes), schema)
        nothing = pl.DataFrame(schema={**schema, ROW: pl.Int64})
        frame = pl.concat([found for found, _ in parsed]) if parsed else nothing
        frame, explained = self._certain(messages, frame, b"".join(text for _, text in parsed))
        # A field that no message of a batch has is not looked for in the next one, which then is read faster. A
        # message that has it there is not explained by what came out, and the field is looked for again.
        if explained:
            self._sought = frozenset(name for name in sought if frame[name].null_count() < frame.height)
        else:
            self._sought = self._optional
        return self._complete(frame)

    def _parse(self, messages: Messages, rows: Int64, schema: _Schema) -> list[tuple[pl.DataFrame, bytes]]:
        """Frames of the messages that Polars can read, with `_row`, and the text that each was read from."""
        text = messages.text(rows)
        try:
            frame = pl.read_ndjson(text, schema=schema, ignore_errors=True) if text else None
        except pl.exceptions.ComputeError:  # some message is not JSON; it is not told which
            if len(rows) <= _FEW:
                return []
            return [found for part in np.array_split(rows, _PARTS) for found in self._parse(messages, part, schema)]
        return [] if frame is None else [(frame.hstack([pl.Series(ROW, rows)]), text)]

    def _certain(self, messages: Messages, frame: pl.DataFrame, text: bytes) -> tuple[pl.DataFrame, bool]:
        """What is certain of a frame, timestamps parsed; and whether no row was left out for what is unexplained."""
        doubtful = np.zeros(frame.height, dtype=np.bool_)
        for name in self._required:
            if frame[name].null_count():
                doubtful |= frame[name].is_null().to_numpy()
        explained = self._explains(messages, frame, text, doubtful)
        if not explained:
            doubtful |= self._unexplained(messages, frame)
        parsed = self._with_times(frame)
        for name in self._times & {*frame.columns}:
            if parsed[name].null_count() != frame[name].null_count():
                doubtful |= (parsed[name].is_null() & frame[name].is_not_null()).to_numpy()
        return parsed.filter(pl.Series(~doubtful)) if doubtful.any() else parsed, explained

    def _explains(self, messages: Messages, frame: pl.DataFrame, text: bytes, doubtful: _Mask) -> bool:
        """Whether rows that are not doubtful explain, together, all quotes and colons of their messages."""
        data = np.frombuffer(text, dtype=np.uint8)
        others = frame.filter(pl.Series(doubtful))
        left_out = messages.take(others[ROW].to_numpy())
        quotes, colons = (
            int(np.count_nonzero(data == ord(sign))) - sum(message.count(sign.encode()) for message in left_out)
            for sign in '":'
        )
        needed, less = self._needed(frame), self._needed(others)
        return (quotes, colons) == (needed[0] - less[0], needed[1] - less[1])

    def _needed(self, frame: pl.DataFrame) -> tuple[int, int]:
        """How many quotes and colons all rows need."""
        texts = [name for name in frame.columns if frame[name].dtype == pl.String]
        given = {name: frame.height - frame[name].null_count() for name in frame.columns if name != ROW}
        fields, strings = sum(given.values()), sum(given[name] for name in texts)
        inside = sum(str(frame[name].str.join("").item()).count(":") for name in texts if given[name])
        return 2 * (fields + strings), fields + inside

    def _unexplained(self, messages: Messages, frame: pl.DataFrame) -> _Mask:
        """Which rows have other counts of quotes and colons than they need, each looked at alone."""
        texts, given = pl.col(pl.String), pl.sum_horizontal(pl.exclude(ROW).is_not_null())
        needed = frame.select(
            (2 * (given + pl.sum_horizontal(texts.is_not_null()))).alias("quotes"),
            (given + pl.sum_horizontal(texts.str.count_matches(":", literal=True))).alias("colons"),
        )
        rows = frame[ROW].to_numpy()
        nulls, unexplained = self._written_nulls(messages, frame)
        unexplained |= _count(messages, '"')[rows] != needed["quotes"].to_numpy() + 2 * nulls
        unexplained |= _count(messages, ":")[rows] != needed["colons"].to_numpy() + nulls
        return unexplained

    def _written_nulls(self, messages: Messages, frame: pl.DataFrame) -> tuple[Int64, _Mask]:
        """How many keys with an allowed null each row has; and where one comes twice, or beside a value.

        Without backslashes a quote only begins or ends a string, so what is found is a key and not part of a text.
        """
        rows = frame[ROW].to_numpy()
        nulls = np.zeros(frame.height, dtype=np.int64)
        twice = np.zeros(frame.height, dtype=np.bool_)
        for name, key in self._nulls.items():
            places = [found.start() for found in key.finditer(messages.data)]
            times = np.bincount(np.searchsorted(messages.ends, places), minlength=len(messages))[rows]
            value = frame[name].is_not_null().to_numpy() if name in frame.columns else twice
            twice = twice | (times > 1) | ((times > 0) & value)
            nulls += times
        return nulls, twice

    def _with_times(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(parse_timestamps(frame[name]) for name in self._times & {*frame.columns})

    def _complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Frame with all fields of the contract, in its order; absent values read as the field's default."""
        missing = [
            pl.lit(None, DTYPE if name in self._times else dtype).alias(name)
            for name, dtype in self._schema.items()
            if name not in frame.columns
        ]
        return frame.with_columns(missing).with_columns(self._defaults)[[*self._schema, ROW]]


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

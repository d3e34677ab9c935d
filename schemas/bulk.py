"""Many messages to columns at once, as far as it is certain that the exact decoder would say the same.

Polars reads JSON lines several times as fast as one message after the other can be, but it is lenient: unknown
and repeated keys are passed over, a number or an object where the contract has a string becomes one, and null is
the same as nothing. A message counts only if none of that can have happened:

- It is one object without another object or a backslash inside, and no required field came out null. (A number is null
  unless JSON has a number there, an integer unless it is one of 64 bits, a boolean unless JSON has true or false.)
- It has as many opening brackets as lists came out. A list field is null unless JSON has a list there, so every list
  was the value of such a field: none was inside another or the value of a string field, and no string has a bracket.
- It has as many colons as fields came out, plus those inside their strings. Every key brings one colon and every
  field that came out had a key, so there is no other key, and none twice.
- It has as many quotes as these keys and the strings that came out, those in lists too, need. So every string was one;
  a null in a list counts as one and has no quotes.

A message can only have too many brackets, never too few; where these are right, only too many colons; and where those
are right, only too few quotes. So the sums over a batch prove it for each. Only where the sums differ are messages
counted one by one; then a key with a null where the contract allows one also explains its colon and quotes, once. What
is not certain here may still be good: the caller gives it to the exact decoder.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.batch import ROW
from schemas.contract import Contract
from schemas.messages import Int64, Messages
from schemas.timestamps import DTYPE, parse_timestamps

_FEW: Final = 64  # messages among which a malformed one is not looked for any further
_PARTS: Final = 8
_decode_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode
_STRINGS: Final = pl.List(pl.String)
_SIGNS: Final = '":['  # what is counted
_PER_NULL: Final = np.array([2, 1, 0])  # of each sign, as a key with a null has it

_Schema = dict[str, pl.DataType | type[pl.DataType]]
_Mask = npt.NDArray[np.bool_]
_Parsed = tuple[pl.DataFrame, bytes]


class BulkReader:
    """Reads messages of one contract."""

    def __init__(self, contract: Contract, max_bytes: int) -> None:
        self._schema: _Schema = {f.name: pl.String if f.type == "timestamp" else f.dtype for f in contract.fields}
        self._times = frozenset(f.name for f in contract.fields if f.type == "timestamp")
        self._required = [f.name for f in contract.fields if f.required]
        self._optional = frozenset(f.name for f in contract.fields if not f.required)
        self._sought = self._optional
        self._sums_tell = True
        self._defaults = [pl.col(f.name).fill_null(f.default) for f in contract.fields if f.default is not None]
        # With a default, null is not the same as nothing: that is left to the exact reader.
        nullable = [f.name for f in contract.fields if f.nullable and not f.required and f.default is None]
        self._lists = sum(f.dtype == _STRINGS for f in contract.fields)
        self._nulls = {name: np.frombuffer(b'"%b":null' % name.encode(), dtype=np.uint8) for name in nullable}
        self._max_bytes = max_bytes

    def read(self, messages: Messages) -> pl.DataFrame:
        """Fields of the messages that are certainly good, with `_row`, rising; the others are left out."""
        sought = self._sought
        schema = {name: dtype for name, dtype in self._schema.items() if name in sought or name not in self._optional}
        plain = _in_utf8(messages, _plain(messages, self._max_bytes, self._lists))
        parsed = self._parse(messages, plain, schema)
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

    def _parse(self, messages: Messages, rows: Int64, schema: _Schema) -> list[_Parsed]:
        """Frames of the messages that Polars can read, with `_row`, and the text that each was read from."""
        text = messages.text(rows)
        try:
            frame = pl.read_ndjson(text, schema=schema, ignore_errors=True) if text else None
        except pl.exceptions.ComputeError:  # some message is not JSON; it is not told which
            return self._parse_some(messages, rows, schema)
        return [] if frame is None else [(frame.hstack([pl.Series(ROW, rows)]), text)]

    def _parse_some(self, messages: Messages, rows: Int64, schema: _Schema) -> list[_Parsed]:
        """`_parse` of messages that Polars cannot read all."""
        sound = _in_json(messages, rows)
        if len(sound) < len(rows):
            return self._parse(messages, sound, schema)
        if len(rows) <= _FEW:
            return []
        return [found for part in np.array_split(rows, _PARTS) for found in self._parse(messages, part, schema)]

    def _certain(self, messages: Messages, frame: pl.DataFrame, text: bytes) -> tuple[pl.DataFrame, bool]:
        """What is certain of a frame, timestamps parsed; and whether no row was left out for what is unexplained."""
        doubtful = np.zeros(frame.height, dtype=np.bool_)
        for name in self._required:
            if frame[name].null_count():
                doubtful |= frame[name].is_null().to_numpy()
        unexplained, explained = self._unexplained(messages, frame, text, doubtful)
        doubtful |= unexplained
        parsed = self._with_times(frame)
        for name in self._times & {*frame.columns}:
            if parsed[name].null_count() != frame[name].null_count():
                doubtful |= (parsed[name].is_null() & frame[name].is_not_null()).to_numpy()
        return parsed.filter(pl.Series(~doubtful)) if doubtful.any() else parsed, explained

    def _unexplained(self, messages: Messages, frame: pl.DataFrame, text: bytes, doubtful: _Mask) -> tuple[_Mask, bool]:
        """Which rows have other counts of signs than they need, those that are doubtful aside; and whether none has."""
        unexplained = np.zeros(frame.height, dtype=np.bool_)
        surplus = _surplus(text, frame) if self._sums_tell else None

        def explained(nulls: int) -> bool:
            if surplus is None:
                return False
            others = frame.filter(pl.Series(doubtful | unexplained))
            left = surplus - _surplus(b"".join(messages.take(others[ROW].to_numpy())), others)
            return np.array_equal(left, _PER_NULL * nulls)

        if explained(0):
            return unexplained, True
        nulls, unexplained = self._written_nulls(messages, frame)
        if explained(int(nulls[~(doubtful | unexplained)].sum())):
            return unexplained, True
        rows, needed = frame[ROW].to_numpy(), _needed_each(frame)
        for sign, per_null in zip(_SIGNS, _PER_NULL, strict=True):
            unexplained |= _count(messages, sign)[rows] != needed[sign].to_numpy() + per_null * nulls
        # Where odd messages come all the time, to add up first is a waste.
        self._sums_tell = not unexplained[~doubtful].any()
        return unexplained, self._sums_tell

    def _written_nulls(self, messages: Messages, frame: pl.DataFrame) -> tuple[Int64, _Mask]:
        """How many keys with an allowed null each row has; and where one comes twice, or beside a value.

        Without backslashes a quote only begins or ends a string, so what is found is a key and not part of a text.
        """
        rows = frame[ROW].to_numpy()
        nulls = np.zeros(frame.height, dtype=np.int64)
        twice = np.zeros(frame.height, dtype=np.bool_)
        data = np.frombuffer(messages.data, dtype=np.uint8)
        colons = np.flatnonzero((data[:-1] == ord(":")) & (data[1:] == ord("n")))
        for name, key in self._nulls.items():
            places = _beginning(data, colons - (len(key) - len(":null")), key)
            times = np.bincount(np.searchsorted(messages.ends, places), minlength=len(messages))[rows]
            twice |= times > 1
            if name in frame.columns:
                twice |= (times > 0) & frame[name].is_not_null().to_numpy()
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


def _surplus(text: bytes, frame: pl.DataFrame) -> Int64:
    """How many more of each of `_SIGNS` a text has than the rows read from it need."""
    data = np.frombuffer(text, dtype=np.uint8)
    given = {name: frame.height - frame[name].null_count() for name in frame.columns if name != ROW}
    texts = [frame[name] for name in given if frame[name].dtype == pl.String and given[name]]
    lists = [frame[name].drop_nulls() for name in given if frame[name].dtype == _STRINGS and given[name]]
    fields = sum(given.values())
    strings = sum(len(one) - one.null_count() for one in texts) + sum(int(one.list.len().sum()) for one in lists)
    inside = sum(str(one.str.join("").item()).count(":") for one in (*texts, *(one.explode() for one in lists)))
    found: Int64 = np.array([np.count_nonzero(data == ord(sign)) for sign in _SIGNS])
    found -= np.array([2 * (fields + strings), fields + inside, sum(map(len, lists))])
    return found


def _needed_each(frame: pl.DataFrame) -> pl.DataFrame:
    """How many of each of `_SIGNS` every row needs."""
    texts, lists, given = pl.col(pl.String), pl.col(_STRINGS), pl.sum_horizontal(pl.exclude(ROW).is_not_null())
    inside = (one.str.count_matches(":", literal=True) for one in (texts, lists.list.join("", ignore_nulls=True)))
    return frame.select(
        (2 * (given + pl.sum_horizontal(pl.lit(0), texts.is_not_null(), lists.list.len()))).alias('"'),
        (given + pl.sum_horizontal(pl.lit(0), *inside)).alias(":"),
        pl.sum_horizontal(pl.lit(0), lists.is_not_null()).alias("["),
    )


def _plain(messages: Messages, max_bytes: int, lists: int) -> Int64:
    """Indices of messages that may be one flat object: in braces, no brace, backslash or control inside.

    Neither has one more opening brackets than `lists`, which also bounds how deep Polars' parser goes.
    """
    data = np.frombuffer(messages.data, dtype=np.uint8)
    starts, ends = messages.starts, messages.ends
    plain = (ends - starts >= len("{}")) & (ends - starts <= max_bytes)
    plain &= (data[starts] == ord("{")) & (data[ends - 1] == ord("}"))
    if int(np.count_nonzero(data < ord(" "))) != len(messages):
        plain[_rows_with(messages, data < ord(" "))] = False
    if b"\\" in messages.data:
        plain[_rows_with(messages, data == ord("\\"))] = False
    if b"[" in messages.data:
        plain &= np.bincount(_rows_with(messages, data == ord("[")), minlength=len(messages)) <= lists
    braces = data == ord("{")
    if int(np.count_nonzero(braces)) != len(messages):
        braces[starts] = False
        plain[_rows_with(messages, braces)] = False
    return np.flatnonzero(plain)


def _in_utf8(messages: Messages, rows: Int64) -> Int64:
    """Those of some rising indices whose messages are UTF-8."""
    if _is_utf8(messages.data):
        return rows
    beyond_ascii = np.frombuffer(messages.data, dtype=np.int8) < 0
    odd = np.unique(_rows_with(messages, beyond_ascii))
    bad = [row for row, message in zip(odd.tolist(), messages.take(odd), strict=True) if not _is_utf8(message)]
    return np.setdiff1d(rows, bad, assume_unique=True)


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


def _in_json(messages: Messages, rows: Int64) -> Int64:
    """Those of some rising indices whose messages are JSON, as far as a quick look tells."""
    good = np.ones(len(rows), dtype=np.bool_)
    for at, message in enumerate(messages.take(rows)):
        try:
            _decode_raw(message)
        except msgspec.DecodeError:
            good[at] = False
    return rows[good]


def _rows_with(messages: Messages, found: npt.NDArray[np.bool_]) -> Int64:
    """Indices of messages with a byte that was found inside of them."""
    places = np.flatnonzero(found)
    rows = np.searchsorted(messages.ends, places)
    inside: Int64 = rows[places < messages.ends[rows]]
    return inside


def _beginning(data: npt.NDArray[np.uint8], places: Int64, text: npt.NDArray[np.uint8]) -> Int64:
    """Those of some places in the data where a text begins. Whole columns of bytes: faster than a search by far."""
    for at, sign in enumerate(text):
        places = places[data.take(places + at, mode="clip") == sign]
    return places


def _count(messages: Messages, sign: str) -> Int64:
    """How often a character occurs in each message."""
    found = np.frombuffer(messages.data, dtype=np.uint8) == ord(sign)
    # The narrower the sum, the faster, by far; it must hold the longest message full of nothing else.
    dtype = np.uint16 if int((messages.ends - messages.starts).max()) < 1 << 16 else np.int64
    return np.add.reduceat(found.view(np.uint8), messages.starts, dtype=dtype).astype(np.int64)

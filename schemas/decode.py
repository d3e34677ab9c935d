"""Messages to columns: strict JSON, one verdict per message, whatever else is in the batch.

A message is good when it is a UTF-8 JSON object (RFC 8259) with exactly the fields of the contract, each once
and of its type. Everything else is rejected with one code and the decoder's own words:

    decode.size               longer than the limit; not looked at
    decode.json               not JSON, or not just one JSON value
    decode.utf8               not UTF-8
    decode.type               a value of another type; null where the contract has none
    decode.range              a number that 64 bits cannot hold
    decode.missing_field      a required field is absent
    decode.unknown_field      a field the contract does not name: models are closed
    decode.control_character  U+0000 to U+001F in a string, written as an escape
    decode.duplicate_key      a key occurs twice
    decode.timestamp          not RFC 3339 in UTC (see `schemas.timestamps`)

The codes are stable. A message gets one: the first that the JSON decoder meets, else the first of
control_character, duplicate_key, timestamp.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType

from schemas.batch import ROW
from schemas.contract import Contract, Field
from schemas.repeated_keys import colons, count_keys, may_escape_colons
from schemas.timestamps import parse_timestamps

MAX_BYTES: Final = 1 << 20
"""Default limit of the size of a message, in bytes."""

_SLICE: Final = 4096  # messages decoded at a time: their objects stay in the processor cache until read out
_DETAIL: Final = 500  # characters of the decoder's words kept: a message may put a megabyte into a field name
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: Final[dict[str, Any]] = {
    "string": str,
    "integer": _INT64,
    "number": float,
    "boolean": bool,
    "timestamp": str,
    "strings": list[str],
}
_CODES: Final = (
    ("JSON is malformed", "decode.json"),
    ("Input data was truncated", "decode.json"),
    ("Object missing required field", "decode.missing_field"),
    ("Object contains unknown field", "decode.unknown_field"),
    ("Integer value out of range", "decode.range"),
    ("Number out of range", "decode.range"),
    ("Expected `int` ", "decode.range"),
    ("Expected ", "decode.type"),
)
# Each escape takes what follows its backslash along, so that the `n` behind an escaped backslash is none.
_ESCAPE: Final = re.compile(rb"\\(u00[01]|.)", re.DOTALL)
_CONTROL: Final = frozenset((b"b", b"f", b"n", b"r", b"t", b"u000", b"u001"))


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that cannot be decoded: its index in the batch, a stable code, and what was wrong where."""

    row: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """`frame` has the wanted columns and `_row`, the index of the message, rising; `rejects` rise as well."""

    frame: pl.DataFrame
    rejects: list[Reject]


@dataclass(slots=True)
class _Slice:
    """Messages on their way to columns: parallel lists from which rejected rows are dropped."""

    rows: list[int]
    messages: list[bytes]
    events: list[msgspec.Struct]
    rejects: list[Reject]
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def reject(self, code: str, bad: dict[int, str]) -> None:
        """Drop the rows at the positions in `bad`, which maps them to details."""
        if not bad:
            return
        self.rejects.extend(Reject(self.rows[at], code, detail[:_DETAIL]) for at, detail in bad.items())
        keep = [at for at in range(len(self.rows)) if at not in bad]
        self.rows = [self.rows[at] for at in keep]
        self.messages = [self.messages[at] for at in keep]
        self.events = [self.events[at] for at in keep]
        self.columns = {name: [values[at] for at in keep] for name, values in self.columns.items()}


class Decoder:
    """Decodes messages of one contract into `columns`, which must be fields of it.

    Every field is checked whether it is wanted or not, so the verdict on a message never depends on `columns`.
    """

    def __init__(self, contract: Contract, columns: Sequence[str], *, max_bytes: int = MAX_BYTES) -> None:
        unknown = set(columns) - set(contract.field_names)
        if unknown:
            raise KeyError(f"{contract.key} has no field {', '.join(sorted(unknown))}")
        self._wanted = tuple(f for f in contract.fields if f.name in set(columns))
        self._plain = tuple(f for f in self._wanted if f.type != "timestamp")
        self._times = tuple(f for f in contract.fields if f.type == "timestamp")
        self._read = (*self._plain, *self._times)
        self._readers = {f.name: _reader(f.name) for f in self._read}
        self._required_times = [f.name for f in self._times if f.required]
        self._others = [
            f.name for f in self._read if f.type in ("string", "timestamp") and f.name not in self._required_times
        ]
        self._optional = [f.name for f in contract.fields if not f.required]
        self._unread = [name for name in self._optional if name not in {f.name for f in self._read}]
        self._required = len(contract.fields) - len(self._optional)
        self._max_bytes = max_bytes
        self._decode = msgspec.json.Decoder(_struct(contract)).decode

    def decode(self, messages: list[bytes]) -> Decoded:
        """Decode one batch. Never raises for what a message holds."""
        rejects: list[Reject] = []
        columns: dict[str, list[Any]] = {f.name: [] for f in self._read}
        rows: list[int] = []
        for start in range(0, len(messages), _SLICE):
            part = self._checked(messages[start : start + _SLICE], start, rejects)
            rows += part.rows
            for name, values in part.columns.items():
                columns[name] += values
        times = {f.name: columns[f.name] for f in self._times}
        series = [_series(f, columns[f.name]) for f in self._plain]
        frame = pl.DataFrame([*series, pl.Series(ROW, rows, dtype=pl.Int64)])
        frame = self._with_times(frame, times, rejects)
        rejects.sort(key=attrgetter("row"))
        return Decoded(frame, rejects)

    def _with_times(self, frame: pl.DataFrame, times: dict[str, list[Any]], rejects: list[Reject]) -> pl.DataFrame:
        """Frame with its timestamps parsed, all of a batch at once, and without the rows where one is wrong."""
        wrong: dict[int, str] = {}
        for name, values in times.items():
            texts = values if name in self._required_times else [_text(value) for value in values]
            instants = parse_timestamps(texts).alias(name)
            if instants.null_count():
                for at in instants.is_null().arg_true():
                    if isinstance(values[at], str):
                        wrong.setdefault(at, f"{values[at]!r} - at `$.{name}`")
            frame.insert_column(-1, instants)
        if wrong:
            rows = frame[ROW]
            rejects.extend(Reject(rows[at], "decode.timestamp", text[:_DETAIL]) for at, text in wrong.items())
            keep = np.ones(frame.height, dtype=np.bool_)
            keep[list(wrong)] = False
            frame = frame.filter(pl.Series(keep))
        return frame[[*(f.name for f in self._wanted), ROW]]

    def _checked(self, messages: list[bytes], start: int, rejects: list[Reject]) -> _Slice:
        part = self._parse(messages, start, rejects)
        joined = b"".join(part.messages)
        escapes = b"\\" in joined
        if escapes:
            _check_control_characters(part)
            joined = b"".join(part.messages)
        part.columns = {name: read(part.events) for name, read in self._readers.items()}
        self._check_repeated_keys(part, joined, escapes=escapes)
        return part

    def _parse(self, messages: list[bytes], start: int, rejects: list[Reject]) -> _Slice:
        """Decode each message into an event; those that fail are rejected and the rest is not touched."""
        bad: dict[int, tuple[str, str]] = {}
        if max(map(len, messages)) > self._max_bytes:
            for at, message in enumerate(messages):
                if len(message) > self._max_bytes:
                    bad[at] = ("decode.size", f"{len(message)} bytes; the limit is {self._max_bytes}")
        places = [at for at in range(len(messages)) if at not in bad] if bad else range(len(messages))
        events: list[msgspec.Struct] = []
        stream = iter([messages[at] for at in places] if bad else messages)
        failed = 0
        while True:
            try:
                # Keeps what was appended when a message fails, and goes on behind that message.
                events.extend(map(self._decode, stream))
                break
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                bad[places[len(events) + failed]] = (_code(error), str(error))
                failed += 1
        rows = list(range(start, start + len(messages)))
        if bad:
            rejects.extend(Reject(start + at, code, text[:_DETAIL]) for at, (code, text) in bad.items())
            for at in sorted(bad, reverse=True):  # few are bad: to delete them is cheaper than to copy the others
                del rows[at], messages[at]
        return _Slice(rows, messages, events, rejects)

    def _check_repeated_keys(self, part: _Slice, joined: bytes, *, escapes: bool) -> None:
        events, columns = part.events, part.columns
        total = colons(joined)
        hidden = escapes and may_escape_colons(joined)
        given = [len(events) - columns[f.name].count(UNSET) for f in self._read if not f.required]
        known = len(events) * self._required + sum(given)
        known += sum("".join(columns[name]).count(":") for name in self._required_times)
        if total == known and not hidden:
            return
        known += sum("".join(map(_text, columns[name])).count(":") for name in self._others)
        known += sum(len(events) - list(map(attrgetter(n), events)).count(UNSET) for n in self._unread)
        if total == known and not hidden:
            return
        certain = self._required + given.count(len(events))
        repeated = {}
        for at, message in enumerate(part.messages):
            in_times = sum(columns[name][at].count(":") for name in self._required_times)
            if message.count(b":") > certain + in_times or may_escape_colons(message):
                keys = count_keys(message)
                different = self._required + sum(getattr(events[at], name) is not UNSET for name in self._optional)
                if keys > different:
                    repeated[at] = f"{keys} keys, {different} of them different"
        part.reject("decode.duplicate_key", repeated)


def _reader(name: str) -> Callable[[list[msgspec.Struct]], list[Any]]:
    """Function that reads one attribute of many events."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is not a field name")
    # The interpreter specialises a comprehension over a fixed attribute: half the time of `attrgetter`, and this
    # is the hottest line of the program. Nothing but a plain identifier gets into the text.
    reader: Callable[[list[msgspec.Struct]], list[Any]]
    reader = eval(f"lambda events: [event.{name} for event in events]")  # noqa: S307 - see above
    return reader


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _check_control_characters(part: _Slice) -> None:
    found = {}
    for at, message in enumerate(part.messages):
        if b"\\" in message and not _CONTROL.isdisjoint(escapes := _ESCAPE.findall(message)):
            wrong = next(escape for escape in escapes if escape in _CONTROL).decode()
            found[at] = f"a string has a control character, written \\{wrong}"
    part.reject("decode.control_character", found)


def _struct(contract: Contract) -> type[msgspec.Struct]:
    """Closed msgspec type of a contract's events; an absent optional field reads as UNSET."""
    fields: list[Any] = []
    for f in contract.fields:
        kind = _TYPES[f.type] | None if f.nullable else _TYPES[f.type]
        fields.append((f.name, kind) if f.required else (f.name, kind | UnsetType, UNSET))
    # Optional fields may stand before required ones in the contract: keyword-only lifts Python's rule of order.
    return msgspec.defstruct("Event", fields, forbid_unknown_fields=True, gc=False, kw_only=True)


def _code(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "decode.utf8"
    text = str(error)
    return next((code for start, code in _CODES if text.startswith(start)), "decode.type")


def _series(f: Field, values: list[Any]) -> pl.Series:
    """Column of a field; absent values read as its default."""
    if not f.required and UNSET in values:
        values = [f.default if value is UNSET else value for value in values]
    return pl.Series(f.name, values, dtype=f.dtype, strict=True)

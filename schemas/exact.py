"""One message after the other to columns: strict, and in the decoder's own words what is wrong with each."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import UNSET, UnsetType

from schemas.batch import ROW
from schemas.contract import Contract, Field
from schemas.repeated_keys import colons, count_keys, may_escape_colons
from schemas.timestamps import parse_timestamps

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


class ExactReader:
    """Reads messages of one contract, every field of them."""

    def __init__(self, contract: Contract, max_bytes: int) -> None:
        self._fields = contract.fields
        self._readers = {f.name: _reader(f.name) for f in contract.fields}
        self._times = [f.name for f in contract.fields if f.type == "timestamp"]
        self._texts = [f.name for f in contract.fields if f.type in ("string", "timestamp")]
        self._required_times = [f.name for f in contract.fields if f.type == "timestamp" and f.required]
        self._optional = [f.name for f in contract.fields if not f.required]
        self._max_bytes = max_bytes
        self._decode = msgspec.json.Decoder(_struct(contract)).decode

    def read(self, messages: list[bytes], rows: npt.NDArray[np.int64]) -> tuple[pl.DataFrame, list[Reject]]:
        """Fields of the good messages, with `_row`, and what is wrong with the others.

        `rows` are the indices by which messages go in both.
        """
        rejects: list[Reject] = []
        columns: dict[str, list[Any]] = {f.name: [] for f in self._fields}
        good: list[int] = []
        for start in range(0, len(messages), _SLICE):
            part = self._checked(messages[start : start + _SLICE], rows[start : start + _SLICE].tolist(), rejects)
            good += part.rows
            for name, values in part.columns.items():
                columns[name] += values
        series = [_series(f, columns[f.name]) for f in self._fields]
        frame = self._with_times(pl.DataFrame([*series, pl.Series(ROW, good, dtype=pl.Int64)]), rejects)
        rejects.sort(key=attrgetter("row"))
        return frame, rejects

    def _with_times(self, frame: pl.DataFrame, rejects: list[Reject]) -> pl.DataFrame:
        """Frame with its timestamps parsed and without the rows where one is wrong."""
        wrong: dict[int, str] = {}
        for name in self._times:
            texts = frame[name]
            instants = parse_timestamps(texts)
            if instants.null_count() > texts.null_count():
                for at in (instants.is_null() & texts.is_not_null()).arg_true():
                    wrong.setdefault(
                        at, f"Expected a time like 2026-03-02T08:15:30Z, got {texts[at]!r} - at `$.{name}`"
                    )
            frame = frame.with_columns(instants)
        if wrong:
            rejects.extend(Reject(frame[ROW][at], "decode.timestamp", text[:_DETAIL]) for at, text in wrong.items())
            keep = np.ones(frame.height, dtype=np.bool_)
            keep[list(wrong)] = False
            frame = frame.filter(pl.Series(keep))
        return frame

    def _checked(self, messages: list[bytes], rows: list[int], rejects: list[Reject]) -> _Slice:
        part = self._parse(messages, rows, rejects)
        if any(b"\\" in message for message in part.messages):
            _check_control_characters(part)
        part.columns = {name: read(part.events) for name, read in self._readers.items()}
        self._check_repeated_keys(part)
        return part

    def _parse(self, messages: list[bytes], rows: list[int], rejects: list[Reject]) -> _Slice:
        """Decode each message into an event; those that fail are rejected and the rest is not touched."""
        bad: dict[int, tuple[str, str]] = {}
        for at, message in enumerate(messages):
            if len(message) > self._max_bytes:
                bad[at] = ("decode.size", f"{len(message)} bytes; the limit is {self._max_bytes}")
        places = [at for at in range(len(messages)) if at not in bad]
        events: list[msgspec.Struct] = []
        stream = iter([messages[at] for at in places])
        failed = 0
        while True:
            try:
                # Keeps what was appended when a message fails, and goes on behind that message.
                events.extend(map(self._decode, stream))
                break
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                bad[places[len(events) + failed]] = (_code(error), str(error))
                failed += 1
        rejects.extend(Reject(rows[at], code, text[:_DETAIL]) for at, (code, text) in bad.items())
        good = [at for at in range(len(messages)) if at not in bad]
        return _Slice([rows[at] for at in good], [messages[at] for at in good], events, rejects)

    def _check_repeated_keys(self, part: _Slice) -> None:
        columns, joined = part.columns, b"".join(part.messages)
        known = sum(len(part.rows) - columns[f.name].count(UNSET) for f in self._fields)
        known += sum("".join(map(_text, columns[name])).count(":") for name in self._texts)
        if colons(joined) == known and not may_escape_colons(joined):
            return
        repeated = {}
        required = len(self._fields) - len(self._optional)
        for at, message in enumerate(part.messages):
            different = required + sum(columns[name][at] is not UNSET for name in self._optional)
            in_times = sum(columns[name][at].count(":") for name in self._required_times)
            if message.count(b":") > different + in_times or may_escape_colons(message):
                keys = count_keys(message)
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
    """Column of a field, timestamps still as text; absent values read as the field's default."""
    if not f.required and UNSET in values:
        values = [f.default if value is UNSET else value for value in values]
    return pl.Series(f.name, values, dtype=pl.String if f.type == "timestamp" else f.dtype, strict=True)

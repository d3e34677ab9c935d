"""Whether two versions of a contract can live side by side.

*Backward*: a reader of the new version accepts every message written to the old one (upgrade readers first).
*Forward*: a reader of the old version accepts every message written to the new one (upgrade writers first).
*Full*: both. Models are closed, so even a new optional field breaks forward compatibility.

"Accepts" includes "and understands alike": another unit, default, key or event time is a break as well. Where it
cannot be shown that a message passes (two different patterns, say), it counts as refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from schemas.contract import Contract, Field

Level = Literal["full", "backward", "forward", "none"]

_EXACT: Final = 2**53


class Reason(NamedTuple):
    """Why a direction is broken: by which field, rule (`rule CODE`) or property of the event, and in which way."""

    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Why the versions are not backward or forward compatible; empty where they are."""

    backward: tuple[Reason, ...]
    forward: tuple[Reason, ...]

    @property
    def level(self) -> Level:
        """The strongest compatibility that holds."""
        if self.backward:
            return "none" if self.forward else "forward"
        return "backward" if self.forward else "full"


def check_compatibility(old: Contract, new: Contract) -> Compatibility:
    """Compare two versions of a contract in both directions."""
    return Compatibility(backward=tuple(_refusals(new, old)), forward=tuple(_refusals(old, new)))


def _refusals(reader: Contract, writer: Contract) -> Iterator[Reason]:
    """Reasons why `reader` may refuse or misread messages that are good for `writer`."""
    if reader.name != writer.name:
        yield Reason("name", f"{reader.key} and {writer.key} are different events")
    written = {field.name: field for field in writer.fields}
    for name in written:
        if name not in reader.field_names:
            yield Reason(name, f"{reader.key} is closed and does not know it")
    for field in reader.fields:
        if field.name in written:
            yield from (Reason(field.name, text) for text in _of_field(field, written[field.name]))
        elif field.required:
            yield Reason(field.name, f"{reader.key} requires it and {writer.key} does not have it")
    yield from _of_event(reader, writer)


def _of_event(reader: Contract, writer: Contract) -> Iterator[Reason]:
    for what in ("idempotency_key", "entity_field", "event_time_field"):
        if getattr(reader, what) != getattr(writer, what):
            yield Reason(what, f"{getattr(writer, what)} is written, {getattr(reader, what)} is read")
    if reader.future_tolerance_s < writer.future_tolerance_s:
        yield Reason("future_tolerance_s", f"{reader.key} tolerates less")
    known = [(rule.expectation, rule.kwargs) for rule in writer.rules if rule.severity == "critical"]
    for rule in reader.rules:
        if rule.severity == "critical" and (rule.expectation, rule.kwargs) not in known:
            yield Reason(f"rule {rule.code}", f"critical in {reader.key} and not in {writer.key}")


def _of_field(reader: Field, writer: Field) -> Iterator[str]:
    yield from _of_meaning(reader, writer)
    yield from _of_limits(reader, writer)


def _of_meaning(reader: Field, writer: Field) -> Iterator[str]:
    if reader.type != writer.type:
        if (writer.type, reader.type) != ("integer", "number"):
            yield f"type {writer.type} is written, {reader.type} is read"
        elif max(-_low(writer)[0], _high(writer)[0]) > _EXACT:
            yield "integers beyond 2^53 lose digits when read as number"
    if reader.required and not writer.required:
        yield "it is required by the reader and may be absent"
    if not reader.required and not writer.required and reader.default != writer.default:
        yield f"absent means {writer.default!r} to the writer, {reader.default!r} to the reader"
    if writer.nullable and not reader.nullable:
        yield "it may be written as null"
    if reader.unit != writer.unit:
        yield f"unit {writer.unit!r} is written, {reader.unit!r} is read"


def _of_limits(reader: Field, writer: Field) -> Iterator[str]:
    if reader.values and not (writer.values and set(writer.values) <= set(reader.values)):
        extra = sorted(set(writer.values) - set(reader.values)) or "any text"
        yield f"values: {extra} may be written"
    if _low(reader) > _low(writer) or _high(reader) < _high(writer):
        yield "its range is wider when written than when read"
    if (reader.min_length or 0) > (writer.min_length or 0):
        yield "shorter texts are written"
    if _or_infinite(reader.max_length) < _or_infinite(writer.max_length):
        yield "longer texts are written"
    if reader.pattern is not None and reader.pattern != writer.pattern:
        yield f"pattern {reader.pattern!r} is not known to match what is written"


def _low(field: Field) -> tuple[float, bool]:
    """Lower bound, and whether it is itself excluded: compares as the tighter bound being greater."""
    if field.exclusive_minimum is not None:
        return field.exclusive_minimum, True
    return (field.minimum if field.minimum is not None else -math.inf), False


def _high(field: Field) -> tuple[float, bool]:
    """Upper bound, and whether it is itself included: compares as the tighter bound being less."""
    if field.exclusive_maximum is not None:
        return field.exclusive_maximum, False
    return (field.maximum if field.maximum is not None else math.inf), True


def _or_infinite(length: int | None) -> float:
    return math.inf if length is None else length

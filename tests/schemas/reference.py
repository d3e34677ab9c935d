"""A slow decoder in plain Python: what the fast one must say of every message.

It shares no code with `schemas.decode`: JSON by the standard library with everything lax about it refused, dates
by `datetime`.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.contract import Contract, Field

_TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RefusedError(Exception):
    """The message is not good."""


class _Integer(str):
    """Digits of an integer as written."""

    __slots__ = ()


class _Float(str):
    """A number with fraction or exponent as written."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated keys."""


def decode(message: bytes, contract: Contract, max_bytes: int = 1 << 20) -> dict[str, Any]:
    """Values of a good message by field (timestamps in microseconds since the epoch); raises RefusedError."""
    if len(message) > max_bytes:
        raise RefusedError("size")
    try:
        pairs = json.loads(
            message.decode("utf-8"),
            object_pairs_hook=_Pairs,
            parse_int=_Integer,
            parse_float=_Float,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise RefusedError(str(error)) from error
    if not isinstance(pairs, _Pairs):
        raise RefusedError("not an object")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or set(names) - set(contract.field_names):
        raise RefusedError("repeated or unknown key")
    return {field.name: _value(field, dict(pairs)) for field in contract.fields}


def _refuse(text: str) -> Any:
    raise RefusedError(text)


def _value(field: Field, given: dict[str, Any]) -> Any:
    if field.name not in given:
        if field.required:
            raise RefusedError(f"{field.name} is missing")
        return field.default
    value = given[field.name]
    if value is None:
        if not field.nullable:
            raise RefusedError(f"{field.name} is null")
        return None
    return _READ[field.type](value)


def _string(value: Any) -> str:
    if type(value) is not str or any(ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 for c in value):
        raise RefusedError("not a text, or not a clean one")
    return value


def _integer(value: Any) -> int:
    if type(value) is not _Integer or len(value) > 30 or not -(2**63) <= int(value) < 2**63:
        raise RefusedError("not a 64-bit integer")
    return int(value)


def _number(value: Any) -> float:
    if type(value) not in (_Integer, _Float):
        raise RefusedError("not a number")
    number = float(value)
    if math.isinf(number):
        raise RefusedError("too large")
    return 0.0 if type(value) is _Integer and number == 0 else number


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise RefusedError("not a boolean")
    return value


def _timestamp(value: Any) -> int:
    match = _TIMESTAMP.fullmatch(_string(value))
    if match is None:
        raise RefusedError("not a timestamp")
    *parts, fraction = match.groups()
    try:
        instant = datetime(*map(int, parts), int((fraction or "").ljust(6, "0")), tzinfo=UTC)
    except ValueError as error:
        raise RefusedError("no such instant") from error
    if not 1970 <= instant.year <= 2261:
        raise RefusedError("out of range")
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _strings(value: Any) -> list[str]:
    if type(value) is not list:
        raise RefusedError("not a list")
    return [_string(item) for item in value]


_READ = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "strings": _strings,
}

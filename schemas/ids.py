"""Deterministic identities: the same fact has the same id in every run, on every worker, after every crash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime


def event_id(event_type: str, key: Sequence[object]) -> str:
    """Id of an output row: 128 bits of SHA-256 over its type and key values, as 32 hex digits.

    Each value is written with its length before it, so that no two keys share a spelling.

    >>> event_id("takt.signal.v1", ["breaker_open", "telemetry/0", 7])
    '23cb0ec835722404c474eb9ed7d48900'
    """
    return id_of_spelled(event_type, map(_spelled, key))


def id_of_spelled(event_type: str, key: Iterable[bytes]) -> str:
    """`event_id` of key values that are `spelled` already."""
    return hashlib.sha256(b"".join((event_type.encode(), *key))).hexdigest()[:32]


def spelled(values: Sequence[object]) -> list[bytes]:
    """Values of one column as ids are made of them; each different one is written once, as rows share most of them.

    Equal values must be written alike, as those of one type are (all but 0.0 and -0.0).
    """
    known: dict[object, bytes] = {value: _spelled(value) for value in {*values}}
    return [*map(known.__getitem__, values)]


def subject(*names: str) -> str:
    """Names as one subject, which no other names have: what separates them is escaped where it is in one.

    >>> subject("north", "a/b"), subject("north/a", "b")
    ('north/a%2Fb', 'north%2Fa/b')
    """
    return "/".join(name.replace("%", "%25").replace("/", "%2F") for name in names)


def _spelled(value: object) -> bytes:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    data = text.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(data), data)

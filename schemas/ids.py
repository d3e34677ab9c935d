"""Deterministic identities: the same fact has the same id in every run, on every worker, after every crash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime


def event_id(event_type: str, key: Sequence[object]) -> str:
    """Id of an output row: 128 bits of SHA-256 over its type and key values, as 32 hex digits.

    Each value is written with its length before it, so that no two keys share a spelling.

    >>> event_id("takt.signal.v1", ["breaker_open", "telemetry/0", 7])
    '23cb0ec835722404c474eb9ed7d48900'
    """
    parts = [event_type.encode()]
    for value in key:
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        data = text.encode("utf-8", "surrogatepass")
        parts.append(b"%d:%b" % (len(data), data))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]
